"""What trains in each phase of a run, as names of a model's parameters; knows nothing of steps or of the Trainer."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import nn

from tunebook.config import registry
from tunebook.errors import FreezingError, Problem
from tunebook.models.depth import Depth, find_depth
from tunebook.models.freezing import NOTHING, FreezingTable, decide
from tunebook.models.parameter_kinds import constant_parameters, rules_before_policy
from tunebook.models.policies.base import Phase

if TYPE_CHECKING:
    from tunebook.config.schema import FreezingConfig


@dataclass(frozen=True)
class PlannedPhase:
    """A phase of the policy, decided for one model.

    `trained` names the parameters that train in it; `where` is the parts of the model that train, such as
    `layer 4 to layer 5, head`.
    """

    phase: Phase
    trained: frozenset[str]
    table: FreezingTable
    where: str = ""


@dataclass(frozen=True)
class FreezingPlan:
    """What trains, and when: at least one phase, decided for the model of this depth."""

    phases: tuple[PlannedPhase, ...]
    depth: Depth

    @property
    def ever(self) -> frozenset[str]:
        """Names of the parameters that train in some phase: those that optimizer and DDP must know from the start."""
        return frozenset().union(*(planned.trained for planned in self.phases))


def plan_freezing(model: nn.Module, freezing: FreezingConfig, fixed: Collection[str] = frozenset()) -> FreezingPlan:
    """Decides what trains; the model, with its adapter where it has one, stays as it is.

    Phases in which nothing new happens are left out: those of layers without parameters of their own that train.
    `fixed` names the parameters that never train, whatever the policy says (weights under an adapter).

    Raises:
        FreezingError: the policy does not fit the model.
    """
    policy = registry.load("policy", freezing.policy)
    constant = constant_parameters(model)
    fixed = constant.union(fixed)
    depth = find_depth(model)
    options = freezing.options
    phases = policy.phases(depth, options) if hasattr(policy, "phases") else [Phase("", policy.rules(depth, options))]
    first = rules_before_policy(model, freezing, depth)
    planned: list[PlannedPhase] = []
    problems: dict[Problem, None] = {}
    for phase in phases:
        try:
            trained, table = decide(model, [*first, *phase.rules], fixed)
        except FreezingError as error:
            problems |= dict.fromkeys(error.problems)
            continue
        if trained and not (planned and _continues(planned[-1], phase, trained)):
            planned.append(PlannedPhase(phase, trained, table, where(depth, trained, fixed, constant)))
    if problems or not planned:
        raise FreezingError(problems or Problem("", NOTHING))
    if phases[-1].length is None:
        planned[-1] = replace(planned[-1], phase=replace(planned[-1].phase, length=None))
    return FreezingPlan(tuple(planned), depth)


def _continues(before: PlannedPhase, phase: Phase, trained: frozenset[str]) -> bool:
    """Whether a phase only continues the one before it."""
    rates = (phase.learning_rate, phase.rate_share) == (before.phase.learning_rate, before.phase.rate_share)
    return trained == before.trained and rates and not phase.restarts


def where(
    depth: Depth,
    trained: Container[str],
    fixed: Container[str] = frozenset(),
    constant: Container[str] = frozenset(),
) -> str:
    """The parts of a model that train, in a few words: `everything`, or `layer 4 to layer 5, head; parts of …`.

    `fixed` names the parameters that never train: weights under an adapter, and constant ones, which are not counted.
    """
    if all(name in trained or name in constant for group in depth.groups for name in group.parameter_names):
        return "everything"
    groups = [(group.name, [name for name in group.parameter_names if name not in fixed]) for group in depth.groups]
    states = {group: [name in trained for name in names] for group, names in groups if names}
    names = list(states)
    wholly = [at for at, name in enumerate(names) if all(states[name])]
    partly = [at for at, name in enumerate(names) if any(states[name]) and not all(states[name])]
    parts = [_runs(wholly, names)] if wholly else []
    return "; ".join([*parts, f"parts of {_runs(partly, names)}"] if partly else parts)


def _runs(places: list[int], names: list[str]) -> str:
    """Neighbours joined: [0, 1, 2, 4] as 'embeddings to layer 1, layer 3'."""
    parts = []
    starts = [at for at in places if at - 1 not in places]
    for start in starts:
        end = start
        while end + 1 in places and names[end + 1].startswith("layer"):
            end += 1
        parts.append(names[start] if end == start else f"{names[start]} to {names[end]}")
        parts += [names[end + 1]] if end + 1 in places else []
    return ", ".join(parts)


def set_trained(model: nn.Module, trained: Container[str]) -> None:
    """Sets `requires_grad` of every parameter: True for the named ones, False for the others.

    A gradient that is left of a parameter that no longer trains is dropped: an optimizer would still apply it.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
        if name not in trained:
            parameter.grad = None
