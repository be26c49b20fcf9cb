"""Runs the real pipeline up to one optimizer step and saves its gradients; started by test_gradients.py.

usage: [torchrun --nproc_per_node 2] step_worker.py OUT mend|plain OVERRIDE…
"""

import sys
from pathlib import Path

import torch
from transformers import TrainerCallback

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.session import Session
from tunebook.setup import build_context
from tunebook.training.build import build_trainer


class SaveGradients(TrainerCallback):
    def __init__(self, path: Path, main: bool):
        self.path, self.main = path, main

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        model = getattr(model, "module", model)
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        if self.main:
            torch.save(gradients, self.path)


def main(out: str, mode: str, overrides: list[str]) -> None:
    config = check(compose([*overrides, "runtime.precision=float32"]))
    with Session.start(config, "test") as session:
        context = build_context(session)
        trainer = build_trainer(context)
        if mode == "plain":  # the loss of each micro-batch as a mean, as heads that ignore the count give it
            trainer.count_items = lambda batches, device: None
        trainer.add_callback(SaveGradients(Path(out), context.main))
        trainer.train()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
