"""The typed form of a configuration: what each group may hold. Knows pydantic and the registry, not Hydra."""

from __future__ import annotations

import functools
import typing
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from tunebook.config import registry
from tunebook.config.data_groups import AugmentationConfig, CleaningConfig, DatasetConfig, SamplingConfig
from tunebook.config.model_groups import (
    AdapterConfig,
    EvaluationConfig,
    FreezingConfig,
    ModelConfig,
    RegularizationConfig,
)
from tunebook.config.options import Options
from tunebook.config.training_fields import group_of, training_fields


class TaskConfig(Options):
    """What is learned. `options` are the task's own (its module's `Options`)."""

    name: str
    metrics: list[str] = Field(min_length=1)
    options: Options


class LossConfig(Options):
    """What training minimizes. `options` are the loss's own."""

    name: str
    options: Options


class RunConfig(Options):
    """Where the run is.

    Args:
        name: of the run directory; default: seed and a short hash of the configuration.
        recipe: of the folder above it; default: the recipe's name.
        output_dir: the root of all runs.
        overwrite: delete a run of the same name first.
        audit: look at the data before training, and write audit.json and audit.html.
    """

    name: str | None = Field(default=None, pattern=r"^[\w][\w.+=-]*$")
    recipe: str = Field(default="default", pattern=r"^[\w][\w.+=/-]*$")
    output_dir: str = "outputs"
    overwrite: bool = False
    audit: bool = True


def _no_is_a_word(value: Any) -> Any:
    # YAML 1.1 reads the bare word `no`, which is one of transformers' strategies, as false.
    return "no" if value is False else value


_LIMITS: dict[str, Any] = {
    "learning_rate": Field(gt=0),
    "num_train_epochs": Field(gt=0),
    "per_device_train_batch_size": Field(ge=1),
    "per_device_eval_batch_size": Field(ge=1),
    "gradient_accumulation_steps": Field(ge=1),
    "warmup_steps": Field(ge=0),
    "weight_decay": Field(ge=0),
    "max_grad_norm": Field(ge=0),
    "max_steps": Field(ge=-1),
    "label_smoothing_factor": Field(ge=0, lt=1),
    "data_seed": Field(ge=0, lt=2**32),
    "adam_beta1": Field(ge=0, lt=1),
    "adam_beta2": Field(ge=0, lt=1),
    "adam_epsilon": Field(gt=0),
    "logging_steps": Field(gt=0),
    "eval_steps": Field(gt=0),
    "save_steps": Field(gt=0),
    "save_total_limit": Field(ge=1),
    "dataloader_num_workers": Field(ge=0),
}


class PatternRate(Options):
    """A learning rate for some parameters.

    Args:
        pattern: regular expression, searched anywhere in a parameter's name.
        learning_rate: of the parameters that it finds; the schedule and phases scale it as they scale the others.
    """

    pattern: str
    learning_rate: float = Field(ge=0)


OWN_SCHEDULERS = ("one_cycle", "slanted_triangular")
Scheduler = Literal[(*typing.get_args(training_fields()["lr_scheduler_type"].type), *OWN_SCHEDULERS)]  # type: ignore[valid-type]


class _HyperparametersBase(Options):
    """Fields of `TrainingArguments` that change the model, and:

    Args:
        effective_batch_size: rows per optimizer step over all devices; accumulation follows from it.
        early_stopping_patience: evaluations without a better metric before training stops.
        early_stopping_threshold: how much better counts as better.
        seed: of the head's initialisation, dropout and the order of rows.
        train_sampling_strategy: order of the training rows; length grouping never touches evaluation.
        layer_lr_decay: learning rate of each layer over that of the one above it, 0 to 1; the head is the topmost
            layer and has `learning_rate`, the embeddings are the lowest (ELECTRA: 0.8 to 0.9; ULMFiT: 1 / 2.6).
        lowest_learning_rate: of the embeddings; the layers between them and the head are spaced geometrically
            (fastai's `slice(lowest, highest)`). In place of `layer_lr_decay`.
        learning_rates: patterns over parameter names, each with its own rate; the first that matches decides.
        decay_norms_and_biases: whether `weight_decay` also pulls at normalisation layers and biases.
        lr_scheduler_type: transformers' schedules, and `one_cycle` (Smith 2018, arXiv 1803.09820) and
            `slanted_triangular` (Howard and Ruder 2018, arXiv 1801.06146). `lr_scheduler_kwargs` has their options:
            pct_start, div, div_final and moms of the one, cut_frac and ratio of the other.
    """

    effective_batch_size: int | None = Field(default=None, ge=1)
    early_stopping_patience: int | None = Field(default=None, ge=1)
    early_stopping_threshold: float = Field(default=0.0, ge=0)
    seed: int = Field(default=42, ge=0, lt=2**32)
    train_sampling_strategy: Literal["random", "group_by_length", "sequential"] = "random"
    layer_lr_decay: float | None = Field(default=None, gt=0, le=1)
    lowest_learning_rate: float | None = Field(default=None, gt=0)
    learning_rates: list[PatternRate] = []
    decay_norms_and_biases: bool = False
    lr_scheduler_type: Scheduler | None = None  # type: ignore[valid-type]


