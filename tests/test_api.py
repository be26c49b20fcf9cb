"""Tunebook from Python: data sets, a model and callbacks as objects give the run that files and a folder give."""

import datasets
import pandas
import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

import tunebook
from tests import tiny
from tunebook.errors import ConfigurationError

WORDS = {"good": "up", "bad": "down"}


def rows(count, start=0):
    words = list(WORDS)
    return {
        "text": [f"the film number {at} was {words[at % 2]} and long" for at in range(start, start + count)],
        "label": [WORDS[words[at % 2]] for at in range(start, start + count)],
    }


TRAIN, VALIDATION, TEST = rows(32), rows(12, start=100), rows(10, start=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier with a tokenizer, whose head is saved with it."""
    folder = tiny.tiny_text_model("bert", tmp_path_factory.mktemp("model") / "bert")
    names = {"id2label": {0: "down", 1: "up"}, "label2id": {"down": 0, "up": 1}}
    AutoModelForSequenceClassification.from_pretrained(folder, **names).save_pretrained(folder)
    return folder


@pytest.fixture
def objects(folder):
    """The keywords of `tunebook.run`."""
    return {
        "train": datasets.Dataset.from_dict(TRAIN),
        "validation": datasets.Dataset.from_dict(VALIDATION),
        "test": pandas.DataFrame(TEST),
        "model": AutoModelForSequenceClassification.from_pretrained(folder),
        "processor": AutoTokenizer.from_pretrained(folder),
    }


def overrides(out, *more):
    """Of a short run into the folder `out`."""
    return [
        "runtime=cpu", "runtime.precision=float32", "task.max_length=24", "hyperparameters.max_steps=3",
        "hyperparameters.effective_batch_size=8", "cleaning.near_duplicates=ignore", "cleaning.near_leaks=ignore",
        "run.audit=false", f"run.output_dir={out}", *more,
    ]  # fmt: skip


class Steps(TrainerCallback):
    def __init__(self):
        self.steps = []

    def on_step_end(self, args, state, control, **kwargs):
        self.steps.append(state.global_step)


def test_objects_give_the_metrics_that_files_give(objects, folder, tmp_path):
    steps = Steps()
    before = {name: value.clone() for name, value in objects["model"].state_dict().items()}
    ours = tunebook.run("bert_sentiment", *overrides(tmp_path / "objects"), **objects, callbacks=[steps])
    assert steps.steps == [1, 2, 3]
    assert all((value == before[name]).all() for name, value in objects["model"].state_dict().items()), "it is copied"
    files = []
    for split, content in {"train": TRAIN, "validation": VALIDATION, "test": TEST}.items():
        pandas.DataFrame(content).to_csv(tmp_path / f"{split}.csv", index=False)
        files.append(f"dataset.{split}={tmp_path / split}.csv")
    model = ["model=auto", f"model.name_or_path={folder}"]
    theirs = tunebook.run("bert_sentiment", "dataset=files", *files, *model, *overrides(tmp_path / "files"))
    assert ours.metrics == theirs.metrics
    assert ours.metrics.keys() == {"validation", "test"}
    assert ours.trained
    assert ours.model.is_dir()


def test_a_finished_run_is_not_repeated(objects, tmp_path):
    first, again = (
        tunebook.run("bert_sentiment", *overrides(tmp_path, "hyperparameters.max_steps=1"), **objects) for _ in range(2)
    )
    assert (first.trained, again.trained) == (True, False)
    assert (again.path, again.metrics) == (first.path, first.metrics)
    objects["train"] = datasets.Dataset.from_dict(rows(24, start=300))
    other = tunebook.run("bert_sentiment", *overrides(tmp_path, "hyperparameters.max_steps=1"), **objects)
    assert other.trained
    assert other.path != first.path


def test_splits_may_come_as_a_mapping(objects, tmp_path):
    data = {split: objects.pop(split) for split in ("train", "validation", "test")}
    result = tunebook.run(None, *overrides(tmp_path, "hyperparameters.max_steps=1"), data=data, **objects)
    assert result.metrics.keys() == {"validation", "test"}


MISTAKES = {
    "no split": ({"trian": datasets.Dataset.from_dict(TRAIN)}, "trian"),
    "no data set": ({"train": TRAIN}, "train"),
    "no model": ({"model": "bert-base-uncased"}, "model"),
    "a model without its processor": ({"processor": None}, "processor"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_refused_with_their_key(name, objects, tmp_path):
    mistake, key = MISTAKES[name]
    with pytest.raises(ConfigurationError) as raised:
        tunebook.run("bert_sentiment", *overrides(tmp_path), **{**objects, **mistake})
    assert [problem.key for problem in raised.value.problems] == [key]
    assert not list(tmp_path.iterdir())


def test_a_mistake_in_an_override_is_refused_as_on_the_command_line(objects, tmp_path):
    with pytest.raises(ConfigurationError, match="hyperparameters.lerning_rate.*did you mean learning_rate"):
        tunebook.run("bert_sentiment", *overrides(tmp_path, "hyperparameters.lerning_rate=1"), **objects)


def test_check_gives_the_typed_configuration():
    assert tunebook.check("bert_sentiment", "hyperparameters.max_steps=7").hyperparameters.max_steps == 7
