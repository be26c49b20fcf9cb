"""Checks which parameters a checkpoint left newly initialised, and states them; loads nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from tunebook.errors import ModelError, Problem, did_you_mean

SHOWN = 6
# Heads are a module or three. From so many on the checkpoint and the architecture just do not fit.
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
            return f"the whole head came from the checkpoint: {_some(self.loaded) or 'it has no parameters'}"
        loaded = f"; loaded: {_some(self.loaded)}" if self.loaded else ""
        return f"the head's newly initialised parameters: {_some(self.new)}{loaded}"


def check_head(model: nn.Module, missing: Iterable[str], declared: list[str] | None, described: str) -> HeadReport:
    """Compares what is new with the head that was declared.

    Args:
        model: the loaded model.
        missing: names that the checkpoint did not hold, or held in another shape.
        declared: module names of the head; None takes whatever lies outside the backbone.
        described: where the checkpoint came from.

    Raises:
        ModelError: a declared module that does not exist, something new that is not head, or something
            declared that is not new while other parts are.
    """
    missing = set(missing)
    ordered = [name for name in model.state_dict() if name in missing]
    trainable = [name for name, _ in model.named_parameters()]
    head = head_names(model, declared)
    problems = []
    strangers = [name for name in ordered if name not in head]
    if strangers:
        message = _stranger_message(model, strangers, ordered, declared, described)
        problems.append(Problem("model.head", message))
    kept = [name for name in trainable if name in head and name not in missing]
    if declared is not None and kept and any(name in head for name in ordered):
        message = f"declared as head, but came from the checkpoint: {_some(kept)}; {_mend(model, ordered)}"
        problems.append(Problem("model.head", message))
    if problems:
        raise ModelError(problems)
    return HeadReport(tuple(ordered), tuple(kept))


def head_names(model: nn.Module, declared: list[str] | None) -> set[str]:
    """Names of the head's parameters and buffers: of the declared modules, or of whatever lies outside the backbone."""
    return _declared(model, declared) if declared is not None else _outside_backbone(model)


def _declared(model: nn.Module, declared: list[str]) -> set[str]:
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


def _outside_backbone(model: nn.Module) -> set[str]:
    backbone = getattr(model, "base_model", model)
    prefix = next(name for name, module in model.named_modules() if module is backbone)
    return {name for name in model.state_dict() if prefix and not name.startswith(f"{prefix}.")}


def _stranger_message(
    model: nn.Module, strangers: list[str], new: list[str], declared: list[str] | None, described: str
) -> str:
    said = "not part of the declared head" if declared is not None else "not part of the head"
    message = f"newly initialised, but {said}: {_some(strangers)}"
    if len(_whole_modules(model, set(new))) > MANY:
        return f"{message}; {described} holds another architecture or other sizes than {type(model).__name__}"
    return f"{message}; if that is meant: {_mend(model, new)}"


def _mend(model: nn.Module, new: list[str]) -> str:
    """The declaration that would fit."""
    return f"use 'model.head=[{','.join(_whole_modules(model, set(new)))}]'"


def _whole_modules(model: nn.Module, new: set[str], prefix: str = "") -> list[str]:
    """The largest modules of which everything is new."""
    found = []
    for name, child in model.named_children():
        full = f"{prefix}{name}"
        inside = {f"{full}.{entry}" for entry in child.state_dict()}
        if inside and inside <= new:
            found.append(full)
        elif inside & new:
            found += _whole_modules(child, new, f"{full}.")
    return found


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
