"""A tiny command for each of the six tasks, with rows of unlike length: what tests of every task share."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from tests import tiny

TASKS = (
    "text_classification",
    "text_regression",
    "image_classification",
    "token_classification",
    "seq2seq",
    "chat",
)
ROWS = {"train": 40, "validation": 13, "test": 11}
WORDS = sorted(set(" ".join(tiny.SENTENCES).split()))


def _sentence(draw: random.Random, least: int = 2, most: int = 20) -> list[str]:
    return draw.choices(WORDS, k=draw.randint(least, most))


def _row(task: str, draw: random.Random) -> dict:
    words = _sentence(draw)
    text = " ".join(words)
    if task == "text_classification":
        return {"text": text, "label": draw.choice(["good", "bad"])}
    if task == "text_regression":
        return {"text": text, "label": len(words) / 10}
    if task == "token_classification":
        return {"tokens": words, "tags": [draw.choice(["O", "O", "B-PER", "B-LOC"]) for _ in words]}
    if task == "seq2seq":
        return {"text": text, "target": " ".join(_sentence(draw, 1, 12))}
    turns = [{"role": role, "content": " ".join(_sentence(draw, 1, 9))} for role in ("user", "assistant")]
    return {"messages": turns * draw.randint(1, 2)}


def _model(task: str, folder: Path) -> Path:
    path = folder / "model"
    if task == "image_classification":
        return tiny.tiny_image_model("vit", path)
    if task == "seq2seq":
        return tiny.tiny_bart(path)
    if task == "chat":
        return tiny.tiny_llama(path)
    return tiny.tiny_text_model("bert", path)


def _images(folder: Path, draw: random.Random) -> str:
    noise = np.random.default_rng(draw.randint(0, 10**6))
    for split, count in ROWS.items():
        for at in range(count):
            path = folder / "images" / split / ("cat" if at % 3 == 0 else "dog") / f"{at}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    return str(folder / "images")


def command(task: str, folder: Path, rows: dict[str, int] | None = None, dropout: bool = True) -> list[str]:
    """Arguments of a run of 5 steps an epoch, with its files in the folder.

    Args:
        task: of `TASKS`.
        folder: for rows and model.
        rows: split to its number; default: `ROWS`.
        dropout: whether the model drops anything while it trains.
    """
    draw = random.Random(task)
    model = _model(task, folder)
    if not dropout:
        config = json.loads((model / "config.json").read_text())
        config.update({key: 0.0 for key in config if "dropout" in key or "drop_path" in key})
        (model / "config.json").write_text(json.dumps(config))
    shared = [
        f"task={task}", "model=auto", f"model.name_or_path={model}", "hyperparameters.effective_batch_size=8",
        "hyperparameters.learning_rate=1e-3", "runtime=cpu", "runtime.precision=float32", "run.audit=false",
        *[f"cleaning.{kind}=ignore" for kind in ("duplicates", "near_duplicates", "conflicts", "leaks", "near_leaks")],
    ]  # fmt: skip
    if task == "image_classification":
        return [*shared, "dataset=image_folder", f"dataset.path={_images(folder, draw)}"]
    files = []
    for split, count in (rows or ROWS).items():
        file = folder / f"{split}.jsonl"
        file.write_text("".join(json.dumps(_row(task, draw)) + "\n" for _ in range(count)))
        files.append(f"dataset.{split}={file}")
    length = 14 if task == "token_classification" else 48  # windows: several examples a row
    more = [f"task.max_length={length}"]
    if task == "token_classification":
        more += ["task.stride=3"]
    if task == "seq2seq":
        more += ["task.metrics=[chrf,perplexity]", "task.generation.max_new_tokens=5", "task.max_target_length=20"]
    return [*shared, "dataset=files", *files, *more]
