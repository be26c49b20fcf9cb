"""What the search for label noise needs, checked before anything is loaded. Imports nothing heavy."""

from __future__ import annotations

import importlib.util

from tunebook.config.data_groups import CleaningConfig
from tunebook.errors import Problem

KEY = "cleaning.label_noise"


def problems(cleaning: CleaningConfig, supported: bool) -> list[Problem]:
    """Why label noise cannot be searched for; `supported`: the task has the capability `label_noise`."""
    if cleaning.label_noise == "ignore":
        return []
    if not supported:
        message = "is for tasks whose rows have classes, and this task has none: set cleaning.label_noise=ignore"
        return [Problem(KEY, message)]
    if importlib.util.find_spec("cleanlab") is None:
        return [Problem(KEY, "needs the package cleanlab: pip install 'tunebook[noise]', or set it to ignore")]
    return []
