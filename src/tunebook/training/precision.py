"""Chooses the arithmetic of a run once, and says who chose it. Knows torch, nothing of the Trainer."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

Name = Literal["float32", "bf16", "fp16"]

FASTER = 1.2
"""How much faster bf16 must be on a CPU to be chosen: below that, noise would choose."""

PROBED_ROWS = 8
"""Rows of the micro-batch that is probed: enough to tell the two apart, and a start of seconds, not of a minute."""

ENOUGH = 5.0
"""Seconds after which a probe takes no further pair."""

_LAUNCHER = {"no": "float32", "bf16": "bf16", "fp16": "fp16"}


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a run and the reason for it."""

    name: Name
    chosen_by: str


def choose(
    requested: str, device: torch.device, step: Callable[[nn.Module], torch.Tensor], model: nn.Module
) -> Precision:
    """Choose: what the recipe says, else what the launcher says, else what the device gains from.

    Args:
        requested: `runtime.precision`.
        device: that trains.
        step: gives the loss of one typical micro-batch, for the probe on a CPU.
        model: to be trained; a copy of it is probed.
    """
    if requested != "auto":
        return Precision(requested, "runtime.precision")  # type: ignore[arg-type]
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if launcher in {"bf16", "fp16"}:
        return Precision(_LAUNCHER[launcher], "the launcher (--mixed_precision)")  # type: ignore[arg-type]
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device)[0] >= 8:
            return Precision("bf16", f"the GPU ({torch.cuda.get_device_name(device)} computes in bf16)")
        return Precision("float32", "the GPU (no bf16 in hardware; runtime.precision=fp16 may be faster)")
    if device.type != "cpu":
        return Precision("float32", f"the device ({device.type})")
    if not _cpu_computes_bf16():
        return Precision("float32", "the processor (no bf16 in hardware)")
    gain = probe(model, step)
    reason = f"a probe on this processor (bf16 is {gain:.2f} × as fast as float32; {FASTER} × is needed)"
    return Precision("bf16" if gain >= FASTER else "float32", reason)


def probe(model: nn.Module, step: Callable[[nn.Module], torch.Tensor], pairs: int = 3) -> float:
    """How many times as fast a forward and backward pass is in bf16 as in float32.

    The shortest time of each is compared, since other work on the processor only ever adds to a time. At least
    one pair is run after the one that warms up, and no further one once `ENOUGH` seconds have passed. Runs on
    a copy and leaves the model, its gradients and the random state as they were.
    """
    with torch.random.fork_rng(devices=[]):
        trial = copy.deepcopy(model).train()
        seconds: dict[bool, list[float]] = {False: [], True: []}
        began = time.perf_counter()
        for pair in range(pairs + 1):
            if pair > 1 and time.perf_counter() - began > ENOUGH:
                break
            for bf16, times in seconds.items():
                taken = _timed(trial, step, bf16)
                if pair:  # the first pair warms up
                    times.append(taken)
    return min(seconds[False]) / min(seconds[True])


def _timed(model: nn.Module, step: Callable[[nn.Module], torch.Tensor], bf16: bool) -> float:
    model.zero_grad()
    began = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = step(model)
    loss.backward()
    return time.perf_counter() - began


def _cpu_computes_bf16() -> bool:
    supported: Any = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())
