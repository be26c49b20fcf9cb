"""Where a frozen backbone ends: the module whose input never changes. Knows modules, nothing of data or training."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.shapes import BatchSize, Dimension, OutputTemplate, dimensions_of, output_template
from tunebook.models.cache.tracing import Call, Trace, trace
from tunebook.models.depth import Depth

TOKENS = "attention_mask"
"""The input that is 1 for the tokens of a row and 0 for padding; without it all rows have one shape."""

ROWS = 4
"""Of a traced batch; one more where that is also its number of tokens."""


@dataclass(frozen=True)
class Boundary:
    """Where states are read and put back.

    Args:
        module: dotted name of the module whose input they are.
        turn: which of its runs within one forward pass, from 0.
        place: of the states among its inputs: a position, or a name.
        dims: of the states.
        dtype: of the states, without autocast.
        skipped: names of modules that need not run then, each with a template of its output.
        front: names of all modules before it, and of those that contain it: the states depend on them.
        silent: names of modules that are never called; their weights may be read all the same.
        layers: frozen layers of the backbone before it.
    """

    module: str
    turn: int
    place: int | str
    dims: tuple[Dimension, ...]
    dtype: torch.dtype
    skipped: tuple[tuple[str, OutputTemplate], ...]
    front: tuple[str, ...]
    silent: tuple[str, ...]
    layers: tuple[str, ...]

    @property
    def by_token(self) -> bool:
        """Whether the states have a vector for each token, shape (rows, tokens, …); else one shape for every row."""
        return len(self.dims) > 1 and self.dims[1] == Dimension(1, tokens=True)


def batch_size_of(inputs: Mapping[str, Any]) -> BatchSize:
    """The size of a batch of inputs."""
    first = next(value for value in inputs.values() if isinstance(value, torch.Tensor))
    mask = inputs.get(TOKENS)
    return BatchSize(len(first)) if mask is None else BatchSize(*mask.shape[:2])


def boundaries(
    model: nn.Module, ever: Collection[str], depth: Depth, inputs: Mapping[str, torch.Tensor]
) -> Iterator[Boundary]:
    """Where states could be cached, the smallest ones first; each must still be validated (`validation`).

    The module is the backbone layer that holds the first parameter that ever trains; where that is after the layers
    (in the head), the first module that runs after what is frozen, so that dropout of the head stays active.

    Args:
        model: in evaluation mode.
        ever: names of the parameters that train in some phase.
        depth: of the model.
        inputs: of the model: a batch of at least `ROWS` + 2 rows, all columns that are filled in some row.

    Raises:
        NotCacheable: nothing before what trains is frozen, or the model does not run its modules in one order.
    """
    if getattr(model.config, "is_encoder_decoder", False):
        raise NotCacheable("an encoder and a decoder do not run one after the other, layer by layer")
    rows = ROWS if batch_size_of(inputs).tokens != ROWS else ROWS + 1
    batches = _cut(inputs, rows, 0), _cut(inputs, rows - 1, 1)
    sizes = batch_size_of(batches[0]), batch_size_of(batches[1])
    traces = trace(model, batches[0]), trace(model, batches[1])
    if [call.name for call in traces[0]] != [call.name for call in traces[1]]:
        raise NotCacheable("the model does not run the same modules for every batch")
    first = _first_trained(model, traces[0], ever)
    reason = f"no layer is frozen in front of {_a_name(model, ever, first.module)}, which trains"
    any_boundary = False
    for at in _candidates(traces[0], first, depth):
        layers = tuple(layer for layer in depth.layer_modules if _ended(traces[0], layer, at))
        if layers or (not depth.layer_modules and at.began > 1):
            any_boundary = True
            yield _boundary(model, traces, sizes, at, layers)
    if not any_boundary:
        raise NotCacheable(reason)


def _cut(inputs: Mapping[str, torch.Tensor], rows: int, tokens_less: int) -> dict[str, torch.Tensor]:
    """The first rows, without the last token where there are tokens and `tokens_less` is 1."""
    width = batch_size_of(inputs).tokens
    cut = {name: values[:rows] for name, values in inputs.items()}
    if TOKENS in inputs and width > 1:
        for name, values in cut.items():
            if values.dim() > 1 and values.shape[1] == width:
                cut[name] = values[:, : width - tokens_less]
    return cut


def _first_trained(model: nn.Module, traced: Trace, ever: Collection[str]) -> Call:
    trained = {id(parameter) for name, parameter in model.named_parameters() if name in ever}
    for call in traced:
        if any(id(parameter) in trained for parameter in _own_parameters(call.module)):
            return call
    raise NotCacheable("no module that runs has a parameter that trains")


def _own_parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    """Of a module itself, and of children that only hold parameters (a ParameterDict is never called)."""
    yield from module.parameters(recurse=False)
    for child in module.children():
        if type(child).forward is nn.Module.forward:
            yield from _own_parameters(child)


def _a_name(model: nn.Module, ever: Collection[str], module: nn.Module) -> str:
    own = {id(parameter) for parameter in _own_parameters(module)}
    return next(name for name, parameter in model.named_parameters() if name in ever and id(parameter) in own)


def _candidates(traced: Trace, first: Call, depth: Depth) -> Iterator[Call]:
    outer = [call for call in traced if call.holds(first)]
    layer = next((call for call in outer if call.name in depth.layer_modules), None)
    if layer is not None:
        yield layer
        return
    outside = [call for call in traced if not call.holds(first) and call.ended < first.began]
    ends = [call.ended for call in outside if next(call.module.parameters(), None) is not None]
    # What trains begins after the frozen module that ends last.
    last_end = max(ends, default=0)
    later = [call for call in traced if last_end < call.began <= first.began]
    leaf = next(call for call in later if call.is_leaf or call is first)
    yield leaf
    yield from (call for call in later if call.began < leaf.began and call.holds(leaf))


def _ended(traced: Trace, name: str, at: Call) -> bool:
    calls = [call for call in traced if call.name == name]
    return bool(calls) and all(call.ended < at.began for call in calls)


def _boundary(
    model: nn.Module,
    traces: tuple[list[Call], list[Call]],
    sizes: tuple[BatchSize, BatchSize],
    at: Call,
    layers: tuple[str, ...],
) -> Boundary:
    calls = traces[0]
    late = {id(call.module) for call in calls if call.ended > at.began}
    early = {id(call.module): call for call in calls if call.ended < at.began}
    shared = [
        call.name
        for call in calls
        if call.began >= at.began and id(call.module) in early and next(call.module.parameters(), None) is not None
    ]
    if shared:
        raise NotCacheable(f"{shared[0]} runs both before what trains and after it")
    other = next(call for call in traces[1] if call.name == at.name and call.turn == at.turn)
    place = _place(at)
    states = _input(at, place), _input(other, place)
    dims = dimensions_of(states, sizes)
    if dims[0] != Dimension(1, rows=True) or any(dim.tokens or dim.rows for dim in dims[2:]):
        raise NotCacheable(f"{at.name} receives states whose first dimension is not the rows")
    # The last call of each name.
    outputs = [{call.name: call.output for call in traced} for traced in traces]
    skipped = []
    for name in _largest(model, "", late, early):
        skipped.append((name, output_template((outputs[0][name], outputs[1][name]), sizes)))
    called = {id(call.module) for call in calls}
    silent = tuple(name for name, module in model.named_modules() if id(module) not in called)
    front = tuple(dict.fromkeys(call.name for call in calls if call.began < at.began))
    return Boundary(at.name, at.turn, place, dims, states[0].dtype, tuple(skipped), front, silent, layers)


def _largest(module: nn.Module, name: str, late: set[int], early: Mapping[int, Call]) -> Iterator[str]:
    """The largest modules with parameters that run before the boundary only, from the top down."""
    for child_name, child in module.named_children():
        full = f"{name}.{child_name}" if name else child_name
        if next(child.parameters(), None) is None:
            continue
        inside = {id(part) for part in child.modules()}
        if id(child) in early and not inside & late:
            yield full
        else:
            yield from _largest(child, full, late, early)


def _place(call: Call) -> int | str:
    args, kwargs = call.inputs
    places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for place, value in places:
        if isinstance(value, torch.Tensor) and value.dtype.is_floating_point:
            return place
    raise NotCacheable(f"{call.name} receives no states")


def _input(call: Call, place: int | str) -> torch.Tensor:
    args, kwargs = call.inputs
    return kwargs[place] if isinstance(place, str) else args[place]
