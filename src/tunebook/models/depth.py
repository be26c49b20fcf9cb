"""How deep each parameter of a model is, read from its module tree; knows nothing of policies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

EMBEDDINGS = "embeddings"
HEAD = "head"
BACKBONE = "backbone"
# A second stack counts as layers from this share of the largest one's parameters on.
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

    The backbone is `model.base_model`; what is outside it is the head (see `head_parameters`). The layers are the
    children of the backbone's largest outermost ModuleList or Sequential; of a model with two such stacks (encoder and
    decoder) both, the encoder's first. Backbone parameters before a stack, every embedding table, and modules named
    after embeddings (BART's `layernorm_embedding`) are embeddings; those after the stack (final norm, pooler) belong
    to the last layer before them. A parameter that is tied to several places counts where `named_parameters` names it
    first, in the backbone if anywhere: the tied output layer of a language model belongs to the embeddings. Where no
    stack is found the backbone is one group; policies that count layers then refuse. An adapter's parameters are as
    deep as the weight that they change, and those at the model's input are embeddings.

    Args:
        model: a transformers model with its head, or peft's wrapper around one.

    Returns:
        The groups, together covering every parameter exactly once.
    """
    whole: Any = model
    inner = whole.get_base_model() if hasattr(model, "get_base_model") else model
    backbone = getattr(inner, "base_model", inner)
    backbone_name = next(name for name, module in model.named_modules() if module is backbone)
    layers = _layers(inner, backbone, backbone_name)
    members: dict[str, list[str]] = {name: [] for name in (EMBEDDINGS, *layers, HEAD)}
    head = head_parameters(inner)
    at_input = {id(p) for p in model.parameters()} - {id(p) for p in inner.parameters()}
    tables = {id(p) for m in backbone.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    current = EMBEDDINGS
    for name, parameter in model.named_parameters():
        layer = next((layer for layer in layers if name.startswith(layer + ".")), None)
        if id(parameter) in at_input:
            members[EMBEDDINGS].append(name)
        elif id(parameter) in head:
            members[HEAD].append(name)
        elif layer is not None:
            current = layer
            members[layer].append(name)
        elif id(parameter) in tables or "embed" in name.split(".")[-2:][0]:
            members[EMBEDDINGS].append(name)
        else:
            members[current].append(name)
    titles = [EMBEDDINGS if layers else BACKBONE, *(f"layer {number}" for number in range(len(layers))), HEAD]
    groups = tuple(Group(title, tuple(names)) for title, names in zip(titles, members.values(), strict=True))
    return Depth(groups, tuple(layers))


def head_parameters(model: nn.Module) -> set[int]:
    """The `id` of each parameter and buffer of a model's head.

    The head is what is outside `model.base_model`. A model that is its own backbone (T5) has as its head the modules
    that are registered after its last stack of layers. What the backbone has too (tied weights) is not head.
    """
    backbone = getattr(model, "base_model", model)
    if backbone is not model:
        return {id(tensor) for tensor in _tensors(model)} - {id(tensor) for tensor in _tensors(backbone)}
    children = list(model.children())
    stacks = [place for place, child in enumerate(children) if any(True for _ in _outermost_lists(child, ""))]
    if not stacks or any(isinstance(child, nn.ModuleList | nn.Sequential) for child in children):
        return set()
    before, after = children[: stacks[-1] + 1], children[stacks[-1] + 1 :]
    shared = {id(tensor) for child in before for tensor in _tensors(child)}
    return {id(tensor) for child in after for tensor in _tensors(child)} - shared


def backbone_settings(model: nn.Module) -> Any:
    """The configuration of a model's backbone; that of a `BackboneClassifier` names no architecture."""
    backbone: Any = model.base_model
    return backbone.config


def _layers(model: nn.Module, backbone: nn.Module, backbone_name: str) -> list[str]:
    stacks = [(name, stack, _size(stack)) for name, stack in _outermost_lists(backbone, backbone_name)]
    largest = max((size for _, _, size in stacks), default=0)
    if not largest:
        return []
    counted = {name for name, _, size in stacks if size >= SECOND_STACK * largest}
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        for part in ("encoder", "decoder"):  # also a decoder of one layer above an encoder of twelve
            own = [(size, name) for name, _, size in stacks if part in name.split(".")]
            counted |= {max(own)[1]} if own else set()
    return [
        f"{name}.{child}"
        for name, stack, _ in stacks
        if name in counted
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


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()
