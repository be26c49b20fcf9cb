"""Inserts an adapter into a loaded model, only where the freezing plan trains. Knows peft, not the Trainer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import transformers
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tunebook.config import registry
from tunebook.errors import ModelError, Problem
from tunebook.models.adaptation.adapted import Adapted
from tunebook.models.adaptation.forward_check import check_forward
from tunebook.models.adaptation.targets import targets_of
from tunebook.models.adapters.base import Place
from tunebook.models.classifier import BackboneClassifier
from tunebook.models.depth import Depth, backbone_settings, find_depth
from tunebook.models.load import LANGUAGE_MODELS, LoadedModel

if TYPE_CHECKING:
    from tunebook.config.model_groups import AdapterConfig, ModelConfig

logger = logging.getLogger("tunebook")

TASK_TYPES = {
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
    "AutoModel": "FEATURE_EXTRACTION",
}
"""peft's names; it has none for images, and needs none there."""
LONGEST = 1_000_000
"""Tokens; a tokenizer without a length has a far larger number in its place."""


@dataclass(frozen=True)
class AdapterBase:
    """The base model that a saved adapter names: a Hub id with its revision, or the absolute path of a folder.

    `pooled`: whether the recipe changes its pooling, which peft would not load again.
    """

    name: str
    revision: str | None = None
    pooled: bool = False

    @classmethod
    def of(cls, model: ModelConfig) -> AdapterBase:
        """The one that the recipe names, not where its files are on this machine."""
        name = model.name_or_path or (model.package.carries if model.package else "")
        folder = Path(name).expanduser()
        pooled = model.pooling != "default"
        return cls(str(folder.resolve()), None, pooled) if folder.is_dir() else cls(name, model.revision, pooled)


def insert_adapter(
    loaded: LoadedModel,
    adapter: AdapterConfig,
    ever: Container[str],
    base: AdapterBase,
    seed: int,
    longest: int | None = None,
) -> Adapted:
    """Puts an adapter into a model, in place.

    A method for layers goes into the modules whose own weights would train; one for the input counts as an embedding.
    The head trains and is saved whole with the adapter, as are modules of the backbone that are new. The output layer
    of a language model is not: it is part of the checkpoint and stays frozen.

    Args:
        loaded: the model with its head.
        adapter: the group; its method is not `none`.
        ever: names of the parameters that the freezing plan trains in some phase.
        base: what the saved adapter will name.
        seed: set right before the adapter is initialised.
        longest: text in tokens; None, or more than `LONGEST`: unknown, or the model reads none.

    Raises:
        ModelError: the method does not fit the model, or what the recipe trains.
    """
    model = loaded.model
    if getattr(model, "_hf_peft_config_loaded", False):
        message = "carries an adapter already; name its base model, or merge the two first"
        raise ModelError(Problem("model.name_or_path", message))
    method = registry.load("adapter", adapter.method)
    depth = find_depth(model)
    saved = _modules_to_save(loaded, depth)
    # A copy: peft adds its own names of heads to the list.
    shared: dict[str, Any] = {"task_type": TASK_TYPES.get(loaded.auto_class), "modules_to_save": list(saved) or None}
    targets: dict[str, nn.Module] = {}
    in_layers = method.POSITION == "layers"
    if in_layers:
        targets = targets_of(model, depth, method, adapter, ever, saved)
        transposed = any(isinstance(module, Conv1D) for module in targets.values())
        place = Place(shared, tuple(targets), transposed, backbone_settings(model).model_type, widths=(0, 0))
    else:
        _require_trained_input(adapter.method, depth, ever)
        place = _at_input(model, shared, adapter.method)
    transformers.set_seed(seed)
    wrapped = _wrapped(model, adapter.method, method.configuration(adapter.options, place))
    settings = wrapped.peft_config["default"]
    settings.base_model_name_or_path, settings.revision = base.name, base.revision
    settings.modules_to_save = saved or None
    if targets:
        settings.target_modules = list(targets)  # peft makes a set of them, in any order
    trained: Any = model if in_layers else wrapped
    # By this the Trainer knows that not the quantized weights themselves are to train.
    model._hf_peft_config_loaded = bool(getattr(model, "is_quantized", False))
    # What peft has just frozen: the weights that the adapter changes, and what no adapter is for.
    fixed = frozenset(name for name, parameter in trained.named_parameters() if not parameter.requires_grad)
    known = longest if longest is None or longest <= LONGEST else None
    check_forward(trained, model, adapter.method, known, at_input=not in_layers)
    adapted = Adapted(trained, wrapped, fixed, _what_to_save(adapter, model, base, in_layers))
    logger.info("%s", _log_line(adapter.method, adapted, targets, saved))
    return adapted


