"""Helpers of the data tests: files written in one line, configurations built in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunebook.config import registry
from tunebook.config.schema import DatasetConfig

REAL = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def real() -> Path:
    """The folder of real data beside the project."""
    if not REAL.is_dir():
        pytest.skip(f"no real data at {REAL}")
    return REAL


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """write("train.csv", "text,label\\n…") in the test's own folder."""

    def writer(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return writer


@pytest.fixture
def configured() -> Callable[..., DatasetConfig]:
    """configured("files", {"train": "a.csv"}, labels=[…]) as the schema builds it."""

    def build(source: str, options: dict[str, Any] | None = None, **fields: Any) -> DatasetConfig:
        return DatasetConfig(source=source, options=registry.load("source", source).Options(**options or {}), **fields)

    return build
