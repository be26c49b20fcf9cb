"""Loads a model with a seeded, checked and stated head; knows nothing of tasks, data or the Trainer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from tunebook.errors import ModelError, Problem, did_you_mean
from tunebook.modeling.head import HeadReport, check_head
from tunebook.modeling.locate import Location, locate, reading

if TYPE_CHECKING:
    from tunebook.config.schema import ModelConfig

logger = logging.getLogger("tunebook")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LoadedModel:
    """A model, and what is known of its head."""

    model: PreTrainedModel
    head_report: HeadReport


def load_model(
    config_model: ModelConfig,
    auto_class: str,
    label_names: list[str],
    problem_type: str | None = None,
    seed: int = 42,
    overrides: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Loads or builds a model whose new head depends on the seed alone.

    Args:
        config_model: the group `model`.
        auto_class: name of the transformers class, e.g. `AutoModelForSequenceClassification`.
        label_names: names in order of ids; empty for a model without labels.
        problem_type: `regression`, `single_label_classification`, `multi_label_classification` or None.
        seed: set right before the head is initialised.
        overrides: further settings of the model's configuration, by the names it has.

    Raises:
        ModelError: the model does not fit the task, its files are broken, or the newly initialised
            parameters are not the declared head.
        NothingReached: neither the Hub nor the cache has it.
    """
    location = None if config_model.config is not None else locate(config_model)
    config = _built_config(config_model) if location is None else _saved_config(location)
    auto = _auto_class(auto_class, config)
    saved_labels = [name for _, name in sorted((config.id2label or {}).items())]
    _apply(config, label_names, problem_type, overrides or {})
    transformers.set_seed(seed)
    if location is None:
        model = _build(auto, config, config_model)
        report = HeadReport(tuple(name for name, _ in model.named_parameters()), (), from_scratch=True)
    else:
        model, info = _load(auto, config, config_model, location)
        new = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
        report = check_head(model, new, config_model.head, location.described)
        if info["unexpected_keys"]:
            logger.debug("the checkpoint also holds, unused: %s", ", ".join(sorted(info["unexpected_keys"])))
        _compare_labels(report, saved_labels, label_names)
    logger.info(
        "%s from %s: %s",
        type(model).__name__,
        location.described if location else "model.config",
        report.line(),
    )
    return LoadedModel(model, report)


def _saved_config(location: Location) -> PreTrainedConfig:
    with reading(location, "the model's configuration"):
        # Without an explicit False transformers asks on the terminal whether to run the checkpoint's code.
        return AutoConfig.from_pretrained(location.name_or_path, revision=location.revision, trust_remote_code=False)


def _built_config(config_model: ModelConfig) -> PreTrainedConfig:
    settings = dict(config_model.config or {})
    model_type = settings.pop("model_type", None)
    if model_type is None:
        message = "missing; it names the architecture (bert, vit, …)"
        raise ModelError(Problem("model.config.model_type", message))
    if model_type not in transformers.CONFIG_MAPPING:
        hint = did_you_mean(model_type, transformers.CONFIG_MAPPING.keys())
        message = f"no architecture {model_type!r}; {hint}"
        raise ModelError(Problem("model.config.model_type", message))
    _check_names(AutoConfig.for_model(model_type), settings, "model.config")
    try:
        return AutoConfig.for_model(model_type, **settings)
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise ModelError(Problem("model.config", f"refused by {model_type}: {error}")) from error


def _check_names(config: PreTrainedConfig, settings: Mapping[str, Any], key: str) -> None:
    unknown = [name for name in settings if not hasattr(config, name)]
    if unknown:
        allowed = [name for name in config.to_dict() if not name.startswith("_")]
        kind = config.model_type
        raise ModelError(
            [Problem(f"{key}.{n}", f"{kind} has no such setting; {did_you_mean(n, allowed)}") for n in unknown]
        )


def _apply(
    config: PreTrainedConfig, label_names: list[str], problem_type: str | None, overrides: Mapping[str, Any]
) -> None:
    _check_names(config, overrides, "model")
    for name, value in overrides.items():
        setattr(config, name, value)
    if label_names:
        config.id2label = dict(enumerate(label_names))
        config.label2id = {name: number for number, name in enumerate(label_names)}
    elif problem_type == "regression":
        config.num_labels = 1
    if label_names or problem_type:
        # Said even when None: a checkpoint's old kind of problem must not choose the new loss.
        config.problem_type = cast(Any, problem_type)


def _auto_class(name: str, config: PreTrainedConfig) -> Any:
    auto = getattr(transformers, name)
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


def _build(auto: Any, config: PreTrainedConfig, config_model: ModelConfig) -> PreTrainedModel:
    extra = _attention(config_model)
    try:
        return auto.from_config(
            config, dtype=DTYPES.get(config_model.dtype, torch.float32), trust_remote_code=False, **extra
        )
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        raise ModelError(Problem("model.config", f"no model can be built from it: {error}")) from error


def _load(
    auto: Any, config: PreTrainedConfig, config_model: ModelConfig, location: Location
) -> tuple[PreTrainedModel, dict[str, Any]]:
    with reading(location, "the weights"), _quiet():
        return auto.from_pretrained(
            location.name_or_path,
            config=config,
            revision=location.revision,
            dtype=DTYPES.get(config_model.dtype, "auto"),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            trust_remote_code=False,
            **_attention(config_model),
        )


def _attention(config_model: ModelConfig) -> dict[str, str]:
    name = config_model.attn_implementation
    return {} if name is None else {"attn_implementation": name}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers' own table of missing keys back: the head is checked and stated here."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def _compare_labels(report: HeadReport, old: list[str], label_names: list[str]) -> None:
    if not report.new and label_names and old != label_names:
        logger.warning(
            "the head came from the checkpoint, where its labels are %s; here they are %s: "
            "if the order or the meaning differs, its predictions start out wrong",
            ", ".join(map(str, old)),
            ", ".join(label_names),
        )
