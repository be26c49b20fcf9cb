"""The base of every group's typed options; pydantic only, knows nothing of Hydra or of what the options are for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Typed, frozen settings of one group. Unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), coerce_numbers_to_str=True)
