"""A parameter's name without an adapter in its model; reads names only, imports no peft, no torch."""

from __future__ import annotations

import re

_WRAPPER = re.compile(r"\.(base_layer|original_module|modules_to_save\.default)(?=\.)")
_ADAPTER = re.compile(r"\.(lora_\w+|ia3_l)\.default(\.weight)?$")

_FACTOR = re.compile(r"\.(lora_magnitude_vector|ia3_l)\.default(\.weight)?$")


def is_factor(name: str) -> bool:
    """Whether a parameter is a factor, as a norm's scale is, so that weight decay to zero is wrong for it.

    >>> is_factor("bert.encoder.layer.0.attention.self.key.ia3_l.default")
    True
    """
    return bool(_FACTOR.search(name))


def plain_name(name: str) -> str:
    """The name of the weight that a parameter is, or adapts: so patterns mean the same with an adapter.

    >>> plain_name("bert.encoder.layer.0.attention.self.query.lora_A.default.weight")
    'bert.encoder.layer.0.attention.self.query.weight'
    >>> plain_name("bert.encoder.layer.0.attention.self.query.base_layer.bias")
    'bert.encoder.layer.0.attention.self.query.bias'
    >>> plain_name("classifier.modules_to_save.default.dense.weight")
    'classifier.dense.weight'
    """
    return _ADAPTER.sub(".weight", _WRAPPER.sub("", name)).removeprefix("base_model.")
