"""The task of a finished run on the backbone of the current run, to be learned or scored again.

Knows the run's folder by what `tunebook.config.previous_run` reads of it; nothing of the Trainer.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tunebook.config import registry
from tunebook.config.model_groups import ModelConfig
from tunebook.config.previous_run import PreviousRun
from tunebook.data.encoding import encode_split, positions_of
from tunebook.data.label_noise import policy
from tunebook.data.prepare import PreparedData, rows_of
from tunebook.errors import DataError, ModelError, Problem, TunebookError
from tunebook.models.previous_head import under_previous_head
from tunebook.models.processor import load_image_processor, load_tokenizer
from tunebook.tasks.base import Task
from tunebook.training.losses.base import Loss, eval_loss_of, loss_of
from tunebook.training.processes import Processes

if TYPE_CHECKING:
    from tunebook.context import RunContext

logger = logging.getLogger("tunebook")


@dataclass(frozen=True)
class PreviousTask:
    """A previous task on this run's backbone: `model` has it under that run's frozen head.

    `data` are the prepared rows as that run had them, `splits` the encoded ones; both runs have the same processor.
    """

    run: PreviousRun
    task: Task
    data: PreparedData
    splits: dict[str, datasets.Dataset]
    model: PreTrainedModel
    processor: Any

    def collate(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Examples -> a batch."""
        return self.task.collate(examples, self.processor)

    def example_weights(self) -> np.ndarray | None:
        """How much each training example counts; None: every one counts 1."""
        weights = self.data.weights
        return None if weights is None else weights[positions_of(self.splits["train"])]

    def loss(self) -> Loss | None:
        """The loss that it was learned by; None: the model's own."""
        return loss_of(self.run.config, self.task, self.data.train_targets())

    def eval_loss(self) -> Loss | None:
        """The loss that its evaluation reports; None: the model's own."""
        return eval_loss_of(self.task, self.data.train_targets())

    def loss_sum(self, loss: Loss | None, batch: dict[str, Any]) -> torch.Tensor:
        """The losses of a batch, each times its weight, summed; a scalar with its graph."""
        return self.task.loss(self.task.forward(self.model, batch), batch, loss).total


def load_previous(context: RunContext, run: PreviousRun, splits: Sequence[str], key: str) -> PreviousTask:
    """Everything that is needed to learn or score a previous task.

    Raises:
        DataError: its rows cannot be read any more, or have changed.
        ModelError: its backbone or its processor differs from this run's.
    """
    processes, processor = context.processes, context.processor
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
        names = list(data.targets.names)
        previous = under_previous_head(context.model, run.model, task.auto_class, names, task.problem_type, key)
        wanted = {name: data.splits[name] for name in splits if name in data.splits}
        encoded = {
            name: encode_split(split, task, processor, previous.config, data.targets) for name, split in wanted.items()
        }
    if "train" in encoded:
        data, encoded["train"] = _as_cleaned(run, data, encoded["train"], processes)
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


def _as_cleaned(
    run: PreviousRun, data: PreparedData, encoded: datasets.Dataset, processes: Processes
) -> tuple[PreparedData, datasets.Dataset]:
    """The training rows without those, or with the weights, that the run chose for labels that are probably wrong."""
    record = policy.read(run.path)
    if record is None:
        return data, encoded

    def never(rows: datasets.Dataset) -> np.ndarray:
        raise RuntimeError("the record of the run names the rows")

    cleaned = policy.apply_policy(
        run.config.cleaning, data, encoded, never, run.config.dataset.split.seed, processes, record
    )
    return cleaned.data, cleaned.encoded
