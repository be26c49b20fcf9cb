"""How much memory training takes when ten times as many rows are streamed, and, for contrast, when they are not.

Each run is a process of its own that trains a tiny BERT once over every row of a generated CSV file, through
Tunebook's own command; its memory is the most that the process ever held (peak resident set size).

usage: python benchmarks/streaming.py [--rows 100000] [--factor 10] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pairs

TARGET = 1.2
BATCH = 1024
WORDS = 12
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@dataclass(frozen=True)
class Run:
    """What a training came to: the most memory in MiB, and seconds from start to end."""

    memory: float
    seconds: float


def tiny_bert(folder: Path) -> Path:
    """A BERT with one layer of width 16 and the tests' tokenizer."""
    sys.path.insert(0, str(pairs.ROOT))
    from transformers import AutoConfig, AutoModel

    from tests import tiny

    tokenizer = tiny.tiny_tokenizer()
    config = AutoConfig.for_model("bert", vocab_size=len(tokenizer), max_position_embeddings=66, **SMALL)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def rows_file(path: Path, rows: int) -> Path:
    """So many seeded rows of words, two labels."""
    from tests import tiny

    words, draw = sorted(set(" ".join(tiny.SENTENCES).split()) - {","}), random.Random(0)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("text,label\n")
        for at in range(rows):
            stream.write(f"{' '.join(draw.choices(words, k=WORDS))} {at},{'good' if draw.random() < 0.5 else 'bad'}\n")
    return path


def trained(file: Path, rows: int, model: Path, folder: Path, threads: int, streamed: bool) -> Run:
    """Trains once over the file, in a process of its own."""
    name = f"{'streamed' if streamed else 'whole'}{rows}"
    command = [
        sys.executable, str(pairs.ROOT / "run.py"), "dataset=files", f"dataset.train={file}",
        "dataset.labels=[bad,good]", f"dataset.rows.train={rows}", f"dataset.streaming={str(streamed).lower()}",
        "model=auto", f"model.name_or_path={model}", "task.max_length=32", "runtime=cpu", "runtime.precision=float32",
        f"hyperparameters.effective_batch_size={BATCH}", f"hyperparameters.per_device_train_batch_size={BATCH}",
        "hyperparameters.num_train_epochs=1", "hyperparameters.eval_strategy='no'",
        "hyperparameters.load_best_model_at_end=false", "runtime.save_strategy='no'", "run.audit=false",
        "cleaning.near_duplicates=ignore", "cleaning.near_leaks=ignore", "cleaning.leaks=ignore",
        "cleaning.duplicates=ignore", "cleaning.conflicts=ignore",
        f"run.output_dir={folder}", f"run.name={name}",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_DATASETS_CACHE": str(folder / "cache")}
    began = time.monotonic()
    with (folder / "said.txt").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)  # its own peak, not the largest of all runs so far
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"the run failed:\n{said.read()[-3000:]}")
    metrics = json.loads((folder / "default" / name / "metrics.json").read_text(encoding="utf-8"))
    if (trained_steps := metrics["best"]["steps_trained"]) != -(-rows // BATCH):
        raise RuntimeError(f"{trained_steps} steps are not all rows")
    # Linux counts in KiB, macOS in bytes.
    return Run(usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), seconds)


def line(name: str, rows: int, run: Run) -> str:
    """One run's figures."""
    return f"  {name} {rows:>9,} rows: {run.memory:7.0f} MiB, {run.seconds:5.0f} s ({rows / run.seconds:,.0f} rows/s)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of the smaller file (100000)")
    parser.add_argument("--factor", type=int, default=10, help="how many times as many the larger one has (10)")
    parser.add_argument("--threads", type=int, default=1, help="that torch computes with (1)")
    said = parser.parse_args()
    few, many = said.rows, said.rows * said.factor
    with pairs.scratch() as folder:
        model = tiny_bert(folder / "bert")
        small, large = rows_file(folder / "few.csv", few), rows_file(folder / "many.csv", many)
        size = large.stat().st_size / 2**20
        first = trained(small, few, model, folder, said.threads, streamed=True)
        second = trained(large, many, model, folder, said.threads, streamed=True)
        whole = trained(small, few, model, folder, said.threads, streamed=False)
    ratio = second.memory / first.memory
    print(f"peak memory, {many:,} rows streamed / {few:,} rows streamed: {ratio:.3f}; target at most {TARGET}")
    print(f"peak memory, {few:,} rows loaded whole / streamed: {whole.memory / first.memory:.3f}")
    print(line("streamed", few, first))
    print(line("streamed", many, second))
    print(line("whole   ", few, whole))
    print(
        f"  a BERT of one layer, width 16; batches of {BATCH}; the larger file has {size:.0f} MiB; buffer 10,000 rows"
    )
    print(f"  {pairs.hardware_line(said.threads)}")


if __name__ == "__main__":
    main()
