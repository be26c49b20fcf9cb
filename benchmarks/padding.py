"""How much longer an epoch takes when every row is padded to 128 tokens than with Tunebook's defaults.

Two passes over the same rows with the same Trainer, turn about: every row padded to 128 tokens in random
order, and each batch padded to its longest row, with rows of like length in a batch (the defaults).

usage: python benchmarks/padding.py [--pairs 3] [--steps 16] [--threads 1] [--tiny]
"""

from __future__ import annotations

import csv
import json
import random
import time
from typing import Any

import pairs
import torch
from training import loaded, train, trainer_of
from transformers import TrainerCallback

from tunebook.context import RunContext

TARGET = 4
BATCH = 32
LONGEST = 128
SST2 = pairs.ROOT.parent / "shared" / "data" / "sst2" / "sentences" / "train.tsv"
REVIEWS = pairs.ROOT / "src" / "tunebook" / "data" / "reviews" / "train.jsonl"


class Pass(TrainerCallback):
    """The seconds of an epoch."""

    def __init__(self) -> None:
        self.began = self.seconds = 0.0

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop it."""
        self.seconds = time.perf_counter() - self.began


def sentences() -> tuple[str, list[tuple[str, str]]]:
    """(name, rows of text and label): SST-2 where it lies beside the repository, else the shipped reviews."""
    if SST2.exists():
        with SST2.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        return "SST-2 sentences", [(text, label) for text, label in rows]
    lines = REVIEWS.read_text(encoding="utf-8").splitlines()
    return "shipped reviews", [(row["text"], str(row["label"])) for row in map(json.loads, lines)]


def one_pass(context: RunContext) -> float:
    """Seconds for every row once."""
    clock = Pass()
    train(*trainer_of(context, clock))
    return clock.seconds


def tokens(context: RunContext) -> int:
    """Tokens of the rows, special ones included, padding not."""
    return sum(context.encoded["train"]["length"])


def main() -> None:
    """Measure and print."""
    said = pairs.arguments(__doc__, pairs=3, steps=16, tiny=pairs.TINY).parse_args()
    torch.set_num_threads(said.threads)
    source, rows = sentences()
    chosen = random.Random(0).sample(rows, min(said.steps * BATCH, len(rows)))
    longest = 48 if said.tiny else LONGEST
    with pairs.scratch() as folder:
        file = folder / "rows.jsonl"
        file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in chosen))
        model = pairs.tiny_model(folder) if said.tiny else []
        data = ["dataset=files", f"dataset.train={file}", "hyperparameters.num_train_epochs=1"]
        with loaded(["+recipe=bert_sentiment", *model, *data], folder) as load:
            padded = load(
                "task.padding=max_length",
                f"task.max_length={longest}",
                "hyperparameters.train_sampling_strategy=random",
                "run.name=padded",
            )
            dynamic = load("run.name=dynamic")
            one_pass(dynamic)  # warms up
            seconds = [(one_pass(padded), one_pass(dynamic)) for _ in range(said.pairs)]
    ratios = [slow / fast for slow, fast in seconds]
    name = f"epoch, padded to {longest} / dynamic padding with length grouping"
    print(pairs.ratio_line(name, ratios, f"at least {TARGET}"))
    print(
        f"  {'a tiny BERT' if said.tiny else 'all-MiniLM-L6-v2'}, {len(chosen)} {source} "
        f"({tokens(dynamic) / len(chosen):.1f} tokens each), batches of {BATCH}, float32; a whole pass, turn about, "
        f"after one to warm up"
    )
    print(f"  {pairs.hardware_line(said.threads)}")


if __name__ == "__main__":
    main()
