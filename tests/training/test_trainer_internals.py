"""What Tunebook relies on in private parts of transformers' Trainer; a failure names the installed version."""

import inspect
import json

import pytest
import torch
import transformers
from torch import nn
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments

from tunebook.training.trainer_internals import (
    VERIFIED,
    TrainerHooks,
    limit_to_one_gpu,
)

SCHEDULER_STATE = "_created_lr_scheduler"

CHANGED = f"transformers {transformers.__version__} is installed, trainer_internals.py was written against {VERIFIED}."

SIGNATURES = {
    "_save": ["output_dir", "state_dict"],
    "_save_checkpoint": ["model", "trial"],
    "_save_optimizer_and_scheduler": ["output_dir"],
    "_save_scaler": ["output_dir"],
    "_save_rng_state": ["output_dir"],
    "_load_from_checkpoint": ["resume_from_checkpoint", "model"],
    "_load_best_model": [],
    "_init_training_state": [
        "max_steps", "num_update_steps_per_epoch", "num_train_epochs", "resume_from_checkpoint", "trial",
    ],
    "_determine_best_metric": ["metrics", "trial"],
    "_get_num_items_in_batch": ["batch_samples", "device"],
    "_get_grad_norm": ["model", "grad_norm"],
    "_get_learning_rate": [],
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_private_method_has_the_parameters_that_we_rely_on(name):
    method = getattr(Trainer, name, None)
    assert method is not None, f"{CHANGED} Trainer.{name} is gone"
    parameters = [each for each in inspect.signature(method).parameters if each != "self"]
    assert parameters == SIGNATURES[name], f"{CHANGED} Trainer.{name} takes {parameters}"


def test_every_private_method_that_we_override_is_listed():
    ours = {name for name in vars(TrainerHooks) if name.startswith("_") and not name.startswith("__")}
    assert ours <= SIGNATURES.keys()


class Line(nn.Module):
    """One weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return {"logits": self.weight * x}


class Recorded(TrainerHooks):
    """Notes which hooks the Trainer calls, and what they give."""

    def __init__(self, *args, **kwargs):
        self.calls = {}
        super().__init__(*args, **kwargs)


def _recorded(hook):
    def method(self, *args):
        given = getattr(super(Recorded, self), hook)(*args)
        self.calls.setdefault(hook, []).append((args, given))
        return given

    return method


HOOKS = {
    "save_weights": "_save", "save_checkpoint": "_save_checkpoint", "load_weights": "_load_from_checkpoint",
    "load_best_weights": "_load_best_model", "start_state": "_init_training_state",
    "is_new_best": "_determine_best_metric", "count_items": "_get_num_items_in_batch",
    "gradient_norm": "_get_grad_norm", "logged_learning_rate": "_get_learning_rate",
}  # fmt: skip
for _hook in HOOKS:
    setattr(Recorded, _hook, _recorded(_hook))

ROWS = [{"x": float(x), "labels": 3.0 * x} for x in (1, 2, 3, 4)]


def trainer(folder, kind=Recorded, **settings):
    arguments = TrainingArguments(
        str(folder), max_steps=4, per_device_train_batch_size=2, eval_strategy="steps", eval_steps=1, save_steps=1,
        logging_steps=1, learning_rate=0.01, lr_scheduler_type="constant", report_to=[], use_cpu=True,
        disable_tqdm=True, label_names=["labels"], load_best_model_at_end=True, save_strategy="steps",
        restore_callback_states_from_checkpoint=True, **settings,
    )  # fmt: skip
    return kind(
        Line(),
        arguments,
        train_dataset=ROWS,
        eval_dataset=ROWS,
        callbacks=[EarlyStoppingCallback(9)],
        compute_loss_func=lambda outputs, labels, num_items_in_batch=None: (
            ((outputs["logits"] - labels) ** 2).sum() / 2
        ),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("internals")
    made = trainer(folder)
    made.train()
    return folder, made


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "load_weights"])
def test_the_trainer_calls_the_hook(trained, hook):
    assert hook in trained[1].calls, f"{CHANGED} Trainer.{HOOKS[hook]} is not called in training any more"


@pytest.mark.parametrize("hook", ["save_checkpoint", "is_new_best", "gradient_norm"])
def test_the_hook_is_called_once_a_step(trained, hook):
    assert len(trained[1].calls[hook]) == 4, f"{CHANGED} Trainer.{HOOKS[hook]} is not called once a step"


def test_the_gradient_norm_is_that_before_clipping(trained):
    (_, norm), *_ = trained[1].calls["gradient_norm"]
    assert float(norm) > trained[1].args.max_grad_norm, f"{CHANGED} _get_grad_norm gives the clipped norm"


def test_items_are_counted_over_the_micro_batches_of_a_step(trained):
    (batches, _), counted = trained[1].calls["count_items"][0]
    assert int(counted) == sum(len(batch["labels"]) for batch in batches) == 2, f"{CHANGED} count of a step"


def test_the_start_is_epochs_and_micro_batches(trained):
    assert trained[1].calls["start_state"][0][1] == (0, 0), f"{CHANGED} _init_training_state"


def test_the_best_step_is_the_one_of_the_best_metric(trained):
    made = trained[1]
    assert made.state.best_global_step == 4, f"{CHANGED} _determine_best_metric sets no best_global_step"
    assert [better for _, better in made.calls["is_new_best"]] == [True] * 4


def test_a_checkpoint_of_transformers_has_what_ours_has(trained, tmp_path):
    folder, made = trained
    made.write_checkpoint(tmp_path)
    ours = {path.name for path in tmp_path.iterdir()}
    theirs = {path.name for path in (folder / "checkpoint-4").iterdir()}
    assert theirs - ours == {"trainer_state.json"}, f"{CHANGED} its checkpoints hold {sorted(theirs)}"


def test_states_of_callbacks_are_those_that_transformers_writes(trained):
    folder, made = trained
    made.record_callbacks()
    theirs = json.loads((folder / "checkpoint-4" / "trainer_state.json").read_text())["stateful_callbacks"]
    assert made.state.stateful_callbacks.keys() == theirs.keys(), f"{CHANGED} stateful callbacks"
    assert "EarlyStoppingCallback" in theirs


def test_resuming_loads_the_weights_by_the_hook_and_starts_behind_them(trained):
    folder, _ = trained
    again = trainer(folder)
    again.train(resume_from_checkpoint=str(folder / "checkpoint-3"))
    (path, _), _ = again.calls["load_weights"][0]
    assert path == folder / "checkpoint-3", f"{CHANGED} _load_from_checkpoint is not called for a resumed run"
    assert again.calls["start_state"][0][1] == (1, 1), f"{CHANGED} _init_training_state of a resumed run"


def test_a_scheduler_of_ours_is_made_anew_in_the_next_training(trained, tmp_path):
    class Scheduled(TrainerHooks):
        def create_scheduler(self, num_training_steps, optimizer=None):
            if self.lr_scheduler is None:
                self.use_scheduler(torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, lambda step: 0.5))
            return super().create_scheduler(num_training_steps, optimizer)

    made = trainer(tmp_path, Scheduled)
    assert getattr(made, SCHEDULER_STATE, None) is False, f"{CHANGED} Trainer.{SCHEDULER_STATE} is gone"
    made.train()
    first = made.lr_scheduler
    assert made.logged_learning_rate() == pytest.approx(0.005), f"{CHANGED} it made another scheduler"
    made.train()
    assert made.lr_scheduler is not first, f"{CHANGED} {SCHEDULER_STATE} does not discard a scheduler any more"


def test_one_gpu_a_process(tmp_path):
    arguments = TrainingArguments(str(tmp_path), use_cpu=True)
    assert arguments.n_gpu == 0
    arguments._n_gpu = 4
    assert arguments.n_gpu == 4, f"{CHANGED} TrainingArguments._n_gpu is not what n_gpu gives"
    limit_to_one_gpu(arguments)
    assert arguments.n_gpu == 1
