"""The groups of the model and how it changes: model, freezing, adapter, regularization, evaluation.

Knows pydantic; neither Hydra nor the methods that `regularization` combines.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tunebook.config.options import Options


class ModelPackage(Options):
    """An installed package that carries the weights of a Hub id.

    Args:
        carries: the Hub id; the package is used for this `name_or_path` alone.
        module: top-level module of the package.
        folder: inside it, with config.json and model.safetensors.
        sha256: of model.safetensors.
    """

    carries: str
    module: str = Field(pattern=r"^[A-Za-z_]\w*$")
    folder: str = "."
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ModelConfig(Options):
    """Which weights to start from, or which architecture to build, and what is changed about them.

    Args:
        name_or_path: Hub id or local folder.
        revision: branch, tag or commit of a Hub id.
        package: an installed package that carries the same weights; used when it is there.
        config: settings of `AutoConfig.for_model`, to train from scratch, in place of `name_or_path`.
        processor: image processor settings, for a model that has none saved.
        head: module names of the head that is newly initialised, e.g. `[classifier]`; checked on loading.
        dtype: of the weights while training.
        attn_implementation: as in `from_pretrained` (`sdpa`, `eager`, …).
        drop_layers: how many of the top layers are taken out (Sajjad et al. 2020, arXiv 2004.03844).
        reinit_layers: how many of the top layers are reinitialized (Zhang et al. 2021, arXiv 2006.05987).
        init: how the weights of the new head are initialized; `default`: as the architecture does.
        dropout: settings of the architecture that are dropout shares, e.g. `{hidden_dropout_prob: 0.2}`, and
            `head_dropout` of a head that the next two make.
        pooling: what the head sees of the last hidden states; `default`: as the architecture does. Anything else puts
            a head of ours on the backbone, unless the architecture's own head has a setting for it.
        head_widths: hidden layers of an MLP head of ours, from the backbone on; `[]`: one linear layer; None: the
            architecture's own head. `head` is then not used, as all of a head of ours is new.
    """

    name_or_path: str | None = None
    revision: str | None = None
    package: ModelPackage | None = None
    config: dict[str, Any] | None = None
    tokenizer: str | None = None
    processor: dict[str, Any] | None = None
    head: list[str] | None = None
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    attn_implementation: str | None = None
    drop_layers: int = Field(default=0, ge=0)
    reinit_layers: int = Field(default=0, ge=0)
    init: Literal["default", "normal", "xavier", "kaiming", "zeros"] = "default"
    dropout: dict[str, Annotated[float, Field(ge=0, lt=1)]] = {}
    pooling: Literal["default", "first", "mean", "max", "last"] = "default"
    head_widths: list[Annotated[int, Field(ge=1)]] | None = None


def _off_is_a_word(value: Any) -> Any:
    # YAML 1.1 reads the bare word `off` as false.
    return "off" if value is False else value


ByPolicy = Literal["policy", "train", "freeze"]


class FreezingConfig(Options):
    """Which parameters train. `options` are the policy's own.

    Args:
        policy: gives the rules, or the phases with their rules.
        norms: scales and shifts of normalisation layers: as the policy decides, or all trained or frozen.
        biases: every parameter named bias (all trained with `policy: head_only` is BitFit, arXiv 2106.10199).
        embeddings: what is in front of the first layer.
        cache: compute the outputs of layers that stay frozen for the whole run once; `off`: in every epoch.
    """

    policy: str
    norms: ByPolicy = "policy"
    biases: ByPolicy = "policy"
    embeddings: ByPolicy = "policy"
    cache: Annotated[Literal["auto", "off"], BeforeValidator(_off_is_a_word)] = "auto"
    options: Options


class AdapterConfig(Options):
    """Small matrices that train in place of the weights (PEFT). `options` are the method's own.

    Freezing decides where and when a model changes, the adapter how: it goes into the layers that the freezing
    policy trains, and their own weights stay as they are.

    Args:
        method: none, lora, …
        save: what the folder `model` holds: the adapter with its base model's name, the weights with the
            adapter merged into them, or the merged ones with the adapter in the folder `adapter` next to it.
    """

    method: str
    save: Literal["adapter", "merged", "both"] = "both"
    options: Options


class EvaluationConfig(Options):
    """What is measured in addition to the recipe's own splits.

    Args:
        retention: finished runs (their folders), whose tasks are scored with this run's backbone before and after
            training.
    """

    retention: list[str] = []


class RegularizationConfig(Options):
    """Against forgetting and overfitting: each key is one method with its options; null: it is not used.

    The keys are the methods that are installed (`tunebook.config.schema.model_of`).
    """
