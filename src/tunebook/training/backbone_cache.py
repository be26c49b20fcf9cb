"""The frozen-backbone cache of a run: whether it is on, and how the Trainer's forward passes are served from it.

Knows the configuration and the parts of a run; where a backbone ends, and how states are kept and put back, lies in
`models.cache`.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import parse_flag_from_env
from transformers import TrainerCallback

from tunebook.config.schema import Config
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
from tunebook.training.backbone_states import States, agreed, folder_of
from tunebook.training.batches import BatchLayout
from tunebook.training.build import Parts, phase_schedule_of
from tunebook.training.cached_rows import STATES, CachedRows, Joining
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.rows import TrainRows

if TYPE_CHECKING:
    from tunebook.training.trainer import Forward, RecipeTrainer

logger = logging.getLogger("tunebook")
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
BATCH = 64
ON_A_PROCESSOR = 8
"""Rows at once on a CPU, where larger batches leave its caches: of 64 images each took two and a half times as long."""
ODD = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError)
LOOKED_AT = 4
"""Rows whose states are compared when training begins."""


@dataclass(frozen=True)
class BackboneCache:
    """The states of every split in front of what trains, and how a forward pass begins there.

    Args:
        computing: how the states were computed.
        states: of every split.
        placeholders: for the model's inputs, where nothing looks at them.
        parts: of the run.
    """

    computing: StateComputer
    states: States
    placeholders: Placeholders | None
    parts: Parts

    def rows(self, encoded: Any) -> Any:
        """What is read in place of an encoded split; others than the run's own are read as they are."""
        name = next((name for name, split in self.parts.splits.items() if split is encoded), None)
        return encoded if name is None else CachedRows(encoded, name, self.placeholders is not None)

    def train_rows(self) -> TrainRows:
        """The training rows, with their states."""
        weights = getattr(self.parts.train_rows, "weights", None)
        return TrainRows(self.rows(self.parts.splits["train"]), weights)

    def collator(self) -> Joining:
        """Of rows with states, and of others."""
        by_token = self.computing.boundary.by_token
        return Joining(self.computing.collate, self.states.found, self.placeholders, self.parts.task.answer, by_token)

    def around(self, forward: Forward) -> AbstractContextManager[None]:
        """Serves the states of a batch that has some."""
        states = forward.inputs.pop(STATES, None)
        if states is None:
            return nullcontext()
        return replayed_states(forward.model, self.computing.boundary, states, batch_size_of(forward.inputs).tokens)

    def close(self) -> None:
        """The states on disk are not used any more; others may delete them."""
        self.states.close()

    def check(self) -> None:
        """Look whether the frozen layers still give what is stored: a checkpoint may hold others than were loaded.

        Raises:
            FreezingError: they do not.
        """
        train = self.parts.splits["train"]
        places = list(range(min(LOOKED_AT, len(train))))
        now = torch.cat([own.flatten() for own in self.computing.states(train.__getitems__(places))])
        if not nearly_equal(self.states.found["train"].rows(places).flatten(), now.cpu(), self.computing.dtype):
            message = (
                "the frozen layers of the checkpoint are not those of model.name_or_path, whose files have changed "
                "since this run began; run.overwrite=true begins it anew"
            )
            raise FreezingError(Problem("freezing.cache", message))


class Checked(TrainerCallback):
    """Looks once, when the weights of a checkpoint are in place, whether they belong to the states."""

    def __init__(self, cache: BackboneCache) -> None:
        self.cache = cache

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """CheckResult."""
        self.cache.check()


