"""The options of transformers' learning rate schedules, read from its source so that torch stays unimported."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

from tunebook.config.training_fields import transformers_folder

_GIVEN = {"self", "optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}


@functools.cache
def options_of(name: str) -> dict[str, bool]:
    """The options of one schedule, and whether each must be given.

    Args:
        name: as `TrainingArguments.lr_scheduler_type` has it.
    """
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
    return {name: needed for name, needed in takes.items() if name not in _GIVEN}
