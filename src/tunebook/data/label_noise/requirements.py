"""What looking for label noise needs, told before anything is loaded. Imports nothing heavy."""

from __future__ import annotations

import importlib.util

from tunebook.config.data_groups import CleaningConfig
from tunebook.errors import Problem

KEY = "cleaning.label_noise"


def problems(cleaning: CleaningConfig, kind: str) -> list[Problem]:
    """Why label noise cannot be looked for, as far as the configuration alone can tell.

    Args:
        cleaning: the configuration's group.
        kind: of the labels: `class`, `classes` or `number`.
    """
    if cleaning.label_noise == "ignore":
        return []
    if kind == "number":
        message = "is for classes; for labels that are numbers there is no such search: set cleaning.label_noise=ignore"
        return [Problem(KEY, message)]
    if importlib.util.find_spec("cleanlab") is None:
        return [Problem(KEY, "needs the package cleanlab: pip install 'tunebook[noise]', or set it to ignore")]
    return []
