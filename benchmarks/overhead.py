"""How much longer a training step takes than the same step in a bare PyTorch loop.

Both train copies of one model on the same batches with the same random numbers, turn about, a block of steps
each; afterwards their weights must be equal, which shows that both did the same work. The bare loop finds its
batches collated; Tunebook's time has everything in it: reading and collating rows, the check of every loss, the
history and the log.

usage: python benchmarks/overhead.py [--pairs 8] [--steps 10] [--threads 1] [--tiny]
"""

from __future__ import annotations

import copy
import statistics
import time
from typing import Any, cast

import pairs
import torch
from torch import nn
from torch.nn import functional
from training import loaded, train, trainer_of
from transformers import TrainerCallback, get_scheduler
from transformers.training_args import OptimizerNames

from tunebook.context import RunContext
from tunebook.training.build import batches_of
from tunebook.training.trainer import RecipeTrainer

TARGET = 1.05


class BareLoop:
    """The loop that one would write by hand: AdamW, a schedule, clipping, the loss read when it is logged.

    Args:
        context: of the recipe, for its collator and examples.
        trainer: whose optimizer settings and schedule are used.
        steps: of the whole training.
    """

    def __init__(self, context: RunContext, trainer: RecipeTrainer, steps: int) -> None:
        self.args = trainer.args
        self.model: nn.Module = copy.deepcopy(context.model).train()
        decayed = set(trainer.get_decay_parameter_names(self.model))
        named = list(self.model.named_parameters())
        groups = [
            {"params": [p for n, p in named if n in decayed], "weight_decay": self.args.weight_decay},
            {"params": [p for n, p in named if n not in decayed], "weight_decay": 0.0},
        ]
        kind, settings = RecipeTrainer.get_optimizer_cls_and_kwargs(self.args)
        self.optimizer = kind(groups, **settings)
        warmup = self.args.get_warmup_steps(steps)
        self.scheduler = get_scheduler(self.args.lr_scheduler_type, self.optimizer, warmup, steps)
        self.batches = collated(context, steps)
        self.total = torch.zeros(())
        self.done = 0

    def step(self) -> None:
        """One optimizer step."""
        inputs, labels = self.batches[self.done]
        loss = functional.cross_entropy(self.model(**inputs)["logits"], labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.args.max_grad_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad()
        self.total += loss.detach()
        self.done += 1
        if self.done % self.args.logging_steps == 0:
            self.total.item()
            self.total.zero_()


class TurnAbout(TrainerCallback):
    """Times Tunebook's steps in blocks, and after each block as many steps of the bare loop.

    Added last, so that what the other callbacks do at the end of a step is in the time.
    """

    def __init__(self, bare: BareLoop, steps: int) -> None:
        self.bare, self.steps = bare, steps
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.random: list[torch.Tensor] = []
        self.cpu: list[float] = []
        self.began = self.began_cpu = 0.0

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock; the first block warms up and is left out of the result."""
        self._start()

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Remember the random state (some microseconds), so that the bare loop draws the same dropout."""
        self.random.append(torch.get_rng_state())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After a block, the bare loop's turn."""
        if state.global_step % self.steps:
            return
        self.ours.append(time.perf_counter() - self.began)
        cpu = time.process_time() - self.began_cpu
        after = torch.get_rng_state()
        began, began_cpu = time.perf_counter(), time.process_time()
        for random in self.random:
            torch.set_rng_state(random)
            self.bare.step()
        self.theirs.append(time.perf_counter() - began)
        self.cpu.append(cpu / (time.process_time() - began_cpu))
        self.random.clear()
        torch.set_rng_state(after)
        self._start()

    def _start(self) -> None:
        self.began, self.began_cpu = time.perf_counter(), time.process_time()


def collated(context: RunContext, steps: int) -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """The batches of the first steps, epoch after epoch, in the order in which the Trainer takes them."""
    rows = context.train_examples
    collate = context.collate
    order = batches_of(context)
    found: list[tuple[dict[str, torch.Tensor], torch.Tensor]] = []
    while len(found) < steps:
        for keys in order:
            batch = collate(rows.__getitems__(cast(Any, keys)))
            batch.pop("row"), batch.pop("weight")
            found.append((batch, batch.pop("labels")))
        order.set_epoch(order.epoch + 1)
    return found[:steps]


def main() -> None:
    """Measure and print."""
    said = pairs.arguments(__doc__, pairs=8, steps=10, tiny=pairs.TINY).parse_args()
    torch.set_num_threads(said.threads)
    with pairs.scratch() as folder:
        model = pairs.tiny_model(folder) if said.tiny else []
        total = said.steps * (said.pairs + 1)
        with loaded(["+recipe=bert_sentiment", *model], folder) as load:
            context = load(f"hyperparameters.max_steps={total}", "runtime.logging_steps=10")
            trainer, stop = trainer_of(context)
            bare = BareLoop(context, trainer, total)
            turns = TurnAbout(bare, said.steps)
            trainer.add_callback(turns)
            train(trainer, stop)
    apart = max(
        float((one - other).detach().abs().max())
        for one, other in zip(context.model.parameters(), bare.model.parameters(), strict=True)
    )
    ours, theirs = turns.ours[1:], turns.theirs[1:]
    more = 1000 * statistics.median(a - b for a, b in zip(ours, theirs, strict=True)) / said.steps
    bare_ms = 1000 * statistics.median(theirs) / said.steps
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(pairs.ratio_line("training step, Tunebook / bare PyTorch loop", ratios, f"at most {TARGET}"))
    print(pairs.ratio_line("the same in processor time, which other work on the machine disturbs less", turns.cpu[1:]))
    print(f"  {more:+.1f} ms a step on {bare_ms:.0f} ms; largest difference of any weight afterwards: {apart:.1e}")
    model_name = "a tiny BERT" if said.tiny else "all-MiniLM-L6-v2"
    print(
        f"  {model_name}, recipe bert_sentiment (reviews, batches of 32 grouped by length), float32, "
        f"{OptimizerNames(trainer.args.optim).value}; blocks of {said.steps} steps turn about, the first pair left "
        "out; logged every 10 steps; no saving, no evaluation"
    )
    print(f"  {pairs.hardware_line(said.threads)}")


if __name__ == "__main__":
    main()
