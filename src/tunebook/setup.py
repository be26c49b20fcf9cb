"""Builds everything that a run is made of, once: rows, model, examples, freezing, precision. Trains nothing."""

from __future__ import annotations

import dataclasses
import logging
import math
from dataclasses import dataclass
from typing import Any

import datasets
from transformers import PreTrainedTokenizerBase, TrainingArguments

from tunebook.check import notices
from tunebook.config import registry
from tunebook.config.schema import Config
from tunebook.context import RunContext
from tunebook.data.encoding import encode_split, positions_of
from tunebook.data.label_noise import policy
from tunebook.data.prepare import PreparedData, rows_of
from tunebook.data.sampling.base import Sampling
from tunebook.errors import DataError, Problem
from tunebook.evaluation import catalog
from tunebook.models.adaptation.adapted import Adapted
from tunebook.models.adaptation.insert import AdapterBase, insert_adapter
from tunebook.models.features import features
from tunebook.models.load import LoadedModel, load_model
from tunebook.models.plan import FreezingPlan, plan_freezing, set_trained
from tunebook.models.processor import set_padding
from tunebook.models.quantized import require_gpu
from tunebook.models.reinitialize import require_trained
from tunebook.session import Session
from tunebook.tasks.base import Task
from tunebook.training.batches import BatchLayout, batch_layout
from tunebook.training.evaluation_loop import EvalSplit
from tunebook.training.losses.base import Loss, eval_loss_of, loss_of
from tunebook.training.phase_schedule import PhaseSchedule, phase_schedule
from tunebook.training.precision import precision_of_run
from tunebook.training.rates import base_rate
from tunebook.training.rows import TrainExamples, Varied

logger = logging.getLogger("tunebook")

EVALUATED = ("validation", "test")


def build_context(session: Session) -> RunContext:
    """Everything that a run is made of.

    Raises:
        DataError: the rows cannot be used, or are not those that the run began with.
        ModelError: the model does not fit the task.
        ConfigurationError: settings do not fit the data or the processes.
    """
    processes = session.processes
    layout = layout_of(session.config, processes.count)
    config = with_effective_batch(session.config, layout)
    for sentence in notices(config) if processes.main else []:
        logger.warning("%s", sentence)
    task: Task = registry.load("task", config.task.name).Task(config.task.options)
    data = load_data(config, task, session)
    data, model, examples, label_noise = _encoded(config, task, data, session)
    sampling, loss, eval_loss = sampling_and_losses(config, task, data, len(examples["train"]))
    freezing, adapted = _frozen(config, model)
    whole = model.loaded.model if adapted is None else adapted.model
    require_trained(whole, model.loaded.reinitialized, freezing.ever)
    set_trained(whole, freezing.ever)
    whole.to(processes.state.device)
    return RunContext(
        session=session,
        config=config,
        layout=layout,
        task=task,
        data=data,
        model=whole,
        processor=model.processor,
        encoded=examples,
        train_examples=_train_examples(config, task, data, model, examples["train"]),
        eval_splits={
            name: EvalSplit(name, data.splits[name], examples[name]) for name in EVALUATED if name in examples
        },
        sampling=sampling,
        loss=loss,
        eval_loss=eval_loss,
        freezing=freezing,
        phases=_phases(config, freezing, math.ceil(sampling.rows / layout.effective)),
        precision=precision_of_run(config.runtime.precision, session.directory, processes),
        adapted=adapted,
        label_noise=label_noise,
    )


def layout_of(config: Config, processes: int) -> BatchLayout:
    """How the effective batch is divided."""
    wanted = config.hyperparameters
    per_device, accumulation = wanted.per_device_train_batch_size or 8, wanted.gradient_accumulation_steps or 1
    return batch_layout(wanted.effective_batch_size, per_device, processes, accumulation)


def with_effective_batch(config: Config, layout: BatchLayout) -> Config:
    """The configuration with the effective batch spelled out.

    Left to the number of processes it would shape the model without being stated: neither a resumed run nor a frozen
    recipe would notice that there are more or fewer of them.
    """
    if config.hyperparameters.effective_batch_size is not None:
        return config
    stated = {"effective_batch_size": layout.effective, "gradient_accumulation_steps": None}
    return config.model_copy(update={"hyperparameters": config.hyperparameters.model_copy(update=stated)})


# ---- data ----


def load_data(config: Config, task: Task, session: Session) -> PreparedData:
    """Load, clean, split and check the rows; a run that is continued must find the same ones.

    Raises:
        DataError: the rows cannot be used, or are not those that the run began with.
    """
    directory, processes = session.directory, session.processes
    with processes.main_first():
        data = rows_of(config, task)
    before = directory.record.get("data", {}).get("fingerprints", data.fingerprints)
    if changed := [split for split, digest in data.fingerprints.items() if before.get(split) != digest]:
        message = (
            f"the data of {', '.join(changed)} has changed since this run began; give the run another run.name, "
            "or run.overwrite=true to start it again"
        )
        raise DataError(message)
    stated: dict[Any, str] = {**(config.dataset.fingerprints or {})}
    if other := [split for split, digest in data.fingerprints.items() if stated.get(split, digest) != digest]:
        message = f"differ from those of the run that the recipe was frozen from: {', '.join(other)}"
        raise DataError(Problem("dataset.fingerprints", f"the rows {message}; take the key out to train all the same"))
    if problems := misfits(config, task, data):
        raise DataError(problems)
    sampling_and_losses(config, task, data)  # mistakes in weights and the like come before a model is loaded
    if processes.main:
        rows = {name: len(part) for name, part in data.splits.items()}
        names = data.targets.names
        counts = ", ".join(f"{count:,} {split}" for split, count in rows.items())
        shown = ", ".join(names[:10]) + (f", … ({len(names)})" if names[10:] else "")
        kind = "numbers" if task.labels is not None else f"none, the task is {config.task.name}"
        logger.info("rows: %s; labels: %s", counts, shown or kind)
        directory.update(data={"fingerprints": data.fingerprints, "rows": rows, "labels": list(names)})
    return data


