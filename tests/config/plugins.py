"""Fake installed packages: a folder with modules and a dist-info, put on the path of a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def package(folder: Path, name: str, points: dict[str, str], **modules: str) -> Path:
    """Write a distribution as pip leaves it.

    Args:
        folder: where; a site folder of its own.
        name: of the distribution.
        points: entry point of `tunebook.plugins` to its module.
        modules: name to source.
    """
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{point} = {module}\n" for point, module in points.items())
    (info / "entry_points.txt").write_text(f"[tunebook.plugins]\n{lines}")
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
    return folder


def python(*arguments: str, folders: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python with Tunebook and some fake packages on its path."""
    path = os.pathsep.join([str(ROOT / "src"), *map(str, folders)])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
