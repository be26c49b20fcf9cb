"""Which parameter lies how deep, read from the module tree of any model; knows nothing of policies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

EMBEDDINGS = "embeddings"
HEAD = "head"
BACKBONE = "backbone"
# A second stack (a decoder beside an encoder) counts as part of the depth from this share of the largest on.
SECOND_STACK = 0.5


@dataclass(frozen=True)
class Group:
    """Parameters of equal depth.

    Args:
        name: `embeddings`, `layer 0`, `layer 1`, …, `head`.
        parameter_names: as `model.named_parameters()` names them.
    """

    name: str
    parameter_names: tuple[str, ...]


@dataclass(frozen=True)
class Depth:
    """A model's parameters in order of depth, each exactly once.

    Args:
        groups: `embeddings`, the layers from the input on, `head`. Embeddings and head may be empty. A model
            without a stack of layers has `backbone` and `head` only.
        layer_modules: dotted names of the layers, in the same order, for `model.get_submodule`.
    """

    groups: tuple[Group, ...]
    layer_modules: tuple[str, ...]

    @property
    def embeddings(self) -> Group:
        return self.groups[0]

    @property
    def layers(self) -> tuple[Group, ...]:
        return self.groups[1:-1]

    @property
    def head(self) -> Group:
        return self.groups[-1]


def find_depth(model: nn.Module) -> Depth:
    """Sorts a model's parameters by depth.

    The backbone is `model.base_model`; what lies outside it is the head. The layers are the children of the
    backbone's largest outermost ModuleList or Sequential; of a model with two such stacks (encoder and decoder)
    both, one after the other. Backbone parameters in front of the stack, and every embedding table beside it,
    are embeddings; those behind it (final norm, pooler) belong to the last layer before them. A parameter
    that is tied to several places counts where `named_parameters` names it first, in the backbone if anywhere.
    Where no stack is found the backbone is one group; policies that count layers then refuse. What an adapter puts
    beside a weight lies as deep as that weight, and what it puts at the model's input is an embedding.

    Args:
        model: a transformers model with its head, or peft's wrapper around one.

    Returns:
        The groups, together covering every parameter exactly once.
    """
    whole: Any = model
    inner = whole.get_base_model() if hasattr(model, "get_base_model") else model
    backbone = getattr(inner, "base_model", inner)
    backbone_name = next(name for name, module in model.named_modules() if module is backbone)
    layers = _layers(backbone, backbone_name)
    members: dict[str, list[str]] = {name: [] for name in (EMBEDDINGS, *layers, HEAD)}
    inside = {id(p) for p in backbone.parameters()}
    at_input = {id(p) for p in model.parameters()} - {id(p) for p in inner.parameters()}
    tables = {id(p) for m in backbone.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    current = EMBEDDINGS
    for name, parameter in model.named_parameters():
        layer = next((layer for layer in layers if name.startswith(layer + ".")), None)
        if id(parameter) in at_input:
            members[EMBEDDINGS].append(name)
        elif id(parameter) not in inside:
            members[HEAD].append(name)
        elif layer is not None:
            current = layer
            members[layer].append(name)
        else:
            members[EMBEDDINGS if id(parameter) in tables else current].append(name)
    titles = [EMBEDDINGS if layers else BACKBONE, *(f"layer {number}" for number in range(len(layers))), HEAD]
    groups = tuple(Group(title, tuple(names)) for title, names in zip(titles, members.values(), strict=True))
    return Depth(groups, tuple(layers))


def backbone_settings(model: nn.Module) -> Any:
    """The configuration of a model's backbone, which says what architecture it is; a head of ours has one of its own."""
    backbone: Any = model.base_model
    return backbone.config


def _layers(backbone: nn.Module, backbone_name: str) -> list[str]:
    sized = [(name, stack, _size(stack)) for name, stack in _outermost_lists(backbone, backbone_name)]
    largest = max((size for _, _, size in sized), default=0)
    if not largest:
        return []
    return [
        f"{name}.{child}"
        for name, stack, size in sized
        if size >= SECOND_STACK * largest
        for child, layer in stack.named_children()
        if _size(layer)
    ]


def _outermost_lists(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    for child_name, child in module.named_children():
        full = f"{name}.{child_name}" if name else child_name
        if isinstance(child, nn.ModuleList | nn.Sequential):
            yield full, child
        else:
            yield from _outermost_lists(child, full)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
