"""Gathers what the report, the model card and the closing table show of a finished run. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tunebook.check import notices
from tunebook.config import identity
from tunebook.config.schema import Config
from tunebook.reporting.run_record import peak_memory_mb
from tunebook.reporting.summary import AdapterKept, KeptFigure, LabelFigures, Mistake, RunSummary
from tunebook.training.build import best_metric

if TYPE_CHECKING:
    from tunebook.answers.base import Answer
    from tunebook.data.prepare import PreparedData
    from tunebook.evaluation.thresholds import Thresholds
    from tunebook.outcome import Scored
    from tunebook.run_directory import RunDirectory
    from tunebook.training.build import Parts

MOST_MISTAKES = 10


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
    kept: list[KeptFigure],
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
        kind=parts.task.answer.kind,
        model_name=config.model.name_or_path or f"a new {(config.model.config or {}).get('model_type')}",
        dataset_description=data.source,
        licence=data.licence,
        label_names=data.label_names,
        rows=_rows(data),
        overlaps={" and ".join(pair): count for pair, count in data.overlaps.items() if count},
        freezing_lines=freezing_lines,
        kept=kept,
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
        **_judged(parts.task.answer, data, scored),
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


def _adapter(parts: Parts) -> AdapterKept | None:
    adapted = parts.adapted
    if adapted is None or adapted.keeps == "merged":
        return None
    return AdapterKept(
        base=adapted.base,
        revision=adapted.revision,
        auto_class=parts.task.auto_class,
        alone=adapted.keeps == "adapter",
        at_input=adapted.model is adapted.wrapped,
    )


def _judged(answer: Answer, data: PreparedData, scored: dict[str, Scored]) -> dict[str, Any]:
    """What is shown of the split that the run is judged by: test where there is one, else validation."""
    split = next((name for name in ("test", "validation") if name in scored), None)
    if split is None:
        return {}
    result = scored[split]
    values = result.thresholds.values if result.thresholds else None
    answered = answer.answered(result.scores, values)
    shown: dict[str, Any] = {"mistakes": _mistakes(answer, data, result, split, answered)}
    if answer.kind == "class":
        shown["confusion"] = (result.labels, answered)
    if answer.kind == "number":
        shown["scatter"] = (result.labels, answered)
    if answer.kind == "classes" or result.thresholds is not None:
        shown["label_figures"] = _label_figures(data.label_names, result.labels, answered, result.thresholds)
    return shown


def _label_figures(
    names: list[str], labels: np.ndarray, answered: np.ndarray, thresholds: Thresholds | None
) -> list[LabelFigures]:
    """Precision, recall and F1 of every label; 0 where there is nothing to divide by, as in the metrics."""
    found = []
    for at, name in enumerate(names):
        labelled, predicted = (rows == at if rows.ndim == 1 else rows[:, at] > 0 for rows in (labels, answered))
        right = int((labelled & predicted).sum())
        support, said = int(labelled.sum()), int(predicted.sum())
        found.append(
            LabelFigures(
                name=name,
                precision=right / max(said, 1),
                recall=right / max(support, 1),
                f1=2 * right / max(support + said, 1),
                support=support,
                threshold=(thresholds.values if thresholds else {}).get(at),
                rare=at in thresholds.rare if thresholds else False,
            )
        )
    return found


def _mistakes(answer: Answer, data: PreparedData, result: Scored, split: str, answered: np.ndarray) -> list[Mistake]:
    """The worst rows of a split: of one label the surest wrong ones, of several those with the largest loss."""
    measures = _measures(answer, result, answered)
    wrong = np.flatnonzero((answered != result.labels).reshape(len(answered), -1).any(axis=1))
    worst = wrong[np.argsort(-np.abs(measures[wrong]), kind="stable")][:MOST_MISTAKES]
    rows, names = data.splits[split], data.label_names
    return [
        _mistake(rows[at], _named(answer, result.labels[at], names), _named(answer, answered[at], names), measures[at])
        for at in worst.tolist()
    ]


def _measures(answer: Answer, result: Scored, answered: np.ndarray) -> np.ndarray:
    """How bad each row would be as a mistake; what it is, `RunSummary.measure` says."""
    if answer.kind == "number":
        return answered - result.labels
    if answer.kind == "classes":
        return result.scores[:, -1]
    chances = answer.probabilities(result.scores)
    return result.scores[:, 1] if chances is None else chances[np.arange(len(answered)), answered]


def _named(answer: Answer, value: Any, names: list[str]) -> str:
    if answer.kind == "class":
        return names[int(value)]
    if answer.kind == "classes":
        return ", ".join(names[at] for at in np.flatnonzero(value)) or "–"
    return f"{float(value):.4g}"


def _mistake(row: dict[str, Any], label: str, predicted: str, measure: Any) -> Mistake:
    texts = [row[role] for role in ("text", "text_pair") if row.get(role) is not None]
    return Mistake(
        row=row["row"],
        text="\n— ".join(texts) if texts else None,
        image=row.get("image"),
        label=label,
        predicted=predicted,
        measure=float(measure),
    )


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
