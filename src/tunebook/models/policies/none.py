"""Freezes nothing: every parameter trains. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.models.policies.base import Rule

if TYPE_CHECKING:
    from tunebook.models.depth import Depth


class Options(BaseOptions):
    """Nothing to set."""


def rules(depth: Depth, options: Options) -> list[Rule]:
    """One rule: everything trains."""
    return [Rule("everything", trainable=True)]
