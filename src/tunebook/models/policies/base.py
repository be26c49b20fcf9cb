"""What a freezing policy is made of: rules, and phases that each have their own. Knows nothing of torch or of models.

A policy is a module `tunebook/models/policies/NAME.py` (or an installed package's entry point
`policy.NAME`) with a pydantic `class Options` and either a function `rules(depth, options) -> list[Rule]`, for the
whole run, or `phases(depth, options) -> list[Phase]`. One with phases may also have `longer_than(options) -> Span`:
the least length of training, checked before a model is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tunebook.config import registry
from tunebook.errors import FreezingError, Problem

if TYPE_CHECKING:
    from tunebook.config.schema import Config
    from tunebook.models.depth import Depth, Group


@dataclass(frozen=True)
class Rule:
    """Whether some parameters train. Of several rules the first that matches decides.

    Args:
        name: for the table in the log.
        trainable: whether the parameters train.
        pattern: regular expression searched in a parameter's name; with neither this nor `parameters`,
            the rule is for every parameter.
        parameters: exact names.
        must_match: whether matching nothing is a mistake (it is for rules that a user wrote).
    """

    name: str
    trainable: bool
    pattern: str | None = None
    parameters: frozenset[str] | None = None
    must_match: bool = False

    def matches(self, names: Iterable[str]) -> bool:
        """Whether the rule is for a parameter of these names; a tied one has several."""
        if self.parameters is not None:
            return any(name in self.parameters for name in names)
        return self.pattern is None or any(re.search(self.pattern, name) for name in names)


@dataclass(frozen=True)
class Span:
    """How long something lasts.

    Args:
        amount: above 0; of epochs or of the whole run it may be a fraction, which is rounded to whole steps.
        unit: `epochs`, `steps` (of the optimizer) or `share` of the whole run, 0 to 1.
    """

    amount: float
    unit: Literal["epochs", "steps", "share"]


@dataclass(frozen=True)
class Phase:
    """A part of training with its own rules.

    Args:
        name: for the table in the log.
        rules: what trains.
        length: None: until the end of training, for the last phase only.
        learning_rate: the base rate in it, in place of `hyperparameters.learning_rate`; every parameter's own
            rate (by depth, by pattern) is scaled alike.
        rate_share: the same as a share of `hyperparameters.learning_rate`; the phase schedule makes it `learning_rate`.
        restarts: the schedule (warm-up, decay) restarts with this phase and ends before the next phase that
            restarts it; without any it runs once over the whole training.
        needed: whether training must be long enough for it; if not, a training that ends before cuts it short or
            leaves it out.
    """

    name: str
    rules: list[Rule]
    length: Span | None = None
    learning_rate: float | None = None
    rate_share: float | None = None
    restarts: bool = False
    needed: bool = True


def by_depth(depth: Depth, frozen: Iterable[Group]) -> list[Rule]:
    """One rule a group: the named groups frozen, the others trained; empty groups are left out."""
    names = {group.name for group in frozen}
    return [
        Rule(group.name, trainable=group.name not in names, parameters=frozenset(group.parameter_names))
        for group in depth.groups
        if group.parameter_names
    ]


def require_head(depth: Depth) -> None:
    """Refuses a model without a head of its own, where a policy trains the head alone.

    Raises:
        FreezingError: no parameter is outside the backbone.
    """
    if not depth.head.parameter_names:
        message = (
            "this model has no head of its own to train: its output layer shares the weights of the embeddings (they "
            "are tied), or there is none; use freezing=last_n, freezing=patterns or an adapter"
        )
        raise FreezingError(Problem("freezing.policy", message))


def require_layers(depth: Depth, n: int) -> None:
    """Refuses a number of layers that the model does not have; 0 only needs layers to count.

    Raises:
        FreezingError: `n` is larger than the number of layers, or the model has no stack of layers at all.
    """
    count = len(depth.layers)
    if not count:
        message = "this model has no list of layers to count; use freezing=patterns, head_only or head_then_all"
        raise FreezingError(Problem("freezing.policy", message))
    if n > count:
        message = f"this model has {count} layers: layer 0 to layer {count - 1}; n is 0 to {count}, not {n}"
        raise FreezingError(Problem("freezing.n", message))


def problems(config: Config) -> list[Problem]:
    """What a policy cannot be combined with, by what its module defines. Groups that are None are not looked at."""
    if not config.freezing:
        return []
    policy = registry.load("policy", config.freezing.policy)
    problems: list[Problem] = []
    if config.runtime and hasattr(policy, "phases"):
        problems += _phases(config)
    if config.hyperparameters and hasattr(policy, "longer_than"):
        problems += _too_long(config, policy.longer_than(config.freezing.options))
    if config.runtime and config.runtime.activation_checkpointing and config.freezing.policy != "none":
        kwargs = config.runtime.activation_checkpointing_kwargs
        if isinstance(kwargs, dict) and kwargs.get("use_reentrant"):
            message = "gives no gradient to layers after frozen ones; leave it out (false is transformers' default)"
            problems.append(Problem("runtime.activation_checkpointing_kwargs.use_reentrant", message))
    return problems


def _phases(config: Config) -> list[Problem]:
    runtime, policy = config.runtime, f"freezing.policy={config.freezing.policy}"
    problems: list[Problem] = []
    if runtime.ddp_find_unused_parameters is False:
        message = f"{policy} trains other parameters in each phase, which DDP must look for; leave it out"
        problems.append(Problem("runtime.ddp_find_unused_parameters", message))
    if runtime.ddp_static_graph:
        message = f"{policy} trains other parameters in each phase, so the graph is not static; set it to false"
        problems.append(Problem("runtime.ddp_static_graph", message))
    for key in ("fsdp", "deepspeed"):
        if getattr(runtime, key):
            message = f"builds the optimizer when training begins, and {policy} unfreezes later; take it out"
            problems.append(Problem(f"runtime.{key}", message))
    return problems


def _too_long(config: Config, least: Span | None) -> list[Problem]:
    """Phases that leave nothing of the training; what depends on the number of rows is reported later."""
    if least is None:
        return []
    max_steps, epochs = config.hyperparameters.max_steps, config.hyperparameters.num_train_epochs
    limits = {"share": ("the training", 1)}
    if max_steps is not None and max_steps > 0:
        limits["steps"] = (f"hyperparameters.max_steps={max_steps}", max_steps)
    elif epochs is not None:
        limits["epochs"] = (f"hyperparameters.num_train_epochs={epochs:g}", epochs)
    if least.unit not in limits or least.amount < limits[least.unit][1]:
        return []
    options = config.freezing.options
    lengths = [name for name in type(options).model_fields if name.endswith(f"_{least.unit}")]
    key = next((name for name in lengths if getattr(options, name) is not None), "policy")
    amount = f"{least.amount:g} {least.unit}" if least.unit != "share" else f"{least.amount:.0%}"
    name = limits[least.unit][0]
    message = f"the phases before the last take {amount}: nothing of {name} is left; shorten them, or train longer"
    return [Problem(f"freezing.{key}", message)]
