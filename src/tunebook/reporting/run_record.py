"""What a run used: versions, hardware and peak memory. Reads the machine, changes nothing."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "evaluate",
    "hydra-core",
    "numpy",
    "scikit-learn",
    "peft",
)
MIB = 2**20


def versions() -> dict[str, str]:
    """Version of Python and of each installed package that shapes the result; absent ones are left out."""
    result = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            result[package] = version(package)
        except PackageNotFoundError:
            continue
    return result


def hardware() -> dict[str, Any]:
    """The machine.

    Returns:
        platform, cpu (model), cores (that this process may use), memory_gb (GiB, where the system says)
        and gpus (names, an empty list without any).
    """
    facts: dict[str, Any] = {"platform": platform.platform(), "cpu": _cpu(), "cores": _cores()}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        facts["memory_gb"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    facts["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return facts


def peak_memory_mb() -> dict[str, float]:
    """Highest memory use of this process so far, in MiB.

    Returns:
        `process` (resident, where the system says) and `cuda:N` (allocated by torch) for each GPU in use.
    """
    peaks: dict[str, float] = {}
    if sys.platform != "win32":
        import resource

        # Linux counts in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        peaks["process"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB, 1)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            if used := torch.cuda.max_memory_allocated(index):
                peaks[f"cuda:{index}"] = round(used / MIB, 1)
    return peaks


def _cpu() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
