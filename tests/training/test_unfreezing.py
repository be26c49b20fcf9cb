"""UnfreezeCallback in the middle of a run: with the real Trainer, on two ranks, after a stop in every phase."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, TrainerCallback

from tests import tiny
from tests.contexts import context_of, trainer_of
from tests.runs import go, stop_at
from tests.training.test_gradients import without_dropout
from tunebook.errors import FreezingError
from tunebook.models.depth import find_depth
from tunebook.training import build
from tunebook.training.trainer import RecipeTrainer
from tunebook.training.unfreezing import LastPhasePatience

STEPS = 12
# Two layers, 12 steps: every policy's phases, by the number of their first step, with what they train.
LAYERS = ["layer 0", "layer 1"]
EVERYTHING = ["embeddings", *LAYERS, "head"]
POLICIES: dict[str, tuple[list[str], dict[int, list[str]]]] = {
    "gradual": (
        ["freezing=gradual", "freezing.every_epochs=0.5"],
        {0: ["head"], 3: ["layer 1", "head"], 6: [*LAYERS, "head"], 9: EVERYTHING},
    ),
    "chain_thaw": (
        ["freezing=chain_thaw", "freezing.restarts=true"],
        {0: ["head"], 2: ["embeddings"], 5: ["layer 0"], 7: ["layer 1"], 10: EVERYTHING},
    ),
    "head_then_all": (
        ["freezing=head_then_all", "freezing.head_steps=5", "freezing.head_learning_rate=1e-2",
         "freezing.learning_rate=50%", "freezing.norms=policy"],
        {0: ["head"], 5: EVERYTHING},
    ),
}  # fmt: skip
STOPS = {"gradual": [2, 3, 5, 8, 11], "chain_thaw": [1, 4, 5, 6, 9, 12], "head_then_all": [3, 5, 8]}


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Six steps an epoch, two micro-batches each, with dropout and weight decay."""
    folder = tmp_path_factory.mktemp("model") / "bert"
    tokenizer = tiny.tiny_tokenizer()
    shape = {**tiny.TEXT["bert"], "num_hidden_layers": 2}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model("bert", vocab_size=len(tokenizer), **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return [
        "model=auto", f"model.name_or_path={folder}", "task.max_length=24", "runtime=cpu", "run.name=x",
        "dataset.max_rows={train: 48, validation: 16, test: 16}", "hyperparameters.effective_batch_size=8",
        "hyperparameters.per_device_train_batch_size=4", "hyperparameters.num_train_epochs=2", "run.audit=false",
        "hyperparameters.learning_rate=1e-3", "hyperparameters.weight_decay=0.1", "runtime.precision=float32",
        "hyperparameters.load_best_model_at_end=false", "hyperparameters.eval_strategy=no",
        "hyperparameters.warmup_steps=0",
    ]  # fmt: skip


def weights(result):
    return (result.model / "model.safetensors").read_bytes()


class Watched(TrainerCallback):
    """Of every step, which parameters it moved."""

    def __init__(self):
        self.moved: dict[int, set[str]] = {}
        self.before: dict[str, torch.Tensor] = {}

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        self.before = {name: value.detach().clone() for name, value in model.named_parameters()}

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.moved[state.global_step - 1] = {
            name for name, value in model.named_parameters() if not torch.equal(value, self.before[name])
        }
        self.model = model


def watching(monkeypatch) -> Watched:
    """Watches the trainer that is built next."""
    watched, build_trainer = Watched(), build.build_trainer

    def with_watch(*args):
        trainer = build_trainer(*args)
        trainer.add_callback(watched)
        return trainer

    monkeypatch.setattr(build, "build_trainer", with_watch)
    return watched


@pytest.mark.parametrize("policy", POLICIES)
def test_each_phase_moves_what_it_says_and_a_stop_in_each_changes_nothing(policy, overrides, tmp_path, monkeypatch):
    arguments, begins = POLICIES[policy]
    with monkeypatch.context() as patch:
        watched = watching(patch)
        whole = go(tmp_path / "whole", *overrides, *arguments)
    assert sorted(watched.moved) == list(range(STEPS))
    depth = find_depth(watched.model)
    for (first, trained), end in zip(begins.items(), [*[*begins][1:], STEPS], strict=True):
        wanted = {name for group in depth.groups if group.name in trained for name in group.parameter_names}
        moved = [watched.moved[step] for step in range(first, end)]
        assert all(names <= wanted for names in moved), f"step {first} to {end}"
        assert set().union(*moved) == wanted, f"step {first} to {end}"
    borders = [f"step {first + 1}: phase {at + 1} of {len(begins)}" for at, first in enumerate(begins)]
    log = (whole.path / "log.txt").read_text()
    assert [log.count(line) for line in borders] == [1] * len(borders)

    for step in STOPS[policy]:
        with monkeypatch.context() as patch:
            stop_at(step, patch)
            with pytest.raises(SystemExit):
                go(tmp_path / "cut", *overrides, *arguments)
    cut = go(tmp_path / "cut", *overrides, *arguments)
    record = json.loads((cut.path / "run.json").read_text())
    assert record["resumed_from"] == STOPS[policy]
    assert weights(cut) == weights(whole)


def test_the_table_is_told_before_training_and_in_the_report(overrides, tmp_path):
    result = go(tmp_path, *overrides, *POLICIES["gradual"][0])
    log, report = ((result.path / name).read_text() for name in ("log.txt", "report.html"))
    row = "embeddings  1.5 to 2  10 to 12  everything                    22,210  100.0%  0.001"
    assert log.count(row) == report.count(row) == 1
    assert log.index(row) < log.index("training from the start")
    single = go(tmp_path / "single", *overrides, "freezing=head_only", "hyperparameters.max_steps=1")
    for name in ("log.txt", "report.html"):
        assert "66 of " in (single.path / name).read_text()


LENGTHS = [
    ["num_train_epochs=1"],
    ["num_train_epochs=2.5"],
    ["num_train_epochs=0.3"],
    ["max_steps=5"],
    ["max_steps=17"],
    ["num_train_epochs=2", "effective_batch_size=7", "per_device_train_batch_size=3"],
    ["num_train_epochs=1.4", "effective_batch_size=40", "per_device_train_batch_size=1"],
    ["num_train_epochs=3", "effective_batch_size=64", "per_device_train_batch_size=16"],
    ["num_train_epochs=2", "effective_batch_size=null", "gradient_accumulation_steps=5"],
    ["num_train_epochs=1.1", "effective_batch_size=12", "per_device_train_batch_size=2"],
]


@pytest.mark.parametrize("length", LENGTHS, ids=" ".join)
def test_the_phase_schedule_has_the_trainers_own_steps(length, overrides, tmp_path):
    said = [f"hyperparameters.{part}" for part in length]
    context = context_of(tmp_path, *overrides, *said)
    trainer, steps = trainer_of(context), context.phases
    found = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())
    assert (steps.steps_per_epoch, steps.total) == (found[1], found[6])


