"""Writes README.md, the model card: figures of this run and nothing that was not measured.

The header is the Hub's own format, made by huggingface_hub; the body is ours.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from tunebook.evaluation import catalog
from tunebook.evaluation.tunebook_metrics.table import Metric
from tunebook.files import write_text
from tunebook.reporting import retention
from tunebook.reporting.formatting import clock, figure, metric_names, side_by_side
from tunebook.reporting.summary import RunSummary
from tunebook.reporting.usage import fenced, usage

_WORDS = {
    "multi_label": "A multi-label {} model",
    "regression": "A {} model that predicts a number (regression)",
}
# owner/name: a bare word may be a folder or a kind of architecture, and a card must not claim a wrong parent.
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def write_card(path: str | Path, summary: RunSummary, model: str = "model") -> None:
    """Writes the model card.

    Args:
        path: the file, as a rule `README.md` in the run directory.
        summary: the finished run.
        model: the model's folder, as seen from the card.
    """
    previous = [_retention(summary)] if summary.retention else []
    parts = [_what(summary), _data(summary), _figures(summary), *previous, usage(summary, model), _again(summary)]
    header = card_data(summary).to_yaml()
    card = ModelCard(f"---\n{header}\n---\n\n" + "\n\n".join(parts) + "\n")
    write_text(Path(path), str(card))


def card_data(summary: RunSummary) -> ModelCardData:
    """The header: task, parent (only when it is surely a Hub id), labels of the Hub and measured figures."""
    name = summary.model_name
    is_id = bool(_HUB_ID.fullmatch(name)) and not Path(name).exists()
    results = _results(summary)
    return ModelCardData(
        library_name="peft" if summary.adapter and summary.adapter.alone else "transformers",
        pipeline_tag=summary.pipeline,
        base_model=name if is_id else None,
        tags=["tunebook", "generated_from_trainer"],
        model_name=summary.recipe_name if results else None,
        eval_results=results or None,
    )


def _kind(summary: RunSummary) -> str:
    return summary.pipeline or summary.task.replace("_", "-")


def _results(summary: RunSummary) -> list[EvalResult]:
    results = []
    for split, numbers in summary.metrics.items():
        for name, value in numbers.items():
            if name == "loss":
                continue
            metric = catalog.find(name)
            results.append(
                EvalResult(
                    task_type=_kind(summary),
                    dataset_type="custom",
                    dataset_name=summary.dataset_description,
                    dataset_split=split,
                    metric_type=metric.family if metric else name.removeprefix(catalog.HUB_PREFIX),
                    metric_name=name,
                    metric_value=float(value),
                    metric_args=_arguments(metric) or None,
                )
            )
    return results


def _arguments(metric: Metric | None) -> dict[str, Any]:
    if metric is None:
        return {}
    return dict(metric.kwargs) if metric.label is None else {"label": metric.label}


def _what(summary: RunSummary) -> str:
    share = summary.trainable / summary.parameters if summary.parameters else 0.0
    labels = ", ".join(f"`{name}`" for name in summary.label_names[:30])
    more = len(summary.label_names) - 30
    words = _WORDS.get(summary.target_type, "A {} model")
    return "\n".join(
        [
            f"# {summary.recipe_name}",
            "",
            f"{words.format(_kind(summary))}, trained with Tunebook's recipe `{summary.recipe_name}`. "
            f"Starting point: {summary.model_name}. "
            f"{summary.trainable:,} of {summary.parameters:,} parameters ({share:.1%}) were trained.",
            *(["", f"Labels: {labels}" + (f" and {more} more" if more > 0 else "")] if labels else []),
        ]
    )


def _data(summary: RunSummary) -> str:
    lines = ["## Data", "", summary.dataset_description, "", "| split | rows |", "| --- | ---: |"]
    lines += [f"| {split} | {count:,} |" for split, count in summary.rows.items()]
    lines += [
        "",
        f"Licence of the data: {summary.licence or 'not stated; find out before sharing the model'}.",
    ]
    lines += [f"{count:,} rows are in both {pair}." for pair, count in summary.overlaps.items() if count]
    lines += ["", *(f"- {finding}" for finding in summary.findings)] if summary.findings else []
    return "\n".join(lines)


def _figures(summary: RunSummary) -> str:
    shown = side_by_side(summary.metrics, summary.untuned)
    lines = ["## Figures", "", "| metric | " + " | ".join(shown) + " |", "| --- |" + " ---: |" * len(shown)]
    for name in metric_names(summary.metrics):
        numbers = [column.get(name) for column in shown.values()]
        lines.append(f"| {name} | " + " | ".join("–" if n is None else figure(n) for n in numbers) + " |")
    lines += [
        "",
        f"Measured once, with one seed ({summary.seed}): how far another seed would differ is not known.",
    ]
    if "validation" in summary.metrics and summary.monitor:
        lines.append(
            f"The best checkpoint was chosen by {summary.monitor} on validation, "
            "so the figures of that split are likely too good."
        )
    return "\n".join(lines + [f"\n> {warning}" for warning in summary.warnings])


def _retention(summary: RunSummary) -> str:
    rows = [retention.COLUMNS, ("---", "---", "---", "---:", "---:", "---:"), *retention.cells(summary.retention)]
    text = "Each under its own head, as its run left it, on this run's backbone before and after training."
    return "\n".join(["## Previous tasks", "", text, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _again(summary: RunSummary) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in summary.versions.items())
    return "\n".join(
        [
            "## Reproduce",
            "",
            fenced(summary.command, "bash"),
            "",
            f"It took {clock(summary.seconds)} on {_machine(summary)}. Versions: {versions}.",
            "",
            "The frozen recipe:",
            "",
            fenced(summary.recipe_text, "yaml"),
        ]
    )


def _machine(summary: RunSummary) -> str:
    gpus = summary.hardware.get("gpus") or []
    cpu = f"{summary.hardware.get('cpu', 'a CPU')} ({summary.hardware.get('cores', '?')} cores)"
    return ", ".join(gpus) if gpus else cpu
