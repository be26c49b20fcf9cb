"""What a user sees when something is wrong; knows nothing of the rest of Tunebook.

TunebookError                      (exit code 2, no traceback)
├── ConfigurationError             also ValueError
├── DataError                      also ValueError
│   └── DataFileMissing            also FileNotFoundError
├── ModelError                     also ValueError
├── FreezingError                  also ValueError
├── RunDirectoryError              also OSError
├── TrainingDiverged               also ArithmeticError
└── NothingReached                 also ConnectionError

Everything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Args:
        key: what is wrong, as the user wrote it (`hyperparameters.lerning_rate`, a file, a column).
        message: what is wrong, what is allowed and how to fix it.
        place: where it is set (`command line`, `recipes/mine.yaml:7`, `train.csv, row 12`), or "".
    """

    key: str
    message: str
    place: str = ""


class TunebookError(Exception):
    """A mistake that the user can fix. Carries every problem, not just the first one.

    Args:
        problems: the problems, or one sentence where no key applies.
        subject: what they are about, for the heading ('this configuration', 'the dataset').
    """

    exit_code = 2
    subject = "this run"
    every_rank_speaks = False
    """Whether it is printed by the process that meets it, even if that is not the main one."""

    def __init__(self, problems: Iterable[Problem] | Problem | str, subject: str | None = None):
        if isinstance(problems, str):
            problems = [Problem("", problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems = list(problems)
        self.subject = subject or type(self).subject
        super().__init__(self.describe())

    def __str__(self) -> str:
        # OSError's own __str__ would show the errno form.
        return self.describe()

    def describe(self) -> str:
        """All problems, one a line, keys and places in columns."""
        count = len(self.problems)
        heading = f"{count} problem{'s' if count > 1 else ''} in {self.subject}:"
        width = max((len(p.key) for p in self.problems), default=0)
        place_width = max((len(p.place) + 2 for p in self.problems if p.place), default=0)
        lines = []
        for problem in self.problems:
            place = f"({problem.place})" if problem.place else ""
            cells = [problem.key.ljust(width)] if width else []
            cells += [place.ljust(place_width)] if place_width else []
            lines.append("  " + "   ".join([*cells, problem.message]).rstrip())
        return "\n".join([heading, *lines])


class ConfigurationError(TunebookError, ValueError):
    """The composed configuration cannot be run."""

    subject = "this configuration"


class DataError(TunebookError, ValueError):
    """The data cannot be read or used as the recipe asks."""

    subject = "the dataset"


class DataFileMissing(DataError, FileNotFoundError):
    """A file that the recipe names is not there."""


class ModelError(TunebookError, ValueError):
    """The model cannot be loaded, or is not the one that the recipe declares."""

    subject = "the model"


class FreezingError(TunebookError, ValueError):
    """A freezing rule does not fit the model."""

    subject = "the freezing rules"


class RunDirectoryError(TunebookError, OSError):
    """The run directory cannot be used: another configuration's, not writable, disk full."""

    subject = "the run directory"


class TrainingDiverged(TunebookError, ArithmeticError):
    """The loss is no longer a finite number."""

    subject = "this training"


class NothingReached(TunebookError, ConnectionError):
    """The Hub cannot be reached and the cache does not hold what is needed."""

    subject = "this download"


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Nearest match and the allowed values as half a sentence, for the end of a message.

    >>> did_you_mean("lerning_rate", ["learning_rate", "seed"])
    'did you mean learning_rate?'
    >>> did_you_mean("adamw", ["adamw_torch", "adamw_apex", "grokadamw"])
    'did you mean adamw_apex or adamw_torch?'
    >>> did_you_mean("xyz", ["b", "a"])
    'allowed: a, b'
    """
    names = sorted(set(allowed))
    lowered = {known.lower(): known for known in names}
    # What the name is the beginning of is likelier than what merely resembles it.
    near = sorted((known for known in names if known.lower().startswith(f"{name.lower()}_")), key=len)[:3]
    near = near or [lowered[known] for known in difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"allowed: {listed(names, 20)}" if names else "none is allowed"


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names for a message, the first of them where there are many.

    >>> listed(["a", "b", "c"], most=2)
    'a, b, … (3 in all)'
    """
    names = list(names)
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")
