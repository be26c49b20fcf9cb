"""What a run learns from and with: its rows, cleaned and looked at, and the parts that are made for them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from tunebook.answers.base import Answer
from tunebook.config import adapter_rules, notices, rate_rules, registry
from tunebook.config.schema import Config
from tunebook.data.audit.audit import Audit, audit
from tunebook.data.audit.facts import facts_of
from tunebook.data.cleaning.findings import write_dropped
from tunebook.data.label_noise import treatment
from tunebook.data.prepare import PreparedData
from tunebook.data.rows import rows_of
from tunebook.data.sampling.base import Sampling, TrainLabels
from tunebook.errors import DataError, Problem
from tunebook.evaluation import catalog
from tunebook.evaluation.scorer import threshold_problems
from tunebook.models.adaptation.adapted import Adapted
from tunebook.models.adaptation.insert import AdapterBase, insert_adapter
from tunebook.models.features import features
from tunebook.models.load import LoadedModel, load_model
from tunebook.models.plan import FreezingPlan, plan_freezing, set_trained
from tunebook.models.quantized import require_gpu
from tunebook.models.reinitialize import require_trained
from tunebook.reporting.audit_page import audit_table, write_audit
from tunebook.run_directory import RunDirectory
from tunebook.training import build
from tunebook.training.batches import BatchLayout
from tunebook.training.loss import loss_of
from tunebook.training.losses.base import Loss
from tunebook.training.processes import Processes
from tunebook.training.rows import TrainRows, Varied

logger = logging.getLogger("tunebook")


def tell_notices(config: Config, processes: Processes) -> None:
    """Say which settings overlap; none of them keeps the run from starting."""
    if processes.main:
        for sentence in notices.notices(config):
            logger.warning("%s", sentence)
        for sentence in [*rate_rules.notices(config), *adapter_rules.notices(config)]:
            logger.info("%s", sentence)


def load_data(config: Config, directory: RunDirectory, processes: Processes) -> PreparedData:
    """Load, clean, split and check the rows; a run that is continued must find the same ones.

    Args:
        config: of the run.
        directory: of the run, which keeps the fingerprints.
        processes: that train together; the main one reads first.

    Raises:
        DataError: the rows cannot be used, or are not those that the run began with.
    """
    answer = registry.load("task", config.task.name).Task(config.task.options).answer
    with processes.main_first():
        data = rows_of(config)
    before = directory.record.get("data", {}).get("fingerprints")
    if before is not None and before != data.fingerprints:
        changed = [split for split in data.fingerprints if before.get(split) != data.fingerprints[split]]
        message = (
            f"the data of {', '.join(changed)} has changed since this run began; give the run another run.name, "
            "or run.overwrite=true to start it anew"
        )
        raise DataError(message)
    stated: dict[Any, str] = {**(config.dataset.fingerprints or {})}
    if other := [split for split, digest in data.fingerprints.items() if stated.get(split, digest) != digest]:
        message = f"differ from those of the run that the recipe was frozen from: {', '.join(other)}"
        raise DataError(Problem("dataset.fingerprints", f"the rows {message}; take the key out to train all the same"))
    if problems := misfits(config, data, answer):
        raise DataError(problems)
    if processes.main:
        rows = {name: len(part) for name, part in data.splits.items()}
        counts = ", ".join(f"{count:,} {split}" for split, count in rows.items())
        names = ", ".join(data.label_names[:10]) + (f", … ({len(data.label_names)})" if data.label_names[10:] else "")
        logger.info("rows: %s; labels: %s", counts, names or "numbers")
        directory.update(data={"fingerprints": data.fingerprints, "rows": rows, "labels": data.label_names})
    return data


def misfits(config: Config, data: PreparedData, answer: Answer) -> list[Problem]:
    """What the recipe asks of the rows and they do not have: a validation split, the labels that it names."""
    found = [
        *threshold_problems(answer, data.label_names, data.splits),
        *catalog.unknown_labels(config.task.metrics, data.label_names, "task.metrics"),
    ]
    if "validation" not in data.splits and config.hyperparameters.eval_strategy not in {None, "no"}:
        message = (
            "there is none, and evaluations were asked for: give dataset.validation, carve one with dataset.split.validation=0.1, or set "
            "hyperparameters.eval_strategy=no hyperparameters.load_best_model_at_end=false"
        )
        found.append(Problem("validation split", message))
    return found


def load_parts(
    config: Config, data: PreparedData, directory: RunDirectory, processes: Processes
) -> tuple[PreparedData, build.Parts]:
    """The model with its processor, the encoded splits, how they are drawn and varied, and what is frozen.

    Labels that are probably wrong are looked for here, as that takes the model; the data comes back as cleaning says.
    """
    task = registry.load("task", config.task.name).Task(config.task.options)
    answer, seed = task.answer, config.hyperparameters.seed
    drawn_and_judged(config, data, answer)  # mistakes in weights and the like are told before a model is loaded
    bits = getattr(config.adapter.options, "bits", None)
    if bits:
        require_gpu()
    with processes.main_first():
        loaded = load_model(config.model, task.auto_class, data.label_names, answer.problem_type, seed, bits=bits)
        processor = task.load_processor(config.model)
        splits = {name: task.encode(split, processor, loaded.model) for name, split in data.splits.items()}

    treated = treatment.treat(
        config.cleaning,
        data,
        splits["train"],
        lambda rows: features(loaded.model, rows, task.collator(processor), processes.state.device),
        answer.kind,
        config.dataset.split.seed,
        processes,
        before=treatment.read(directory.path) if processes.main and not directory.replaces else None,
        share=config.cleaning.label_noise_share,
    )
    data, splits["train"] = treated.data, treated.encoded

    train = data.splits["train"]
    labels, sampling, loss = drawn_and_judged(config, data, answer)
    method = registry.load("augmentation", config.augmentation.method)
    augmentation = method.Augmentation(config.augmentation.options, seed)
    varied = Varied(train, augmentation, task, processor, loaded.model.config) if augmentation.active else None
    train_rows = TrainRows(splits["train"], data.weights, varied)
    freezing, adapted = planned(config, loaded, getattr(processor, "model_max_length", None))
    model = loaded.model if adapted is None else adapted.model
    require_trained(model, loaded.reinitialized, freezing.ever)
    set_trained(model, freezing.ever)
    return data, build.Parts(
        task=task,
        model=model,
        processor=processor,
        splits=splits,
        train_rows=train_rows,
        labels=labels,
        sampling=sampling,
        loss=loss,
        freezing=freezing,
        adapted=adapted,
        label_noise=treated.record,
    )


def planned(config: Config, loaded: LoadedModel, longest: int | None) -> tuple[FreezingPlan, Adapted | None]:
    """What trains and when, and the model with its adapter where it gets one.

    Freezing says where the adapter goes, then for the adapted model when what trains.
    """
    freezing = plan_freezing(loaded.model, config.freezing)
    if config.adapter.method == "none":
        return freezing, None
    seed, base = config.hyperparameters.seed, AdapterBase.of(config.model)
    adapted = insert_adapter(loaded, config.adapter, freezing.ever, base, seed, longest)
    return plan_freezing(adapted.model, config.freezing, adapted.fixed), adapted


def drawn_and_judged(config: Config, data: PreparedData, answer: Answer) -> tuple[TrainLabels, Sampling, Loss]:
    """The training labels, how their rows are drawn and how answers are judged against them."""
    names = tuple(data.label_names)
    labels = TrainLabels(answer.kind, names, np.asarray(data.splits["train"]["label"][:]))
    sampling = registry.load("sampling", config.sampling.method).Sampling(config.sampling.options, labels)
    return labels, sampling, loss_of(config, answer, labels)


def look_at_data(
    config: Config,
    data: PreparedData,
    parts: build.Parts,
    layout: BatchLayout,
    processes: Processes,
) -> Audit | None:
    """The audit of a run's data, by the main process, as a table in the log; None on the others, or not wanted."""
    if not (config.run.audit and processes.main):
        return None
    lengths = {
        name: np.asarray(split["length"][:]) for name, split in parts.splits.items() if "length" in split.column_names
    }
    facts = facts_of(config, parts.task.answer.kind, layout.effective, lengths, parts.processor)
    seen = audit(data, facts)
    logger.info("%s", audit_table(seen))
    return seen


def keep(config: Config, data: PreparedData, parts: build.Parts, seen: Audit | None, directory: RunDirectory) -> None:
    """Write what was found into the run directory: audit, suspects of wrong labels, rows that were left out."""
    if seen is not None:
        write_audit(directory.path, seen, config.run.recipe)
    treatment.write(directory.path, parts.label_noise)
    if data.dropped:
        write_dropped(directory.path / build.DROPPED, data.dropped)
