"""Gathers what the report, the model card and the closing table show of a finished run. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.answers.base import TARGET_TYPES
from tunebook.config import identity
from tunebook.config.notices import notices
from tunebook.config.schema import Config
from tunebook.reporting import label_panels
from tunebook.reporting.run_record import peak_memory_mb
from tunebook.reporting.summary import RetentionFigure, RunSummary, SavedAdapter
from tunebook.training.build import best_metric

if TYPE_CHECKING:
    from tunebook.answers.base import Answer
    from tunebook.data.prepare import PreparedData
    from tunebook.outcome import Scored
    from tunebook.run_directory import RunDirectory
    from tunebook.training.build import Parts


def summarize(
    config: Config,
    command: str,
    directory: RunDirectory,
    data: PreparedData,
    parts: Parts,
    history: list[dict[str, Any]],
    scored: dict[str, Scored],
    seconds: float,
    freezing_lines: list[str],
    kept: list[RetentionFigure],
) -> RunSummary:
    """Everything that is shown.

    Args:
        config: of the run.
        command: that started it.
        directory: of the run, with recipe.yaml in it.
        data: prepared rows.
        parts: task, model, processor and encoded splits.
        history: what the Trainer logged.
        scored: the evaluated splits.
        seconds: that the run took, earlier tries included.
        freezing_lines: what trains when.
        kept: figures of previous tasks, before and after.
    """
    return RunSummary(
        **_run(config, directory),
        command=command,
        task=config.task.name,
        pipeline=parts.task.pipeline,
        auto_class=parts.task.auto_class,
        target_type=TARGET_TYPES[parts.task.answer.kind],
        model_name=config.model.name_or_path or f"a new {(config.model.config or {}).get('model_type')}",
        dataset_description=data.source,
        licence=data.licence,
        label_names=data.label_names,
        rows=_rows(data),
        overlaps={" and ".join(pair): count for pair, count in data.overlaps.items() if count},
        freezing_lines=freezing_lines,
        retention=kept,
        **_figures(scored),
        monitor=best_metric(config)[0],
        history=history,
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        seed=config.hyperparameters.seed,
        pairs="text_pair" in data.splits["train"].column_names,
        adapter=_adapter(parts),
        own_code=next((path.name for path in directory.model.glob("*.py")), None),
        **_sizes(parts),
        findings=_findings(data),
        audited=(directory.path / "audit.html").exists(),
        warnings=[*_warnings(data), *notices(config)],
        **_panels(parts.task.answer, data, scored),
    )


def _run(config: Config, directory: RunDirectory) -> dict[str, Any]:
    return {
        "recipe_name": config.run.recipe,
        "run_name": identity.run_name(config),
        "run_dir": str(directory.path),
        "recipe_text": (directory.path / "recipe.yaml").read_text(encoding="utf-8"),
        "hardware": directory.record["hardware"],
        "versions": directory.record["versions"],
        "resumed_from": (directory.record.get("resumed_from") or [None])[-1],
    }


def _sizes(parts: Parts) -> dict[str, Any]:
    sizes = {name: parameter.numel() for name, parameter in parts.model.named_parameters()}
    ever = parts.freezing.ever
    return {"parameters": sum(sizes.values()), "trainable": sum(size for name, size in sizes.items() if name in ever)}


def _figures(scored: dict[str, Scored]) -> dict[str, Any]:
    untuned = {split: result.untuned for split, result in scored.items() if result.untuned is not None}
    return {"metrics": {split: result.metrics for split, result in scored.items()}, "untuned": untuned}


def _adapter(parts: Parts) -> SavedAdapter | None:
    adapted = parts.adapted
    if adapted is None or adapted.keeps == "merged":
        return None
    return SavedAdapter(
        base=adapted.base,
        revision=adapted.revision,
        auto_class=parts.task.auto_class,
        alone=adapted.keeps == "adapter",
        at_input=adapted.model is adapted.wrapped,
    )


def _panels(answer: Answer, data: PreparedData, scored: dict[str, Scored]) -> dict[str, Any]:
    """What is shown of the split that the report is about: test where there is one, else validation."""
    split = next((name for name in ("test", "validation") if name in scored), None)
    if split is None:
        return {}
    result, names, rows = scored[split], data.label_names, data.splits[split]
    values = result.thresholds.values if result.thresholds else {}
    predictions = answer.answered(result.scores, values or None)
    compared = label_panels.Compared(split, rows, result.labels, predictions, names, result.thresholds)
    if answer.kind == "number":
        panels = label_panels.regression(compared)
    elif answer.kind == "classes":
        panels = label_panels.multi_label(compared, result.scores[:, -1])
    else:
        both = answer.probabilities(result.scores)
        sure = result.scores[:, 1] if both is None else both[np.arange(len(predictions)), predictions]
        panels = label_panels.single_label(compared, sure)
    return {"panels": panels, "thresholds": {names[at]: value for at, value in values.items()}}


def _findings(data: PreparedData) -> list[str]:
    return [
        f"{finding.words} ({f'{finding.dropped:,} left out' if finding.dropped else 'kept'})"
        for finding in data.findings
    ]


def _rows(data: PreparedData) -> dict[str, int]:
    return {split: len(part) for split, part in data.splits.items()}


def _warnings(data: PreparedData) -> list[str]:
    return [
        f"{count} rows of {later} stand in {earlier} too, so the figures on {later} are too good"
        for (earlier, later), count in data.overlaps.items()
        if count
    ]
