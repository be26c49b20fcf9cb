"""The base of every group's typed options; pydantic only, knows nothing of Hydra or of what the options are for."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Options(BaseModel):
    """Typed, frozen settings of one group. Unknown keys and wrong types are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), coerce_numbers_to_str=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true for 1, which is never what a recipe means.
        kinds = _leaves(cls.model_fields[info.field_name or ""].annotation)
        if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
            raise ValueError(f"should be a number, not {str(value).lower()}")
        return value


def _leaves(annotation: Any) -> set[Any]:
    """The types that an annotation is a union of."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _leaves(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in {typing.Union, type(int | str)}:
        return {leaf for part in typing.get_args(annotation) for leaf in _leaves(part)}
    return {annotation} if isinstance(annotation, type) else set()
