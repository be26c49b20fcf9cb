"""The loss that the task uses where the recipe names none (`Task.default_loss`)."""

from __future__ import annotations

from tunebook.data.sampling.base import ANY
from tunebook.training.losses.base import LossOptions

TARGETS = ANY


class Options(LossOptions):
    """Nothing to set."""
