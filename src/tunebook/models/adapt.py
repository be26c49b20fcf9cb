"""Puts an adapter into a loaded model, only where the freezing plan trains. Knows peft, not the Trainer."""

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
from tunebook.models.adapted import Adapted
from tunebook.models.adapter_targets import targets_of
from tunebook.models.adapter_trial import require_it_runs
from tunebook.models.adapters.base import Place
from tunebook.models.classifier import BackboneClassifier
from tunebook.models.depth import Depth, backbone_settings, find_depth

if TYPE_CHECKING:
    from tunebook.config.model_groups import AdapterConfig, ModelConfig

logger = logging.getLogger("tunebook")

TASK_TYPES = {
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
}
"""peft's names; it has none for images, where it needs none."""


@dataclass(frozen=True)
class Base:
    """What an adapter is for, as its own configuration names it, and whether that says all.

    Args:
        name: Hub id, or the absolute path of a folder.
        revision: of a Hub id.
        pooled: whether the recipe gives it another pooling than it has, which peft would not know of.
    """

    name: str
    revision: str | None = None
    pooled: bool = False

    @classmethod
    def of(cls, model: ModelConfig) -> Base:
        """The one that the recipe names, not where this machine keeps its files."""
        name = model.name_or_path or (model.package.carries if model.package else "")
        folder = Path(name).expanduser()
        pooled = model.pooling != "default"
        return cls(str(folder.resolve()), None, pooled) if folder.is_dir() else cls(name, model.revision, pooled)


def adapt(
    model: PreTrainedModel,
    adapter: AdapterConfig,
    ever: Container[str],
    base: Base,
    auto_class: str,
    seed: int,
    new: Iterable[str] = (),
    longest: int | None = None,
) -> Adapted:
    """Puts an adapter into a model, in place.

    A method that stands in layers goes into the modules whose own weights would train; one that stands at the input
    counts as an embedding. The head is kept beside the adapter, as are modules of the backbone that are new.

    Args:
        model: with its head.
        adapter: the group; its method is not `none`.
        ever: names of the parameters that the freezing plan trains in some phase.
        base: what the saved adapter will name.
        auto_class: name of the transformers class that loaded the model.
        seed: set right before the adapter is initialised.
        new: names of the parameters that were newly initialised on loading.
        longest: text in tokens; None: unknown, or the model reads none.

    Raises:
        ModelError: the method does not fit the model, or what the recipe trains.
    """
    if getattr(model, "_hf_peft_config_loaded", False):
        message = "carries an adapter already; name its base model, or merge the two first"
        raise ModelError(Problem("model.name_or_path", message))
    method = registry.load("adapter", adapter.method)
    depth = find_depth(model)
    saved = [*_head_modules(depth), *_new_in_backbone(model, depth, new)]
    # A copy: peft adds what it thinks that heads are called.
    shared: dict[str, Any] = {"task_type": TASK_TYPES.get(auto_class), "modules_to_save": list(saved) or None}
    targets: dict[str, nn.Module] = {}
    in_layers = method.STANDS == "layers"
    if in_layers:
        targets = targets_of(model, depth, method, adapter, ever, saved)
        place = _in_layers(model, shared, targets)
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
    # What peft has just frozen: the weights that the adapter stands for.
    fixed = frozenset(name for name, parameter in trained.named_parameters() if not parameter.requires_grad)
    require_it_runs(trained, model, adapter.method, longest, at_input=not in_layers)
    adapted = Adapted(trained, wrapped, fixed, _kept(adapter, model, base, in_layers))
    logger.info("%s", _told(adapter.method, adapted, targets, saved))
    return adapted


def _in_layers(model: PreTrainedModel, shared: dict[str, Any], targets: dict[str, nn.Module]) -> Place:
    transposed = any(isinstance(module, Conv1D) for module in targets.values())
    return Place(shared, tuple(targets), transposed, backbone_settings(model).model_type, widths=(0, 0))


def _at_input(model: PreTrainedModel, shared: dict[str, Any], method: str) -> Place:
    settings = backbone_settings(model)
    if model.main_input_name != "input_ids":
        message = f"{method} reads texts, which a {settings.model_type} model does not; use adapter=lora"
        raise ModelError(Problem("adapter.method", message))
    # peft looks these up under the names that some architectures have.
    known = {name: getattr(settings, f"num_{kind}", None) for name, kind in _SIZES.items()}
    table: Any = model.get_input_embeddings()
    widths = (int(table.weight.shape[1]), int(settings.hidden_size))
    return Place(shared | known, (), False, settings.model_type, widths)


_SIZES = {"num_layers": "hidden_layers", "num_attention_heads": "attention_heads"}


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


def _kept(
    adapter: AdapterConfig, model: PreTrainedModel, base: Base, in_layers: bool
) -> Literal["adapter", "merged", "both"]:
    keeps = adapter.save if in_layers else "adapter"
    if not isinstance(model, BackboneClassifier) and not base.pooled:
        return keeps
    # What is pooled, and the head, are then a class of ours or a setting, which peft does not give the base model.
    if keeps == "adapter":
        message = "an adapter alone could not be loaded with this head or pooling; "
        mend = "set adapter.save=merged" if in_layers else "set model.pooling=default, or use adapter=lora"
        raise ModelError(Problem("adapter.save", message + mend))
    return "merged"


def _head_modules(depth: Depth) -> list[str]:
    """The largest modules beside the backbone that hold the head.

    Raises:
        ModelError: a parameter of the head lies in no module of its own, so that it cannot be kept beside an adapter.
    """
    names = [name.split(".")[0] for name in depth.head.parameter_names]
    loose = [name for name in depth.head.parameter_names if "." not in name]
    if loose:
        message = f"its head has {', '.join(loose)} outside any module, which cannot be saved with an adapter"
        raise ModelError(Problem("adapter.method", f"this model cannot have an adapter: {message}; set adapter=none"))
    return list(dict.fromkeys(names))


def _new_in_backbone(model: nn.Module, depth: Depth, new: Iterable[str]) -> list[str]:
    """Modules of the backbone that no checkpoint knows, such as a new pooler: frozen at random they would be of no use."""
    head = set(depth.head.parameter_names)
    trained = {name for name, _ in model.named_parameters()}
    return list(dict.fromkeys(name.rpartition(".")[0] for name in new if name in trained and name not in head))


def _require_trained_input(method: str, depth: Depth, ever: Container[str]) -> None:
    if any(name in ever for name in depth.embeddings.parameter_names):
        return
    message = (
        f"{method} stands in front of the first layer and trains when the embeddings do, which this freezing policy "
        "never lets them; use freezing=none, or an adapter that stands in layers, such as adapter=lora"
    )
    raise ModelError(Problem("adapter.method", message))


def _told(method: str, adapted: Adapted, targets: dict[str, nn.Module], saved: list[str]) -> str:
    parts = dict.fromkeys(name.rpartition(".")[2] for name in targets)
    where = f"{len(targets)} modules ({', '.join(parts)})" if targets else "the input"
    count = sum(p.numel() for name, p in adapted.model.named_parameters() if name not in adapted.fixed)
    beside = f"; kept beside it: {', '.join(saved)}" if saved else ""
    return f"adapter {method} at {where}{beside}; {count:,} parameters to train"
