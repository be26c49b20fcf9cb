"""How long the audit takes beside tokenising the rows once.

The audit is all that looking at the rows costs a run: what cleaning looks for beside loading (duplicates,
near-duplicates, leaks, conflicts), every check, and writing audit.json and audit.html. The rows are the shipped
reviews, repeated with words changed, or those of a file.

usage: python benchmarks/audit_time.py [--pairs 3] [--rows 20000] [--train FILE] [--tiny]
"""

from __future__ import annotations

import functools
import json
import logging
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pairs

TARGET = 3
REVIEWS = pairs.ROOT / "src" / "tunebook" / "data" / "reviews" / "train.jsonl"
OFF = [f"cleaning.{kind}=ignore" for kind in ("duplicates", "near_duplicates", "conflicts", "leaks", "near_leaks")]


def perturbed(count: int) -> list[dict[str, Any]]:
    """Rows from the shipped reviews: each repeated with about a third of its words taken from other reviews."""
    reviews = [json.loads(line) for line in REVIEWS.read_text(encoding="utf-8").splitlines()]
    generator = random.Random(0)
    words = [word for row in reviews for word in row["text"].split()]
    rows = []
    for at in range(count):
        row = reviews[at % len(reviews)]
        text = " ".join(word if generator.random() > 0.35 else generator.choice(words) for word in row["text"].split())
        rows.append({"text": text, "label": row["label"]})
    return rows


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long something takes, and what it gives."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def main() -> None:
    """Measure and print."""
    parser = pairs.arguments(__doc__, pairs=3, tiny=pairs.TINY)
    parser.add_argument("--rows", type=int, default=20_000, help="rows made of the reviews (20000)")
    parser.add_argument("--train", type=Path, help="a file of rows (text, label) instead of the reviews")
    said = parser.parse_args()

    import datasets
    import torch

    from tunebook.check import check
    from tunebook.config import registry
    from tunebook.config.compose import compose
    from tunebook.data.audit.audit import audit
    from tunebook.data.audit.facts import facts_of
    from tunebook.data.encoding import encode_split
    from tunebook.data.prepare import prepare
    from tunebook.reporting.audit_page import write_audit

    torch.set_num_threads(said.threads)
    logging.getLogger("tunebook").setLevel(logging.ERROR)  # that rows leak is not what is measured
    datasets.disable_progress_bars()
    with pairs.scratch() as folder:
        file = said.train.resolve() if said.train else folder / "rows.jsonl"
        if not said.train:
            file.write_text("".join(json.dumps(row) + "\n" for row in perturbed(said.rows)), encoding="utf-8")
        model = pairs.tiny_model(folder) if said.tiny else []
        recipe = ["+recipe=bert_sentiment", *model, "dataset=files", f"dataset.train={file}"]
        recipe += ["dataset.split.validation=0.05", "dataset.split.test=0.05"]
        config, plain = check(compose(recipe)), check(compose([*recipe, *OFF]))
        task = registry.load("task", config.task.name).Task(config.task.options)
        processor = task.load_processor(config.model)

        def prepared(said: Any) -> Any:
            return prepare(said.dataset, task, said.cleaning)

        def tokenised(data: Any) -> dict[str, Any]:
            datasets.disable_caching()
            return {
                name: encode_split(split, task, processor, None, data.targets) for name, split in data.splits.items()
            }

        def looked(data: Any, encoded: dict[str, Any]) -> None:
            lengths = {name: split["length"][:] for name, split in encoded.items()}
            facts = facts_of(config, 32, lengths, processor)
            write_audit(folder / "audit", audit(data, facts), "benchmark")

        # Once to warm up; the rows that are looked at are those with findings, so that their examples are shown.
        cleaned = prepared(config)
        looked(cleaned, encoded := tokenised(cleaned))
        ratios, parts = [], []
        for _ in range(said.pairs):
            without, data = seconds_of(lambda: prepared(plain))
            tokenising, _ = seconds_of(functools.partial(tokenised, data))
            whole, _ = seconds_of(lambda: prepared(config))
            checking, _ = seconds_of(lambda: looked(cleaned, encoded))
            finding = max(whole - without, 0.0)
            ratios.append((finding + checking) / tokenising)
            parts.append((finding, checking, tokenising))
    count = sum(len(split) for split in data.splits.values())
    finding, checking, tokenising = (statistics.median(part) for part in zip(*parts, strict=True))
    print(pairs.ratio_line("audit / tokenising once", ratios, f"at most {TARGET}"))
    source = said.train.name if said.train else "rows made of the shipped reviews"
    print(
        f"  {count:,} rows ({source}): what cleaning looks for {finding:.2f} s, checks and page {checking:.2f} s, "
        f"tokenising {tokenising:.2f} s"
    )
    print(f"  {pairs.hardware_line(said.threads)}")


if __name__ == "__main__":
    main()
