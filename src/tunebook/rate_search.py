"""The story of a search for a learning rate: a run's context, a sweep in place of training, a page."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from tunebook.config.schema import Config
from tunebook.reporting.lr_page import advice, write_sweep
from tunebook.run_directory import RunDirectory
from tunebook.session import Session, processes_of
from tunebook.setup import build_context
from tunebook.training import build
from tunebook.training.lr_finder import Range, Sweep, find_lr
from tunebook.training.signals import StopWish, listening

logger = logging.getLogger("tunebook")


def folder_of(config: Config) -> Path:
    """Where the curve of a recipe is written; of a named run, in a folder of its own."""
    return Path(config.run.output_dir).expanduser() / config.run.recipe / "lr-finder" / (config.run.name or "")


def search(config: Config, wanted: Range) -> tuple[Sweep, list[str]]:
    """Sweep the learning rate of a recipe and write the curve; nothing is trained for good.

    Returns:
        The sweep, and what to do with it in sentences.

    Raises:
        TunebookError: a mistake that the user can fix.
        Stopped: a signal has come.
    """
    processes = processes_of(config)
    with tempfile.TemporaryDirectory() as aside, _progress(wanted, processes.main) as report:
        # What a run would write along the way goes with the folder.
        context = build_context(Session(config, "find_lr", processes, RunDirectory(Path(aside))))
        trainer = build.build_trainer(context)
        stop = StopWish()
        with listening(stop):
            if processes.main:
                logger.info("%s", context.layout)
                logger.info("the learning rate rises from %g to %g in %d steps", wanted.start, wanted.end, wanted.steps)
            sweep = find_lr(trainer, processes, wanted, report, stop)
    sentences = advice(sweep, context.config.hyperparameters)
    if processes.main:
        write_sweep(folder_of(config), sweep, config.run.recipe, sentences)
    processes.wait()
    return sweep, sentences


@contextlib.contextmanager
def _progress(wanted: Range, main: bool) -> Iterator[Callable[[int, float, float], None]]:
    """A bar over the steps, on the main process's terminal alone."""
    with tqdm(total=wanted.steps, unit="step", disable=not (main and sys.stderr.isatty()), leave=False) as bar:

        def report(step: int, rate: float, loss: float) -> None:
            bar.set_postfix_str(f"learning rate {rate:.1e}, loss {loss:.3f}", refresh=False)
            bar.update(step - bar.n)

        yield report
