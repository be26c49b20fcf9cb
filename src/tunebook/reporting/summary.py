"""What report, model card and closing table show of a finished run: plain values, no behaviour of its own.

Knows nothing of the Trainer, of `datasets` or of how any of it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tunebook.panels import Panel


@dataclass(frozen=True, kw_only=True)
class SavedAdapter:
    """The adapter that a run has saved.

    Args:
        base: the base model, as the adapter names it: Hub id or folder.
        revision: of a Hub id.
        auto_class: name of the transformers class that loads the base model.
        alone: whether the model's folder holds the adapter, not merged weights.
        at_input: whether it is in front of the model, so that only peft's wrapper gives its predictions.
    """

    base: str
    revision: str | None
    auto_class: str
    alone: bool
    at_input: bool


@dataclass(frozen=True, kw_only=True)
class RetentionFigure:
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
        pipeline: the transformers pipeline that loads the model; None: there is none.
        auto_class: the transformers class that loads the model.
        target_type: what is learned, by name (`single_label`, `regression`, …).
        model_name: Hub id, path or a few words on what was trained from.
        dataset_description: the data in one line.
        licence: the data's licence, or None when nobody stated it.
        label_names: class names in order of class number.
        rows: rows per split.
        overlaps: number of rows that are in two splits, by the pair ('train and test').
        freezing_lines: the freezing table, ready to print.
        parameters: number of parameters.
        trainable: how many of them trained.
        metrics: final numbers per split, by the thresholds of the run; keys without the 'eval_' of the Trainer.
        retention: figures of previous tasks, before and after; empty where none was measured.
        untuned: the same without thresholds; empty where the run has none.
        monitor: the metric that chose the best checkpoint, or "" when none did.
        history: what the Trainer logged, in its own form (`log_history`).
        panels: what is shown of the test split, else of validation.
        thresholds: label to the probability from which on it is predicted, where the run has thresholds.
        seconds: wall-clock time of the run.
        peak_memory_mb: highest memory use by place (`process`, `cuda:0`), in MiB.
        hardware: what the run used.
        versions: installed versions by package.
        seed: the seed.
        resumed_from: global step from which the run was resumed, or None.
        pairs: whether an example is two texts.
        adapter: that is saved, or None.
        own_code: the file in the model's folder that holds the model's class, or None where transformers has it.
        findings: what the cleaning found in the rows and did with them, a sentence each.
        audited: whether there is an audit.html next to the report.
        warnings: what the user should know before trusting the numbers.
    """

    recipe_name: str
    run_name: str
    run_dir: str
    command: str
    recipe_text: str
    task: str
    pipeline: str | None
    auto_class: str
    target_type: str
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
    retention: list[RetentionFigure] = field(default_factory=list)
    untuned: dict[str, dict[str, float]] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)
    resumed_from: int | None = None
    pairs: bool = False
    adapter: SavedAdapter | None = None
    own_code: str | None = None
    findings: list[str] = field(default_factory=list)
    audited: bool = False
    warnings: list[str] = field(default_factory=list)
