"""Whole runs with an adapter: what is left, that it loads, and that an interruption changes nothing."""

import contextlib
import io
import json
import sys

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import pipeline

from tests import tiny
from tests.runs import best_at, go, six_steps, stop_at
from tests.test_two_processes import LAUNCHERS, launch
from tests.training.test_gradients import without_dropout
from tunebook.check import check
from tunebook.config import registry
from tunebook.config.compose import compose
from tunebook.data.prepare import rows_of
from tunebook.errors import RunDirectoryError
from tunebook.training import checkpoints

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
LORA = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Six steps an epoch, two epochs; the best of them is kept."""
    return six_steps(
        tmp_path_factory.mktemp("model"),
        "hyperparameters.learning_rate=1e-2",
        "hyperparameters.num_train_epochs=2",
        "run.audit=false",
        "runtime.disable_tqdm=true",
    )


def files_of(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def lora(overrides, tmp_path_factory):
    return go(tmp_path_factory.mktemp("lora"), *overrides, "adapter=lora")


def test_both_leaves_a_model_for_pipeline_and_an_adapter_for_peft(lora, overrides):
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= files_of(lora.model)
    assert not any(name.startswith("adapter") for name in files_of(lora.model))
    assert files_of(lora.path / "adapter") == {LORA, "adapter_config.json", "config.json"}
    assert not list(lora.path.glob(".*adapter")), "nothing is left aside"
    said = json.loads((lora.path / "adapter" / "adapter_config.json").read_text())
    assert f"model.name_or_path={said['base_model_name_or_path']}" in overrides
    assert said["modules_to_save"] == ["classifier"]
    assert "adapter/" in (lora.path / "log.txt").read_text()
    checkpoint = max((lora.path / "checkpoints").iterdir())
    assert "model.safetensors" not in files_of(checkpoint)
    assert (checkpoint / LORA).stat().st_size < (lora.model / "model.safetensors").stat().st_size / 4


def by_card(card, number):
    """What the lines of a model card define, run in the card's own folder."""
    code = card.read_text().split("```python\n")[1 + number].split("```")[0]
    with contextlib.chdir(card.parent), contextlib.redirect_stdout(io.StringIO()):
        defined = {}
        exec(code, defined)
        return defined


def first_rows(overrides, result):
    """Texts of the test split, with what the run answered."""
    config = check(compose(overrides))
    task = registry.load("task", config.task.name).Task(config.task.options)
    split = rows_of(config, task).splits["test"]
    lines = (result.path / "predictions" / "test.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines][:6]
    texts = dict(zip(split["row"], split["text"], strict=True))
    return [texts[one["row"]] for one in said], said


def assert_answers(asked, texts, said):
    answers = asked(texts, truncation=True)
    assert [one["label"] for one in answers] == [one["predicted"] for one in said]
    assert [one["score"] for one in answers] == pytest.approx([one["probability"] for one in said], abs=1e-5)


def test_the_lines_of_the_card_load_model_and_adapter_which_answer_as_the_run_did(lora, overrides):
    texts, said = first_rows(overrides, lora)
    for card in (lora.path / "README.md", lora.model / "README.md"):
        asked = by_card(card, 0)["model"]
        assert_answers(asked, texts, said)
        adapted = by_card(card, 1)["adapted"].eval()
        assert_answers(pipeline("text-classification", model=adapted, tokenizer=asked.tokenizer), texts, said)


@pytest.mark.parametrize("method", ["ia3", "prompt", "prefix"])
def test_an_adapter_alone_keeps_the_labels_and_its_card_loads_it(overrides, tmp_path, method):
    result = go(tmp_path, *overrides, f"adapter={method}", "adapter.save=adapter", "hyperparameters.max_steps=4")
    assert {LORA, "adapter_config.json", "config.json", "tokenizer.json", "README.md"} <= files_of(result.model)
    assert "model.safetensors" not in files_of(result.model)
    assert not (result.path / "adapter").exists()
    assert "the adapter of the best model" in (result.path / "log.txt").read_text()
    assert_answers(by_card(result.path / "README.md", 0)["model"], *first_rows(overrides, result))


def test_merged_leaves_no_adapter(overrides, tmp_path):
    result = go(tmp_path, *overrides, "adapter=dora", "adapter.save=merged", "hyperparameters.max_steps=2")
    assert not (result.path / "adapter").exists()
    assert pipeline("text-classification", str(result.model))("a warm film")[0]["label"] in {"negative", "positive"}


def weights(result):
    return {path.name: path.read_bytes() for folder in ("model", "adapter")
            for path in (result.path / folder).glob("*.safetensors")}  # fmt: skip


RESUMED = {
    "lora": ["adapter=lora", "adapter.lora_dropout=0.1"],
    "prefix": ["adapter=prefix"],
    "phases": ["adapter=dora", "freezing=gradual", "freezing.every_steps=3", "freezing.every_epochs=null"],
}


@pytest.mark.parametrize("said", RESUMED)
def test_an_interrupted_run_ends_with_the_same_weights(overrides, tmp_path, monkeypatch, said):
    whole = go(tmp_path / "whole", *overrides, *RESUMED[said])
    for step in (4, 9):
        with monkeypatch.context() as patch:
            stop_at(step, patch)
            with pytest.raises(SystemExit):
                go(tmp_path / "cut", *overrides, *RESUMED[said])
    cut = go(tmp_path / "cut", *overrides, *RESUMED[said])
    assert weights(cut) == weights(whole)
    last = [load_file(one.path / "checkpoints" / "checkpoint-12" / LORA) for one in (cut, whole)]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[1])
    assert cut.metrics == whole.metrics


