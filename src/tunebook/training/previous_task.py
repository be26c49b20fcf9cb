"""The task of a finished run on the backbone of the current run, to be learned or scored again.

Knows the run's folder by what `tunebook.config.previous_run` reads of it; nothing of the Trainer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import datasets
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tunebook.config import registry
from tunebook.config.model_groups import ModelConfig
from tunebook.config.previous_run import PreviousRun
from tunebook.data.label_noise import treatment
from tunebook.data.prepare import PreparedData
from tunebook.data.rows import rows_of
from tunebook.data.sampling.base import TrainLabels
from tunebook.errors import DataError, ModelError, Problem, TunebookError
from tunebook.models.previous_head import under_previous_head
from tunebook.models.processor import load_image_processor, load_tokenizer
from tunebook.tasks.base import Task
from tunebook.training.loss import loss_of
from tunebook.training.losses.base import Loss
from tunebook.training.processes import Processes

logger = logging.getLogger("tunebook")


@dataclass(frozen=True)
class PreviousTask:
    """A previous task on this run's backbone.

    Args:
        run: that learned it.
        task: that it learned.
        data: its prepared rows, as that run had them.
        splits: encoded, those that were requested.
        model: this run's backbone under that run's frozen head.
        processor: of this run, which is that run's too.
    """

    run: PreviousRun
    task: Task
    data: PreparedData
    splits: dict[str, datasets.Dataset]
    model: PreTrainedModel
    processor: Any

    @property
    def collate(self) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Encoded examples -> a batch."""
        return partial(self.task.collate, processor=self.processor)

    def loss(self) -> Loss:
        """The loss that it was learned with."""
        answer, train = self.task.answer, self.data.splits["train"]
        labels = TrainLabels(answer.kind, tuple(self.data.label_names), np.asarray(train["label"][:]))
        return loss_of(self.run.config, answer, labels)

    def loss_sum(self, loss: Loss, batch: dict[str, Any]) -> torch.Tensor:
        """The losses of a batch, each times its weight, summed; a scalar with its graph."""
        return self.task.loss(self.task.forward(self.model, batch), batch, loss).total


def load_previous(
    run: PreviousRun, model: PreTrainedModel, processor: Any, processes: Processes, splits: Sequence[str], key: str
) -> PreviousTask:
    """Load what is needed to learn or score a previous task.

    Args:
        run: as read from its folder.
        model: in training.
        processor: of this run.
        processes: that train together; the main one reads first.
        splits: to encode; those that the run does not have are left out.
        key: that names the run, for messages.

    Raises:
        DataError: its rows cannot be read any more, or have changed.
        ModelError: its backbone or its processor differs from this run's.
    """
    task = registry.load("task", run.config.task.name).Task(run.config.task.options)
    if processes.main:
        logger.info("previous run %s (%s):", run.title, key)
    with processes.main_first():
        try:
            data = rows_of(run.config, task, run.cwd)
        except TunebookError as error:
            raise DataError([Problem(key, f"{run.title}: {one.key} {one.message}") for one in error.problems]) from None
        _require_same_rows(run, data, key)
        _require_same_processor(run, processor, key)
        previous = under_previous_head(
            model, run.model, task.auto_class, data.label_names, task.answer.problem_type, key
        )
        wanted = {name: data.splits[name] for name in splits if name in data.splits}
        encoded = {name: task.encode(split, processor, previous) for name, split in wanted.items()}
    if "train" in encoded:
        data, encoded["train"] = _with_policy(run, data, encoded["train"], task, processes)
    return PreviousTask(run, task, data, encoded, previous, processor)


def _require_same_rows(run: PreviousRun, data: PreparedData, key: str) -> None:
    changed = [split for split, digest in run.fingerprints.items() if data.fingerprints.get(split) != digest]
    if changed:
        message = (
            f"the rows of {run.title} have changed since it ran ({', '.join(changed)}), so that its figures cannot be "
            "compared; restore them, or run it again"
        )
        raise DataError(Problem(key, message))


def _require_same_processor(run: PreviousRun, processor: Any, key: str) -> None:
    """The previous rows are encoded by this run's processor, which must do the same as the previous run's."""
    wanted = ModelConfig(name_or_path=str(run.model.resolve()))
    if isinstance(processor, PreTrainedTokenizerBase):
        same = _tokenizes(load_tokenizer(wanted)) == _tokenizes(processor)
    else:
        same = load_image_processor(wanted).to_dict() == processor.to_dict()
    if not same:
        what = "tokenizer" if isinstance(processor, PreTrainedTokenizerBase) else "image processor"
        message = f"{run.title} has another {what}, so that both tasks cannot share a backbone; start from its model"
        raise ModelError(Problem(key, message))


def _tokenizes(tokenizer: PreTrainedTokenizerBase) -> tuple[Any, ...]:
    """What determines the ids of a text, without truncation and padding."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return type(tokenizer), tokenizer.get_vocab()
    plain = Tokenizer.from_str(backend.to_str())
    plain.no_truncation()
    plain.no_padding()
    return plain.to_str(), tokenizer.all_special_tokens


def _with_policy(
    run: PreviousRun, data: PreparedData, encoded: datasets.Dataset, task: Task, processes: Processes
) -> tuple[PreparedData, datasets.Dataset]:
    """The training rows after the run's policy for labels that are probably wrong: some dropped, or with weights."""
    recorded = treatment.read(run.path)
    if recorded is None:
        return data, encoded

    def never(rows: datasets.Dataset) -> np.ndarray:
        raise RuntimeError("the run recorded which rows")

    seed = run.config.dataset.split.seed
    treated = treatment.treat(run.config.cleaning, data, encoded, never, task.answer.kind, seed, processes, recorded)
    return treated.data, treated.encoded
