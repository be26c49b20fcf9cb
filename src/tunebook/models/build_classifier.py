"""Builds a `BackboneClassifier` on a loaded backbone: which pooling it can have, and how wide it is.

Loading itself is a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import MODEL_MAPPING, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto

from tunebook.errors import ModelError, Problem, listed
from tunebook.models.classifier import (
    BackboneClassifierConfig,
    BackboneForImageClassification,
    BackboneForSequenceClassification,
    pooler_argument,
)
from tunebook.models.settings import without_weights

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

CLASSES = {
    "AutoModelForSequenceClassification": BackboneForSequenceClassification,
    "AutoModelForImageClassification": BackboneForImageClassification,
}
"""By the class that a task asks for."""
DROPOUTS = ("classifier_dropout", "seq_classif_dropout", "hidden_dropout_prob")
"""Settings of architectures for the dropout of their own heads; the first that has a value counts."""
SPECIAL_TOKENS = {"cls_token", "register_tokens", "distillation_token"}
PROBED_SIZE = 64
"""Height and width of the image that a backbone for any size is tried with."""

Made = tuple[PreTrainedModel, dict[str, Any]]
Make = Callable[..., Made]
"""(auto class, configuration, further settings) -> the model with its loading info."""


def is_wanted(wanted: ModelConfig, config: PreTrainedConfig) -> bool:
    """Whether the group asks for a head of ours; not where the architecture's own has a setting for the pooling."""
    if isinstance(config, BackboneClassifierConfig):
        return False
    return wanted.head_widths is not None or wanted.pooling not in {"default", *_native(config)}


def build(
    wanted: ModelConfig, auto_class: str, auto: Any, config: PreTrainedConfig, dropout: float | None, make: Make
) -> Made:
    """A backbone, loaded or built by `make`, under a new head; `dropout` None: that of the architecture's own head.

    Raises:
        ModelError: the architecture has no such pooling, or cannot have a head of ours.
    """
    if auto_class not in CLASSES or config.is_encoder_decoder or type(config) not in MODEL_MAPPING:
        what = f"a {config.model_type} model for {auto_class.removeprefix('AutoModelFor')}"
        message = f"there is no head of ours for {what}; take model.pooling and model.head_widths out"
        raise ModelError(Problem(_key(wanted), message))
    own_pooler = wanted.pooling == "default" and _uses_pooler(auto, config)
    labels = {name: getattr(config, name) for name in ("id2label", "label2id", "problem_type")}
    if hasattr(config, "use_cache"):
        config.use_cache = False  # it is for generation
    backbone, info = make(AutoModel, config, **pooler_argument(config, "pooler" if own_pooler else wanted.pooling))
    _require_backbone(backbone, info)
    text = CLASSES[auto_class] is BackboneForSequenceClassification
    output, causal = _run_once(backbone, text, _key(wanted))
    special = 0 if text else _special_tokens(backbone)
    pooling = wanted.pooling if wanted.pooling != "default" else _own_pooling(config, output, text, special, own_pooler)
    allowed = _poolings(output["last_hidden_state"].dim() == 4, text, causal, special)
    _require_pooling(pooling, allowed, config.model_type)
    hidden = output["pooler_output"].flatten(1) if pooling == "pooler" else output["last_hidden_state"]
    whole = BackboneClassifierConfig(
        backbone=config,
        features=hidden.shape[1 if hidden.dim() == 4 else -1],
        pooling=pooling,
        poolings=allowed,
        special_tokens=special,
        head_widths=wanted.head_widths or [],
        head_dropout=_own_dropout(config) if dropout is None else dropout,
        **labels,
    )
    config.name_or_path = ""  # a path on this machine that would be saved
    model = CLASSES[auto_class](whole, backbone)
    model.classifier.to(backbone.dtype)
    return model, {**info, "missing_keys": {f"classifier.{name}" for name in model.classifier.state_dict()}}


def adjust(wanted: ModelConfig, config: PreTrainedConfig) -> None:
    """Sets a pooling in the architecture's own setting for it, or in a saved model of ours.

    Raises:
        ModelError: it cannot have that pooling.
    """
    if not isinstance(config, BackboneClassifierConfig):
        if wanted.head_widths is None and (native := _native(config).get(wanted.pooling)):
            config.classifier_pooling = native  # type: ignore[attr-defined]
        return
    if wanted.pooling != "default":
        _require_pooling(wanted.pooling, config.poolings, config.backbone.model_type)
        config.pooling = wanted.pooling
    if wanted.head_widths is not None:
        config.head_widths = list(wanted.head_widths)


def _poolings(maps: bool, text: bool, causal: bool, special_tokens: int) -> list[str]:
    """The poolings that fit: `first` of images only where there is a class token, `last` of texts only."""
    if text:
        return ["mean", "max", "last"] if causal else ["first", "mean", "max", "last"]
    return ["first", "mean", "max"] if special_tokens and not maps else ["mean", "max"]


