"""The frozen-backbone cache of a run: whether it is on, and how the Trainer's forward passes start from its states.

Knows the configuration and the parts of a run; `models.cache` knows where a backbone ends and how states are stored.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import parse_flag_from_env
from torch import nn
from transformers import TrainerCallback

from tunebook.errors import FreezingError, Problem
from tunebook.models.cache.boundary import Boundary, batch_size_of, boundaries
from tunebook.models.cache.cache_store import GB
from tunebook.models.cache.computing import StateComputer, probe_batch, states_layout
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.placeholders import Placeholders
from tunebook.models.cache.replay import replayed_states
from tunebook.models.cache.validation import nearly_equal, validate
from tunebook.models.freezing import frozen_modules
from tunebook.models.train_mode import eval_mode
from tunebook.training.backbone_states import States, cache_folder, run_on_all
from tunebook.training.cached_rows import STATES, CachedRows, StatesCollator
from tunebook.training.evaluation_loop import EvalSplit
from tunebook.training.rows import TrainExamples

if TYPE_CHECKING:
    from tunebook.context import RunContext

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

    `placeholders` are in place of the model's inputs where nothing reads them; None: inputs are needed.
    """

    computing: StateComputer
    states: States
    placeholders: Placeholders | None
    context: RunContext

    def with_states(self, name: str) -> CachedRows:
        """The examples of a split, each with its states."""
        inputs = None if self.placeholders is None else self.computing.names
        return CachedRows(self.context.encoded[name], name, inputs)

    def train_examples(self) -> TrainExamples:
        """The training examples, with their states."""
        return TrainExamples(self.with_states("train"), self.context.train_examples.weights)

    def eval_split(self, split: EvalSplit) -> EvalSplit:
        """A split of the run that is evaluated, with its states."""
        return EvalSplit(split.name, split.rows, self.with_states(split.name), split.positions)

    def collator(self) -> StatesCollator:
        """Of examples with states, and of others."""
        task, processor, by_token = self.context.task, self.context.processor, self.computing.boundary.by_token
        return StatesCollator(task, processor, self.states.stored, self.placeholders, by_token)

    def forward_context(self, model: nn.Module, batch: dict[str, Any]) -> AbstractContextManager[None]:
        """The context of a forward pass: it starts from the states of the batch, if it has some."""
        states = batch.pop(STATES, None)
        if states is None:
            return nullcontext()
        return replayed_states(model, self.computing.boundary, states, batch_size_of(batch).tokens)

    def check(self) -> None:
        """Check that the frozen layers still give what is stored: a checkpoint may hold others than were loaded.

        Raises:
            FreezingError: they do not.
        """
        train = self.context.encoded["train"]
        numbers = list(range(min(COMPARED, len(train))))
        now = torch.cat([own.flatten() for own in self.computing.states(train.__getitems__(numbers))])
        if not nearly_equal(self.states.stored["train"].rows(numbers).flatten(), now.cpu(), self.computing.dtype):
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


def enable_cache(context: RunContext) -> BackboneCache | None:
    """The cache of a run, its states computed or read; None: it is off. A line in the log gives the reason."""
    runtime, splits = context.config.runtime, context.encoded
    try:
        _refuse(context)
        computing, placeholders = run_on_all(context.processes, lambda: _validated(context))
        layouts = run_on_all(
            context.processes, lambda: {name: states_layout(one, computing) for name, one in splits.items()}
        )
        states = States(context, computing, layouts, cache_folder(runtime.cache_dir), runtime.cache_gb * GB)
        states.get(reads=context.phases.total * context.layout.effective)
    except NotCacheable as reason:
        if context.main:
            logger.info("frozen-backbone cache: off, as %s", reason)
        return None
    return BackboneCache(computing, states, placeholders, context)


def _refuse(context: RunContext) -> None:
    """What follows from the configuration.

    Raises:
        NotCacheable: with the reason.
    """
    config, runtime = context.config, context.config.runtime
    if config.freezing.cache == "off":
        raise NotCacheable("freezing.cache says")
    if "backbone_cache" not in context.task.capabilities:
        raise NotCacheable(f"task={config.task.name} does not support it")
    if len(context.freezing.ever) == sum(1 for _ in context.model.named_parameters()):
        phased = " in some phase of the policy" if len(context.freezing.phases) > 1 else ""
        raise NotCacheable(f"every parameter trains{phased}")
    if context.train_examples.varied is not None:
        raise NotCacheable(f"augmentation.method={config.augmentation.method} changes the rows in every epoch")
    if runtime.activation_checkpointing:
        raise NotCacheable("runtime.activation_checkpointing runs layers once more in the backward pass")
    if runtime.torch_compile or runtime.torch_compile_backend:
        raise NotCacheable("runtime.torch_compile fixes which modules run")
    launched = parse_flag_from_env("ACCELERATE_USE_FSDP") or parse_flag_from_env("ACCELERATE_USE_DEEPSPEED")
    if launched or runtime.fsdp or runtime.deepspeed:
        raise NotCacheable("the weights are spread over the processes")


def _validated(context: RunContext) -> tuple[StateComputer, Placeholders | None]:
    """How states are computed at the first boundary that is validated.

    Raises:
        NotCacheable: there is none.
    """
    device = next(context.model.parameters()).device
    size = context.config.runtime.per_device_eval_batch_size or BATCH
    size = min(size, BATCH_ON_CPU) if device.type == "cpu" else size
    try:
        with eval_mode(context.model):
            batch = probe_batch(context.encoded.values(), context.collate, device)
            boundary, placeholders = _first_valid(context, batch)
    except MODEL_ERRORS as error:
        # Without the cache the run works as always; whatever is unusual about the model, it must not stop here.
        reason = f"the model does not run on rows by themselves ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise NotCacheable(reason) from error
    dtype = AUTOCAST.get(context.precision.name)
    return StateComputer(context.model, boundary, tuple(batch), context.collate, device, dtype, size), placeholders


def _first_valid(context: RunContext, batch: dict[str, torch.Tensor]) -> tuple[Boundary, Placeholders | None]:
    model, ever = context.model, context.freezing.ever
    refused = NotCacheable("nothing is frozen")
    for boundary in boundaries(model, ever, context.freezing.depth, batch):
        try:
            return boundary, validate(model, boundary, ever, frozen_modules(model), batch)
        except NotCacheable as reason:
            refused = reason
    raise refused
