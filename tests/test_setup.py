"""What a run is made of: which row an example belongs to, and what it counts, also where a row has several."""

from types import SimpleNamespace

import datasets
import numpy as np
import pytest

from tests import tiny
from tests.contexts import context_of
from tunebook import setup
from tunebook.data.row_key import RowKey
from tunebook.training.batches import BatchLayout


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("setup")
    model = tiny.tiny_text_model("bert", folder / "bert")
    return context_of(
        folder / "run", "model=auto", f"model.name_or_path={model}", "runtime=cpu", "runtime.precision=float32",
        "dataset.max_rows={train: 20, validation: 12, test: 10}", "task.max_length=24",
        "hyperparameters.effective_batch_size=8", "hyperparameters.num_train_epochs=2",
    )  # fmt: skip


def test_every_example_names_its_row(context):
    for split in ("validation", "test"):
        assert context.eval_splits[split].positions.tolist() == list(range(len(context.data.splits[split])))
        assert not context.eval_splits[split].windows
    assert context.encoded["train"]["position"][:] == list(range(20))
    assert context.encoded["train"]["row"][:] == context.data.splits["train"]["row"][:]


def test_the_phases_count_the_steps_of_the_epochs(context):
    assert (context.phases.steps_per_epoch, context.phases.total) == (3, 6)


def windowed(context, positions):
    """The training examples of a task whose rows have several."""
    encoded = datasets.Dataset.from_dict({"input_ids": [[at] for at in range(len(positions))], "position": positions})
    data = SimpleNamespace(splits={"train": [None, None, None]}, weights=np.array([0.5, 1.0, 2.0]), targets=None)
    model = SimpleNamespace(loaded=None, processor=None)
    return setup._train_examples(context.config, context.task, data, model, encoded)


def test_windows_have_the_weight_of_their_row(context):
    examples = windowed(context, [0, 0, 1, 2, 2])
    weights = [example["weight"] for example in examples.__getitems__([RowKey(at) for at in range(5)])]
    assert weights == [0.5, 0.5, 1.0, 2.0, 2.0]
    assert examples[RowKey(0, counted=False)]["weight"] == 0


def test_an_epoch_samples_examples_where_rows_have_several(context):
    by_row = setup.sampling_and_losses(context.config, context.task, context.data)[0]
    by_example = setup.sampling_and_losses(context.config, context.task, context.data, 27)[0]
    assert (by_row.rows, by_example.rows) == (20, 27)


def test_the_effective_batch_is_spelled_out(context):
    wanted = context.config.hyperparameters.model_copy(update={"effective_batch_size": None})
    config = context.config.model_copy(update={"hyperparameters": wanted})
    stated = setup.with_effective_batch(config, BatchLayout(per_device=4, processes=2, accumulation=3)).hyperparameters
    assert (stated.effective_batch_size, stated.gradient_accumulation_steps) == (24, None)
    assert setup.with_effective_batch(context.config, context.layout) is context.config
