"""Load a finished run's model as anybody with Tunebook would, and ask it about a text:

python scripts/try_model.py [RUN] [TEXT [PAIR]]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tunebook.errors import RunDirectoryError

TEXT = "I expected to be bored and left humming the tunes."


def newest_run(root: Path) -> Path:
    """The run under a folder that was finished last.

    Raises:
        RunDirectoryError: there is none.
    """
    records = [path for path in root.rglob("run.json") if json.loads(path.read_text())["status"] == "finished"]
    if not records:
        raise RunDirectoryError(f"no finished run under {root}; run a recipe first")
    return max(records, key=lambda path: path.stat().st_mtime).parent


def model_folder(run: Path) -> Path:
    """The model of a run, which takes texts.

    Raises:
        RunDirectoryError: there is none, or it takes something else.
    """
    folder = run if (run / "config.json").is_file() else run / "model"
    if not (folder / "config.json").is_file():
        raise RunDirectoryError(f"{run} holds no finished model; name a run directory or its model folder")
    if (folder / "adapter_config.json").is_file():
        raise RunDirectoryError(f"{folder} holds an adapter alone; its README.md says how to load it on its base")
    kinds = json.loads((folder / "config.json").read_text()).get("architectures") or [""]
    if not kinds[0].endswith("ForSequenceClassification"):
        raise RunDirectoryError(f"{folder} holds a {kinds[0]}, which takes no text; its README.md says how to use it")
    return folder


def answered(folder: Path, text: str, pair: str | None) -> str:
    """What the model answers, by its thresholds where it has some, in words."""
    from transformers import pipeline

    from tunebook.models.classifier import register

    register()  # a head of Tunebook's own then needs no code from the folder
    model = pipeline("text-classification", model=str(folder))
    given: Any = text if pair is None else {"text": text, "text_pair": pair}
    # Softmax for one label, sigmoid for several, nothing for a number: the model's config says which.
    predictions = model(given, truncation=True, top_k=None)
    scores = {one["label"]: one["score"] for one in predictions}
    kind, file = model.model.config.problem_type, folder / "thresholds.json"
    thresholds = json.loads(file.read_text())["thresholds"] if file.is_file() else {}
    if kind == "regression":
        return f"{predictions[0]['score']:.4g}"
    if kind == "multi_label_classification":
        labels = [f"{label} ({score:.1%})" for label, score in scores.items() if score >= thresholds.get(label, 0.5)]
        return (
            ", ".join(labels) or f"no label (the likeliest: {predictions[0]['label']}, {predictions[0]['score']:.1%})"
        )
    best = predictions[0]["label"]
    for positive, least in thresholds.items():
        best = positive if scores[positive] >= least else next(name for name in scores if name != positive)
    return f"{best} ({scores[best]:.1%})"


def main() -> None:
    """Ask about one text or pair of texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="run directory; default: the newest under outputs/")
    parser.add_argument("text", nargs="?", default=TEXT)
    parser.add_argument("pair", nargs="?", help="the second text, for a model of pairs")
    given = parser.parse_args()
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = model_folder(given.run or newest_run(Path("outputs")))
    asked = repr(given.text) if given.pair is None else f"{given.text!r} and {given.pair!r}"
    print(f"{asked} → {answered(folder, given.text, given.pair)}   [pipeline of {folder}]")


if __name__ == "__main__":
    from tunebook.config.command import telling_mistakes

    with telling_mistakes():
        main()
