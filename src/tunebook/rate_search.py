"""The story of a search for a learning rate: a run's data and parts, a sweep in place of training, a page."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from tunebook.config.schema import Config
from tunebook.loading import load_data, load_parts
from tunebook.reporting.lr_page import advice, write_sweep
from tunebook.run_directory import RunDirectory
from tunebook.training import build
from tunebook.training.lr_finder import Range, Sweep, find_lr
from tunebook.training.processes import Processes
from tunebook.training.signals import listening

logger = logging.getLogger("tunebook")


def folder_of(config: Config) -> Path:
    """Where the curve of a recipe lies; of a named run, in a folder of its own."""
    return Path(config.run.output_dir).expanduser() / config.run.recipe / "lr-finder" / (config.run.name or "")


def search(config: Config, wanted: Range) -> tuple[Sweep, list[str]]:
    """Sweep the learning rate of a recipe and write the curve; nothing is trained for good.

    Args:
        config: a checked configuration.
        wanted: rates and steps.

    Returns:
        The sweep, and what to do with it in sentences.

    Raises:
        TunebookError: a mistake that the user can mend.
        Stopped: a signal has come.
    """
    processes = Processes(bool(config.runtime.use_cpu), int(config.runtime.ddp_timeout or 1800))
    layout = build.layout_of(config, processes.count)
    config = build.with_effective_batch(config, layout)
    with tempfile.TemporaryDirectory() as aside, _progress(wanted, processes.main) as tell:
        # What a run would write along the way goes with the folder.
        directory = RunDirectory(Path(aside))
        data = load_data(config, directory, processes)
        _, parts = load_parts(config, data, directory, processes)
        chosen = build.choose_precision(config, processes, None)
        trainer = build.build_trainer(config, parts, layout, chosen, directory, processes)
        with listening() as wish:
            if processes.main:
                logger.info("%s; precision %s", layout, chosen.name)
                logger.info("the learning rate rises from %g to %g in %d steps", wanted.start, wanted.end, wanted.steps)
            sweep = find_lr(trainer, processes, wanted, tell, wish)
    told = advice(sweep, config.hyperparameters)
    if processes.main:
        write_sweep(folder_of(config), sweep, config.run.recipe, told)
    processes.wait()
    return sweep, told


@contextlib.contextmanager
def _progress(wanted: Range, main: bool) -> Iterator[Callable[[int, float, float], None]]:
    """A bar over the steps, on the main process's terminal alone."""
    with tqdm(total=wanted.steps, unit="step", disable=not (main and sys.stderr.isatty()), leave=False) as bar:

        def tell(step: int, rate: float, loss: float) -> None:
            bar.set_postfix_str(f"learning rate {rate:.1e}, loss {loss:.3f}", refresh=False)
            bar.update(step - bar.n)

        yield tell
