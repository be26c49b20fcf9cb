"""Freezes nothing: every parameter trains. Knows nothing of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.config.options import Options as BaseOptions
from tunebook.modeling.policies.base import Rule

if TYPE_CHECKING:
    from tunebook.modeling.depth import Depth


class Options(BaseOptions):
    """Nothing to set."""


def rules(depth: Depth, options: Options) -> list[Rule]:
    """One rule: everything trains."""
    return [Rule("everything", trainable=True)]
