"""Freezes by the user's own patterns over parameter names. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies._options import Pattern
from tunebook.models.policies.base import Rule

if TYPE_CHECKING:
    from tunebook.models.depth import Depth


class PatternRule(BaseOptions):
    """One rule.

    Args:
        pattern: regular expression, searched anywhere in a parameter's name.
        train: whether the parameters that it matches train.
    """

    pattern: Pattern
    train: bool


class Options(BaseOptions):
    """The rules, in order; the first that matches a parameter decides.

    Args:
        rules: each must match at least one parameter that no earlier rule has taken.
        default: whether parameters that no rule matches train.
    """

    rules: list[PatternRule] = []
    default: Literal["train", "freeze"] = "train"


def rules(depth: Depth, options: Options) -> list[Rule]:
    """The user's rules in their order, then the default."""
    own = [Rule(rule.pattern, rule.train, pattern=rule.pattern, must_match=True) for rule in options.rules]
    return [*own, Rule("default", trainable=options.default == "train")]
