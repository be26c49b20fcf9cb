"""Loads a model, with a new head that follows from a seed, checked and reported; knows no tasks and no Trainer."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel

from tunebook.errors import ModelError, Problem, listed
from tunebook.models import build_classifier, classifier, reinitialize
from tunebook.models.drop_layers import drop_layers
from tunebook.models.dropout import set_dropout
from tunebook.models.head_report import HeadReport, check_head, head_names, require_output_layer
from tunebook.models.locate import Location, locate, reading
from tunebook.models.quantized import in_4_bits
from tunebook.models.settings import apply_settings, model_settings

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

logger = logging.getLogger("tunebook")
LANGUAGE_MODELS = {"AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForMaskedLM"}
"""Classes whose head, the output layer over the vocabulary, is part of a checkpoint (tied to the embeddings or not)."""


OTHER_LABELS = (
    "the head came from the checkpoint, where its labels are %s; here they are %s: if the order or the meaning "
    "differs, its predictions start out wrong (dataset.labels sets an order)"
)


@dataclass(frozen=True)
class LoadedModel:
    """A model, and where its weights come from.

    Args:
        model: with its head.
        head_report: what is new of the head, and what was changed.
        auto_class: name of the transformers class that loaded it.
        reinitialized: names of the parameters of layers that were reinitialized.
    """

    model: PreTrainedModel
    head_report: HeadReport
    auto_class: str
    reinitialized: tuple[str, ...] = ()


def load_model(
    config_model: ModelConfig,
    auto_class: str,
    label_names: list[str],
    problem_type: str | None = None,
    seed: int = 42,
    overrides: Mapping[str, Any] | None = None,
    bits: Literal[4] | None = None,
) -> LoadedModel:
    """Loads or builds a model whose new parts depend on the seed alone: load, drop layers, reinitialize, new head.

    Args:
        config_model: the group `model`.
        auto_class: name of the transformers class, e.g. `AutoModelForSequenceClassification`.
        label_names: names in order of ids; empty for a model without labels.
        problem_type: `regression`, `single_label_classification`, `multi_label_classification` or None.
        seed: set right before the head is initialised.
        overrides: further settings of the model's configuration, by their names in it.
        bits: of the weights of the backbone, which then cannot train themselves; None: as `config_model.dtype` says.

    Raises:
        ModelError: the model does not fit the task, its files are broken, or the newly initialised
            parameters are not the declared head.
        NothingReached: neither the Hub nor the cache has it.
    """
    classifier.register()
    location = None if config_model.config is not None else locate(config_model)
    config = model_settings(config_model)
    auto = _auto_class(auto_class, config)
    saved_labels = [str(name) for _, name in sorted((config.id2label or {}).items())]
    own = build_classifier.is_wanted(config_model, config)
    dropped, dropout = _changed(config, config_model, auto, own)
    apply_settings(config, label_names, problem_type, overrides or {})
    make = partial(_made, config_model, location, bits)
    transformers.set_seed(seed)
    model, info = (
        build_classifier.build(config_model, auto_class, auto, config, dropout, make) if own else make(auto, config)
    )
    declared = None if own else config_model.head
    if location is None:
        report = HeadReport(tuple(name for name, _ in model.named_parameters()), (), from_scratch=True)
    else:
        report = _checked_head((model, info), auto_class, declared, location.described)
        if not report.new and _of_another_task(saved_labels, label_names):
            new = reinitialize.reinit_labels(model, auto, seed)
            report = check_head(model, new, None, location.described)
            message = "the checkpoint's labels are %s, none of them is here: they are reinitialized"
            logger.info(message, listed(saved_labels, 10))
        if not report.new and label_names and saved_labels != label_names:
            logger.warning(OTHER_LABELS, listed(saved_labels, 10), listed(label_names, 10))
    reinitialized = reinitialize.reinit_layers(model, config_model.reinit_layers, seed)
    names = head_names(model, declared)
    reinitialize.init_head(model, [name for name in report.new if name in names], config_model.init, seed)
    report = replace(report, changes=_changes(config_model, dropped))
    described = location.described if location else "model.config"
    logger.info("%s from %s: %s", type(model).__name__, described, report.line())
    return LoadedModel(model, report, auto_class, reinitialized)


def _checked_head(
    loaded: build_classifier.Made, auto_class: str, declared: list[str] | None, described: str
) -> HeadReport:
    model, info = loaded
    new = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    report = check_head(model, new, declared, described)
    if declared is None and auto_class in LANGUAGE_MODELS:
        require_output_layer(model, report, described)
    if info["unexpected_keys"]:
        logger.debug("the checkpoint also holds, unused: %s", ", ".join(sorted(info["unexpected_keys"])))
    return report


def _changed(config: PreTrainedConfig, config_model: ModelConfig, auto: Any, own: bool) -> tuple[str, float | None]:
    """Puts the group's pooling, layers and dropout into a configuration; all its errors are reported together.

    Returns what was done to the layers, and the dropout of a head that is built later.
    """
    problems: list[Problem] = []
    done: list[Any] = []
    for step in (
        lambda: build_classifier.adjust(config_model, config),
        lambda: drop_layers(config, config_model.drop_layers, auto),
        lambda: set_dropout(config, config_model.dropout, auto, own),
    ):
        try:
            done.append(step())
        except ModelError as error:
            problems += error.problems
    if problems:
        raise ModelError(problems)
    return done[1], done[2]


def _changes(config_model: ModelConfig, dropped: str) -> tuple[str, ...]:
    count = config_model.reinit_layers
    changes = [
        dropped,
        f"reinitialized: the top {'layer' if count == 1 else f'{count} layers'}" if count else "",
        f"the head is initialized by {config_model.init}" if config_model.init != "default" else "",
        *(f"{name}={share:g}" for name, share in config_model.dropout.items()),
    ]
    return tuple(words for words in changes if words)


def _auto_class(name: str, config: PreTrainedConfig) -> Any:
    auto = getattr(transformers, name)
    if isinstance(config, classifier.BackboneClassifierConfig):
        _auto_class(name, config.backbone)  # a text backbone takes no images
    if type(config) in auto._model_mapping:
        return auto
    fitting = [
        other
        for other in sorted(dir(transformers))
        if other.startswith("AutoModelFor")
        and type(config) in getattr(getattr(transformers, other), "_model_mapping", {})
    ]
    shown = ", ".join(other.removeprefix("AutoModelFor") for other in fitting) or "no task with a head"
    message = f"a {config.model_type} model cannot do {name.removeprefix('AutoModelFor')}; it can do: {shown}"
    raise ModelError(Problem("model", message))


def _made(
    config_model: ModelConfig,
    location: Location | None,
    bits: Literal[4] | None,
    auto: Any,
    config: PreTrainedConfig,
    **settings: Any,
) -> build_classifier.Made:
    """A model with transformers' loading info; for a model from scratch with empty sets."""
    dtype = config_model.dtype
    settings |= {"config": config, "trust_remote_code": False}
    if config_model.attn_implementation is not None:
        settings["attn_implementation"] = config_model.attn_implementation
    if location is None:
        settings["dtype"] = torch.float32 if dtype == "auto" else getattr(torch, dtype)
        try:
            return auto.from_config(**settings), {"missing_keys": set(), "mismatched_keys": set()}
        except (ValueError, TypeError, RuntimeError, ImportError) as error:
            raise ModelError(Problem("model.config", f"no model can be built from it: {error}")) from error
    if bits:
        settings |= in_4_bits(auto, config)
    with reading(location, "the weights"), _quiet():
        return auto.from_pretrained(
            location.name_or_path,
            revision=location.revision,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **settings,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides transformers' own table of missing keys: the head is checked and reported here."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def _of_another_task(old: list[str], label_names: list[str]) -> bool:
    """Whether two lists of labels have no name in common, in any case of letters; `LABEL_0` is no name."""
    named = any(not re.fullmatch(r"LABEL_\d+", name) for name in old)
    before, now = ({name.casefold() for name in names} for names in (old, label_names))
    return bool(now) and named and not before & now
