"""The learning rate of each parameter, as a factor of the base rate, and the optimizer's groups for it.

Knows parameters by name and depth; nothing of schedules, phases or the Trainer.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import TrainingArguments
from transformers.trainer_optimizer import is_optimizer_factory

from tunebook.errors import ConfigurationError, ModelError, Problem
from tunebook.models.depth import Depth
from tunebook.models.freezing import all_names, nearest

MOST_SHOWN = 10


@dataclass(frozen=True)
class Rates:
    """How fast each parameter trains.

    Args:
        base: the learning rate that the factors are shares of.
        factors: parameter name -> its share of the base rate; exactly the parameters that ever train.
        titles: parameter name -> what its group is called: a depth, a pattern, or `all`.
        uniform: whether every parameter has the base rate and the recipe sets nothing else, so that the optimizer's
            groups are transformers' own.
        decay_all: whether weight decay applies to normalisation layers and biases too.
    """

    base: float
    factors: Mapping[str, float]
    titles: Mapping[str, str]
    uniform: bool = True
    decay_all: bool = False


def base_rate(wanted: Any) -> float:
    """The learning rate of the group `hyperparameters`, or transformers' default."""
    return float(TrainingArguments.learning_rate if wanted.learning_rate is None else wanted.learning_rate)


def rates_of(model: nn.Module, depth: Depth, trained: Container[str], wanted: Any) -> Rates:
    """Each parameter's share of the base rate: by the first pattern that matches it, else by its depth, else 1.

    By depth the head has the base rate and each layer below it `layer_lr_decay` of the one above (ELECTRA, arXiv
    2003.10555: the head counts as a layer of its own), down to the embeddings; or the same steps are chosen so that
    the embeddings have `lowest_learning_rate` (fastai's slice; ULMFiT, arXiv 1801.06146).

    Raises:
        ConfigurationError: a pattern decides nothing.
        ModelError: the depth is another model's.
    """
    base = base_rate(wanted)
    step = _step_of_a_layer(depth, wanted, base)
    last = len(depth.groups) - 1
    factors, titles = {}, {}
    for at, group in enumerate(depth.groups):
        for name in group.parameter_names:
            if name in trained:
                factors[name] = step ** (last - at)
                titles[name] = "all" if step == 1 else group.name
    if missing := [name for name, _ in model.named_parameters() if name in trained and name not in factors]:
        raise ModelError(f"{len(missing)} parameters have no depth, such as {missing[0]}")
    for name, number in _by_pattern(model, list(factors), wanted.learning_rates).items():
        rule = wanted.learning_rates[number]
        factors[name], titles[name] = rule.learning_rate / base, rule.pattern
    decay_all = bool(wanted.decay_norms_and_biases)
    uniform = not (wanted.learning_rates or decay_all or step != 1)
    return Rates(base, factors, titles, uniform, decay_all)


def rate_range(factors: Mapping[str, float], trained: Iterable[str], base: float) -> tuple[float, float]:
    """The lowest and the highest learning rate of some parameters, before the schedule scales them."""
    shares = [factors[name] for name in trained]
    return base * min(shares), base * max(shares)


def rate_lines(rates: Rates) -> list[str]:
    """One line with the base rate of each depth and pattern, from the head down; none if there is only one."""
    by_title = {rates.titles[name]: rates.base * factor for name, factor in rates.factors.items()}
    if len(by_title) < 2:
        return []
    lines = [f"{title} {rate:.3g}" for title, rate in reversed(by_title.items())]
    shown = lines if len(lines) <= MOST_SHOWN else [*lines[: MOST_SHOWN - 3], "…", *lines[-2:]]
    return [f"learning rates: {', '.join(shown)}"]


def parameter_groups(model: nn.Module, rates: Rates, decayed: Container[str], weight_decay: float) -> list[dict]:
    """The optimizer's groups, one for each depth or pattern, with and without weight decay.

    Returns:
        Groups with `name`, `params`, `lr`, `factor` (share of the base rate) and `weight_decay`; in the order of the
        model's parameters, which is the same on every rank and after a resume.

    Raises:
        ModelError: the model was wrapped in a way that hides parameters that train.
    """
    groups: dict[tuple[str, float, bool], dict[str, Any]] = {}
    left = set(rates.factors)
    for wrapped, parameter in model.named_parameters():
        name = wrapped.replace("_fsdp_wrapped_module.", "")
        if name not in rates.factors:
            continue
        left.discard(name)
        decays = rates.decay_all or name in decayed
        title, factor = rates.titles[name], rates.factors[name]
        group = {
            "name": title if decays else f"{title}, no decay",
            "params": [],
            "lr": rates.base * factor,
            "factor": factor,
            "weight_decay": weight_decay if decays else 0.0,
        }
        groups.setdefault((title, factor, decays), group)["params"].append(parameter)
    if left:
        raise ModelError(f"the wrapped model lacks {len(left)} parameters by their names, such as {min(left)}")
    return list(groups.values())


def base_rate_now(groups: Iterable[Mapping[str, Any]]) -> float:
    """The base rate as the schedule has scaled it at this step."""
    moving = [group for group in groups if group["factor"] > 0]
    if not moving:
        return 0.0
    nearest_to_base = min(moving, key=lambda group: abs(group["factor"] - 1))
    return float(nearest_to_base["lr"]) / nearest_to_base["factor"]


def refuse_own_groups(name: str, kind: Any, settings: Container[str]) -> None:
    """Raises where an optimizer of transformers would not take our groups.

    Raises:
        ConfigurationError: it puts the parameters into groups itself.
    """
    if is_optimizer_factory(kind) or any(key in settings for key in ("params", "model", "optimizer_dict")):
        message = (
            f"{name} groups the parameters its own way, so they all train at learning_rate; take out layer_lr_decay, "
            "lowest_learning_rate, learning_rates and decay_norms_and_biases, or choose another optimizer"
        )
        raise ConfigurationError(Problem("hyperparameters.optim", message))


def _step_of_a_layer(depth: Depth, wanted: Any, base: float) -> float:
    if wanted.lowest_learning_rate is not None:
        return float((wanted.lowest_learning_rate / base) ** (1 / (len(depth.groups) - 1)))
    return 1.0 if wanted.layer_lr_decay is None else float(wanted.layer_lr_decay)


def _by_pattern(model: nn.Module, trained: list[str], rules: list[Any]) -> dict[str, int]:
    """Parameter name -> the number of the pattern that decides it; a tied parameter is matched by any of its names."""
    if not rules:
        return {}
    aliases = {name: names for name, names in all_names(model).items() if name in set(trained)}
    decided: dict[str, int] = {}
    for name, names in aliases.items():
        matches = (at for at, rule in enumerate(rules) if any(re.search(rule.pattern, alias) for alias in names))
        if (first := next(matches, None)) is not None:
            decided[name] = first
    problems = []
    for at, rule in enumerate(rules):
        if at in decided.values():
            continue
        taken = {number for name, number in decided.items() if any(re.search(rule.pattern, n) for n in aliases[name])}
        if taken:
            others = ", ".join(repr(rules[number].pattern) for number in sorted(taken))
            message = f"decides nothing: {others} takes all that it matches; put it before that"
        else:
            message = f"matches no parameter that trains; nearest: {', '.join(nearest(rule.pattern, aliases))}"
        problems.append(Problem(f"hyperparameters.learning_rates.{at}.pattern={rule.pattern}", message))
    if problems:
        raise ConfigurationError(problems)
    return decided
