"""What an augmentation is. Knows role columns and row keys, nothing of models, tasks or the Trainer.

A method is a file `tunebook/data/augmentation/NAME.py` (or an entry point `augmentation.NAME`) with `Options`,
`ROLES` (the roles that it varies: a task must have one of them) and `Augmentation`. It may also hold

- `problems(config)`, where something outside the recipe is needed (a package, a file): checked before
  anything heavy is imported;
- `COLUMNS`, the auxiliary columns that it reads: each must be named in `dataset.columns`;
- `add_rows(data, options, cleaning)`, for rows of its own: the prepared data with more training rows, in every
  process, after splits are carved and leaks removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tunebook.config import registry
from tunebook.config.options import Options
from tunebook.data.row_key import RowKey
from tunebook.errors import Problem

if TYPE_CHECKING:
    import numpy as np

    from tunebook.config.schema import Config

Mixed = Literal["pixels", "embeddings"]

VARYING, MIXING = 0, 1
"""Streams of random numbers of a row: one for itself, one for the row that it is mixed with."""


class AugmentationOptions(Options):
    """The base of a method's own settings."""


@dataclass(frozen=True)
class Mix:
    """With which other training row a row is mixed, and how.

    Args:
        partner: position in the training split.
        share: of the row itself, in [0, 1]; the partner has the rest.
        box: for CutMix, the part of the image that is the partner's: top, left, bottom, right as shares of height
            and width; None: both are blended everywhere.
    """

    partner: int
    share: float
    box: tuple[float, float, float, float] | None = None


class Augmentation(Protocol):
    """Varies training rows before they are encoded; built as `Augmentation(options, seed)`.

    Attributes:
        active: False: rows stay as they are, and are encoded once instead of in every epoch.
        mixes: None, or where rows are mixed with others: in `pixels` after encoding, or in the model's `embeddings`.
    """

    active: bool
    mixes: Mixed | None

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """The role columns of some rows, varied; each row by (seed, its key) alone.

        Args:
            rows: role (`text`, `text_pair`, `image`) to values; images are PIL's. Not changed in place.
            keys: of the rows, in the same order.
        """

    def mix(self, keys: list[RowKey], rows: int) -> list[Mix | None]:
        """The row that each row is mixed with, each by (seed, its key) alone and never by what else is in the batch.

        Args:
            keys: of the rows.
            rows: how many the training split has; any of them may be the partner.
        """


def generator(key: RowKey, seed: int, stream: int = VARYING) -> np.random.Generator:
    """The random numbers of one row of an epoch; nothing else in the process uses them."""
    import numpy as np

    return np.random.default_rng(np.random.SeedSequence(key.seeds(seed), spawn_key=(stream,)))


def problems(config: Config) -> list[Problem]:
    """A method that the task's columns, or the data set's, do not suit."""
    if config.augmentation is None:
        return []
    name = config.augmentation.method
    method = registry.load("augmentation", name)
    problems: list[Problem] = []
    if config.task is not None and method.ROLES:
        task = registry.load("task", config.task.name).Task(config.task.options)
        if not method.ROLES & set(task.columns):
            message = f"{name} varies {' and '.join(sorted(method.ROLES))}; {config.task.name} has none of it"
            problems.append(Problem("augmentation.method", message))
        elif "augmentation" not in task.capabilities:
            message = f"{config.task.name} cannot be augmented; use augmentation=none"
            problems.append(Problem("augmentation.method", message))
        elif "row_mixing" not in task.capabilities:
            mixes = [key for key in ("mixup", "cutmix") if getattr(config.augmentation.options, key, None) is not None]
            message = f"{config.task.name} cannot mix rows; set it to null"
            problems += [Problem(f"augmentation.{key}", message) for key in mixes]
    if config.dataset is not None:
        for role in sorted(getattr(method, "COLUMNS", set()) - set(config.dataset.columns)):
            message = f"must name the column that augmentation={name} reads, as in dataset.columns.{role}=COLUMN"
            problems.append(Problem(f"dataset.columns.{role}", message))
    return problems
