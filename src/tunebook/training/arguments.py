"""Builds transformers' TrainingArguments from a checked configuration; the only place that does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from transformers import TrainingArguments

from tunebook.config.schema import Config
from tunebook.errors import ConfigurationError
from tunebook.evaluation import catalog
from tunebook.training import schedule_options
from tunebook.training.trainer_internals import limit_to_one_gpu

if TYPE_CHECKING:
    from tunebook.context import RunContext

_OURS = ("effective_batch_size", "train_sampling_strategy", "label_smoothing_factor")


def best_metric(config: Config) -> tuple[str, bool]:
    """The metric that picks the best checkpoint, without `eval_`, and whether more of it is better."""
    name = (config.hyperparameters.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    known = False if name == "loss" else catalog.direction(name)
    return name, bool(config.hyperparameters.greater_is_better) if known is None else known


def training_arguments(context: RunContext) -> TrainingArguments:
    """The Trainer's arguments.

    Raises:
        ConfigurationError: transformers refuses the settings.
    """
    config, layout, precision = context.config, context.layout, context.precision.name
    device, (metric, higher) = context.processes.state.device, best_metric(config)
    configured = {key: value for key, value in config.training_arguments().items() if key not in _OURS}
    evaluated = configured.get("eval_strategy", "no")
    settings: dict[str, Any] = {
        **configured,
        "output_dir": str(context.directory.checkpoints),
        "per_device_train_batch_size": layout.per_device,
        "gradient_accumulation_steps": layout.accumulation,
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        # transformers allows bf16 on a processor only when it is asked for by name.
        "use_cpu": device.type == "cpu",
        "save_strategy": configured.get("save_strategy", "epoch" if evaluated == "no" else evaluated),
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "logging_nan_inf_filter": False,
        "restore_callback_states_from_checkpoint": True,
        "disable_tqdm": configured.get("disable_tqdm", not sys.stderr.isatty()),
        "metric_for_best_model": f"eval_{metric}",
        "greater_is_better": higher,
    }
    if len(context.phases.phases) > 1:
        # Parameters of other phases get no gradient, also where layers are checkpointed.
        settings["ddp_find_unused_parameters"] = True
    settings |= _schedule(configured, higher)
    if settings["save_strategy"] == "steps" and "save_steps" not in configured and "eval_steps" in configured:
        settings["save_steps"] = configured["eval_steps"]
    try:
        arguments = TrainingArguments(**settings)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigurationError(f"transformers refuses these settings: {error}") from error
    limit_to_one_gpu(arguments)
    # Where neither bf16 nor fp16 is set, transformers takes the launcher's, whatever was chosen here.
    arguments.mixed_precision = "no" if precision == "float32" else precision
    return arguments


def _schedule(configured: dict[str, Any], higher: bool) -> dict[str, Any]:
    """transformers' settings of the schedule; our own schedules are made by `schedules`, not by transformers."""
    name = configured.get("lr_scheduler_type")
    if name in schedule_options.OWN:
        return {"lr_scheduler_type": "constant", "lr_scheduler_kwargs": None}
    if name in schedule_options.BY_METRIC:
        # By default it treats the metric as a loss, and lowers the rate while an accuracy rises.
        return {
            "lr_scheduler_kwargs": {"mode": "max" if higher else "min", **(configured.get("lr_scheduler_kwargs") or {})}
        }
    return {}
