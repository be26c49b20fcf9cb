"""The methods at work in whole runs: cut off and resumed, on two ranks, with adapters, and together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import two_tasks
from tests.runs import stop_at

STILL = "model.dropout={hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}"


def methods(first) -> dict[str, list[str]]:
    replay = ["regularization=replay", f"regularization.replay.run={first.path}", "regularization.replay.share=0.4"]
    return {
        "l2_sp": ["regularization=l2_sp", "regularization.l2_sp.alpha=1.0"],
        "mixout": ["regularization=mixout"],
        "r_drop": ["regularization=r_drop"],
        "ema": ["regularization=ema", "regularization.ema.decay=0.7"],
        "replay": replay,
        "all": [*replay, "regularization.l2_sp={}", "regularization.mixout={}", "regularization.r_drop={}",
                "regularization.ema={}"],
    }  # fmt: skip


NAMES = ["ema", "all"]


def weights(result):
    return load_file(result.model / "model.safetensors")


def equal(one, other):
    return one.keys() == other.keys() and all(value.equal(other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def plain(first, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain")
    return two_tasks.go(*two_tasks.second(out, first.model, f"run.output_dir={out}"))


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_the_weights_and_a_run_that_was_cut_off_ends_with_the_same(
    first, plain, tmp_path, monkeypatch, name
):
    said = two_tasks.second(tmp_path, first.model, *methods(first)[name], "hyperparameters.metric_for_best_model=loss")
    whole = two_tasks.go(*said, f"run.output_dir={tmp_path / 'whole'}")
    assert not equal(weights(whole), weights(plain))
    for step in (3, 7):
        with monkeypatch.context() as patch:
            stop_at(step, patch)
            with pytest.raises(SystemExit):
                two_tasks.go(*said, f"run.output_dir={tmp_path / 'cut'}")
    cut = two_tasks.go(*said, f"run.output_dir={tmp_path / 'cut'}")
    assert json.loads((cut.path / "run.json").read_text())["resumed_from"] == [3, 7]
    assert equal(weights(cut), weights(whole))
    ours, theirs = (json.loads((result.path / "metrics.json").read_text()) for result in (cut, whole))
    assert ours == theirs


def test_the_l2_pull_keeps_the_backbone_nearer_to_where_it_began(first, plain, tmp_path):
    said = two_tasks.second(tmp_path, first.model, "regularization=l2_sp", "regularization.l2_sp.alpha=1.0")
    held = weights(two_tasks.go(*said, f"run.output_dir={tmp_path}"))
    began, free = load_file(first.model / "model.safetensors"), weights(plain)
    backbone = [name for name in began if name.startswith("bert")]
    away = [sum(float((ended[name] - began[name]).square().sum()) for name in backbone) for ended in (held, free)]
    assert away[0] < 0.7 * away[1]


@pytest.mark.parametrize("name", ["ema", "replay"])
def test_it_goes_with_an_adapter(first, tmp_path, name):
    said = two_tasks.second(
        tmp_path, first.model, *methods(first)[name], "adapter=lora", "hyperparameters.max_steps=4",
        "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=2",
    )  # fmt: skip
    result = two_tasks.go(*said, f"run.output_dir={tmp_path}")
    ended, began = weights(result), load_file(first.model / "model.safetensors")
    assert not ended["bert.encoder.layer.0.attention.self.query.weight"].equal(
        began["bert.encoder.layer.0.attention.self.query.weight"]
    )
    assert ended["bert.embeddings.word_embeddings.weight"].equal(began["bert.embeddings.word_embeddings.weight"])


@pytest.mark.parametrize("name", ["replay", "all"])
def test_frozen_layers_stay_and_the_cache_of_them_changes_nothing(first, tmp_path, name):
    found = []
    for cache in ("auto", "off"):
        said = two_tasks.second(
            tmp_path, first.model, *methods(first)[name], "freezing=last_n", "freezing.n=2",
            f"freezing.cache={cache}", f"runtime.cache_dir={tmp_path / 'cache'}", STILL,
        )  # fmt: skip
        said = [*said, "regularization.r_drop=null"] if name == "all" else said
        result = two_tasks.go(*said, f"run.output_dir={tmp_path / cache}")
        log = (result.path / "log.txt").read_text()
        assert ("frozen-backbone cache: off" in log) == (cache == "off"), log
        found.append(weights(result))
    began = load_file(first.model / "model.safetensors")
    lower = [name for name in began if ".layer.0." in name or ".layer.1." in name or "embeddings" in name]
    assert all(found[0][name].equal(began[name]) for name in lower)
    seen = [name for name in began if not name.endswith("key.bias")]
    assert all(found[0][name].allclose(found[1][name], atol=1e-5) for name in seen)


@pytest.mark.parametrize("name", ["ema", "all"])
def test_it_goes_with_layers_that_thaw_in_phases(first, tmp_path, name):
    said = two_tasks.second(tmp_path, first.model, *methods(first)[name], "freezing=head_then_all")
    result = two_tasks.go(*said, f"run.output_dir={tmp_path}")
    assert result.metrics["validation"]["loss"] > 0


def launched(out: Path, overrides: list[str]) -> list[str]:
    """Two ranks; the digests of their weights."""
    worker = Path(__file__).with_name("ranks_worker.py")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0",
        "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0", str(worker), str(out / "digest"), *overrides,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]
    return [(out / f"digest.{rank}").read_text() for rank in (0, 1)]


def test_two_ranks_end_with_the_same_weights_as_one(first, tmp_path):
    """Methods without chance of their own; 37 rows in micro-batches of 2, so that ranks have fillers."""
    chosen = methods(first)
    said = two_tasks.second(
        tmp_path, first.model, *chosen["replay"], "regularization.l2_sp={}", "regularization.ema.decay=0.7", STILL,
        f"evaluation.retention=[{first.path}]", "dataset.max_rows.train=37", "hyperparameters.learning_rate=5e-4",
        "run.name=x",
    )  # fmt: skip
    alone = two_tasks.go(*said, f"run.output_dir={tmp_path / 'alone'}")
    small = "hyperparameters.per_device_train_batch_size=2"
    digests = launched(tmp_path, [*said, f"run.output_dir={tmp_path / 'two'}", small])
    assert digests[0] == digests[1]
    two = tmp_path / "two" / "default" / "x"
    ended = load_file(two / "model" / "model.safetensors")
    # The softmax does not see a key's bias: its gradient is rounding noise, which Adam makes steps of.
    seen = {name: value for name, value in weights(alone).items() if not name.endswith("key.bias")}
    assert all(torch.allclose(value, ended[name], atol=1e-5) for name, value in seen.items())
    ours, theirs = (json.loads((path / "metrics.json").read_text())["retention"] for path in (two, alone.path))
    assert ours.keys() == theirs.keys() == {str(first.path)}
    for split, named in theirs[str(first.path)].items():
        for metric, numbers in named.items():
            assert ours[str(first.path)][split][metric] == pytest.approx(numbers, abs=1e-4), metric


@pytest.mark.slow
def test_ranks_that_draw_stay_together(first, tmp_path):
    said = two_tasks.second(tmp_path, first.model, *methods(first)["all"], "hyperparameters.max_steps=4",
                            "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=2")  # fmt: skip
    digests = launched(tmp_path, [*said, f"run.output_dir={tmp_path / 'two'}"])
    assert digests[0] == digests[1]
