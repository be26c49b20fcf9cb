"""Two small tasks in a row, for tests of what is kept of the first: moods of texts, then which word is there."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests import tiny
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.run import RunResult, run

COMMON = [
    "runtime=cpu", "runtime.precision=float32", "task.max_length=32", "model=auto", "dataset=files",
    "cleaning.duplicates=ignore", "cleaning.near_duplicates=ignore", "cleaning.conflicts=ignore",
    "cleaning.leaks=ignore", "cleaning.near_leaks=ignore", "hyperparameters.learning_rate=2e-3", "run.audit=false",
    "hyperparameters.effective_batch_size=8", "hyperparameters.lr_scheduler_type=constant",
    "hyperparameters.warmup_steps=0", "runtime.per_device_eval_batch_size=16",
]  # fmt: skip


def written(folder: Path, name: str, rows: int, words: list[str], labels: list[str]) -> Path:
    """Texts of common words among which one decides the label."""
    draw = random.Random(f"{name}{rows}")
    common = ["the", "film", "and", "a", "story", "food", "room", "was", "is", "with"]
    file = folder / f"{name}.jsonl"
    lines = []
    for at in range(rows):
        text = draw.choices(common, k=draw.randint(3, 9))
        text.insert(draw.randrange(len(text)), words[at % len(words)])
        lines.append({"text": " ".join(text), "label": labels[at % len(words)]})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def go(*arguments: str) -> RunResult:
    """A run, in this process."""
    return run(check(compose(list(arguments))))


def first(folder: Path, *further: str, family: str = "bert") -> RunResult:
    """A finished run of the first task: two moods."""
    model = tiny.tiny_text_model(family, folder / family)
    rows = {
        split: written(folder, f"mood-{split}", count, ["good", "bad"], ["up", "down"])
        for split, count in {"train": 64, "validation": 24, "test": 20}.items()
    }
    files = [f"dataset.{split}={file}" for split, file in rows.items()]
    return go(
        *COMMON, *files, f"model.name_or_path={model}", f"run.output_dir={folder / 'out'}", "run.name=first",
        "hyperparameters.num_train_epochs=4", *further,
    )  # fmt: skip


def second(folder: Path, model: Path | str, *further: str) -> list[str]:
    """Arguments for a run of the second task, three words, from a model; 40 rows, five steps an epoch."""
    rows = {
        split: written(folder, f"word-{split}", count, ["cold", "loud", "quick"], ["c", "l", "q"])
        for split, count in {"train": 40, "validation": 21}.items()
    }
    files = [f"dataset.{split}={file}" for split, file in rows.items()]
    return [*COMMON, *files, f"model.name_or_path={model}", "hyperparameters.num_train_epochs=2", *further]
