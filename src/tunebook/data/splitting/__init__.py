"""Carves missing splits from the training rows and takes fewer rows, by a seed. Knows no files and no cleaning."""

from tunebook.data.splitting.carving import carve, in_order
from tunebook.data.splitting.fewer import few_shot, limit

__all__ = ["carve", "few_shot", "in_order", "limit"]
