"""The options of learning rate schedules (`hyperparameters.lr_scheduler_kwargs`) and their rules; imports no torch.

Ours are models here; transformers' are read from its source, so that a check stays quick.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from tunebook.config.messages import validation_problems
from tunebook.config.options import Options
from tunebook.config.training_fields import transformers_folder
from tunebook.errors import Problem, did_you_mean

BY_METRIC = ("reduce_lr_on_plateau", "greedy")
"""Schedules that follow the monitored metric, not the step."""
_LIBRARY = {"self", "optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
"""Parameters that the Trainer passes itself."""
KEY = "hyperparameters.lr_scheduler_kwargs"
Momentum = Annotated[float, Field(ge=0, lt=1)]


class OneCycle(Options):
    """Up and down along two half cosines, momentum the other way (Smith 2018, arXiv 1803.09820), as fastai does it.

    Args:
        pct_start: share of the steps in which the rate rises.
        div: the rate begins at the highest over this.
        div_final: the rate ends at the highest over this.
        moms: momentum (beta1 of Adam) at the beginning, where the rate is highest, and at the end; None: it stays.
    """

    pct_start: float = Field(default=0.25, ge=0, le=1)
    div: float = Field(default=25.0, ge=1)
    div_final: float = Field(default=1e5, ge=1)
    moms: Annotated[list[Momentum], Field(min_length=3, max_length=3)] | None = [0.95, 0.85, 0.95]


class SlantedTriangular(Options):
    """A short straight rise and a long straight fall (Howard and Ruder 2018, arXiv 1801.06146).

    Args:
        cut_frac: share of the steps in which the rate rises.
        ratio: the highest rate over the lowest.
    """

    cut_frac: float = Field(default=0.1, ge=0, lt=1)
    ratio: float = Field(default=32.0, ge=1)


OWN: dict[str, type[Options]] = {"one_cycle": OneCycle, "slanted_triangular": SlantedTriangular}
RISES = {"one_cycle": "pct_start", "slanted_triangular": "cut_frac"}
"""Schedules that bring their own warm-up, and the option that says how long it is."""


def problems(name: str, given: Any) -> list[Problem]:
    """What is wrong with a schedule's options, each with its key."""
    given = {} if given is None else given
    if not isinstance(given, dict):
        return [Problem(KEY, f"should be a mapping, such as {{a: 1}}, not {given!r}")]
    if name in OWN:
        try:
            OWN[name].model_validate(given)
        except ValidationError as error:
            return validation_problems(error, KEY, OWN[name])
        return []
    options = options_of(name)
    problems = []
    for key in (key for key in given if key not in options):
        near = did_you_mean(str(key), options) if options else f"{name} has no options"
        problems.append(Problem(f"{KEY}.{key}", f"unknown to {name}; {near}"))
    for key, required in options.items():
        if required and key not in given:
            problems.append(Problem(f"{KEY}.{key}", f"must be given: {name} does not work without it"))
    return problems


@functools.cache
def options_of(name: str) -> dict[str, bool]:
    """The options of one of transformers' schedules, and whether each must be given."""
    tree = _parsed(transformers_folder() / "optimization.py")
    defined = _definitions(tree)
    made_by = defined[_table(tree)[name]]
    if isinstance(made_by, ast.FunctionDef) and made_by.args.kwarg:
        # The function hands everything on to a class, of its own module or of torch.
        made = next(node.value for node in ast.walk(made_by) if isinstance(node, ast.Return))
        called = ast.unparse(made.func) if isinstance(made, ast.Call) else ""
        made_by = (_definitions(_parsed(_torch_schedulers())) | defined)[called]
    return _parameters(made_by)


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _definitions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _table(tree: ast.Module) -> dict[str, str]:
    """A schedule's name -> the function that makes it."""
    enum = _definitions(_parsed(transformers_folder() / "trainer_utils.py"))["SchedulerType"]
    values = [node for node in enum.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    names = {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in values}
    table = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TYPE_TO_SCHEDULER_FUNCTION"
    )
    keys, functions = (table.keys, table.values) if isinstance(table, ast.Dict) else ([], [])
    return {
        names[key.attr]: ast.unparse(made_by)
        for key, made_by in zip(keys, functions, strict=True)
        if isinstance(key, ast.Attribute)
    }


def _torch_schedulers() -> Path:
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("torch is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))) / "optim" / "lr_scheduler.py"


def _parameters(made_by: ast.FunctionDef | ast.ClassDef) -> dict[str, bool]:
    if isinstance(made_by, ast.ClassDef):
        made_by = next(node for node in made_by.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    named = [*made_by.args.posonlyargs, *made_by.args.args]
    free = len(named) - len(made_by.args.defaults)
    takes = {argument.arg: at < free for at, argument in enumerate(named)}
    for argument, default in zip(made_by.args.kwonlyargs, made_by.args.kw_defaults, strict=True):
        takes[argument.arg] = default is None
    return {name: needed for name, needed in takes.items() if name not in _LIBRARY}