def serve(
    trainer: RecipeTrainer,
    config: Config,
    parts: Parts,
    layout: BatchLayout,
    chosen: Precision,
    processes: Processes,
) -> BackboneCache | None:
    """Let a Trainer begin its forward passes behind what is frozen, where that can be done and saves time.

    The states are computed now, or found. A line in the log says so, or why not; then everything runs as always.

    Args:
        trainer: of the run, before it trains.
        config: of the run.
        parts: of the run.
        layout: of the effective batch.
        chosen: precision of the training, in which the states are computed too.
        processes: that train together; each computes its share.
    """
    cache = backbone_cache(
        config, parts, phase_schedule_of(config, parts, layout).total * layout.effective, chosen, processes
    )
    if cache is not None:
        trainer.train_dataset, trainer.data_collator = cache.train_rows(), cache.collator()
        trainer.eval_dataset = cache.rows(trainer.eval_dataset)
        trainer.instead = cache.rows
        # transformers counts what a forward of the whole model would compute, by looking at every parameter each time.
        trainer.floating_point_ops = lambda inputs: 0  # type: ignore[method-assign]
        trainer.around = [cache.around, *trainer.around]
        trainer.add_callback(Checked(cache))
    return cache


def backbone_cache(
    config: Config, parts: Parts, reads: int, chosen: Precision, processes: Processes
) -> BackboneCache | None:
    """The cache of a run, its states computed or found; None: it is off. A line in the log says which, and why.

    Args:
        config: of the run.
        parts: of the run.
        reads: training rows that the whole run reads, each as often as it is read.
        chosen: precision of the training, in which the states are computed too.
        processes: that train together; each computes its share.
    """
    try:
        _refuse(config, parts)
        computing, placeholders = agreed(processes, lambda: _proved(config, parts, chosen))
        layouts = agreed(
            processes, lambda: {name: states_layout(split, computing) for name, split in parts.splits.items()}
        )
        folder, bound = folder_of(config.runtime.cache_dir), config.runtime.cache_gb * GB
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
    if len(parts.freezing.ever) == sum(1 for _ in parts.model.named_parameters()):
        phased = " in some phase of the policy" if len(parts.freezing.phases) > 1 else ""
        raise NotCacheable(f"every parameter trains{phased}")
    if config.augmentation.method != "none" and getattr(parts.train_rows, "varied", None) is not None:
        raise NotCacheable(f"augmentation.method={config.augmentation.method} varies the rows anew in every epoch")
    if runtime.activation_checkpointing:
        raise NotCacheable("runtime.activation_checkpointing runs layers once more in the backward pass")
    if runtime.torch_compile or runtime.torch_compile_backend:
        raise NotCacheable("runtime.torch_compile fixes which modules run")
    launched = parse_flag_from_env("ACCELERATE_USE_FSDP") or parse_flag_from_env("ACCELERATE_USE_DEEPSPEED")
    if launched or runtime.fsdp or runtime.deepspeed:
        raise NotCacheable("the weights are spread over the processes")


def _proved(config: Config, parts: Parts, chosen: Precision) -> tuple[StateComputer, Placeholders | None]:
    """How states are computed at the first boundary that is proved.

    Raises:
        NotCacheable: there is none.
    """
    collate = parts.task.collator(parts.processor)
    device = next(parts.model.parameters()).device
    size = config.runtime.per_device_eval_batch_size or BATCH
    size = min(size, ON_A_PROCESSOR) if device.type == "cpu" else size
    try:
        with eval_mode(parts.model):
            batch = probe_batch(parts.splits.values(), collate, device)
            boundary, placeholders = _first_proved(parts, batch)
    except ODD as error:
        # Without the cache the run goes as always; whatever is odd about the model, it must not stop here.
        reason = f"the model does not run on rows by themselves ({type(error).__name__}: {str(error).splitlines()[0]})"
        raise NotCacheable(reason) from error
    dtype = AUTOCAST.get(chosen.name)
    return StateComputer(parts.model, boundary, tuple(batch), collate, device, dtype, size), placeholders


def _first_proved(parts: Parts, batch: dict[str, torch.Tensor]) -> tuple[Boundary, Placeholders | None]:
    model, ever = parts.model, parts.freezing.ever
    refused = NotCacheable("nothing is frozen")
    for boundary in boundaries(model, ever, parts.freezing.depth, batch):
        try:
            return boundary, validate(model, boundary, ever, frozen_modules(model), batch)
        except NotCacheable as reason:
            refused = reason
    raise refused
