"""Chooses the arithmetic of a run by a rule, with the reason. Knows torch and the launcher, nothing of the Trainer."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Literal, cast

import torch

from tunebook.run_directory import RunDirectory
from tunebook.training.processes import Processes

logger = logging.getLogger("tunebook")

Name = Literal["float32", "bf16", "fp16"]


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a run and the reason for it."""

    name: Name
    chosen_by: str


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """The precision that the recipe names, else the launcher, else bf16 where the device has it in hardware.

    Nothing is measured: the result is the same in every run on the same machine.
    """
    if wanted != "auto":
        return Precision(cast(Name, wanted), "runtime.precision")
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if launcher in {"bf16", "fp16"}:
        return Precision(cast(Name, launcher), "the launcher (--mixed_precision)")
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device)[0] >= 8:
            return Precision("bf16", f"the GPU ({torch.cuda.get_device_name(device)} computes in bf16)")
        return Precision("float32", "the GPU (no bf16 in hardware; runtime.precision=fp16 may be faster)")
    if device.type != "cpu":
        return Precision("float32", f"the device ({device.type})")
    if instructions := cpu_bf16_instructions():
        return Precision("bf16", f"the processor (it has {instructions})")
    return Precision("float32", "the processor (no bf16 in hardware)")


def precision_of_run(wanted: str, directory: RunDirectory, processes: Processes) -> Precision:
    """The precision of the run: that of the interrupted run, else by the rule; the main process decides for all."""
    before = directory.record.get("precision")
    if before and wanted in {"auto", before["name"]}:
        chosen = Precision(before["name"], before["chosen_by"])
    else:
        if before:
            message = "this run began in %s and continues in %s, as runtime.precision says"
            logger.warning(message, before["name"], wanted)
        chosen = processes.from_main(resolve_precision(wanted, processes.state.device))
    logger.info("precision %s, chosen by %s", chosen.name, chosen.chosen_by)
    if processes.main:
        directory.update(precision={"name": chosen.name, "chosen_by": chosen.chosen_by})
    return chosen


def cpu_bf16_instructions() -> str:
    """The instructions by which this processor multiplies in bf16, such as `AMX-BF16`; empty if it has none."""
    if hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
    else:  # older versions of torch tell of AVX512 alone
        has = {"avx512_bf16": torch.cpu._is_avx512_bf16_supported()}
    names = {"amx_bf16": "AMX-BF16", "avx512_bf16": "AVX512-BF16"}
    return next((name for key, name in names.items() if has.get(key)), "")