def test_phases_that_do_not_fit_are_told_before_training(overrides, tmp_path):
    with pytest.raises(FreezingError, match=r"the 5 phases do not fit into 4 optimizer steps \(6 an epoch\)"):
        go(tmp_path, *overrides, "freezing=chain_thaw", "hyperparameters.max_steps=4")
    assert not (tmp_path / "default" / "x" / "checkpoints").exists()


def test_standing_still_before_a_thaw_does_not_stop_the_run(overrides, tmp_path, monkeypatch):
    """The head alone makes nothing better; three evaluations later patience begins to count."""
    said = [
        *overrides, "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=1",
        "hyperparameters.load_best_model_at_end=true", "hyperparameters.early_stopping_patience=2",
        "freezing=head_then_all", "freezing.head_steps=5",
    ]  # fmt: skip
    evaluate = RecipeTrainer.evaluate

    def flat(self, *args, **kwargs):
        return {**evaluate(self, *args, **kwargs), "eval_accuracy": 0.5}

    monkeypatch.setattr(RecipeTrainer, "evaluate", flat)

    def scripted(self, args, state, control, metrics=None, **kwargs):
        return on_evaluate(self, args, state, control, {**metrics, "eval_accuracy": 0.5}, **kwargs)

    on_evaluate = LastPhasePatience.on_evaluate
    monkeypatch.setattr(LastPhasePatience, "on_evaluate", scripted)
    with monkeypatch.context() as patch:
        stop_at(6, patch)
        with pytest.raises(SystemExit):
            go(tmp_path, *said)
    result = go(tmp_path, *said)
    assert json.loads((result.path / "metrics.json").read_text())["best"]["steps_trained"] == 7


def launched(cases, folder: Path) -> dict:
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true"}
    command = [
        str(Path(sys.executable).parent / "torchrun"), "--nproc_per_node", "2", "--rdzv_backend", "c10d",
        "--rdzv_endpoint", "localhost:0", str(Path(__file__).with_name("unfreeze_worker.py")),
        str(folder / "found.json"), str(folder / "cases.json"),
    ]  # fmt: skip
    root = Path(__file__).parents[2]
    environment["PYTHONPATH"] = str(root)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "found.json").read_text())


def test_two_ranks_stay_equal_to_the_bit_also_after_a_stop_and_agree_with_one(overrides, tmp_path):
    model = next(text for text in overrides if text.startswith("model.name_or_path=")).split("=")[1]
    calm = without_dropout(Path(model).rename(tmp_path / "bert"))
    Path(model).symlink_to(calm)
    cases = []
    for policy, (arguments, _) in POLICIES.items():
        said = [*overrides, *arguments]
        if policy == "gradual":
            said.append("runtime.activation_checkpointing=true")
        for out, stop in {"whole": None, "cut": 6, "resumed": None}.items():
            folder = tmp_path / policy / ("whole" if out == "whole" else "cut")
            if out == "whole" or policy == "chain_thaw":
                case = {"name": f"{policy} {out}", "overrides": [*said, f"run.output_dir={folder}"], "stop": stop}
                cases.append(case)
    found = launched(cases, tmp_path)
    cut, resumed = found["chain_thaw cut"], found["chain_thaw resumed"]
    assert (cut["code"], resumed["code"]) == (143, 0)
    assert cut["steps"] + resumed["steps"] == found["chain_thaw whole"]["steps"]
    for policy in POLICIES:
        whole = found[f"{policy} whole"]
        assert len(whole["steps"]) == STEPS
        assert all(one == other for one, other in whole["steps"])
        assert len({one for one, _ in whole["steps"]}) == STEPS
        said = [*overrides, *POLICIES[policy][0]]
        alone = load_file(go(tmp_path / policy / "alone", *said).model / "model.safetensors")
        two = load_file(tmp_path / policy / "whole" / "default" / "x" / "model" / "model.safetensors")
        assert all(math.isclose(float((alone[name] - two[name]).abs().max()), 0, abs_tol=1e-5) for name in alone)
