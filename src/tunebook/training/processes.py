"""The processes of one run: which is the main one, how they wait and exchange values, by accelerate's PartialState."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import gc
import importlib
from collections.abc import Iterator
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object, parse_flag_from_env

from tunebook.errors import TunebookError


class Processes:
    """The processes that a launcher started together, or the single one.

    Args:
        use_cpu: use the CPU even if there is an accelerator.
        patience: seconds that one waits for another, as `TrainingArguments.ddp_timeout`.
    """

    def __init__(self, use_cpu: bool = False, patience: int = 1800) -> None:
        # accelerate counts the processes of a launcher on CPUs only when it is asked for CPUs.
        cpu = use_cpu or parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
        if torch.distributed.is_available():
            # Functions there store the group as a default when they are imported: later, they would keep it alive.
            importlib.import_module("torch.distributed.nn.functional")
        # The first PartialState fixes the timeout; transformers' own setting would come too late.
        self.state = PartialState(cpu=cpu, timeout=datetime.timedelta(seconds=patience))
        if self.count > 1:
            atexit.register(self._leave)

    def _leave(self) -> None:
        """Leave the process group and end its threads, before the interpreter's end.

        A gloo thread that frees its last tensor while the interpreter ends aborts the process, after a run without
        errors. The group joins its threads when it is freed, and a DDP model in a cycle of objects (the Trainer is
        one) still refers to it: hence the garbage collection first.
        """
        gc.collect()
        self.state.destroy_process_group()

    @property
    def count(self) -> int:
        """How many there are."""
        return self.state.num_processes

    @property
    def rank(self) -> int:
        """The number of this one, from 0."""
        return self.state.process_index

    @property
    def main(self) -> bool:
        """Whether this one writes files and logs."""
        return self.state.is_main_process

    def wait(self) -> None:
        """Until all processes have reached this call."""
        self.state.wait_for_everyone()

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """The block runs in the main process, then in the others (which use its caches); its errors reach all."""
        failure: TunebookError | None = None
        if self.main:
            try:
                yield
            except TunebookError as error:
                failure = error
                raise
            finally:
                self.from_main(failure and failure.problems)
            return
        if problems := self.from_main(None):
            raise TunebookError(problems)
        try:
            yield
        except TunebookError as error:
            error.every_rank_speaks = True  # the main process has not met it: a file of this machine, say
            raise

    def from_main(self, value: Any) -> Any:
        """The main process's value, in every process."""
        values = [value]
        broadcast_object_list(values, from_process=0)
        return values[0]

    def gather(self, values: list[Any]) -> list[Any]:
        """The lists of all processes, joined in their order."""
        return gather_object(values) if self.count > 1 else values

    def largest(self, values: list[float]) -> list[float]:
        """The largest of each number over all processes; one small exchange."""
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64 if self.state.device.type != "mps" else torch.float32)
        tensor = tensor.to(self.state.device)
        torch.distributed.all_reduce(tensor, op=torch.distributed.ReduceOp.MAX)
        return tensor.tolist()
