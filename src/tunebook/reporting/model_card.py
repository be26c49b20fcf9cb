"""Writes README.md, the model card: figures of this run and nothing that was not measured.

The header is the Hub's own format, made by huggingface_hub; the body is ours.
"""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from tunebook.evaluation import catalog
from tunebook.files import write_text
from tunebook.reporting.summary import RunSummary
from tunebook.reporting.wording import clock, figure, metric_names

# owner/name: a bare word may be a folder or a kind of architecture, and a card must not claim a wrong parent.
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def write_card(path: str | Path, summary: RunSummary, model: str = "model") -> None:
    """Writes the model card.

    Args:
        path: the file, as a rule `README.md` in the run directory.
        summary: the finished run.
        model: the model's folder, as seen from the card.
    """
    parts = [_what(summary), _data(summary), _figures(summary), _usage(summary, model), _again(summary)]
    header = card_data(summary).to_yaml()
    card = ModelCard(f"---\n{header}\n---\n\n" + "\n\n".join(parts) + "\n")
    write_text(Path(path), str(card))


def card_data(summary: RunSummary) -> ModelCardData:
    """The header: task, parent (only when it is surely a Hub id), labels of the Hub and measured figures."""
    name = summary.model_name
    is_id = bool(_HUB_ID.fullmatch(name)) and not Path(name).exists()
    results = _results(summary)
    return ModelCardData(
        library_name="transformers",
        pipeline_tag=_pipeline(summary),
        base_model=name if is_id else None,
        tags=["tunebook", "generated_from_trainer"],
        model_name=summary.recipe_name if results else None,
        eval_results=results or None,
    )


def _results(summary: RunSummary) -> list[EvalResult]:
    cards = catalog.shipped()
    results = []
    for split, numbers in summary.metrics.items():
        for name, value in numbers.items():
            if name == "loss":
                continue
            card = cards.get(name)
            results.append(
                EvalResult(
                    task_type=_pipeline(summary),
                    dataset_type="custom",
                    dataset_name=summary.dataset_description,
                    dataset_split=split,
                    metric_type=card.module_dir.name if card else name.removeprefix(catalog.HUB_PREFIX),
                    metric_name=name,
                    metric_value=float(value),
                    metric_args=dict(card.kwargs) if card and card.kwargs else None,
                )
            )
    return results


def _pipeline(summary: RunSummary) -> str:
    return summary.task.replace("_", "-")


def _what(summary: RunSummary) -> str:
    share = summary.trainable / summary.parameters if summary.parameters else 0.0
    labels = ", ".join(f"`{name}`" for name in summary.label_names[:30])
    more = len(summary.label_names) - 30
    return "\n".join(
        [
            f"# {summary.recipe_name}",
            "",
            f"A {_pipeline(summary)} model, trained with Tunebook's recipe `{summary.recipe_name}`. "
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
    lines += [f"{count:,} rows stand in both {pair}." for pair, count in summary.overlaps.items() if count]
    return "\n".join(lines)


def _figures(summary: RunSummary) -> str:
    splits = list(summary.metrics)
    lines = ["## Figures", "", "| metric | " + " | ".join(splits) + " |", "| --- |" + " ---: |" * len(splits)]
    for name in metric_names(summary.metrics):
        numbers = [summary.metrics[split].get(name) for split in splits]
        lines.append(f"| {name} | " + " | ".join("–" if n is None else figure(n) for n in numbers) + " |")
    lines += [
        "",
        f"Measured once, with one seed ({summary.seed}): how far another seed would differ is not known.",
    ]
    if "validation" in summary.metrics and summary.monitor:
        lines.append(f"The best checkpoint was chosen by {summary.monitor} on validation, so that split flatters.")
    return "\n".join(lines + [f"\n> {warning}" for warning in summary.warnings])


def _usage(summary: RunSummary, model: str) -> str:
    if summary.task.startswith("image"):
        example = '"picture.png"'
    elif summary.pairs:
        example = '{"text": "One text.", "text_pair": "Another."}, truncation=True'
    else:
        example = '"Some text to classify.", truncation=True'
    code = "\n".join(
        [
            "from transformers import pipeline",
            "",
            f'model = pipeline("{_pipeline(summary)}", model="{model}")  # the folder, as seen from this card',
            f"print(model({example}))",
        ]
    )
    return f"## Use\n\n{_fenced(code, 'python')}"


def _again(summary: RunSummary) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in summary.versions.items())
    return "\n".join(
        [
            "## Reproduce",
            "",
            _fenced(summary.command, "bash"),
            "",
            f"It took {clock(summary.seconds)} on {_machine(summary)}. Versions: {versions}.",
            "",
            "The frozen recipe:",
            "",
            _fenced(summary.recipe_text, "yaml"),
        ]
    )


def _machine(summary: RunSummary) -> str:
    gpus = summary.hardware.get("gpus") or []
    cpu = f"{summary.hardware.get('cpu', 'a CPU')} ({summary.hardware.get('cores', '?')} cores)"
    return ", ".join(gpus) if gpus else cpu


def _fenced(text: str, language: str) -> str:
    # A fence must be longer than any run of backticks inside it.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
