"""The frozen-backbone cache of a run: whether it is on, and how the Trainer's forward passes start from its states.

Knows the configuration and the parts of a run; `models.cache` knows where a backbone ends and how states are stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import parse_flag_from_env
from transformers import TrainerCallback

from tunebook.config.schema import Config
from tunebook.errors import FreezingError, Problem
from tunebook.models.cache.boundary import Boundary, boundaries, size_of
from tunebook.models.cache.cache_store import GB
from tunebook.models.cache.filling import Computing, layout_of, probe
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.refusal import NotCacheable
from tunebook.models.cache.serving import serving
from tunebook.models.cache.validation import agree, validate
from tunebook.models.freezing import frozen_modules
from tunebook.models.modes import in_eval
from tunebook.training.backbone_states import States, cache_folder, run_on_all
from tunebook.training.batches import BatchLayout
from tunebook.training.build import Parts, phase_schedule_of
from tunebook.training.cached_rows import STATES, CachedRows, StatesCollator
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.rows import TrainRows

if TYPE_CHECKING:
    from tunebook.training.trainer import Forward, RecipeTrainer

logger = logging.getLogger("tunebook")
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
BATCH = 64
BATCH_ON_CPU = 8
"""Larger batches do not fit a CPU's own caches: of 64 images each took two and a half times as long."""
MODEL_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError)
COMPARED = 4
"""Examples whose states are compared when training begins."""


@dataclass(frozen=True)
class BackboneCache:
    """The states of every split in front of what trains, and how a forward pass starts from them.

    Args:
        computing: how the states were computed.
        states: of every split.
        placeholders: in place of the model's inputs, where nothing looks at them; None: inputs are needed.
        parts: of the run.
    """

    computing: Computing
    states: States
    placeholders: Placeholders | None
    parts: Parts

    def with_states(self, encoded: Any) -> Any:
        """An encoded split of the run with its states; any other is returned unchanged."""
        name = next((name for name, split in self.parts.splits.items() if split is encoded), None)
        inputs = None if self.placeholders is None else self.computing.names
        return encoded if name is None else CachedRows(encoded, name, inputs)

    def train_rows(self) -> TrainRows:
        """The training examples, with their states."""
        weights = getattr(self.parts.train_rows, "weights", None)
        return TrainRows(self.with_states(self.parts.splits["train"]), weights)

    def collator(self) -> StatesCollator:
        """Of examples with states, and of others."""
        task, processor, by_token = self.parts.task, self.parts.processor, self.computing.boundary.by_token
        return StatesCollator(task, processor, self.states.stored, self.placeholders, by_token)

    def forward_context(self, forward: Forward) -> AbstractContextManager[None]:
        """The context of a forward pass: it starts from the states of the batch, if it has some."""
        states = forward.inputs.pop(STATES, None)
        if states is None:
            return nullcontext()
        return serving(forward.model, self.computing.boundary, states, size_of(forward.inputs).tokens)

    def close(self) -> None:
        """The states on disk are not used any more; others may delete them."""
        self.states.close()

    def check(self) -> None:
        """Check that the frozen layers still give what is stored: a checkpoint may hold others than were loaded.

        Raises:
            FreezingError: they do not.
        """
        train = self.parts.splits["train"]
        numbers = list(range(min(COMPARED, len(train))))
        now = torch.cat([own.flatten() for own in self.computing.states(train.__getitems__(numbers))])
        if not agree(self.states.stored["train"].rows(numbers).flatten(), now.cpu(), self.computing.dtype):
            message = (
                "the frozen layers of the checkpoint are not those of model.name_or_path, whose files have changed "
                "since this run began; run.overwrite=true starts it again"
            )
            raise FreezingError(Problem("freezing.cache", message))


