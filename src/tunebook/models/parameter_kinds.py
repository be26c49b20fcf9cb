"""Which parameters are norms, biases, embeddings or constants, and the rules for them that come before a policy's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tunebook.errors import FreezingError, Problem
from tunebook.models.policies.base import Rule

if TYPE_CHECKING:
    from tunebook.config.model_groups import FreezingConfig
    from tunebook.models.depth import Depth

# Norms of torch; models of transformers bring their own classes, which are called …Norm.
_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


def norm_parameters(model: nn.Module) -> frozenset[str]:
    """Names of the scales and shifts of normalisation layers, as `named_parameters` has them."""
    norms = [m for m in model.modules() if isinstance(m, _NORMS) or type(m).__name__.endswith("Norm")]
    own = {id(parameter) for module in norms for parameter in module.parameters(recurse=False)}
    return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in own)


def constant_parameters(model: nn.Module) -> frozenset[str]:
    """Names of the parameters that an architecture computes and never learns: Marian's sinusoidal positions."""
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and "Sinusoidal" in type(m).__name__]
    constant = {id(table.weight) for table in tables}
    return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in constant)


def rules_before_policy(model: nn.Module, freezing: FreezingConfig, depth: Depth) -> list[Rule]:
    """The rules of `freezing.biases`, `norms` and `embeddings`, which come before the policy's in every phase.

    Where two of them are for the same parameter the first in this order decides: a normalisation layer's bias is a
    bias, and one in the embeddings is not an embedding.

    Raises:
        FreezingError: one of them has nothing to decide.
    """
    kinds = {
        "biases": frozenset(name for name, _ in model.named_parameters() if name.endswith("bias")),
        "norms": norm_parameters(model),
        "embeddings": frozenset(depth.embeddings.parameter_names) if depth.layers else frozenset(),
    }
    head = set(depth.head.parameter_names)
    rules, problems = [], []
    for key, names in kinds.items():
        wanted = getattr(freezing, key)
        if wanted == "policy":
            continue
        # Nearly every head has biases and trains anyway: the backbone's are meant.
        if not (names - head if wanted == "train" else names):
            message = f"the backbone of this model has no {key} to {wanted}; set it to policy"
            problems.append(Problem(f"freezing.{key}", message))
        rules.append(Rule(key, wanted == "train", parameters=names))
    if problems:
        raise FreezingError(problems)
    return rules
