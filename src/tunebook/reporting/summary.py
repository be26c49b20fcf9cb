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
        label: what is labelled, in words: a class, several labels, a number.
        predicted: what was answered, in the same form.
        measure: how bad it is; what it is, `RunSummary.measure` says.
        text: the row's text, or None for an image.
        image: the row's picture (PIL), or None for a text.
    """

    row: int
    label: str
    predicted: str
    measure: float
    text: str | None = None
    image: Any = None


@dataclass(frozen=True, kw_only=True)
class LabelFigures:
    """How well one label is told, on the split that the run is judged by.

    Args:
        name: of the label.
        precision: right among the answered rows, 0 where there is none.
        recall: right among the labelled rows, 0 where there is none.
        f1: of both.
        support: labelled rows.
        threshold: the probability from which on it is answered; None: of two classes the other one, or 0.5.
        rare: had too few validation rows for a threshold of its own.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    threshold: float | None
    rare: bool


@dataclass(frozen=True, kw_only=True)
class AdapterKept:
    """The adapter that a run has left.

    Args:
        base: the base model, as the adapter names it: Hub id or folder.
        revision: of a Hub id.
        auto_class: name of the transformers class that loads the base model.
        alone: whether the model's folder holds the adapter, not merged weights.
        at_input: whether it stands in front of the model, so that only peft's wrapper gives its answers.
    """

    base: str
    revision: str | None
    auto_class: str
    alone: bool
    at_input: bool


@dataclass(frozen=True, kw_only=True)
class KeptFigure:
    """One figure of a previous task, on this run's backbone under that task's own head.

    Args:
        run: folder of the run that learned it.
        split: of that run.
        metric: of that run, or `loss`.
        before: training.
        after: training.
    """

    run: str
    split: str
    metric: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """After less before."""
        return self.after - self.before


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
        pipeline: the transformers pipeline that loads the model.
        kind: of label: `class`, `classes` or `number`.
        model_name: Hub id, path or a few words on what was trained from.
        dataset_description: the data in one line.
        licence: the data's licence, or None when nobody stated it.
        label_names: class names in order of class number.
        rows: rows per split.
        overlaps: number of rows that stand in two splits, by the pair ('train and test').
        freezing_lines: the freezing table, ready to print.
        parameters: number of parameters.
        trainable: how many of them trained.
        metrics: final numbers per split, by the thresholds of the run; keys without the 'eval_' of the Trainer.
        kept: figures of previous tasks, before and after; empty where none was measured.
        untuned: the same without thresholds; empty where the run has none.
        monitor: the metric that chose the best checkpoint, or "" when none did.
        history: what the Trainer logged, in its own form (`log_history`).
        confusion: class numbers (references, predicted) of the test split, else of validation.
        scatter: numbers (references, answered) of the same split.
        label_figures: of each label on the same split; for several labels, and where there is a threshold.
        mistakes: rows of the same split that were answered wrongly, the worst first.
        seconds: wall-clock time of the run.
        peak_memory_mb: highest memory use by place (`process`, `cuda:0`), in MiB.
        hardware: what the run stood on.
        versions: installed versions by package.
        seed: the seed.
        resumed_from: global step that the run went on from, or None.
        pairs: whether an example is two texts.
        adapter: that is kept, or None.
        own_code: the file beside the weights that holds the model's class, or None where transformers has it.
        findings: what was found in the rows and what became of it, a sentence each.
        audited: whether audit.html lies beside the report.
        warnings: what the user should know before trusting the numbers.
    """

    recipe_name: str
    run_name: str
    run_dir: str
    command: str
    recipe_text: str
    task: str
    pipeline: str
    kind: str
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
    kept: list[KeptFigure] = field(default_factory=list)
    untuned: dict[str, dict[str, float]] = field(default_factory=dict)
    confusion: tuple[Any, Any] | None = None
    scatter: tuple[Any, Any] | None = None
    label_figures: list[LabelFigures] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    resumed_from: int | None = None
    pairs: bool = False
    adapter: AdapterKept | None = None
    own_code: str | None = None
    findings: list[str] = field(default_factory=list)
    audited: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def judged_split(self) -> str:
        """The split that confusion and mistakes are taken from: test, else validation."""
        return "test" if "test" in self.metrics else "validation"

    @property
    def measure(self) -> str:
        """What `Mistake.measure` is: of the answered class, of the row, or answered minus labelled number."""
        return {"class": "probability", "classes": "loss"}.get(self.kind, "error")

    @property
    def thresholds(self) -> dict[str, float]:
        """Label to the probability from which on it is answered, where the run has thresholds."""
        return {label.name: label.threshold for label in self.label_figures if label.threshold is not None}
