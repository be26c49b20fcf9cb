"""Runs the real pipeline up to one optimizer step and saves its gradients; started by test_gradients.py.

usage: [torchrun --nproc_per_node 2] step_worker.py OUT mend|plain OVERRIDE…
"""

import sys
from pathlib import Path

import torch
from transformers import TrainerCallback

from tunebook import run as story
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.log import logging_to
from tunebook.run import opened_by_main
from tunebook.training import build
from tunebook.training.callbacks import StopSync
from tunebook.training.precision import Precision
from tunebook.training.processes import Processes
from tunebook.training.signals import StopWish


class SaveGradients(TrainerCallback):
    def __init__(self, path: Path, main: bool):
        self.path, self.main = path, main

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        model = getattr(model, "module", model)
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        if self.main:
            torch.save(gradients, self.path)


def main(out: str, mode: str, overrides: list[str]) -> None:
    config = check(compose(overrides))
    processes = Processes(use_cpu=True)
    with opened_by_main(config, "test", processes) as directory, logging_to(directory.path / "log.txt", False):
        data = story.load_data(config, directory, processes)
        data, parts = story.load_parts(config, data, directory, processes)
        layout = build.layout_of(config, processes.count)
        trainer = build.build_trainer(config, parts, layout, Precision("float32", "test"), directory, processes)
        if mode == "plain":  # transformers as it is, without our mend of the loss
            trainer.compute_loss_func = None
            trainer.model_accepts_loss_kwargs = True
        trainer.add_callback(StopSync(processes, StopWish(), trainer.step))
        trainer.add_callback(SaveGradients(Path(out), processes.main))
        trainer.train()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
