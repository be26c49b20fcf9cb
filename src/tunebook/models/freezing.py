"""Applies freezing rules to a model and puts frozen modules in evaluation mode; knows no options of policies."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from tunebook.errors import FreezingError, Problem
from tunebook.models.adaptation.parameter_names import plain_name
from tunebook.models.policies.base import Rule

logger = logging.getLogger("tunebook")

NOTHING = "nothing is left to train; let at least one rule train something"


@dataclass(frozen=True)
class FreezingRow:
    """What one rule decided: for how many parameter tensors, and numbers in them; `share` of all numbers is 0 to 1."""

    rule: str
    trainable: bool
    tensors: int
    parameters: int
    share: float


@dataclass(frozen=True)
class FreezingTable:
    """What every rule decided, in the rules' order."""

    rows: tuple[FreezingRow, ...]

    @property
    def trainable_parameters(self) -> int:
        return sum(row.parameters for row in self.rows if row.trainable)

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    def lines(self) -> list[str]:
        """The table as plain text, one line a rule, with heading and sum."""
        width = max(len("rule"), *(len(row.rule) for row in self.rows))
        lines = [f"{'rule':<{width}}  {'':<6}  {'tensors':>7}  {'parameters':>13}  {'share':>6}"]
        for row in self.rows:
            state = "trains" if row.trainable else "frozen"
            lines.append(f"{row.rule:<{width}}  {state}  {row.tensors:>7}  {row.parameters:>13,}  {row.share:>6.1%}")
        share = self.trainable_parameters / self.parameters
        lines.append(f"{self.trainable_parameters:,} of {self.parameters:,} parameters train ({share:.1%})")
        return lines


def freeze(model: nn.Module, rules: Sequence[Rule]) -> FreezingTable:
    """Sets `requires_grad` of every parameter, each time it is called.

    Args:
        model: any module; tied parameters count once and match by each of their names.
        rules: in order; the first that matches a parameter decides.

    Returns:
        The table of what was decided; it is logged too.

    Raises:
        FreezingError: as `decide`, or nothing is left to train. The model is then as it was.
    """
    trained, table = decide(model, rules)
    if not trained:
        raise FreezingError(Problem("", NOTHING))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    logger.info("\n".join(table.lines()))
    return table


def decide(
    model: nn.Module, rules: Sequence[Rule], fixed: Container[str] = frozenset()
) -> tuple[frozenset[str], FreezingTable]:
    """Which parameters train by these rules; the model stays as it is.

    Returns:
        The names that train, and the table of what each rule decided.

    Raises:
        FreezingError: a rule that must match something matches nothing, or no rule matches a parameter.
    """
    names = all_names(model)
    decided: dict[str, int] = {}
    for parameter, aliases in names.items():
        number = next((i for i, rule in enumerate(rules) if rule.matches(aliases)), None)
        if number is not None:
            decided[parameter] = number
    _check(rules, names, decided)
    parameters = dict(model.named_parameters())
    total = sum(parameter.numel() for parameter in parameters.values())
    rows = []
    for number, rule in enumerate(rules):
        own = [parameters[name].numel() for name, by in decided.items() if by == number and name not in fixed]
        rows.append(FreezingRow(rule.name, rule.trainable, len(own), sum(own), sum(own) / total))
    if never := [parameter.numel() for name, parameter in parameters.items() if name in fixed]:
        rows.append(FreezingRow("never trained", False, len(never), sum(never), sum(never) / total))
    trained = frozenset(name for name, number in decided.items() if rules[number].trainable and name not in fixed)
    return trained, FreezingTable(tuple(rows))


def frozen_modules(model: nn.Module) -> list[nn.Module]:
    """The largest modules whose parameters are all frozen, from the top down, and the dropout between them.

    A BatchNorm counts as frozen when its scale is.

    A module without parameters counts as frozen where nothing before it trains and its neighbours, in the order of
    their parent's children, are frozen (GPT-2's dropout between embeddings and layers).
    """
    return [*_wholly_frozen(model), *_between_frozen(model)]


def _wholly_frozen(model: nn.Module) -> list[nn.Module]:
    states = [parameter.requires_grad for parameter in model.parameters()]
    scale = model.weight if isinstance(model, nn.modules.batchnorm._BatchNorm) else None
    # The statistics of a BatchNorm stay where its scale is frozen, though its shift may train (BitFit).
    if states and (not any(states) or (scale is not None and not scale.requires_grad)):
        return [model]
    return [module for child in model.children() for module in _wholly_frozen(child)]


def _between_frozen(model: nn.Module) -> list[nn.Module]:
    children = [(child, [parameter.requires_grad for parameter in child.parameters()]) for child in model.children()]
    modules: list[nn.Module] = []
    for at, (child, states) in enumerate(children):
        if any(states):
            return [*modules, *_between_frozen(child)]
        before = any(states for _, states in children[:at])
        after = next((states for _, states in children[at + 1 :] if states), [True])
        if not states and before and not after[0]:
            modules.append(child)
    return modules


def hold_frozen_in_eval(modules: Iterable[nn.Module]) -> None:
    """Puts frozen modules in evaluation mode: BatchNorm statistics stay, dropout is off.

    `model.train()` undoes it, so call it after that and before each forward pass.
    """
    for module in modules:
        module.eval()


def all_names(model: nn.Module) -> dict[str, list[str]]:
    """Each parameter's first name, with all its names; an adapter's also has the name of the weight that it adapts."""
    by_identity: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        aliases = by_identity.setdefault(id(parameter), [])
        aliases += dict.fromkeys((name, plain_name(name)))
    return {aliases[0]: aliases for aliases in by_identity.values()}


def _check(rules: Sequence[Rule], names: dict[str, list[str]], decided: dict[str, int]) -> None:
    problems = []
    for number, rule in enumerate(rules):
        if rule.must_match and number not in decided.values():
            problems.append(Problem(rule.name, _why_nothing(rule, rules, names, decided)))
    without = [name for name in names if name not in decided]
    if without:
        shown = ", ".join(without[:3]) + (", …" if len(without) > 3 else "")
        message = f"no rule matches {len(without)} parameters ({shown}); add a last, default rule"
        problems.append(Problem("", message))
    if problems:
        raise FreezingError(problems)


def _why_nothing(rule: Rule, rules: Sequence[Rule], names: dict[str, list[str]], decided: dict[str, int]) -> str:
    earlier = {rules[decided[name]].name for name, aliases in names.items() if rule.matches(aliases)}
    if earlier:
        return f"decides nothing: {', '.join(sorted(earlier))} matches them first; put this rule before it"
    return f"matches no parameter; nearest: {', '.join(nearest(rule.pattern or rule.name, names))}"


def nearest(pattern: str, names: Iterable[str]) -> list[str]:
    """Existing module and parameter names that look most like a pattern."""
    plain = pattern.replace("\\", "").strip("^$.*")
    parts = {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}
    # Patterns usually name the end of a path ('classifer', 'layer.11'), so compare tails of equal depth too.
    depth = plain.count(".") + 1
    tails = {".".join(part.split(".")[-depth:]): part for part in sorted(parts, key=len, reverse=True)}
    scored = [(difflib.SequenceMatcher(None, plain, tail).ratio(), part) for tail, part in tails.items()]
    scored += [(difflib.SequenceMatcher(None, plain, part).ratio(), part) for part in parts]
    best: list[str] = []
    for _, part in sorted(scored, key=lambda pair: (-pair[0], len(pair[1]), pair[1])):
        if part not in best:
            best.append(part)
    return best[:3]
