"""Real runs with augmentation: training rows alone are varied, and a run that was cut off draws the same."""

import json
import random

import numpy as np
import pytest
import torch
from PIL import Image

from tests import tiny
from tests.runs import go, stop_at
from tunebook.data.augmentation import image, text
from tunebook.training.trainer import RecipeTrainer

TEXTS = ["augmentation=text_noise", "augmentation.mixup=0.2", "augmentation.mix_probability=0.5"]
IMAGES = ["augmentation=image_strong", "augmentation.cutmix=1.0", "augmentation.rotation=10"]
ALIKE = [
    "model=auto", "runtime=cpu", "run.name=x", "run.audit=false", "runtime.precision=float32",
    "hyperparameters.effective_batch_size=8", "hyperparameters.per_device_train_batch_size=4",
    "hyperparameters.num_train_epochs=2", "hyperparameters.learning_rate=1e-3",  # two epochs of six steps
]  # fmt: skip


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """48 training texts; each names its split."""
    folder = tmp_path_factory.mktemp("texts")
    model = tiny.tiny_text_model("bert", folder / "bert")
    draw = random.Random(0)
    words = " ".join(tiny.SENTENCES).split()
    for split, count in {"train": 48, "validation": 12, "test": 12}.items():
        rows = [
            {"text": f"{' '.join(draw.choices(words, k=draw.randint(3, 20)))} {split}{at}", "label": "ab"[at % 2]}
            for at in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [f"dataset.{split}={folder / split}.jsonl" for split in ("train", "validation", "test")]
    return [*ALIKE, "dataset=files", *files, f"model.name_or_path={model}", "task.max_length=32"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """48 training images; the red of the first pixel names the split."""
    folder = tmp_path_factory.mktemp("images")
    model = tiny.tiny_image_model("resnet", folder / "resnet")
    noise = np.random.default_rng(0)
    for number, (split, count) in enumerate({"train": 48, "validation": 12, "test": 12}.items()):
        for at in range(count):
            place = folder / "photos" / split / "ab"[at % 2]
            place.mkdir(parents=True, exist_ok=True)
            pixels = noise.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            pixels[0, 0, 0] = number
            Image.fromarray(pixels).save(place / f"{at:02}.png")
    data = ["task=image_classification", "dataset=image_folder", f"dataset.path={folder / 'photos'}"]
    return [*ALIKE, *data, f"model.name_or_path={model}"]


def weights(result):
    return (result.model / "model.safetensors").read_bytes()


def cut_and_continued(out, said, step, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(step, patch)
        with pytest.raises(SystemExit):
            go(out, *said)
    return go(out, *said)


@pytest.mark.parametrize("kind", ["texts", "images"])
def test_a_run_that_was_cut_off_ends_with_the_same_weights(kind, request, tmp_path, monkeypatch):
    said = [*request.getfixturevalue(kind), *(TEXTS if kind == "texts" else IMAGES)]
    whole = weights(go(tmp_path / "whole", *said))
    # Within the second epoch.
    assert weights(cut_and_continued(tmp_path / "one", said, 8, monkeypatch)) == whole
    workers = [*said, "runtime.dataloader_num_workers=2"]
    assert weights(cut_and_continued(tmp_path / "workers", workers, 8, monkeypatch)) == whole
    assert weights(go(tmp_path / "plain", *request.getfixturevalue(kind))) != whole


def test_with_another_seed_it_draws_otherwise(texts, tmp_path, monkeypatch):
    """The run's seed reaches the augmentation: with all else equal, other draws give other weights."""
    said = [*texts, "augmentation=text_noise", "hyperparameters.max_steps=2"]
    first = weights(go(tmp_path / "first", *said))
    built = text.Augmentation.__init__
    monkeypatch.setattr(text.Augmentation, "__init__", lambda self, options, seed: built(self, options, seed + 1))
    assert weights(go(tmp_path / "second", *said)) != first


def watched(kind, monkeypatch):
    """Every row that is varied, and every batch that is evaluated."""
    varied, evaluated = [], []
    method = text.Augmentation if kind == "texts" else image.Augmentation
    apply, step = method.apply, RecipeTrainer.prediction_step

    def spy(self, rows, keys):
        varied.extend(rows["text"] if kind == "texts" else [one.getpixel((0, 0))[0] for one in rows["image"]])
        return apply(self, rows, keys)

    def evaluate(self, model, inputs, *args, **kwargs):
        evaluated.append({name: value.clone() for name, value in inputs.items()})
        return step(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(method, "apply", spy)
    monkeypatch.setattr(RecipeTrainer, "prediction_step", evaluate)
    return varied, evaluated


@pytest.mark.parametrize("kind", ["texts", "images"])
def test_validation_and_test_are_never_varied(kind, request, tmp_path, monkeypatch):
    said = request.getfixturevalue(kind)
    with monkeypatch.context() as patch:
        varied, augmented = watched(kind, patch)
        go(tmp_path / "augmented", *said, *(TEXTS if kind == "texts" else IMAGES))
    assert len(varied) >= 2 * 48
    if kind == "texts":
        assert all("train" in one for one in varied)
        assert not any("validation" in one or "test" in one for one in varied)
    else:
        assert set(varied) == {0}
    with monkeypatch.context() as patch:
        untouched, plain = watched(kind, patch)
        go(tmp_path / "plain", *said)
    assert untouched == []
    assert len(augmented) == len(plain) >= 4
    for ours, theirs in zip(augmented, plain, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
