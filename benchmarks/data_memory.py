"""How much memory the preparation of rows takes, of few rows and of ten times as many.

CSV files of random texts, 2 % of them repeated and 2 % almost repeated, are prepared with the default cleaning
(missing values, duplicates, near-duplicates, conflicts, leaks), each size in a process of its own. The target is about
RssAnon, the memory that belongs to the process alone: pages of memory-mapped files also count in VmHWM, and the system
takes them back when it needs them.

usage: python benchmarks/data_memory.py [--rows 100000 1000000] [--letters 120] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TARGET = 1.2
ROOT = Path(__file__).parents[1]


def write_rows(file: Path, rows: int, letters: int, seed: int) -> None:
    """Write a CSV file of texts and labels."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvw", k=rng.randint(3, 9))) for _ in range(20_000)]
    recent: list[str] = []
    with file.open("w", encoding="utf-8") as stream:
        stream.write("text,label\n")
        for _ in range(rows):
            draw = rng.random()
            if recent and draw < 0.04:
                text = rng.choice(recent)
                text = text if draw < 0.02 else text + " too"
            else:
                text = " ".join(rng.choices(words, k=letters // 6))[:letters]
            if len(recent) < 1000:
                recent.append(text)
            else:
                recent[rng.randrange(1000)] = text
            stream.write(f"{text},{rng.randrange(3)}\n")


def anonymous_kib() -> int:
    """RssAnon of this process, in KiB."""
    return _status("RssAnon")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def measure(folder: Path) -> dict[str, Any]:
    """Prepare the rows in a folder; peaks in KiB and seconds of CPU."""
    import logging

    import datasets

    from tunebook.config.registry import load
    from tunebook.config.schema import DatasetConfig
    from tunebook.data.columns import Column
    from tunebook.data.labels.single_label import SingleLabel
    from tunebook.data.prepare import prepare

    logging.getLogger("tunebook").setLevel(logging.ERROR)  # what is found is not what is measured
    datasets.disable_progress_bars()
    options = load("source", "files").Options(train=str(folder / "train.csv"), test=str(folder / "test.csv"))
    peak, done = [anonymous_kib()], threading.Event()

    def sample() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], anonymous_kib())

    before = peak[0]
    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    began = time.process_time()
    columns = {"text": Column("text"), "label": Column("label", target=True)}
    task = SimpleNamespace(columns=columns, labels=SingleLabel())
    data = prepare(DatasetConfig(source="files", options=options), task)
    seconds = time.process_time() - began
    done.set()
    sampler.join()
    return {
        "before": before,
        "RssAnon": peak[0],
        "VmHWM": _status("VmHWM"),
        "seconds": seconds,
        "rows": len(data.splits["train"]),
        "findings": {f"{one.kind} {one.split}": len(one.rows) for one in data.findings},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[100_000, 1_000_000], help="training rows of both sizes")
    parser.add_argument("--letters", type=int, default=120, help="of a text (120)")
    parser.add_argument("--tiny", action="store_true", help="500 and 2000 rows: shows that the benchmark runs")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    peaks = []
    for rows in [500, 2000] if arguments.tiny else arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            write_rows(Path(folder) / "train.csv", rows, arguments.letters, seed=1)
            write_rows(Path(folder) / "test.csv", rows // 20, arguments.letters, seed=2)
            command = [sys.executable, __file__, "--measure", folder]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(output.splitlines()[-1])
        peaks.append(found["RssAnon"])
        mib = {name: found[name] / 1024 for name in ("before", "RssAnon", "VmHWM")}
        print(
            f"{rows:>9,} rows: RssAnon {mib['RssAnon']:,.0f} MiB (imports alone {mib['before']:,.0f}), "
            f"VmHWM {mib['VmHWM']:,.0f} MiB, {found['seconds']:.1f} s of CPU"
        )
        print(f"{'':>10}{found['rows']:,} rows left; {found['findings']}")
    print(f"RssAnon ratio {peaks[1] / peaks[0]:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main()