def _modules_to_save(loaded: LoadedModel, depth: Depth) -> list[str]:
    """Modules that train whole and are saved with the adapter."""
    head, new = _head_modules(depth), loaded.head_report.new
    if loaded.auto_class in LANGUAGE_MODELS:
        head = [module for module in head if any(name.startswith(f"{module}.") for name in new)]
    return [*head, *_new_in_backbone(loaded.model, depth, new)]


def _at_input(model: PreTrainedModel, shared: dict[str, Any], method: str) -> Place:
    settings = backbone_settings(model)
    if model.main_input_name != "input_ids":
        message = f"{method} reads texts, which a {settings.model_type} model does not; use adapter=lora"
        raise ModelError(Problem("adapter.method", message))
    # peft looks these up under the names that some architectures have.
    names = {"num_layers": "num_hidden_layers", "num_attention_heads": "num_attention_heads"}
    sizes = {name: getattr(settings, own, None) for name, own in names.items()}
    table: Any = model.get_input_embeddings()
    widths = (int(table.weight.shape[1]), int(settings.hidden_size))
    return Place(shared | sizes, (), False, settings.model_type, widths)


def _wrapped(model: PreTrainedModel, method: str, settings: Any) -> Any:
    import peft

    try:
        with warnings.catch_warnings():
            # peft 0.21 asks for `is_gradient_checkpointing`, which transformers 5 has renamed.
            warnings.simplefilter("ignore", FutureWarning)
            return peft.get_peft_model(model, settings)
    except (ValueError, NotImplementedError, TypeError) as error:
        message = f"{method} cannot be put into a {backbone_settings(model).model_type} model: {error}"
        raise ModelError(Problem("adapter.method", message)) from error


def _what_to_save(
    adapter: AdapterConfig, model: PreTrainedModel, base: AdapterBase, in_layers: bool
) -> Literal["adapter", "merged", "both"]:
    saves = adapter.save if in_layers else "adapter"
    if not isinstance(model, BackboneClassifier) and not base.pooled:
        return saves
    # The pooling and the head are then a class of ours or a setting, which peft does not apply to the base model.
    if saves == "adapter":
        message = "an adapter alone could not be loaded with this head or pooling; "
        fix = "set adapter.save=merged" if in_layers else "set model.pooling=default, or use adapter=lora"
        raise ModelError(Problem("adapter.save", message + fix))
    return "merged"


def _head_modules(depth: Depth) -> list[str]:
    """The largest modules outside the backbone that hold the head.

    Raises:
        ModelError: a parameter of the head is in no module of its own, so that it cannot be saved with an adapter.
    """
    names = [name.split(".")[0] for name in depth.head.parameter_names]
    loose = [name for name in depth.head.parameter_names if "." not in name]
    if loose:
        message = f"its head has {', '.join(loose)} outside any module, which cannot be saved with an adapter"
        raise ModelError(Problem("adapter.method", f"this model cannot have an adapter: {message}; set adapter=none"))
    return list(dict.fromkeys(names))


def _new_in_backbone(model: nn.Module, depth: Depth, new: Iterable[str]) -> list[str]:
    """Modules of the backbone that are not in the checkpoint, such as a new pooler: frozen they would stay random."""
    backbone = {name for name, _ in model.named_parameters()}.difference(depth.head.parameter_names)
    return list(dict.fromkeys(name.rpartition(".")[0] for name in new if name in backbone))


def _require_trained_input(method: str, depth: Depth, ever: Container[str]) -> None:
    if any(name in ever for name in depth.embeddings.parameter_names):
        return
    message = (
        f"{method} is in front of the first layer and trains when the embeddings do, which this freezing policy "
        "never lets them; use freezing=none, or an adapter for layers, such as adapter=lora"
    )
    raise ModelError(Problem("adapter.method", message))


def _log_line(method: str, adapted: Adapted, targets: dict[str, nn.Module], saved: list[str]) -> str:
    parts = dict.fromkeys(name.rpartition(".")[2] for name in targets)
    where = f"{len(targets)} modules ({', '.join(parts)})" if targets else "the input"
    count = sum(p.numel() for name, p in adapted.model.named_parameters() if name not in adapted.fixed)
    whole = f"; saved with it: {', '.join(saved)}" if saved else ""
    return f"adapter {method} at {where}{whole}; {count:,} parameters to train"
