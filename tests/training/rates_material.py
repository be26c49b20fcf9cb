"""Tiny models and the group `hyperparameters` for tests of learning rates; of Tunebook it knows the schema."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers import AutoConfig

from tests import tiny
from tunebook.config.schema import Hyperparameters


def model_of(family: str, **settings: Any) -> torch.nn.Module:
    """A tiny classifier of a family, with three labels, from no file."""
    known = tiny.TEXT.get(family) or tiny.IMAGE[family]
    vocabulary = {"vocab_size": 60} if family in tiny.TEXT else {}
    config = AutoConfig.for_model(family, **{**known, **vocabulary, "num_labels": 3, **settings})
    torch.manual_seed(0)
    return getattr(transformers, tiny.auto_class(family)).from_config(config)


def wanted(**settings: Any) -> Any:
    """The group `hyperparameters`."""
    return Hyperparameters.model_validate({"learning_rate": 1e-3, **settings})
