"""From a freezing group to a frozen model: policy, depth, rules, and the modules to hold still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tunebook.config import registry
from tunebook.modeling.depth import find_depth
from tunebook.modeling.freezing import FreezingTable, freeze, frozen_modules

if TYPE_CHECKING:
    from tunebook.config.schema import FreezingConfig


def apply_freezing(model: nn.Module, freezing: FreezingConfig) -> tuple[FreezingTable, list[nn.Module]]:
    """Freeze what the policy says.

    Args:
        model: to freeze.
        freezing: the group; its policy gives the rules.

    Returns:
        The table of rules, and the wholly frozen modules, for `hold_frozen_in_eval`.
    """
    policy = registry.load("policy", freezing.policy)
    table = freeze(model, policy.rules(find_depth(model), freezing.options))
    return table, frozen_modules(model)
