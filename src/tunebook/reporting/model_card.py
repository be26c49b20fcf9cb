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
from tunebook.reporting import kept
from tunebook.reporting.formatting import clock, figure, metric_names, side_by_side
from tunebook.reporting.summary import AdapterKept, RunSummary

# owner/name: a bare word may be a folder or a kind of architecture, and a card must not claim a wrong parent.
_KINDS = {
    "class": "A {} model",
    "classes": "A multi-label {} model",
    "number": "A {} model that answers with a number (regression)",
}
_OWN_CODE = (
    "The head is of a class that transformers does not have. Its code is the file {0} beside the weights: read it, "
    "then `trust_remote_code=True` lets transformers run it. Where Tunebook is installed, it does without: "
    "`from tunebook.models.classifier import register; register()` in front."
)
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def write_card(path: str | Path, summary: RunSummary, model: str = "model") -> None:
    """Writes the model card.

    Args:
        path: the file, as a rule `README.md` in the run directory.
        summary: the finished run.
        model: the model's folder, as seen from the card.
    """
    use = usage(summary, model)
    previous = [_kept(summary)] if summary.kept else []
    parts = [_what(summary), _data(summary), _figures(summary), *previous, use, _again(summary)]
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


def _results(summary: RunSummary) -> list[EvalResult]:
    results = []
    for split, numbers in summary.metrics.items():
        for name, value in numbers.items():
            if name == "loss":
                continue
            card = catalog.find(name)
            results.append(
                EvalResult(
                    task_type=summary.pipeline,
                    dataset_type="custom",
                    dataset_name=summary.dataset_description,
                    dataset_split=split,
                    metric_type=card.family if card else name.removeprefix(catalog.HUB_PREFIX),
                    metric_name=name,
                    metric_value=float(value),
                    metric_args=_arguments(card) or None,
                )
            )
    return results


def _arguments(card: Metric | None) -> dict[str, Any]:
    if card is None:
        return {}
    return dict(card.kwargs) if card.label is None else {"label": card.label}


