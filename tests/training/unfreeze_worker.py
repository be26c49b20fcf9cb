"""Trains runs one after the other on all ranks and notes whether the ranks' weights are equal after every step.

usage: torchrun --nproc_per_node 2 unfreeze_worker.py OUT.json CASES.json
with cases [{"name": …, "overrides": […], "stop": a step during which a signal comes, or null}, …]
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import torch
from transformers import TrainerCallback

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.run import run
from tunebook.training import build, callbacks


class Digests(TrainerCallback):
    """Of all weights and buffers, one of each rank, after every step."""

    def __init__(self, told: list[list[str]]):
        self.told = told

    def on_step_end(self, args, state, control, model=None, **kwargs):
        digest = hashlib.sha256()
        for value in getattr(model, "module", model).state_dict().values():
            digest.update(value.numpy().tobytes())
        everyone: list = [None] * args.world_size
        torch.distributed.all_gather_object(everyone, digest.hexdigest())
        self.told.append(everyone)


def go(case: dict) -> dict:
    told: list[list[str]] = []
    vote, build_trainer = callbacks.StopSync.on_pre_optimizer_step, build.build_trainer

    def with_digests(*args):
        trainer = build_trainer(*args)
        trainer.add_callback(Digests(told))
        return trainer

    def with_signal(self, args, state, control, **kwargs):
        if state.global_step + 1 == case["stop"] and args.process_index == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return vote(self, args, state, control, **kwargs)

    callbacks.StopSync.on_pre_optimizer_step, build.build_trainer = with_signal, with_digests
    try:
        run(check(compose(case["overrides"])))
    except SystemExit as stopped:
        return {"steps": told, "code": stopped.code}
    finally:
        callbacks.StopSync.on_pre_optimizer_step, build.build_trainer = vote, build_trainer
    return {"steps": told, "code": 0}


if __name__ == "__main__":
    found = {case["name"]: go(case) for case in json.loads(Path(sys.argv[2]).read_text())}
    if os.environ["RANK"] == "0":
        Path(sys.argv[1]).write_text(json.dumps(found))