class _RuntimeBase(Options):
    """Fields of `TrainingArguments` that change only how it runs, and:

    Args:
        precision: of the arithmetic; `auto`: the launcher's, else bf16 if the device has it in hardware.
        cache_dir: of computed outputs of frozen layers (`freezing.cache`), shared by runs; None: `backbone-cache` in
            `TUNEBOOK_CACHE`, else in ~/.cache/tunebook.
        cache_gb: how many GB (1e9 bytes) all of them may take; the ones that were not used for longest go first.
    """

    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    cache_dir: str | None = None
    cache_gb: float = Field(default=20.0, gt=0)


def _with_training_fields(name: str, base: type[Options]) -> type[Options]:
    group = name.lower()
    fields: dict[str, Any] = {}
    for field in training_fields().values():
        if group_of(field.name) != group or field.name in base.model_fields:
            continue
        kind = field.type
        if "no" in typing.get_args(kind):
            kind = Annotated[kind, BeforeValidator(_no_is_a_word)]
        if field.name in _LIMITS:
            kind = Annotated[kind, _LIMITS[field.name]]
        fields[field.name] = (kind | None if kind is not Any else Any, None)
    return create_model(name, __base__=base, __doc__=base.__doc__, **fields)


Hyperparameters = _with_training_fields("Hyperparameters", _HyperparametersBase)
Runtime = _with_training_fields("Runtime", _RuntimeBase)


NAMED: dict[str, tuple[type[Options], str, str]] = {
    "task": (TaskConfig, "name", "task"),
    "dataset": (DatasetConfig, "source", "source"),
    "sampling": (SamplingConfig, "method", "sampling"),
    "augmentation": (AugmentationConfig, "method", "augmentation"),
    "loss": (LossConfig, "name", "loss"),
    "freezing": (FreezingConfig, "policy", "policy"),
    "adapter": (AdapterConfig, "method", "adapter"),
}
"""Groups with options of a module: group -> (its model, the key that names the module, the kind of module)."""

PLAIN: dict[str, type[Options]] = {
    "model": ModelConfig,
    "cleaning": CleaningConfig,
    "regularization": RegularizationConfig,
    "evaluation": EvaluationConfig,
    "hyperparameters": Hyperparameters,
    "runtime": Runtime,
    "run": RunConfig,
}
"""The other groups: group -> its model, see `model_of`."""

RENAMED_KEYS = {"evaluation.keep": "evaluation.retention"}
"""Keys of earlier versions -> their names now."""


@functools.cache
def model_of(group: str) -> type[Options]:
    """The model of a group without a selector; `regularization` has one key for each method that is installed."""
    if group != "regularization":
        return PLAIN[group]
    methods: dict[str, Any] = {
        name: (registry.load("regularization", name).Options | None, None) for name in registry.names("regularization")
    }
    return create_model(
        "RegularizationConfig", __base__=RegularizationConfig, __doc__=RegularizationConfig.__doc__, **methods
    )


class Config(Options):
    """A complete, checked configuration."""

    task: TaskConfig
    model: ModelConfig
    dataset: DatasetConfig
    cleaning: CleaningConfig
    sampling: SamplingConfig
    augmentation: AugmentationConfig
    loss: LossConfig
    freezing: FreezingConfig
    adapter: AdapterConfig
    regularization: Any
    evaluation: EvaluationConfig
    hyperparameters: Any
    runtime: Any
    run: RunConfig

    def training_arguments(self) -> dict[str, Any]:
        """The fields of `TrainingArguments` that the recipe sets, without Tunebook's own."""
        given = self.hyperparameters.model_dump(exclude_none=True, exclude_unset=True)
        given |= self.runtime.model_dump(exclude_none=True, exclude_unset=True)
        return {name: value for name, value in given.items() if name in training_fields()}