def _require_pooling(pooling: str, allowed: list[str], kind: str) -> None:
    if pooling not in {*allowed, "pooler"}:
        reason = f"{kind} has no {pooling} token that represents the whole {'text' if 'last' in allowed else 'image'}"
        raise ModelError(Problem("model.pooling", f"{reason}; use {' or '.join(allowed)}"))


def _native(config: PreTrainedConfig) -> dict[str, str]:
    """Our names of poolings -> the architecture's, where its own head has a setting for it (ModernBERT)."""
    default = getattr(type(config)(), "classifier_pooling", None) if hasattr(config, "classifier_pooling") else None
    return {"cls": {"first": "cls", "mean": "mean"}, None: {}}.get(default, {"mean": "mean"})


def _key(wanted: ModelConfig) -> str:
    return "model.head_widths" if wanted.pooling == "default" else "model.pooling"


def _uses_pooler(auto: Any, config: PreTrainedConfig) -> bool:
    """Whether the architecture's own classifier uses the backbone's pooled output."""
    if not pooler_argument(config, "pooler"):
        return True  # it cannot be left out: where the backbone has one, its own head uses it
    return getattr(without_weights(auto, config).base_model, "pooler", None) is not None


def _require_backbone(backbone: nn.Module, info: dict[str, Any]) -> None:
    """Everything in a loaded backbone must come from the checkpoint."""
    new = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    if not new:
        return
    if all("pooler" in name for name in new):
        message = f"the checkpoint has no pooler ({', '.join(sorted(new))}), which this architecture's own head uses"
        raise ModelError(Problem("model.pooling", f"{message}; use first, mean, max or last"))
    message = f"the checkpoint has other sizes than {type(backbone).__name__}, or lacks {listed(sorted(new))}"
    raise ModelError(Problem("model.name_or_path", message))


def _run_once(backbone: PreTrainedModel, text: bool, key: str) -> tuple[dict[str, torch.Tensor], bool]:
    """The backbone's output for small rows, and whether the first token of a text is independent of later ones."""
    if text:
        ids = torch.tensor([[2, 2, 2, 2], [2, 2, 2, 3]])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    else:
        inputs = {"pixel_values": black_image(backbone)}
    inputs = {name: values.to(backbone.device) for name, values in inputs.items()}
    mode = backbone.training
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            output = backbone.eval()(**inputs, return_dict=True)
        except (TypeError, ValueError, RuntimeError) as error:
            kind, given = type(backbone).__name__, " and ".join(inputs)
            message = f"{kind} cannot be run on {given} alone, so no head of ours fits: {error}"
            raise ModelError(Problem(key, message)) from error
        finally:
            backbone.train(mode)
    hidden = output.get("last_hidden_state")
    if hidden is None or hidden.dim() not in {3, 4}:
        message = "gives no hidden states to pool; take model.pooling and model.head_widths out"
        raise ModelError(Problem(key, f"{type(backbone).__name__} {message}"))
    return dict(output), text and torch.allclose(*hidden[:, 0].float())


def black_image(backbone: Any) -> torch.Tensor:
    """An image of the backbone's own size, shape (1, channels, height, width), on its device."""
    size = getattr(backbone.config, "image_size", None) or PROBED_SIZE
    height, width = size if isinstance(size, list | tuple) else (size, size)
    channels = getattr(backbone.config, "num_channels", 3)
    return torch.zeros(1, channels, height, width, dtype=backbone.dtype, device=backbone.device)


def _special_tokens(backbone: nn.Module) -> int:
    """How many tokens come before those of an image's patches."""
    named = backbone.named_parameters()
    tokens = [parameter for name, parameter in named if name.split(".")[-1] in SPECIAL_TOKENS]
    return sum(parameter.shape[1] for parameter in tokens if parameter.dim() == 3)


def _own_pooling(
    config: PreTrainedConfig, output: dict[str, torch.Tensor], text: bool, special_tokens: int, own_pooler: bool
) -> str:
    """The pooling of ours that is nearest to what the architecture's own head uses."""
    names = {"cls": "first", "bos": "first", "mean": "mean", "late": "mean"}
    if native := names.get(getattr(config, "classifier_pooling", "")):
        return native
    if own_pooler and output.get("pooler_output") is not None:
        return "pooler"
    if not text:
        return "first" if special_tokens else "mean"
    kind = config.model_type
    masked, causal = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return "last" if kind in causal and kind not in masked else "first"


def _own_dropout(config: PreTrainedConfig) -> float:
    shares = (getattr(config, name, None) for name in DROPOUTS)
    return float(next((share for share in shares if share is not None), 0.0))