class CacheCheck(TrainerCallback):
    """Checks once, when the weights of a checkpoint are loaded, that the states belong to them."""

    def __init__(self, cache: BackboneCache) -> None:
        self.cache = cache

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Compare the states of a few examples."""
        self.cache.check()


def enable(
    trainer: RecipeTrainer,
    config: Config,
    parts: Parts,
    layout: BatchLayout,
    chosen: Precision,
    processes: Processes,
) -> BackboneCache | None:
    """Let a Trainer start its forward passes behind what is frozen, where that is possible and saves time.

    The states are computed now, or read. A line in the log says so, or why not; then everything runs as without it.

    Args:
        trainer: of the run, before it trains.
        config: of the run.
        parts: of the run.
        layout: of the effective batch.
        chosen: precision of the training, in which the states are computed too.
        processes: that train together; each computes its share.
    """
    reads = phase_schedule_of(config, parts, layout).total * layout.effective
    cache = backbone_cache(config, parts, reads, chosen, processes)
    if cache is not None:
        trainer.train_dataset, trainer.data_collator = cache.train_rows(), cache.collator()
        trainer.eval_dataset = cache.with_states(trainer.eval_dataset)
        trainer.eval_wrapper = cache.with_states
        # transformers counts what a forward of the whole model would compute, by looking at every parameter each time.
        trainer.floating_point_ops = lambda inputs: 0  # type: ignore[method-assign]
        trainer.forward_contexts = [cache.forward_context, *trainer.forward_contexts]
        trainer.add_callback(CacheCheck(cache))
    return cache


def backbone_cache(
    config: Config, parts: Parts, reads: int, chosen: Precision, processes: Processes
) -> BackboneCache | None:
    """The cache of a run, its states computed or read; None: it is off. A line in the log says which, and why.

    Args:
        config: of the run.
        parts: of the run.
        reads: training examples that the whole run reads, each as often as it is read.
        chosen: precision of the training, in which the states are computed too.
        processes: that train together; each computes its share.
    """
    try:
        _refuse(config, parts)
        computing, placeholders = run_on_all(processes, lambda: _validated(config, parts, chosen))
        layouts = run_on_all(processes, lambda: {name: layout_of(one, computing) for name, one in parts.splits.items()})
        folder, bound = cache_folder(config.runtime.cache_dir), config.runtime.cache_gb * GB
        states = States(parts, computing, layouts, folder, bound, processes)
        states.get(reads)
    except NotCacheable as reason:
        if processes.main:
            logger.info("frozen-backbone cache: off, as %s", reason)
        return None
    return BackboneCache(computing, states, placeholders, parts)


def _refuse(config: Config, parts: Parts) -> None:
    """What follows from the configuration.

    Raises:
        NotCacheable: with the reason.
    """
    runtime = config.runtime
    if config.freezing.cache == "off":
        raise NotCacheable("freezing.cache says")
    if "backbone_cache" not in parts.task.capabilities:
        raise NotCacheable(f"task={config.task.name} does not support it")
    if len(parts.freezing.ever) == sum(1 for _ in parts.model.named_parameters()):
        phased = " in some phase of the policy" if len(parts.freezing.phases) > 1 else ""
        raise NotCacheable(f"every parameter trains{phased}")
    if config.augmentation.method != "none" and getattr(parts.train_rows, "varied", None) is not None:
        raise NotCacheable(f"augmentation.method={config.augmentation.method} changes the rows in every epoch")
    if runtime.activation_checkpointing:
        raise NotCacheable("runtime.activation_checkpointing runs layers once more in the backward pass")
    if runtime.torch_compile or runtime.torch_compile_backend:
        raise NotCacheable("runtime.torch_compile fixes which modules run")
    launched = parse_flag_from_env("ACCELERATE_USE_FSDP") or parse_flag_from_env("ACCELERATE_USE_DEEPSPEED")
    if launched or runtime.fsdp or runtime.deepspeed:
        raise NotCacheable("the weights are spread over the processes")


def _validated(config: Config, parts: Parts, chosen: Precision) -> tuple[Computing, Placeholders | None]:
    """How states are computed at the first boundary that is validated.

    Raises:
        NotCacheable: there is none.
    """
    collate: Callable[..., Any] = partial(parts.task.collate, processor=parts.processor)
    device = next(parts.model.parameters()).device
    size = config.runtime.per_device_eval_batch_size or BATCH
    size = min(size, BATCH_ON_CPU) if device.type == "cpu" else size
    try:
        with in_eval(parts.model):
            batch = probe(parts.splits.values(), collate, device)
            boundary, placeholders = _first_valid(parts, batch)
    except MODEL_ERRORS as error:
        # Without the cache the run works as always; whatever is unusual about the model, it must not stop here.
        reason = f"the model does not run on rows by themselves ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise NotCacheable(reason) from error
    dtype = AUTOCAST.get(chosen.name)
    return Computing(parts.model, boundary, tuple(batch), collate, device, dtype, size), placeholders


def _first_valid(parts: Parts, batch: dict[str, torch.Tensor]) -> tuple[Boundary, Placeholders | None]:
    model, ever = parts.model, parts.freezing.ever
    refused = NotCacheable("nothing is frozen")
    for boundary in boundaries(model, ever, parts.freezing.depth, batch):
        try:
            return boundary, validate(model, boundary, ever, frozen_modules(model), batch)
        except NotCacheable as reason:
            refused = reason
    raise refused
