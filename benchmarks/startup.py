"""How long a user waits: for an answer about a configuration, and for the first optimizer step.

Each is a new Python process, and is compared with a bare `import torch, transformers` in another one, taken
right before it.

usage: python benchmarks/startup.py [--pairs 5] [--threads 1]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pairs

HEAVY = {"torch", "transformers", "datasets", "sklearn", "evaluate", "matplotlib", "pandas"}
RECIPE = "+recipe=bert_sentiment"
SHOW = ["run.py", "--cfg", "job"]


def wall(arguments: list[str]) -> float:
    """Seconds that a Python process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=pairs.ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def first_step(arguments: list[str], outputs: Path) -> float:
    """Seconds from starting a run to the first line of its history, which is written after the first step."""
    command = [sys.executable, "run.py", RECIPE, *arguments, f"run.output_dir={outputs}"]
    log = outputs.with_suffix(".txt")
    began = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=pairs.ROOT, stdout=stream, stderr=subprocess.STDOUT)
        try:
            while not any(path.stat().st_size for path in outputs.glob("*/*/history.jsonl")):
                if process.poll() is not None:
                    raise SystemExit(f"the run ended before its first step:\n{log.read_text(encoding='utf-8')}")
                time.sleep(0.005)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()


def heavy_modules(arguments: list[str]) -> int:
    """How many modules of the heavy libraries a Python process imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=pairs.ROOT, check=True, capture_output=True, text=True)
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    if "tunebook" not in names:
        raise SystemExit("Python listed no imports, so nothing can be said about them")
    return sum(name.partition(".")[0] in HEAVY for name in names)


def main() -> None:
    """Measure and print."""
    said = pairs.arguments(__doc__, pairs=5).parse_args()
    # Set for the processes that are measured; this one computes nothing.
    os.environ["OMP_NUM_THREADS"] = str(said.threads)
    once = ["runtime=cpu", "runtime.logging_steps=1"]
    heavy = heavy_modules(SHOW)
    with pairs.scratch() as folder:
        model = pairs.tiny_model(folder)
        cases = {
            "python run.py --cfg job": lambda turn: wall(SHOW),
            "python -c 'import tunebook.run'": lambda turn: wall(["-c", "import tunebook.run"]),
            "python run.py +recipe=…, to its first step": lambda turn: first_step([*model, *once], folder / str(turn)),
        }
        wall(["-c", "import torch, transformers"])  # brings the files into memory
        for name, measure in cases.items():
            taken = [(wall(["-c", "import torch, transformers"]), measure(turn)) for turn in range(said.pairs)]
            ratios = [ours / bare for bare, ours in taken]
            bare, ours = (statistics.median(part) for part in zip(*taken, strict=True))
            print(pairs.ratio_line(f"{name} / import torch, transformers", ratios))
            print(f"  {ours:.2f} s against {bare:.2f} s")
    print(f"  run.py --cfg job imported {heavy} modules of {', '.join(sorted(HEAVY))}")
    print("  a tiny BERT made on the spot, recipe bert_sentiment (reviews); every measurement is a new process")
    print(f"  {pairs.hardware_line(said.threads)}")
    if heavy:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