def _what(summary: RunSummary) -> str:
    share = summary.trainable / summary.parameters if summary.parameters else 0.0
    labels = ", ".join(f"`{name}`" for name in summary.label_names[:30])
    more = len(summary.label_names) - 30
    return "\n".join(
        [
            f"# {summary.recipe_name}",
            "",
            f"{_KINDS[summary.kind].format(summary.pipeline)}, trained with Tunebook's recipe `{summary.recipe_name}`. "
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
        lines.append(f"The best checkpoint was chosen by {summary.monitor} on validation, so that split flatters.")
    return "\n".join(lines + [f"\n> {warning}" for warning in summary.warnings])


def _kept(summary: RunSummary) -> str:
    rows = [kept.COLUMNS, ("---", "---", "---", "---:", "---:", "---:"), *kept.cells(summary.kept)]
    told = "Each under its own head, as its run left it, on this run's backbone before and after training."
    return "\n".join(["## Previous tasks", "", told, "", *(f"| {' | '.join(row)} |" for row in rows)])


def usage(summary: RunSummary, model: str) -> str:
    """How the model is loaded and asked, as code that runs in the card's own folder."""
    example, further = '"Some text."', ", truncation=True"
    if summary.pipeline.startswith("image"):
        example, further = '"picture.png"', ""
    elif summary.pairs:
        example = '{"text": "One text.", "text_pair": "Another."}'
    loads, model_line = _loading(summary, model)
    asks = [model_line, f"print(model({example}{further}))"]
    note = ""
    if summary.kind == "number":
        asks = [model_line, f'print(model({example}{further}, function_to_apply="none"){_first(summary)}["score"])']
        note = "The score is the number itself."
    elif summary.kind == "classes" or summary.thresholds:
        further_loads, asks, note = _by_thresholds(summary, model_line, example, further, model)
        loads = [*further_loads[0], *loads, *further_loads[1]]
    notes = [text for text in (note, _OWN_CODE.format(summary.own_code) if summary.own_code else "") if text]
    return "\n\n".join(["## Use", _fenced(chr(10).join([*loads, *asks]), "python"), *notes, *_beside(summary, model)])


def _loading(summary: RunSummary, model: str) -> tuple[list[str], str]:
    """The imports, and the lines that make a pipeline `model`."""
    if summary.adapter is None or not summary.adapter.alone:
        trusted = ", trust_remote_code=True" if summary.own_code else ""
        line = f'model = pipeline("{summary.pipeline}", model="{model}"{trusted})  # the folder, as seen from this card'
        return ["from transformers import pipeline", ""], line
    processor = "image_processor" if summary.pipeline.startswith("image") else "tokenizer"
    # A pipeline does not know peft's wrapper, and goes without where peft's modules stand in the model itself.
    answers = "adapted.eval()" if summary.adapter.at_input else "adapted.get_base_model().eval()"
    made = f'model = pipeline("{summary.pipeline}", model={answers}, {processor}="{model}")'
    return _peft_imports(summary.adapter, ", pipeline"), "\n".join([*_peft_lines(summary.adapter, model), made])


def _peft_imports(adapter: AdapterKept, further: str = "") -> list[str]:
    return ["from peft import PeftModel", f"from transformers import AutoConfig, {adapter.auto_class}{further}", ""]


def _peft_lines(adapter: AdapterKept, folder: str) -> list[str]:
    revision = f', revision="{adapter.revision}"' if adapter.revision else ""
    return [
        f'config = AutoConfig.from_pretrained("{folder}")  # the folder, as seen from this card; it has the labels',
        f'base = {adapter.auto_class}.from_pretrained("{adapter.base}", config=config{revision})',
        f'adapted = PeftModel.from_pretrained(base, "{folder}")',
    ]


def _beside(summary: RunSummary, model: str) -> list[str]:
    """How the adapter is loaded that lies beside the merged model."""
    if summary.adapter is None or summary.adapter.alone:
        return []
    folder = "../adapter" if model == "." else "adapter"
    lines = [*_peft_imports(summary.adapter), *_peft_lines(summary.adapter, folder)]
    said = "The same model as an adapter, which is small, beside the base model that it was trained on:"
    return [said, _fenced("\n".join(lines), "python")]


def _first(summary: RunSummary) -> str:
    """A list of one answer comes back, but for a pair of texts given alone."""
    return "" if summary.pairs else "[0]"


def _by_thresholds(
    summary: RunSummary, model_line: str, example: str, further: str, model: str
) -> tuple[tuple[list[str], list[str]], list[str], str]:
    """What is imported first and what is read last, the lines that ask, and a note."""
    several = summary.kind == "classes"
    function = "sigmoid" if several else "softmax"
    # The pipeline of images takes no None for all.
    every = f"top_k={len(summary.label_names) if summary.pipeline.startswith('image') else None}"
    asks = [
        model_line,
        f'answer = model({example}{further}, {every}, function_to_apply="{function}")',
        'scores = {one["label"]: one["score"] for one in answer}',
    ]
    if not several:
        ((positive, _),) = summary.thresholds.items()
        other = next(name for name in summary.label_names if name != positive)
        asks += [
            f"positive, other = {positive!r}, {other!r}",
            "print(positive if scores[positive] >= thresholds[positive] else other)",
        ]
    else:
        least = "thresholds[label]" if summary.thresholds else "0.5"
        asks += [f"print([label for label, score in scores.items() if score >= {least}])"]
    if not summary.thresholds:
        return ([], []), asks, "A label is answered from 0.5 on."
    file = "thresholds.json" if model == "." else f"{model}/thresholds.json"
    read = f'thresholds = json.loads(Path("{file}").read_text(encoding="utf-8"))["thresholds"]'
    note = (
        "The model itself knows nothing of the thresholds in thresholds.json, nor does a pipeline: "
        "without the last lines it answers as in the columns 'without thresholds'."
    )
    return (["import json", "from pathlib import Path", ""], [read]), asks, note


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
