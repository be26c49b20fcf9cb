"""Tiny classifiers of many families with batches of unlike rows, and what trains at a depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForSequenceClassification

from tests import tiny
from tunebook.models.cache.boundary import Boundary, boundaries
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.validation import validate
from tunebook.models.depth import Depth, find_depth
from tunebook.models.freezing import frozen_modules

_LLAMA = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "attention_dropout": 0.1,
    "pad_token_id": 0,
}
_BERT = tiny.TEXT["bert"]
TEXT: dict[str, dict[str, Any]] = {
    **tiny.TEXT,
    "llama": _LLAMA,
    "qwen3": {**_LLAMA, "head_dim": 16},
    "electra": {**_BERT, "embedding_size": 16},
    "albert": {**_BERT, "embedding_size": 16},
    "deberta-v2": {**_BERT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "t5": {"d_model": 32, "num_layers": 2, "d_kv": 16, "num_heads": 2, "d_ff": 48},
}
IMAGE: dict[str, dict[str, Any]] = {
    **tiny.IMAGE,
    "swin": {
        "image_size": 16,
        "patch_size": 2,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [1, 2],
        "window_size": 2,
    },
    "convnext": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "patch_size": 2},
}
LENGTHS = [9, 4, 7, 2, 9, 5]


@dataclass(frozen=True)
class Case:
    """A model of a family, frozen below some depth.

    Args:
        model: in training mode, its parameters off their initial values.
        depth: of the model.
        batch: inputs of six rows.
        ever: names of the parameters that train.
    """

    model: Any
    depth: Depth
    batch: dict[str, torch.Tensor]
    ever: set[str]

    def proved(self) -> tuple[Boundary, Placeholders | None]:
        """The first boundary that is proved."""
        self.model.eval()
        frozen = frozen_modules(self.model)
        refused = NotCacheable("none")
        for boundary in boundaries(self.model, self.ever, self.depth, self.batch):
            try:
                return boundary, validate(self.model, boundary, self.ever, frozen, self.batch)
            except NotCacheable as reason:
                refused = reason
        raise refused


@pytest.fixture
def case() -> Callable[..., Case]:
    """Builds a case: `head` trains the head alone, `half` the upper half of the layers too, `layers` all of them."""

    def build(family: str, trains: str, auto_class: str = "", **settings: Any) -> Case:
        torch.manual_seed(0)
        text = family in TEXT
        own = {**(TEXT if text else IMAGE)[family], **({"vocab_size": 120} if text else {}), **settings}
        default = AutoModelForSequenceClassification if text else AutoModelForImageClassification
        auto = getattr(transformers, auto_class) if auto_class else default
        model = auto.from_config(AutoConfig.for_model(family, **{"num_labels": 3, **own}))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        depth = find_depth(model)
        layers = len(depth.layers)
        first = {"head": 1 + layers, "half": 1 + layers // 2, "layers": 1}[trains]
        ever = {name for group in depth.groups[first:] for name in group.parameter_names}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in ever)
        return Case(model, depth, texts() if text else images(), ever)

    return build


def texts(lengths: list[int] = LENGTHS) -> dict[str, torch.Tensor]:
    """Rows of some lengths, padded on the right."""
    ids = torch.randint(5, 100, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


def images(rows: int = 6) -> dict[str, torch.Tensor]:
    """Noise of 16 × 16 pixels."""
    return {"pixel_values": torch.randn((rows, 3, 16, 16), generator=torch.Generator().manual_seed(1))}
