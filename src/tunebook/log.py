"""One log for a run: the console and log.txt, by the main process alone. Knows nothing of what is logged."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import datasets
import transformers

LOGGER = "tunebook"
_LIBRARIES = ("transformers", "datasets", "accelerate", "evaluate", "py.warnings")


@contextlib.contextmanager
def logging_to(path: Path, main: bool) -> Iterator[logging.Logger]:
    """Send Tunebook's lines to the console and to a file, and the libraries' warnings to the file as well.

    transformers' and datasets' loggers do not propagate, so each gets the handlers itself.

    Args:
        path: of log.txt; lines are appended, so that a resumed run has one log.
        main: whether this process speaks; the others keep silent but for errors.
    """
    logger = logging.getLogger(LOGGER)
    handlers: list[logging.Handler] = []
    if main:
        path.parent.mkdir(parents=True, exist_ok=True)
        on_disk = logging.FileHandler(path, encoding="utf-8")
        on_disk.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))
        console = logging.StreamHandler(sys.stdout)
        console.setFormatter(_Plain())
        handlers = [on_disk, console]
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO if main else logging.ERROR)
    logger.propagate = False
    named = [logger, *(logging.getLogger(name) for name in _LIBRARIES)]
    logging.captureWarnings(True)
    _show_bars(main and sys.stderr.isatty())
    for one in named:
        one.handlers = [*handlers] if one is logger or main else [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            yield logger
    finally:
        logging.captureWarnings(False)
        logger.setLevel(before[0])
        logger.propagate = before[1]  # whoever called this has logs of its own
        for one in named:
            one.handlers = []
        for handler in handlers:
            handler.close()


def _show_bars(wanted: bool) -> None:
    """Progress bars of the libraries are for a terminal; in a file or on another rank they are noise."""
    # transformers' own are of loading and writing single files, between the lines of the training bar.
    transformers.utils.logging.disable_progress_bar()
    if wanted:
        datasets.enable_progress_bars()
    else:
        datasets.disable_progress_bars()


class _Plain(logging.Formatter):
    """The message alone; from warnings on, with the level in front."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text