def misfits(config: Config, task: Task, data: PreparedData, evaluates: bool = True) -> list[Problem]:
    """What the recipe asks of the rows and they do not have: a validation split, the labels that it names."""
    problems = [
        *task.misfits(data.targets, data.splits),
        *catalog.unknown_labels(config.task.metrics, list(data.targets.names), "task.metrics"),
    ]
    if evaluates and "validation" not in data.splits and config.hyperparameters.eval_strategy not in {None, "no"}:
        message = (
            "there is none, and evaluations were asked for: give dataset.validation, carve one with "
            "dataset.split.validation=0.1, or set hyperparameters.eval_strategy=no "
            "hyperparameters.load_best_model_at_end=false"
        )
        problems.append(Problem("validation split", message))
    return problems


def sampling_and_losses(
    config: Config, task: Task, data: PreparedData, examples: int | None = None
) -> tuple[Sampling, Loss | None, Loss | None]:
    """Which of so many training examples (None: one a row) an epoch holds, and the losses that train and evaluate."""
    targets = data.train_targets()
    one_each = examples in {None, len(data.splits["train"])}
    sampled = targets if one_each else dataclasses.replace(targets, values=range(examples or 0))
    sampling = registry.load("sampling", config.sampling.method).Sampling(config.sampling.options, sampled)
    return sampling, loss_of(config, task, targets), eval_loss_of(task, targets)


# ---- model ----


@dataclass(frozen=True)
class _Model:
    loaded: LoadedModel
    processor: Any


def _encoded(
    config: Config, task: Task, data: PreparedData, session: Session
) -> tuple[PreparedData, _Model, dict[str, datasets.Dataset], dict[str, Any] | None]:
    """The rows and their examples, after the search for wrong labels, which takes the model."""
    directory, processes = session.directory, session.processes
    if bits := getattr(config.adapter.options, "bits", None):
        require_gpu()
    names, seed = list(data.targets.names), config.hyperparameters.seed
    with processes.main_first():
        loaded = load_model(config.model, task.auto_class, names, task.problem_type, seed, bits=bits)
        processor = task.load_processor(config.model)
        if isinstance(processor, PreTrainedTokenizerBase):
            set_padding(loaded.model, processor)
        if hasattr(task, "prepare_model"):
            task.prepare_model(loaded.model, processor)
        examples = {
            name: encode_split(split, task, processor, loaded.model.config, data.targets)
            for name, split in data.splits.items()
        }
        if hasattr(task, "check_examples"):
            for name, split in data.splits.items():
                task.check_examples(name, split, examples[name], processor)
    if hasattr(task, "preview") and processes.main:
        logger.info("%s", task.preview(examples["train"], processor))
    cleaned = policy.apply_policy(
        config.cleaning,
        data,
        examples["train"],
        lambda rows: features(loaded.model, rows, lambda some: task.collate(some, processor), processes.state.device),
        config.dataset.split.seed,
        processes,
        before=policy.read(directory.path) if processes.main and not directory.replaces else None,
    )
    examples["train"] = cleaned.encoded
    return cleaned.data, _Model(loaded, processor), examples, cleaned.record


def _train_examples(
    config: Config, task: Task, data: PreparedData, model: _Model, encoded: datasets.Dataset
) -> TrainExamples:
    method = registry.load("augmentation", config.augmentation.method)
    augmentation = method.Augmentation(config.augmentation.options, config.hyperparameters.seed)
    varied = None
    if augmentation.active:
        rows, settings = data.splits["train"], model.loaded.model.config
        varied = Varied(rows, augmentation, task, model.processor, settings, data.targets)
    weights = data.weights
    if weights is not None and len(encoded) != len(weights):
        weights = weights[positions_of(encoded)]
    return TrainExamples(encoded, weights, varied)


def _frozen(config: Config, model: _Model) -> tuple[FreezingPlan, Adapted | None]:
    """What trains and when, and the model with its adapter where it gets one.

    The freezing plan decides where the adapter goes, then for the adapted model when what trains.
    """
    loaded = model.loaded
    freezing = plan_freezing(loaded.model, config.freezing)
    if config.adapter.method == "none":
        return freezing, None
    seed, base = config.hyperparameters.seed, AdapterBase.of(config.model)
    longest = getattr(model.processor, "model_max_length", None)
    adapted = insert_adapter(loaded, config.adapter, freezing.ever, base, seed, longest)
    return plan_freezing(adapted.model, config.freezing, adapted.fixed), adapted


def _phases(config: Config, freezing: FreezingPlan, per_epoch: int) -> PhaseSchedule:
    """The phases of the run in optimizer steps.

    Raises:
        FreezingError: they do not fit the length of the training.
    """
    wanted = config.hyperparameters
    epochs = TrainingArguments.num_train_epochs if wanted.num_train_epochs is None else wanted.num_train_epochs
    bounded = wanted.max_steps is not None and wanted.max_steps > 0
    total = wanted.max_steps if bounded else math.ceil(epochs * per_epoch)
    return phase_schedule(freezing, per_epoch, total, base_rate(wanted))
