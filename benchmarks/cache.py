"""How much longer training takes when the frozen layers run in every epoch than with their outputs computed once.

One pair is the same training twice, turn about: with `freezing.cache=off`, and with the cache, which is empty at the
beginning. Both times have the training, the evaluation after every epoch and the last one in them; the cache's also has
the states being computed and written, and a second time, when they are found, is told beside it. Afterwards both must
have the same metrics. Words behind `--` are overrides: other freezing, models and data.

usage: python benchmarks/cache.py [--pairs 1] [--rows 96] [--epochs 5] [--threads 1] [--train FILE] [--validation FILE]
           [--tiny] [-- freezing=last_n freezing.n=1 …]
"""

from __future__ import annotations

import csv
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pairs
import torch
from training import loaded, train, trainer_of

from tunebook import finish
from tunebook.context import RunContext
from tunebook.training.backbone_cache import enable_cache

TARGET = "at least 8 for head_only and ten epochs, 2.5 for a quarter of the layers"
REVIEWS = pairs.ROOT / "src" / "tunebook" / "data" / "reviews"


def rows_of(file: Path) -> list[dict[str, str]]:
    """Text and label of every row: JSON Lines, or text TAB label without a header."""
    with file.open(encoding="utf-8", newline="") as stream:
        if file.suffix == ".jsonl":
            return [{name: str(json.loads(line)[name]) for name in ("text", "label")} for line in stream]
        return [
            {"text": text, "label": label} for text, label in csv.reader(stream, "excel-tab", quoting=csv.QUOTE_NONE)
        ]


def data_overrides(said: Any, folder: Path) -> list[str]:
    """The rows, and as many of validation for every five of them as there are; nothing where the overrides say data."""
    if any(word.startswith("dataset") for word in said.overrides):
        return []
    files = {"train": said.train or REVIEWS / "train.jsonl", "validation": said.validation}
    if said.train is None:
        files["validation"] = files["validation"] or REVIEWS / "validation.jsonl"
    found = ["dataset=files"]
    for split, file in files.items():
        if file is None:
            found.append("dataset.split.validation=0.2")
            continue
        rows = rows_of(file)
        many = said.rows if split == "train" else max(8, said.rows // 5) if said.validation is None else len(rows)
        chosen = random.Random(0).sample(rows, min(many, len(rows)))
        path = folder / f"{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in chosen), encoding="utf-8")
        found.append(f"dataset.{split}={path}")
    return found


@dataclass(frozen=True)
class Took:
    """One training with its evaluations.

    Args:
        seconds: by the clock.
        worked: seconds of the processor.
        metrics: of validation, afterwards.
        rows: of every split.
    """

    seconds: float
    worked: float
    metrics: dict[str, float]
    rows: dict[str, int]


def one_training(context: RunContext) -> Took:
    """A training with an evaluation after every epoch and one more, from the backbone's states or without.

    Raises:
        SystemExit: the cache was off although it was wanted.
    """
    began, worked = time.perf_counter(), time.process_time()
    cache = enable_cache(context)
    trainer, stop = trainer_of(context, cache=cache)
    train(trainer, stop)
    scored = finish.evaluate(context, trainer, cache)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    if cache is not None:
        cache.states.close()
    elif context.config.freezing.cache == "auto":
        raise SystemExit("the cache is off; python run.py with the same overrides says why")
    rows = {split: len(part) for split, part in context.encoded.items()}
    return Took(seconds, worked, scored["validation"].metrics, rows)


def all_trainings(said: Any, overrides: list[str], folder: Path) -> dict[str, list[Took]]:
    """Every pair's trainings: without the cache, with an empty one, and with the states there."""
    found: dict[str, list[Took]] = {"off": [], "on": [], "again": []}
    with loaded(overrides, folder) as load:
        for pair in range(said.pairs):
            for name, took in found.items():
                where = f"runtime.cache_dir={folder / f'states-{pair}'}"
                cache = f"freezing.cache={'off' if name == 'off' else 'auto'}"
                # Loaded anew, so that every training begins from the same weights.
                evaluated = "hyperparameters.eval_strategy=epoch"
                took.append(one_training(load(evaluated, where, cache, f"run.name={name}-{pair}")))
    return found


def report(said: Any, what: str, found: dict[str, list[Took]]) -> None:
    """Print the ratios."""
    off, on, again = found.values()

    def ratios(part: str, slow: list[Took], fast: list[Took]) -> list[float]:
        return [getattr(a, part) / getattr(b, part) for a, b in zip(slow, fast, strict=True)]

    print(pairs.ratio_line(f"training {what}, without the cache / with it", ratios("seconds", off, on), TARGET))
    busy = "the same in processor time, which other work on the machine disturbs less"
    print(pairs.ratio_line(busy, ratios("worked", off, on)))
    print(pairs.ratio_line("without the cache / with states that were there", ratios("seconds", off, again)))
    last = [took[-1] for took in found.values()]
    apart = max(
        abs(value - two.metrics[name]) for one, two in zip(off, on, strict=True) for name, value in one.metrics.items()
    )
    rows = ", ".join(f"{count:,} {split}" for split, count in last[0].rows.items())
    clock, worked = (", ".join(f"{getattr(took, part):.1f}" for took in last) for part in ("seconds", "worked"))
    print(
        f"  {'a tiny BERT' if said.tiny else 'the model of the recipe'}; {rows} rows, {said.epochs} epochs with an "
        f"evaluation each and one more, float32; {clock} s, of the processor {worked} s; largest difference of any "
        f"metric afterwards: {apart:.1e}; accuracy {last[0].metrics.get('accuracy', 0):.4f}"
    )
    print(f"  {pairs.hardware_line(said.threads)}")


def main() -> None:
    """Measure and print."""
    parser = pairs.arguments(__doc__, pairs=1, tiny=pairs.TINY)
    parser.add_argument("--rows", type=int, default=96, help="training rows (96)")
    parser.add_argument("--epochs", type=int, default=5, help="of a training (5)")
    parser.add_argument("--train", type=Path, help="a file of rows instead of the shipped reviews: .jsonl, or TSV")
    parser.add_argument("--validation", type=Path, help="likewise; all of its rows are taken")
    parser.add_argument("overrides", nargs="*", help="of the recipe, e.g. freezing=last_n freezing.n=1")
    said = parser.parse_args()
    torch.set_num_threads(said.threads)
    freezing = [] if any(word.startswith("freezing") for word in said.overrides) else ["freezing=head_only"]
    with pairs.scratch() as folder:
        model = pairs.tiny_model(folder) if said.tiny else []
        rows = data_overrides(said, folder)
        settings = [f"hyperparameters.num_train_epochs={said.epochs}", "hyperparameters.learning_rate=1e-3"]
        overrides = [*model, *freezing, *rows, *settings, "run.audit=false", *said.overrides]
        report(said, " ".join([*freezing, *said.overrides]), all_trainings(said, overrides, folder))


if __name__ == "__main__":
    main()
