"""Options that several policies share: how many layers, how long, at which rate. Knows pydantic, not models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from tunebook.models.policies.base import Span, require_layers

if TYPE_CHECKING:
    from tunebook.models.depth import Depth

_PERCENT = re.compile(r"\d+(\.\d+)?\s*%")


def _percent(value: Any) -> float | None:
    """'25%' as 0.25; None for what is no percentage."""
    if not (isinstance(value, str) and _PERCENT.fullmatch(value.strip())):
        return None
    return float(Fraction(value.strip().rstrip("% ")) / 100)


def _layers(value: Any) -> Any:
    share = _percent(value)
    if value == "all" or (share is not None and 0 < share <= 1):
        return value
    if isinstance(value, int) and value >= 0:
        return value
    raise ValueError(f"should be a number of layers (0 or more), a share of them such as 25%, or all; not {value!r}")


Layers = Annotated[int | str, BeforeValidator(_layers)]
"""How many layers: a number, a share such as `25%`, or `all`."""


def layers_of(n: int | str, depth: Depth) -> int:
    """How many layers of a model an option of type `Layers` means; a share is rounded, to at least one.

    Raises:
        FreezingError: the model has fewer layers, or none that can be counted.
    """
    if isinstance(n, int):
        require_layers(depth, n)
        return n
    require_layers(depth, 0)
    share = _percent(n)
    return len(depth.layers) if share is None else max(1, math.floor(share * len(depth.layers) + 0.5))


def _share(value: Any) -> Any:
    share = _percent(value)
    number = value if share is None else share
    if isinstance(number, int | float) and 0 < number < 1:
        return float(number)
    raise ValueError(f"should be a share of the whole training, such as 0.1 or 10%; not {value!r}")


Share = Annotated[float, BeforeValidator(_share)]
"""A share of the training, above 0 and below 1; `10%` is 0.1."""


def span_of(options: Any, prefix: str) -> Span | None:
    """The length that one of `PREFIX_epochs`, `PREFIX_steps` and `PREFIX_share` gives; None where none is set."""
    for name, unit in _lengths(prefix).items():
        if (amount := getattr(options, name)) is not None:
            return Span(amount, unit)
    return None


def _lengths(prefix: str) -> dict[str, Literal["epochs", "steps", "share"]]:
    return {f"{prefix}_epochs": "epochs", f"{prefix}_steps": "steps", f"{prefix}_share": "share"}


def with_default(given: Any, prefix: str, **default: float) -> Any:
    """The options of a user with the default of a length that is not set; for a validator of mode `before`.

    Raises:
        ValueError: the length is set in several units.
    """
    if not isinstance(given, Mapping):
        return given
    names = [name for name in _lengths(prefix) if given.get(name) is not None]
    if len(names) > 1:
        raise ValueError(f"{' and '.join(names)} set the same length; set one of them")
    return given if names else {**given, **default}


def _rate(value: Any) -> Any:
    share = _percent(value)
    number = value if share is None else share
    if isinstance(number, int | float) and number > 0:
        return value
    raise ValueError(
        f"should be a learning rate, such as 1e-3, or a share of hyperparameters.learning_rate, such as 50%; "
        f"not {value!r}"
    )


Rate = Annotated[float | str, BeforeValidator(_rate)]
"""A base learning rate: absolute, or as a share of `hyperparameters.learning_rate` such as `50%`."""


def rates(value: float | str | None) -> tuple[float | None, float | None]:
    """An option of type `Rate` as (absolute, share); both None where it is not set."""
    share = _percent(value)
    return (None, share) if share is not None else (None if value is None else float(value), None)


def compiles(pattern: str) -> str:
    """The pattern itself.

    Raises:
        ValueError: it is not a regular expression.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(compiles)]
"""A regular expression, searched anywhere in a parameter's name."""
