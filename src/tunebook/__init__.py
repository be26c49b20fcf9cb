"""Recipes for supervised fine-tuning. From Python: `tunebook.run("bert_sentiment", train=my_dataset)`."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that is called like the public function of its name: `tunebook.run(…)` and `tunebook.run.run`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module("tunebook.api"), self.__name__.rpartition(".")[2])(*args, **kwargs)


def __getattr__(name: str) -> Any:
    if name not in {"run", "check"}:
        raise AttributeError(f"module 'tunebook' has no attribute {name!r}")
    return importlib.import_module(f"tunebook.{name}")


def callable_module(name: str) -> None:
    """Let the module of that name be called; for `tunebook.run` and `tunebook.check`, which are both."""
    sys.modules[name].__class__ = _Callable
