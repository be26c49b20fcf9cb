"""What a finished run tells its report, model card and record: plain values, no behaviour of its own.

Knows nothing of the Trainer, of `datasets` or of how any of it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One row that the model got wrong.

    Args:
        row: number of the row in its source.
        label: name of the labelled class.
        predicted: name of the predicted class.
        probability: what the model gave the predicted class, 0 to 1.
        text: the row's text, or None for an image.
        image: the row's picture (PIL), or None for a text.
    """

    row: int
    label: str
    predicted: str
    probability: float
    text: str | None = None
    image: Any = None


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """Everything that is shown of a run.

    Args:
        recipe_name: name of the recipe.
        run_name: name of the run inside its recipe.
        run_dir: the run directory, as the user would write it.
        command: the line that started the run.
        recipe_text: the frozen recipe.
        task: name of the task (`text_classification`).
        model_name: Hub id, path or a few words on what was trained from.
        dataset_description: the data in one line.
        licence: the data's licence, or None when nobody stated it.
        label_names: class names in order of class number.
        rows: rows per split.
        overlaps: number of rows that stand in two splits, by the pair ('train and test').
        freezing_lines: the freezing table, ready to print.
        parameters: number of parameters.
        trainable: how many of them trained.
        metrics: final numbers per split; keys without the 'eval_' of the Trainer.
        monitor: the metric that chose the best checkpoint, or "" when none did.
        history: what the Trainer logged, in its own form (`log_history`).
        confusion: class numbers (references, predicted) of the test split, else of validation.
        mistakes: rows of the same split that were predicted wrongly.
        seconds: wall-clock time of the run.
        peak_memory_mb: highest memory use by place (`process`, `cuda:0`), in MiB.
        hardware: what the run stood on.
        versions: installed versions by package.
        seed: the seed.
        resumed_from: global step that the run went on from, or None.
        pairs: whether an example is two texts.
        warnings: what the user should know before trusting the numbers.
    """

    recipe_name: str
    run_name: str
    run_dir: str
    command: str
    recipe_text: str
    task: str
    model_name: str
    dataset_description: str
    licence: str | None
    label_names: list[str]
    rows: dict[str, int]
    overlaps: dict[str, int]
    freezing_lines: list[str]
    parameters: int
    trainable: int
    metrics: dict[str, dict[str, float]]
    monitor: str
    history: list[dict[str, Any]]
    seconds: float
    peak_memory_mb: dict[str, float]
    hardware: dict[str, Any]
    versions: dict[str, str]
    seed: int
    confusion: tuple[Any, Any] | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    resumed_from: int | None = None
    pairs: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def judged_split(self) -> str:
        """The split that confusion and mistakes are taken from: test, else validation."""
        return "test" if "test" in self.metrics else "validation"
