"""Real runs of a model that transformers saves under other names than it has itself: its checkpoints are loaded."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from tests import tiny
from tests.runs import go, stop_at
from tunebook.errors import RunDirectoryError
from tunebook.tasks._label_outputs import LabelEvaluator
from tunebook.training import checkpoints

SAID = [
    "task=image_classification", "dataset=image_folder", "model=auto", "runtime=cpu", "run.name=x", "run.audit=false",
    "runtime.precision=float32", "runtime.save_total_limit=9", "hyperparameters.effective_batch_size=8",
    "hyperparameters.num_train_epochs=2", "hyperparameters.learning_rate=1e-2",  # two epochs of three steps
]  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """24 training images and a ViT, whose weights have other names on disk."""
    folder = tmp_path_factory.mktemp("vit")
    noise = np.random.default_rng(0)
    for split, count in {"train": 24, "validation": 8, "test": 8}.items():
        for at in range(count):
            place = folder / "photos" / split / "ab"[at % 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(place / f"{at:02}.png")
    model = tiny.tiny_image_model("vit", folder / "model")
    return [*SAID, f"dataset.path={folder / 'photos'}", f"model.name_or_path={model}"]


@pytest.fixture(scope="module")
def whole(said, tmp_path_factory):
    return go(tmp_path_factory.mktemp("whole"), *said)


def weights(folder):
    return load_file(folder / "model.safetensors")


def equal(ours, theirs):
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def worse_and_worse(patch):
    """Evaluations of which the first one is the best; final ones are not among them."""
    figures = iter(np.linspace(0.9, 0.1, 20).tolist())
    compute = LabelEvaluator.compute
    patch.setattr(LabelEvaluator, "compute", lambda *given: compute(*given) | {"accuracy": next(figures)})


def test_a_run_that_was_cut_off_ends_with_the_same_weights(said, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(5, patch)
        with pytest.raises(SystemExit):
            go(tmp_path, *said)
    assert equal(weights(go(tmp_path, *said).model), weights(whole.model))


def test_the_best_model_is_the_one_that_is_kept(said, tmp_path, monkeypatch):
    worse_and_worse(monkeypatch)
    result = go(tmp_path, *said)
    best = json.loads((result.path / "metrics.json").read_text())["best"]
    assert (best["step"], best["steps_trained"]) == (3, 6)
    first, last = (weights(result.path / "checkpoints" / f"checkpoint-{step}") for step in (3, 6))
    assert equal(weights(result.model), first)
    assert not equal(first, last)


def test_a_checkpoint_that_lacks_weights_is_refused(said, tmp_path, monkeypatch):
    """They would be reinitialized, and the run would go on as if nothing were the matter."""
    with monkeypatch.context() as patch:
        stop_at(5, patch)
        with pytest.raises(SystemExit):
            go(tmp_path, *said)
    newest = max(tmp_path.rglob("checkpoint-*"), key=lambda path: int(path.name.removeprefix("checkpoint-")))
    kept = weights(newest)
    del kept["classifier.bias"]
    save_file(kept, newest / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setattr(checkpoints, "problems", lambda folder: [])  # as if it had been written so
    with pytest.raises(RunDirectoryError, match=r"checkpoint-\d lacks classifier\.bias;"):
        go(tmp_path, *said)
