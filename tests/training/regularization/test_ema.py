"""EMA: the average is torch's, evaluations and the finished model have it, and a checkpoint keeps both weights."""

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import AutoModelForSequenceClassification, TrainerCallback

from tests import two_tasks
from tunebook.errors import RunDirectoryError
from tunebook.training import build
from tunebook.training.regularization.ema import FILE, Average


def steps(model, average, count, averaged=None):
    generator = torch.Generator().manual_seed(0)
    average.begin()
    for step in range(count):
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += torch.randn(parameter.shape, generator=generator)
        average.update(step)
        if averaged:
            averaged.update_parameters(model)


def test_the_average_is_torchs():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    theirs.update_parameters(model)  # the first time it copies
    average = Average(model, 0.9, warm_up=False)
    steps(model, average, 7, theirs)
    with average.swapped_in():
        assert all(a.equal(b) for a, b in zip(model.parameters(), theirs.module.parameters(), strict=True))


def test_with_warm_up_the_beginning_is_soon_forgotten():
    model = nn.Linear(1, 1, bias=False)
    average = Average(model, 0.999, warm_up=True)
    average.begin()
    began = model.weight.item()
    seen = []
    for step in range(3):
        model.weight.data += 1.0
        average.update(step)
        seen.append(float(average.averaged["weight"]))
    expected, value = [], began
    for step in range(3):
        decay = (2 + step) / (11 + step)
        value = decay * value + (1 - decay) * (began + step + 1)
        expected.append(value)
    assert seen == pytest.approx(expected)


def test_frozen_parameters_are_not_kept_twice_and_buffers_are_the_models():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model[0].requires_grad_(False)
    average = Average(model, 0.5, warm_up=False)
    steps(model, average, 2)
    model.train()(torch.randn(8, 3))
    running, own = model[1].running_mean.clone(), model[1].weight.detach().clone()
    with average.swapped_in():
        assert model[1].running_mean.equal(running)
        assert not model[1].weight.equal(own)
    assert model[1].weight.equal(own)
    assert set(average.parameters) == {"1.weight", "1.bias"}


def test_averages_of_other_weights_are_refused(tmp_path):
    average = Average(nn.Linear(3, 4), 0.5, warm_up=False)
    with pytest.raises(RunDirectoryError, match=f"lacks averaged weights \\({FILE}\\)"):
        average.load(tmp_path)


@pytest.fixture
def recorded(first, tmp_path, monkeypatch):
    """A run with an average, its arguments, and its weights after every step."""
    weights = []

    class Recording(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            weights.append({name: value.detach().clone() for name, value in model.named_parameters()})

    made = build.build_trainer

    def watched(*args):
        trainer = made(*args)
        trainer.add_callback(Recording())
        return trainer

    monkeypatch.setattr(build, "build_trainer", watched)
    said = two_tasks.second(
        tmp_path, first.model, "regularization=ema", "regularization.ema.decay=0.8", f"run.output_dir={tmp_path}",
        "regularization.ema.warm_up=false", "runtime.save_total_limit=5", "hyperparameters.metric_for_best_model=loss",
    )  # fmt: skip
    return two_tasks.go(*said), said, weights


def averaged(weights, start, count):
    value = dict(start)
    for own in weights[:count]:
        value = {name: torch.lerp(value[name], own[name], 1 - 0.8) for name in value}
    return value


def near(ours, theirs):
    return all(theirs[name].allclose(value, atol=1e-6) for name, value in ours.items())


def test_evaluations_the_best_model_and_the_finished_one_have_the_average(recorded, first):
    result, _, weights = recorded
    assert len(weights) == 10
    metrics = json.loads((result.path / "metrics.json").read_text())
    kept = result.path / "checkpoints" / "checkpoint-10"
    began = AutoModelForSequenceClassification.from_pretrained(first.model, num_labels=2).state_dict()
    own = load_file(kept / "model.safetensors")
    assert near(weights[-1], own), "training goes on with its own weights"
    start = {name: began[name] for name in own if not name.startswith("classifier")}
    average = load_file(kept / FILE)
    assert near(averaged(weights, start, 10), average)
    assert not near({name: weights[-1][name] for name in start}, average)
    best = metrics["best"]["step"]
    finished = load_file(result.model / "model.safetensors")
    assert near(load_file(result.path / "checkpoints" / f"checkpoint-{best}" / FILE), finished)
    assert not (result.model / FILE).exists()
    history = [json.loads(line) for line in (result.path / "history.jsonl").read_text().splitlines()]
    evaluated = next(entry["eval_loss"] for entry in history if "eval_loss" in entry and entry["step"] == best)
    assert evaluated == pytest.approx(metrics["validation"]["loss"], abs=1e-6)


def test_without_a_best_model_the_finished_one_has_the_last_average(first, tmp_path):
    result = two_tasks.go(*two_tasks.second(
        tmp_path, first.model, "regularization=ema", f"run.output_dir={tmp_path}", "hyperparameters.max_steps=3",
        "hyperparameters.eval_strategy='no'", "hyperparameters.load_best_model_at_end=false",
        "runtime.save_strategy=steps", "runtime.save_steps=3",
    ))  # fmt: skip
    kept = result.path / "checkpoints" / "checkpoint-3"
    finished, average = load_file(result.model / "model.safetensors"), load_file(kept / FILE)
    assert all(finished[name].equal(value) for name, value in average.items())
    assert not finished["classifier.weight"].equal(load_file(kept / "model.safetensors")["classifier.weight"])
