"""Look for a learning rate before training: raise it step by step until the loss explodes.

python scripts/find_lr.py +recipe=bert_sentiment
python scripts/find_lr.py +recipe=bert_sentiment freezing=head_only --steps 60 --end 1

  --start RATE   the first rate (1e-7)
  --end RATE     the last rate (10)
  --steps N      steps of the optimizer, each one effective batch (100)
  --phase N      which phase of the freezing policy to go through, on the weights of the beginning (1)

All other arguments are those of run.py; accelerate launch and torchrun start it, too (torchrun takes --start for an
option of its own: write --from instead). Nothing is kept of the steps.
The curve goes to run.output_dir/<recipe>/lr-finder/ (with run.name=NAME to a folder NAME in it): lr_finder.html and
lr_finder.json.
"""

from __future__ import annotations

import argparse
import logging
import math
import signal
import sys
from typing import NoReturn

from tunebook.check import check
from tunebook.config.command import is_main_process, launch
from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError, Problem, TunebookError

SHORTEST = 20


class Parser(argparse.ArgumentParser):
    """Tells mistakes as run.py does."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise ConfigurationError(Problem("find_lr.py", f"{message}; see --help", "command line"))


def options(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own options, and the arguments that are left for run.py.

    Raises:
        ConfigurationError: they cannot be swept through.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--start", "--from", type=float, default=1e-7)
    parser.add_argument("--end", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--phase", type=int, default=1)
    own, others = parser.parse_known_args(arguments)
    problems = []
    if not 0 < own.start < own.end < math.inf:
        message = f"must rise from a rate above 0: --start {own.start:g} --end {own.end:g}"
        problems.append(Problem("--start, --end", message, "command line"))
    if own.steps < SHORTEST:
        message = f"must be at least {SHORTEST}, or the curve shows nothing; not {own.steps}"
        problems.append(Problem("--steps", message, "command line"))
    if problems:
        raise ConfigurationError(problems)
    return own, others


def main() -> None:
    """Check, sweep, print and write."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        raise SystemExit(0)
    speak()
    try:
        own, sys.argv[1:] = options(sys.argv[1:])
    except TunebookError as error:
        if is_main_process():
            print(error.describe(), file=sys.stderr)
        raise SystemExit(error.exit_code) from None

    def look(config: Config, command: str) -> None:
        # Imported here so that mistakes and --help answer without waiting for the libraries.
        from tunebook.rate_search import folder_of, search
        from tunebook.reporting.lr_page import JSON, PAGE, sweep_table
        from tunebook.training.lr_finder import Range
        from tunebook.training.signals import Stopped

        try:
            sweep, told = search(config, Range(own.start, own.end, own.steps, own.phase))
        except (Stopped, KeyboardInterrupt) as interruption:
            if is_main_process():
                print("Interrupted. Nothing was written.", file=sys.stderr)
            code = interruption.exit_code if isinstance(interruption, Stopped) else 128 + signal.SIGINT
            raise SystemExit(code) from None
        if is_main_process():
            print(sweep_table(sweep, told))
            for name, why in {PAGE: "to look at", JSON: "the numbers"}.items():
                print(f"  {folder_of(config) / name}   {why}")

    launch(look, check)


def speak() -> None:
    """Let Tunebook's log lines reach the terminal."""
    logger = logging.getLogger("tunebook")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))


if __name__ == "__main__":
    main()
