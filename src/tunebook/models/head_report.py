"""Checks which parameters a checkpoint left newly initialised against the declared head. Loads nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from tunebook.errors import ModelError, Problem, did_you_mean, listed
from tunebook.models.depth import head_parameters

# A head is one to three modules; with more of them new, the checkpoint is of another architecture.
MANY = 4


@dataclass(frozen=True)
class HeadReport:
    """What is known of the head after loading.

    Args:
        new: names of the newly initialised parameters, in the model's order.
        loaded: names of the head's parameters that the checkpoint holds.
        from_scratch: whether there was no checkpoint, so that everything is new.
        changes: what else was done to the model, in a few words each.
    """

    new: tuple[str, ...]
    loaded: tuple[str, ...]
    from_scratch: bool = False
    changes: tuple[str, ...] = ()

    def line(self) -> str:
        """One sentence for the log."""
        return "; ".join([self._of_the_head(), *self.changes])

    def _of_the_head(self) -> str:
        if self.from_scratch:
            return "the model is trained from scratch: every parameter is newly initialised"
        if not self.new:
            return f"the whole head came from the checkpoint: {listed(self.loaded) or 'it has no parameters'}"
        loaded = f"; loaded: {listed(self.loaded)}" if self.loaded else ""
        return f"the head's newly initialised parameters: {listed(self.new)}{loaded}"


def check_head(model: nn.Module, missing: Iterable[str], declared: list[str] | None, described: str) -> HeadReport:
    """Compares what is new (`missing` in the checkpoint, or of another shape there) with the head that was declared.

    Raises:
        ModelError: a declared module that does not exist, something new that is not head, or something
            declared that is not new while other parts are.
    """
    missing = set(missing)
    ordered = [name for name in model.state_dict() if name in missing]
    trainable = [name for name, _ in model.named_parameters()]
    head = head_names(model, declared)
    problems = []
    unexpected = [name for name in ordered if name not in head]
    if unexpected:
        message = _unexpected_message(model, unexpected, ordered, declared, described)
        problems.append(Problem("model.head", message))
    loaded = [name for name in trainable if name in head and name not in missing]
    if declared is not None and loaded and any(name in head for name in ordered):
        message = f"declared as head, but came from the checkpoint: {listed(loaded)}; {_declaration(model, ordered)}"
        problems.append(Problem("model.head", message))
    if problems:
        raise ModelError(problems)
    return HeadReport(tuple(ordered), tuple(loaded))


def require_output_layer(model: nn.Module, report: HeadReport, described: str) -> None:
    """A language model's output layer is part of its checkpoint: a new one would have forgotten every word.

    Raises:
        ModelError: a parameter of it is newly initialised.
    """
    parameters = {name for name, _ in model.named_parameters()}
    new = [name for name in report.new if name in parameters]
    if new:
        message = (
            f"{described} holds no output layer of a {type(model).__name__} (newly initialised: {listed(new)}); name a "
            f"checkpoint that was trained as a language model, or {_declaration(model, new)} to train a new one"
        )
        raise ModelError(Problem("model.head", message))


def head_names(model: nn.Module, declared: list[str] | None) -> set[str]:
    """Names of the head's parameters and buffers: of the declared modules, or of whatever is outside the backbone.

    Raises:
        ModelError: a declared module does not exist.
    """
    if declared is None:
        head = head_parameters(model)
        return {name for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) in head}
    modules = dict(model.named_modules())
    unknown = [name for name in declared if name not in modules]
    if unknown:
        # Heads are near the top: names with one dot at most keep the message short.
        near = [name for name in modules if name and name.count(".") <= 1]
        kind = type(model).__name__
        raise ModelError(
            [Problem("model.head", f"{kind} has no module {n!r}; {did_you_mean(n, near)}") for n in unknown]
        )
    return {name for name in model.state_dict() if any(name.startswith(f"{part}.") for part in declared)}


def _unexpected_message(
    model: nn.Module, unexpected: list[str], new: list[str], declared: list[str] | None, described: str
) -> str:
    which = "the declared head" if declared is not None else "the head"
    message = f"newly initialised, but not part of {which}: {listed(unexpected)}"
    whole = _whole_modules(model, set(new))
    if len(whole) > MANY or getattr(model, "base_model_prefix", None) in whole:
        return f"{message}; {described} holds another architecture or other sizes than {type(model).__name__}"
    return f"{message}; if that is meant: {_declaration(model, new)}"


def _declaration(model: nn.Module, new: list[str]) -> str:
    """The declaration that would fit."""
    return f"use 'model.head=[{','.join(_whole_modules(model, set(new)))}]'"


def _whole_modules(model: nn.Module, new: set[str], prefix: str = "") -> list[str]:
    """The largest modules of which everything is new."""
    modules = []
    for name, child in model.named_children():
        full = f"{prefix}{name}"
        inside = {f"{full}.{entry}" for entry in child.state_dict()}
        if inside and inside <= new:
            modules.append(full)
        elif inside & new:
            modules += _whole_modules(child, new, f"{full}.")
    return modules
