"""No adapter: the weights themselves train. Knows nothing of torch."""

from __future__ import annotations

from tunebook.config.options import Options as BaseOptions


class Options(BaseOptions):
    """Nothing to set."""
