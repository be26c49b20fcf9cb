"""Unfreezes from the top: the head first, then one layer after another, at last the embeddings. Knows no torch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from tunebook.config.options import Options as BaseOptions
from tunebook.errors import FreezingError, Problem
from tunebook.models.policies._options import Layers, Share, compiles, layers_of, span_of, with_default
from tunebook.models.policies.base import Phase, Rule, by_depth

if TYPE_CHECKING:
    from tunebook.models.depth import Depth, Group


def _groups(value: Any) -> Any:
    if isinstance(value, int) and value >= 1:
        return value
    groups = [[group] if isinstance(group, str) else group for group in value] if isinstance(value, list) else []
    if groups and all(isinstance(group, list) and group and all(isinstance(p, str) for p in group) for group in groups):
        return [[compiles(pattern) for pattern in group] for group in groups]
    raise ValueError(
        "should be a number of groups (1 or more) or a list of them, each a pattern or a list of patterns, such as "
        f"[layer.5, [layer.4, layer.3]]; not {value!r}"
    )


class Options(BaseOptions):
    """What is unfrozen together, and how long each phase lasts (Howard and Ruder 2018, arXiv 1801.06146).

    Args:
        every_epochs: length of each phase in epochs; one of the three, default: 1 epoch.
        every_steps: the same in optimizer steps.
        every_share: the same as a share of the whole training.
        layers_at_a_time: layers that are unfrozen together.
        groups: in place of that, a number of groups into which all layers are divided, or the groups themselves in
            the order of unfreezing, each a pattern over parameter names or a list of them. What no group names
            stays frozen; a last group `.` is everything that is left.
        n: layers that are unfrozen in total: a number, a share such as `50%`, or `all`; the embeddings are unfrozen
            with `all` only.
        restarts: whether each phase restarts the learning rate schedule.
    """

    every_epochs: float | None = Field(default=None, gt=0)
    every_steps: int | None = Field(default=None, ge=1)
    every_share: Share | None = None
    layers_at_a_time: int = Field(default=1, ge=1)
    groups: Annotated[int | list[list[str]], BeforeValidator(_groups)] | None = None
    n: Layers = "all"
    restarts: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, given: Any) -> Any:
        return with_default(given, "every", every_epochs=1)

    @model_validator(mode="after")
    def _no_conflict(self) -> Options:
        if self.groups is not None and self.layers_at_a_time != 1:
            raise ValueError("groups and layers_at_a_time both set what is unfrozen together; set one of them")
        if isinstance(self.groups, list) and self.n != "all":
            raise ValueError("groups names what is unfrozen, so n has no effect; take n out")
        return self


def phases(depth: Depth, options: Options) -> list[Phase]:
    """The head alone, then with each phase something more; the last phase lasts to the end of training.

    Raises:
        FreezingError: the model has no layers to count, or fewer than are asked for.
    """
    steps = _by_patterns(depth, options.groups) if isinstance(options.groups, list) else _by_layers(depth, options)
    every = span_of(options, "every")
    return [
        Phase(name, rules, every if at < len(steps) - 1 else None, restarts=options.restarts, needed=False)
        for at, (name, rules) in enumerate(steps)
    ]


def _by_layers(depth: Depth, options: Options) -> list[tuple[str, list[Rule]]]:
    n = layers_of(options.n, depth)
    chunks = _divided([*reversed(depth.layers)][:n], options)
    if n == len(depth.layers) and depth.embeddings.parameter_names:
        chunks.append([depth.embeddings])
    frozen: list[Group] = [depth.embeddings, *depth.layers]
    steps = [("head", by_depth(depth, frozen))]
    for chunk in chunks:
        frozen = [group for group in frozen if group not in chunk]
        steps.append((", ".join(group.name for group in chunk), by_depth(depth, frozen)))
    return steps


def _divided(layers: list[Group], options: Options) -> list[list[Group]]:
    """The layers to unfreeze, from the top, in chunks; of unequal ones the later are the larger."""
    count, total = options.groups, len(layers)
    if not isinstance(count, int):
        size = options.layers_at_a_time
        return [layers[at : at + size] for at in range(0, total, size)]
    if count > total:
        message = f"{total} layers are unfrozen, which cannot be divided into {count} groups; set {total} at most"
        raise FreezingError(Problem("freezing.groups", message))
    borders = [total * at // count for at in range(count + 1)]
    return [layers[first:end] for first, end in itertools.pairwise(borders)]


def _by_patterns(depth: Depth, groups: list[list[str]]) -> list[tuple[str, list[Rule]]]:
    head = Rule("head", True, parameters=frozenset(depth.head.parameter_names))
    rest = Rule("still frozen", False)
    unfrozen: list[Rule] = []
    steps = [("head", [head, rest])]
    for group in groups:
        unfrozen += [Rule(pattern, True, pattern=pattern, must_match=True) for pattern in group]
        steps.append((", ".join(group), [head, *unfrozen, rest]))
    return steps
