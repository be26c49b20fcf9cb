"""The part of the model card that shows how the finished model is loaded and used; knows a RunSummary alone."""

from __future__ import annotations

import re
from typing import NamedTuple

from tunebook.reporting.summary import RunSummary, SavedAdapter


class Call(NamedTuple):
    """How a pipeline is called.

    Args:
        example: the input, as code.
        arguments: behind it, as code, with a comma in front.
        processor: the argument of `pipeline` that takes what prepares the input.
    """

    example: str
    arguments: str = ""
    processor: str = "tokenizer"


CALLS = {
    "text-classification": Call('"Some text."', ", truncation=True"),
    "image-classification": Call('"picture.png"', processor="image_processor"),
    "token-classification": Call('"Ada Lovelace lived in London."', ', aggregation_strategy="simple"'),
    "text-generation": Call(
        '[{"role": "user", "content": "Some question."}]', ", max_new_tokens=100, return_full_text=False"
    ),
}
OWN_CODE = (
    "The head is of a class that transformers does not have. Its code is the file {0} next to the weights: read it, "
    "then `trust_remote_code=True` lets transformers run it. Where Tunebook is installed, it does without: "
    "`from tunebook.models.classifier import register; register()` in front."
)


def usage(summary: RunSummary, model: str) -> str:
    """The section 'Use': code that runs in the card's own folder, from which the model is at `model`."""
    note = ""
    if summary.pipeline is None:
        lines = _without_pipeline(summary, model)
    else:
        imports, load = _pipeline(summary, summary.pipeline, model)
        call = _call(summary)
        lines, note = [*imports, load, f"print(model({call.example}{call.arguments}))"], ""
        if summary.target_type == "regression":
            first = "" if summary.pairs else "[0]"  # a pair of texts alone gets no list
            asks = f'print(model({call.example}{call.arguments}, function_to_apply="none"){first}["score"])'
            lines, note = [*imports, load, asks], "The score is the number itself."
        elif summary.target_type == "multi_label" or summary.thresholds:
            lines, note = _by_thresholds(summary, model, imports, load)
    own_code = OWN_CODE.format(summary.own_code) if summary.own_code else ""
    notes = [text for text in (note, own_code) if text]
    return "\n\n".join(["## Use", fenced("\n".join(lines), "python"), *notes, *_adapter_of_merged(summary, model)])


def fenced(text: str, language: str) -> str:
    """A block of code; its fence is longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _call(summary: RunSummary) -> Call:
    call = CALLS.get(summary.pipeline or "", Call("inputs"))
    return call._replace(example='{"text": "One text.", "text_pair": "Another."}') if summary.pairs else call


def _trusted(summary: RunSummary) -> str:
    return ", trust_remote_code=True" if summary.own_code else ""


def _pipeline(summary: RunSummary, name: str, model: str) -> tuple[list[str], str]:
    """The imports, and the lines that make a pipeline `model`."""
    if summary.adapter is None or not summary.adapter.alone:
        made = f'model = pipeline("{name}", model="{model}"{_trusted(summary)})'
        return ["from transformers import pipeline", ""], f"{made}  # the folder, as seen from this card"
    adapted, processor = _adapted(summary.adapter), _call(summary).processor
    made = f'model = pipeline("{name}", model={adapted}, {processor}="{model}")'
    return _peft_imports(summary.adapter, ", pipeline"), "\n".join([*_peft_lines(summary.adapter, model), made])


def _adapted(adapter: SavedAdapter) -> str:
    # A pipeline does not know peft's wrapper, and does without it where peft's modules are in the model itself.
    return "adapted.eval()" if adapter.at_input else "adapted.get_base_model().eval()"


def _without_pipeline(summary: RunSummary, model: str) -> list[str]:
    """Loads the model by its class: text to text generates, everything else gives its outputs."""
    if summary.adapter is not None and summary.adapter.alone:
        imports = _peft_imports(summary.adapter, ", AutoTokenizer")
        load = [*_peft_lines(summary.adapter, model), f"model = {_adapted(summary.adapter)}"]
    else:
        imports = [f"from transformers import {summary.auto_class}, AutoTokenizer", ""]
        load = [f'model = {summary.auto_class}.from_pretrained("{model}"{_trusted(summary)})  # as seen from this card']
    load += [
        f'tokenizer = AutoTokenizer.from_pretrained("{model}")',
        'inputs = tokenizer("Some text.", return_tensors="pt")',
    ]
    if summary.auto_class == "AutoModelForSeq2SeqLM":
        result = "tokenizer.decode(model.generate(**inputs, max_new_tokens=100)[0], skip_special_tokens=True)"
    else:
        result = "model(**inputs)"
    return [*imports, *load, f"print({result})"]


def _peft_imports(adapter: SavedAdapter, more: str = "") -> list[str]:
    return ["from peft import PeftModel", f"from transformers import AutoConfig, {adapter.auto_class}{more}", ""]


def _peft_lines(adapter: SavedAdapter, folder: str) -> list[str]:
    revision = f', revision="{adapter.revision}"' if adapter.revision else ""
    return [
        f'config = AutoConfig.from_pretrained("{folder}")  # the folder, as seen from this card; it has the labels',
        f'base = {adapter.auto_class}.from_pretrained("{adapter.base}", config=config{revision})',
        f'adapted = PeftModel.from_pretrained(base, "{folder}")',
    ]


def _adapter_of_merged(summary: RunSummary, model: str) -> list[str]:
    """How the adapter is loaded that is saved next to the merged model."""
    if summary.adapter is None or summary.adapter.alone:
        return []
    folder = "../adapter" if model == "." else "adapter"
    lines = [*_peft_imports(summary.adapter), *_peft_lines(summary.adapter, folder)]
    text = "The same model as an adapter, which is small, for the base model that it was trained on:"
    return [text, fenced("\n".join(lines), "python")]


def _by_thresholds(summary: RunSummary, model: str, imports: list[str], load: str) -> tuple[list[str], str]:
    """The code that predicts by thresholds, and a note."""
    several, call = summary.target_type == "multi_label", _call(summary)
    # The pipeline of images takes no None for all.
    every = f"top_k={len(summary.label_names) if summary.pipeline == 'image-classification' else None}"
    function = "sigmoid" if several else "softmax"
    asks = [
        load,
        f'predictions = model({call.example}{call.arguments}, {every}, function_to_apply="{function}")',
        'scores = {one["label"]: one["score"] for one in predictions}',
    ]
    if several:
        least = "thresholds[label]" if summary.thresholds else "0.5"
        asks += [f"print([label for label, score in scores.items() if score >= {least}])"]
    else:
        ((positive, _),) = summary.thresholds.items()
        other = next(name for name in summary.label_names if name != positive)
        asks += [
            f"positive, other = {positive!r}, {other!r}",
            "print(positive if scores[positive] >= thresholds[positive] else other)",
        ]
    if not summary.thresholds:
        return [*imports, *asks], "A label is predicted from 0.5 on."
    file = "thresholds.json" if model == "." else f"{model}/thresholds.json"
    read = f'thresholds = json.loads(Path("{file}").read_text(encoding="utf-8"))["thresholds"]'
    note = (
        "The model itself knows nothing of the thresholds in thresholds.json, nor does a pipeline: "
        "without the last lines it predicts as in the columns 'without thresholds'."
    )
    return ["import json", "from pathlib import Path", "", *imports, read, *asks], note