def test_a_checkpoint_without_a_weight_of_the_adapter_is_no_start(overrides, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(4, patch)
        with pytest.raises(SystemExit):
            go(tmp_path, *overrides, "adapter=lora")
    (folder,) = (tmp_path / "default" / "x" / "checkpoints").glob("checkpoint-*")
    held = load_file(folder / LORA)
    held.pop(next(name for name in held if "lora_A" in name))
    save_file(held, folder / LORA)
    monkeypatch.setattr(checkpoints, "problems", lambda folder: [])
    with pytest.raises(RunDirectoryError, match="does not fit this adapter: .*lora_A"):
        go(tmp_path, *overrides, "adapter=lora")


def test_the_best_adapter_is_the_one_that_is_merged(overrides, tmp_path, monkeypatch):
    best_at(6, monkeypatch)
    result = go(tmp_path, *overrides, "adapter=lora", "hyperparameters.metric_for_best_model=loss")
    best = load_file(result.path / "checkpoints" / "checkpoint-6" / LORA)
    last = load_file(result.path / "checkpoints" / "checkpoint-12" / LORA)
    kept = load_file(result.path / "adapter" / LORA)
    assert all(torch.equal(kept[name], best[name]) for name in best)
    assert not all(torch.equal(kept[name], last[name]) for name in last)


def test_frozen_layers_below_the_adapters_can_be_cached(overrides, tmp_path):
    said = [*overrides, "adapter=lora", "freezing=last_n", "freezing.n=1", f"runtime.cache_dir={tmp_path / 'cache'}"]
    plain, cached = (go(tmp_path / cache, *said, f"freezing.cache={cache}") for cache in ("off", "auto"))
    ours, theirs = (load_file(one.path / "adapter" / LORA) for one in (plain, cached))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)


def test_images_can_have_adapters_too(tmp_path_factory, tmp_path):
    folder = tiny.tiny_image_model("resnet", tmp_path_factory.mktemp("model") / "resnet")
    said = [
        "task=image_classification", "dataset=digits", "model=auto", f"model.name_or_path={folder}",
        "runtime=cpu", "runtime.precision=float32", "run.name=x", "run.audit=false",
        "dataset.max_rows={train: 48, validation: 24, test: 24}",
        "hyperparameters.max_steps=2", "hyperparameters.eval_strategy=steps",
        "hyperparameters.eval_steps=2", "hyperparameters.early_stopping_patience=null",
    ]  # fmt: skip
    picture = Image.new("L", (8, 8), 128)
    alone = go(tmp_path / "alone", *said, "adapter=ia3", "adapter.save=adapter")
    picture.save(alone.path / "picture.png")
    assert by_card(alone.path / "README.md", 0)["model"](picture)[0]["label"] in set("0123456789")
    result = go(tmp_path, *said, "adapter=lora")
    before, after = load_file(folder / "model.safetensors"), load_file(result.model / "model.safetensors")
    statistics = [name for name in before if "running" in name]
    assert statistics
    assert all(torch.equal(before[name], after[f"resnet.{name}"]) for name in statistics)


def test_two_processes_do_what_one_does(overrides, tmp_path):
    model = without_dropout(tiny.tiny_text_model("bert", tmp_path / "bert"))
    said = [*overrides, f"model.name_or_path={model}", "adapter=lora", "freezing=head_then_all"]
    launch(said, tmp_path / "one", [sys.executable])
    launch(said, tmp_path / "two", LAUNCHERS["torchrun"])
    ends = [tmp_path / out / "default" / "x" / "checkpoints" / "checkpoint-12" / LORA for out in ("one", "two")]
    one, two = map(load_file, ends)
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    assert any(values.any() for name, values in two.items() if "lora_B" in name)
