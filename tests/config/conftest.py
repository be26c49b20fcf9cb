"""A recipe file in one line, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

TOP = "# @package _global_\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no recipe folders but the shipped one."""
    monkeypatch.delenv("TUNEBOOK_RECIPES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recipe(here: Path) -> Callable[..., Path]:
    """recipe("run: {name: x}") writes ./mine.yaml, with the package line on top."""

    def write(content: str, name: str = "mine.yaml") -> Path:
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TOP + content)
        return file

    return write
