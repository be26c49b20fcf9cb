"""A classifier on any backbone of transformers: pooling, then a linear layer or an MLP.

A copy of this file is saved with the weights of each such model, so it imports torch and transformers only.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from transformers import (
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.modeling_outputs import ImageClassifierOutput, SequenceClassifierOutput

OF_THE_BACKBONE = {
    "hidden_size", "image_size", "initializer_range", "max_position_embeddings", "num_attention_heads", "num_channels",
    "num_hidden_layers", "vocab_size",
}  # fmt: skip
"""Settings that other code reads from a model's configuration and only the backbone has."""


class BackboneClassifierConfig(PreTrainedConfig):
    """The backbone's own configuration, and that of the head on it.

    Args:
        backbone: a configuration of transformers, or its settings with `model_type`.
        features: width of what is pooled.
        pooling: `first`, `mean`, `max` or `last` of the last hidden states, or `pooler`: the backbone's own output.
        poolings: that this backbone can have.
        special_tokens: how many first tokens are for no patch of the image (class token, registers).
        head_widths: of the hidden layers, from the backbone on; none: one linear layer.
        head_dropout: share, before every linear layer.
        kwargs: `activation` after every hidden layer, by transformers' names, default `gelu`; and what
            `PreTrainedConfig` takes (labels, problem_type).
    """

    model_type = "tunebook_classifier"
    sub_configs = {"backbone": AutoConfig}

    def __init__(
        self,
        backbone: PreTrainedConfig | dict[str, Any] | None = None,
        features: int = 0,
        pooling: str = "first",
        poolings: list[str] | tuple[str, ...] = (),
        special_tokens: int = 0,
        head_widths: list[int] | tuple[int, ...] = (),
        head_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        backbone = kwargs.pop("trunk", backbone)  # its name in models that earlier versions saved
        built = AutoConfig.for_model(**backbone) if isinstance(backbone, dict) else backbone
        self.backbone: Any = built  # None only in the empty configurations that transformers makes for comparison
        self.features = features
        self.pooling = pooling
        self.poolings = list(poolings)
        self.special_tokens = special_tokens
        self.head_widths = list(head_widths)
        self.head_dropout = head_dropout
        self.activation = kwargs.pop("activation", "gelu")
        super().__init__(**kwargs)

    def __getattr__(self, name: str) -> Any:
        backbone = self.__dict__.get("backbone")
        if name in OF_THE_BACKBONE and backbone is not None:
            return getattr(backbone, name)
        raise AttributeError(f"{type(self).__name__} has no setting {name!r}")

    @property
    def pad_token_id(self) -> int | None:
        """Of the backbone."""
        return getattr(self.backbone, "pad_token_id", None)

    @pad_token_id.setter
    def pad_token_id(self, value: int | None) -> None:
        self.backbone.pad_token_id = value


class BackboneClassifier(PreTrainedModel):
    """The base of the two classes below: a backbone and a head on its pooled states."""

    config_class = BackboneClassifierConfig
    base_model_prefix = "backbone"
    supports_gradient_checkpointing = True
    # What the backbone supports counts; the head has no attention.
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True

    def __init__(self, config: BackboneClassifierConfig, backbone: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        if backbone is None:
            settings = pooler_argument(config.backbone, config.pooling)
            backbone = AutoModel.from_config(config.backbone, trust_remote_code=False, **settings)
        self.backbone = backbone
        widths, out = config.head_widths, int(config.num_labels or 0)
        self.classifier = mlp(config.features, widths, out, config.head_dropout, config.activation)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in transformers; also models whose backbone an earlier version saved as `trunk`."""
        loaded: Any = super().from_pretrained(*args, **{"key_mapping": {r"^trunk\.": "backbone."}, **kwargs})
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        # transformers reverses these when it saves, and would write the old name.
        if conversions := getattr(model, "_weight_conversions", None):
            model._weight_conversions = [one for one in conversions if "trunk" not in str(one.source_patterns)]
        return loaded

    def get_input_embeddings(self) -> nn.Module:
        return self.backbone.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.backbone.set_input_embeddings(value)

    def classify(
        self, mask: torch.Tensor | None, labels: torch.Tensor | None, inputs: dict[str, Any]
    ) -> dict[str, Any]:
        """Logits, a loss where there are labels, and the backbone's hidden states and attentions.

        `mask` is (rows, tokens), 1 for tokens that count; None: all do.
        """
        output = self.backbone(**inputs, return_dict=True)
        pooled = pool(output, self.config.pooling, mask, self.config.special_tokens)
        logits = self.classifier(pooled)
        loss = None if labels is None else self.loss_function(labels, logits, self.config)
        states = {name: output.get(name) for name in ("hidden_states", "attentions")}
        return {"loss": loss, "logits": logits, **states}


class BackboneForSequenceClassification(BackboneClassifier):
    """For texts: one label, several labels, or a number per text."""

    main_input_name = "input_ids"

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """Logits of a batch; `kwargs` are further inputs of the backbone, such as token_type_ids."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, **kwargs}
        output = SequenceClassifierOutput(**self.classify(attention_mask, labels, inputs))
        return output.to_tuple() if return_dict is False else output


class BackboneForImageClassification(BackboneClassifier):
    """For images: one label or several labels per image."""

    main_input_name = "pixel_values"

    def forward(
        self,
        pixel_values: torch.Tensor,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> ImageClassifierOutput | tuple[Any, ...]:
        """Logits of a batch; `kwargs` are further inputs of the backbone."""
        output = ImageClassifierOutput(**self.classify(None, labels, {"pixel_values": pixel_values, **kwargs}))
        return output.to_tuple() if return_dict is False else output


def pooler_argument(backbone: PreTrainedConfig, pooling: str) -> dict[str, bool]:
    """Arguments that leave an unused pooler out of the backbone, where its class has such an argument."""
    kinds: Any = MODEL_MAPPING[type(backbone)]
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    known = all("add_pooling_layer" in inspect.signature(kind).parameters for kind in kinds)
    return {"add_pooling_layer": pooling == "pooler"} if known else {}


def mlp(features: int, widths: list[int], out: int, dropout: float, activation: str) -> nn.Sequential:
    """Dropout and a linear layer, for each hidden layer and for the logits."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for number, width in enumerate(widths):
        parts[f"dropout{number}"] = nn.Dropout(dropout)
        parts[f"dense{number}"] = nn.Linear(features, width)
        parts[f"activation{number}"] = ACT2FN[activation]
        features = width
    parts["dropout"] = nn.Dropout(dropout)
    parts["out"] = nn.Linear(features, out)
    return nn.Sequential(parts)


def pool(output: Any, pooling: str, mask: torch.Tensor | None, special_tokens: int = 0) -> torch.Tensor:
    """One vector per row.

    Args:
        output: of a backbone; its last hidden states are (rows, tokens, features) or maps (rows, features, y, x).
        pooling: as in `BackboneClassifierConfig`.
        mask: (rows, tokens), 1 for tokens that count; columns before those of the hidden states are left out,
            as an adapter's prefix has no hidden states.
        special_tokens: how many first tokens mean and max leave out.

    Returns:
        (rows, features).
    """
    if pooling == "pooler":
        return output["pooler_output"].flatten(1)
    hidden = output["last_hidden_state"]
    if hidden.dim() == 4:
        hidden = hidden.flatten(2).transpose(1, 2)
    rows, tokens, _ = hidden.shape
    counted = torch.ones(rows, tokens, dtype=torch.bool) if mask is None else mask[:, -tokens:] != 0
    counted = counted.to(hidden.device)
    if pooling in {"first", "last"}:
        places = torch.arange(1, tokens + 1, device=hidden.device)
        ranked = counted * (places if pooling == "last" else places.flip(0))
        return hidden[torch.arange(rows, device=hidden.device), ranked.argmax(1)]
    hidden, counted = hidden[:, special_tokens:], counted[:, special_tokens:, None]
    if pooling == "max":
        return hidden.masked_fill(~counted, torch.finfo(hidden.dtype).min).amax(1)
    # Summed in float32: hundreds of bfloat16 values lose their last digits.
    return ((hidden.float() * counted).sum(1) / counted.sum(1).clamp(min=1)).to(hidden.dtype)


def register() -> None:
    """Lets `AutoConfig`, `AutoModelFor…` and `pipeline` of this process load such models without remote code."""
    AutoConfig.register(BackboneClassifierConfig.model_type, BackboneClassifierConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(
        BackboneClassifierConfig, BackboneForSequenceClassification, exist_ok=True
    )
    AutoModelForImageClassification.register(BackboneClassifierConfig, BackboneForImageClassification, exist_ok=True)


# `save_pretrained` writes these into config.json, and a copy of this file next to it.
BackboneClassifierConfig.register_for_auto_class()
BackboneForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
BackboneForImageClassification.register_for_auto_class("AutoModelForImageClassification")
