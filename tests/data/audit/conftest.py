"""Makes prepared data by hand, so that each check is seen alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from PIL import Image as Pictures

from tests.data.small_tasks import IMAGE, LABELS
from tunebook.data.audit.context import AuditContext
from tunebook.data.audit.facts import AuditFacts
from tunebook.data.columns import Column
from tunebook.data.labels.base import LabelColumn, Targets

NAMES = ["bad", "good"]
WORDS = ["plot", "film", "actor", "scene", "slow", "funny", "dull", "warm", "loud", "quiet", "short", "long"]


def sentence(generator: np.random.Generator, words: list[str] = WORDS, size: int = 6) -> str:
    """Some words in any order."""
    return " ".join(generator.choice(words, size))


def sentences(count: int, seed: int = 0, words: list[str] = WORDS) -> list[str]:
    """Texts that differ by chance alone."""
    generator = np.random.default_rng(seed)
    return [sentence(generator, words) for _ in range(count)]


def png(pixels: np.ndarray) -> dict[str, Any]:
    """An image as `datasets` stores it."""
    buffer = io.BytesIO()
    Pictures.fromarray(pixels).save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": None}


@pytest.fixture
def made() -> Callable[..., AuditContext]:
    """`made({"train": {"text": […], "label": […]}}, kind="single_label", findings=[…], effective_batch=8, …)`."""

    def make(splits: dict[str, dict[str, list[Any]]], names: list[str] | None = None, **more: Any) -> AuditContext:
        kind = more.pop("kind", "single_label")
        names = NAMES if names is None else names
        label = {"single_label": ClassLabel(names=names) if names else None, "multi_label": List(Value("int8"))}
        columns_of, others = more.pop("columns", {}), more.pop("features", {})
        held = {}
        for split, columns in splits.items():
            columns = {"row": list(range(len(next(iter(columns.values()))))), **columns}
            features = {"row": Value("int64")}
            for role in columns:
                if role == "label":
                    features[role] = label.get(kind, Value("float64"))
                elif role == "image":
                    features[role] = Image()
                elif role != "row":
                    features[role] = others.get(role, Value("string"))
            held[split] = Dataset.from_dict(columns, features=Features(features))
        data = SimpleNamespace(
            splits=DatasetDict(held),
            targets=Targets(() if kind == "regression" else tuple(names)),
            label_names=[] if kind == "regression" else names,
            label=LabelColumn(LABELS[kind], "label", names),
            columns={"text": Column("text"), "text_pair": Column("text", required=False), **IMAGE, **columns_of},
            overlaps=more.pop("overlaps", {}),
            findings=more.pop("findings", []),
            dropped=more.pop("dropped", []),
            source="made by hand",
        )
        return AuditContext(data, AuditFacts(**more))

    return make
