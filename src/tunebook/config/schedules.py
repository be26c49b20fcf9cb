"""The options of learning rate schedules (`hyperparameters.lr_scheduler_kwargs`), and what is wrong with them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from tunebook.config.library_schedules import options_of
from tunebook.config.messages import describe, joined, key_of
from tunebook.config.options import Options
from tunebook.errors import did_you_mean

BY_METRIC = ("reduce_lr_on_plateau", "greedy")
"""Schedules that follow the monitored metric, not the step."""
KEY = "hyperparameters.lr_scheduler_kwargs"
Momentum = Annotated[float, Field(ge=0, lt=1)]


class OneCycle(Options):
    """Up and down along two half cosines, momentum the other way (Smith 2018, arXiv 1803.09820), as fastai does it.

    Args:
        pct_start: share of the steps in which the rate rises.
        div: the rate begins at the highest over this.
        div_final: the rate ends at the highest over this.
        moms: momentum (beta1 of Adam) at the beginning, where the rate is highest, and at the end; None: it stays.
    """

    pct_start: float = Field(default=0.25, ge=0, le=1)
    div: float = Field(default=25.0, ge=1)
    div_final: float = Field(default=1e5, ge=1)
    moms: Annotated[list[Momentum], Field(min_length=3, max_length=3)] | None = [0.95, 0.85, 0.95]


class SlantedTriangular(Options):
    """A short straight rise and a long straight fall (Howard and Ruder 2018, arXiv 1801.06146).

    Args:
        cut_frac: share of the steps in which the rate rises.
        ratio: the highest rate over the lowest.
    """

    cut_frac: float = Field(default=0.1, ge=0, lt=1)
    ratio: float = Field(default=32.0, ge=1)


OWN: dict[str, type[Options]] = {"one_cycle": OneCycle, "slanted_triangular": SlantedTriangular}
RISES = {"one_cycle": "pct_start", "slanted_triangular": "cut_frac"}
"""Schedules that bring their own warm-up, and the option that says how long it is."""


def problems(name: str, said: Any) -> list[tuple[str, str]]:
    """What is wrong with a schedule's options, each with its key.

    Args:
        name: of the schedule.
        said: the value of `hyperparameters.lr_scheduler_kwargs`.
    """
    said = {} if said is None else said
    if not isinstance(said, dict):
        return [(KEY, f"should be a mapping, such as {{a: 1}}, not {said!r}")]
    if name in OWN:
        return _own_problems(OWN[name], said)
    takes = options_of(name)
    found = []
    for key in said:
        if key not in takes:
            near = did_you_mean(str(key), takes) if takes else f"{name} has no options"
            found.append((f"{KEY}.{key}", f"unknown to {name}; {near}"))
    for key, needed in takes.items():
        if needed and key not in said:
            found.append((f"{KEY}.{key}", f"must be given: {name} does not work without it"))
    return found


def _own_problems(model: type[Options], said: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        model.model_validate(said)
    except ValidationError as error:
        messages: dict[str, list[str]] = {}
        for entry in error.errors():
            known = set(model.model_fields) if len(entry["loc"]) == 1 else set()
            messages.setdefault(key_of(KEY, entry["loc"]), []).append(describe(entry, known))
        return [(key, joined(told)) for key, told in messages.items()]
    return []
