"""What trains in each phase of a run, as names of a model's parameters; knows nothing of steps or of the Trainer."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from tunebook.config import registry
from tunebook.modeling.depth import Depth, find_depth
from tunebook.modeling.freezing import FreezingTable, decide
from tunebook.modeling.policies.base import Phase

if TYPE_CHECKING:
    from tunebook.config.schema import FreezingConfig


@dataclass(frozen=True)
class PlannedPhase:
    """One phase, decided for one model.

    Args:
        phase: of the policy.
        trained: names of the parameters that train in it, as `named_parameters` has them.
        table: rule by rule.
    """

    phase: Phase
    trained: frozenset[str]
    table: FreezingTable


@dataclass(frozen=True)
class FreezingPlan:
    """What trains, and when.

    Args:
        phases: in order; at least one.
        depth: of the model that they were decided for.
    """

    phases: tuple[PlannedPhase, ...]
    depth: Depth

    @property
    def ever(self) -> frozenset[str]:
        """Names of the parameters that train in some phase: those that optimizer and DDP must know from the start."""
        return frozenset().union(*(planned.trained for planned in self.phases))


def plan_freezing(model: nn.Module, freezing: FreezingConfig, fixed: Container[str] = frozenset()) -> FreezingPlan:
    """Decide what trains; the model stays as it is.

    Args:
        model: with its head, and with its adapter where it has one.
        freezing: the group; its policy gives rules or phases.
        fixed: names of parameters that never train, whatever the policy says (weights that an adapter stands for).

    Raises:
        FreezingError: the policy does not fit the model.
    """
    policy = registry.load("policy", freezing.policy)
    depth = find_depth(model)
    if hasattr(policy, "phases"):
        phases = policy.phases(depth, freezing.options)
    else:
        phases = [Phase("", policy.rules(depth, freezing.options))]
    planned = []
    for phase in phases:
        trained, table = decide(model, phase.rules, fixed)
        planned.append(PlannedPhase(phase, trained, table))
    return FreezingPlan(tuple(planned), depth)


def set_trained(model: nn.Module, trained: Container[str]) -> None:
    """Sets `requires_grad` of every parameter: True for the named ones, False for the others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
