"""Streamed steps: the same rows in every layout, each once an epoch, and a resumed run equal to the bit."""

import itertools
import json
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from accelerate import skip_first_batches
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, TrainingArguments

from tests import tiny
from tunebook.config import registry
from tunebook.config.schema import CleaningConfig
from tunebook.data.row_key import RowKey
from tunebook.data.streaming.label_codes import LabelCodes
from tunebook.data.streaming.reader import Raw
from tunebook.data.streaming.row_work import RowWork
from tunebook.data.streaming.stream import Stream
from tunebook.errors import ConfigurationError, DataError
from tunebook.training.batches import BatchLayout, batch_layout
from tunebook.training.rows import TrainRows
from tunebook.training.stream import StreamBatches, Streamed, StreamLabels, StreamRows, pooled, shuffled
from tunebook.training.trainer import RecipeTrainer, mean_over_batch

WORDS = " ".join(tiny.SENTENCES).split()
WORK = RowWork({"text": "text", "label": "label"}, LabelCodes("class", ["a", "b"], "key"), CleaningConfig())


class Made:
    """A reader of made rows that counts how far it was read."""

    place = "made"

    def __init__(self, count: int, broken: int | None = None):
        self.count, self.broken, self.read = count, broken, 0

    def rows(self, columns):
        draw = np.random.default_rng(3)
        for at in range(self.count):
            self.read = at + 1
            words = " ".join(draw.choice(WORDS, size=draw.integers(2, 20)).tolist())
            label = "?" if at == self.broken else "ab"[at % 2]
            yield Raw({"text": f"{words} {at}", "label": label}, f"made, row {at}")


def stream(count=103, known=True, work=WORK, broken=None):
    return Stream(Made(count, broken), work, count if known else None)


def batches(source, layout=None, rank=0, strategy="random", seed=1, buffer=20, **settings):
    return StreamBatches(source, layout or BatchLayout(8, 1, 1), rank, strategy, seed, buffer, **settings)


def counted(found):
    return [one.key.row for batch in found for one in batch if one.key.counted]


def steps_of(layout, count, strategy, **settings):
    """The rows that count in each step, over all ranks and micro-batches."""
    given, more = settings.get("source", {}), settings.get("more", {})
    ranks = [list(batches(stream(count, **given), layout, rank, strategy, **more)) for rank in range(layout.processes)]
    assert len({len(found) for found in ranks}) == 1, "every rank has as many micro-batches"
    cut = layout.accumulation
    return [
        sorted(counted(itertools.chain(*(found[at : at + cut] for found in ranks))))
        for at in range(0, len(ranks[0]), cut)
    ]


@pytest.mark.parametrize("strategy", ["random", "group_by_length", "sequential"])
@pytest.mark.parametrize("count", [96, 103, 97, 5])
def test_a_step_holds_the_same_rows_in_every_layout(strategy, count):
    layouts = [BatchLayout(8, 1, 1), BatchLayout(2, 1, 4), BatchLayout(4, 2, 1), BatchLayout(2, 2, 2)]
    found = [steps_of(layout, count, strategy) for layout in layouts]
    assert found[1] == found[0]
    assert found[2] == found[0]
    assert found[3] == found[0]
    assert [len(step) for step in found[0][:-1]] == [8] * (len(found[0]) - 1)
    assert sorted(itertools.chain(*found[0])) == list(range(count))


@pytest.mark.parametrize("layout", [BatchLayout(8, 1, 1), BatchLayout(2, 1, 4), BatchLayout(4, 2, 1)])
def test_without_known_rows_every_step_is_whole_and_passes_follow_each_other(layout):
    found = steps_of(layout, 20, "random", source={"known": False}, more={"max_steps": 8})
    assert [len(step) for step in found] == [8, 8, 4, 8, 8, 4, 8, 8]
    for start in (0, 3):
        assert sorted(itertools.chain(*found[start : start + 3])) == list(range(20))
    assert found[:3] != found[3:6]
    assert found == steps_of(BatchLayout(8, 1, 1), 20, "random", source={"known": False}, more={"max_steps": 8})
    assert len(batches(stream(20, known=False), layout, max_steps=8)) == 8 * layout.accumulation


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_every_row_once_an_epoch_and_epochs_differ(strategy):
    sampler = batches(stream(), strategy=strategy)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append(counted(sampler))
        assert Counter(orders[-1]) == Counter(range(103))
    assert orders[0] == orders[2]
    assert orders[0] != orders[1]
    assert orders[0] != counted(batches(stream(), strategy=strategy, seed=2))
    assert {one.key.epoch for batch in sampler for one in batch} == {0}


def test_sequential_keeps_the_order_of_the_source():
    assert counted(batches(stream(), strategy="sequential")) == list(range(103))


@pytest.mark.parametrize(
    "layout", [BatchLayout(8, 1, 1), BatchLayout(2, 1, 4), BatchLayout(4, 2, 1), BatchLayout(3, 2, 2)]
)
def test_its_length_is_what_it_gives(layout):
    for count in (1, 96, 97, 103):
        for rank in range(layout.processes):
            sampler = batches(stream(count), layout, rank)
            assert len(sampler) == len(list(sampler))


def test_shuffling_reads_no_further_than_its_buffer():
    source = stream(1000)
    for given, _ in enumerate(shuffled(source.rows(), 50, seed=0, epoch=0)):
        assert source.reader.read <= given + 51
    order = [row["row"] for row in shuffled(stream(1000).rows(), 50, seed=0, epoch=0)]
    assert sorted(order) == list(range(1000))
    moved = np.abs(np.array(order) - np.arange(1000))
    assert moved.mean() > 20  # it does shuffle
    assert [row["row"] for row in shuffled(stream(9).rows(), 1, seed=0, epoch=0)] == list(range(9))
    assert sorted(row["row"] for row in shuffled(stream(9).rows(), 50, seed=0, epoch=0)) == list(range(9))


def test_length_grouping_reads_a_pool_and_puts_like_lengths_together():
    source = stream(1000)
    lengths = []
    for given, row in enumerate(pooled(source.rows(), 100, 8, seed=0, epoch=0)):
        assert source.reader.read <= given + 96 + 1
        lengths.append(len(row["text"]))
    apart = [max(lengths[at : at + 8]) - min(lengths[at : at + 8]) for at in range(0, 1000, 8)]
    assert np.mean(apart) < 0.3 * (max(lengths) - min(lengths))
    assert np.corrcoef(lengths, range(1000))[0, 1] < 0.2  # lengths do not rise or fall with time


def test_a_problem_in_the_middle_reaches_whoever_trains():
    sampler = iter(batches(stream(103, broken=80), buffer=10))
    before = list(itertools.islice(sampler, 8))
    assert len(counted(before)) == 64
    with pytest.raises(DataError, match="row 80") as raised:
        list(sampler)
    assert raised.value.every_rank_speaks


def test_neither_rows_nor_steps():
    with pytest.raises(ConfigurationError, match="hyperparameters.max_steps"):
        batches(stream(known=False))


# ---- encoding ----


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return tiny.tiny_text_model("bert", tmp_path_factory.mktemp("stream") / "bert")


@pytest.fixture(scope="module")
def task():
    module = registry.load("task", "text_classification")
    return module.Task(module.Options(max_length=24))


def augmentation(active=False, mixes=None):
    class Shouting:
        def __init__(self):
            self.active, self.mixes, self.keys = active, mixes, []

        def apply(self, rows, keys):
            self.keys += keys
            return {**rows, "text": [f"good {text}" for text in rows["text"]]}

    return Shouting()


def streamed_rows(task, model_folder, varied=None, source=None):
    processor = task.load_processor(tiny.model_config(name_or_path=model_folder))
    model = AutoModelForSequenceClassification.from_pretrained(model_folder)
    return StreamRows(source or stream(), task, processor, model.config, varied or augmentation()), processor, model


def test_streamed_rows_are_encoded_as_whole_ones_are(task, model_folder):
    rows, processor, model = streamed_rows(task, model_folder)
    drawn = next(iter(batches(stream(), strategy="sequential")))
    whole = Dataset.from_list(list(stream().rows()))
    encoded = TrainRows(task.encode(whole, processor, model))
    assert rows.__getitems__(drawn) == encoded.__getitems__([RowKey(at) for at in range(8)])
    assert len(rows) == 103
    filler = rows[drawn[0]._replace(key=RowKey(0, counted=False))]
    assert filler["weight"] == 0.0


def test_augmentation_sees_values_and_keys(task, model_folder):
    varied = augmentation(active=True)
    rows, processor, _ = streamed_rows(task, model_folder, varied)
    one = Streamed(RowKey(7, 2), {"text": "a warm film", "label": 1, "row": 7})
    assert rows[one]["input_ids"] == processor("good a warm film")["input_ids"]
    assert varied.keys == [RowKey(7, 2)]
    with pytest.raises(ConfigurationError, match="mixes rows with any other"):
        streamed_rows(task, model_folder, augmentation(active=True, mixes="embeddings"))


def test_labels_that_nobody_has_seen_cannot_be_counted():
    labels = StreamLabels("class", ("a", "b"))
    assert labels.names == ("a", "b")
    for name in ("values", "counts"):
        with pytest.raises(ConfigurationError, match="labels of all training rows"):
            getattr(labels, name)


# ---- training ----


def trained(folder, model_folder, task, stop_at=None, workers=0, count=103, known=True, layout=None, **settings):
    """Weights after training a tiny BERT with dropout, saving at step 7; `stop_at`: 7 is resumed from."""
    source = stream(count, known)
    rows, processor, model = streamed_rows(task, model_folder, source=source)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.classifier.weight, std=0.1)
    layout = layout or batch_layout(8, 4, 1)
    sampler = batches(source, layout, strategy="random", max_steps=settings.get("max_steps"))
    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=layout.per_device, learning_rate=1e-3, report_to="none",
        gradient_accumulation_steps=layout.accumulation, save_strategy="steps", save_steps=7, use_cpu=True, seed=3,
        logging_steps=1, disable_tqdm=True, remove_unused_columns=False, label_names=["labels"], eval_strategy="no",
        dataloader_num_workers=workers, **settings,
    )  # fmt: skip
    module = registry.load("loss", "cross_entropy")
    loss = module.Loss(module.Options(), StreamLabels("class", ("a", "b")), 0.0)
    trainer = RecipeTrainer(
        batches=sampler, model=model, args=arguments, data_collator=task.collator(processor),
        train_dataset=rows, compute_loss_func=mean_over_batch(loss),
    )  # fmt: skip
    encoded = []
    rows.task = Counting(task, encoded)
    trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{stop_at}") if stop_at else None)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {name: value.clone() for name, value in model.state_dict().items()}, losses, encoded, trainer.state


class Counting:
    """A task that remembers which rows it encoded."""

    def __init__(self, task, encoded):
        self.task, self.encoded = task, encoded

    def encode_rows(self, rows, processor, config):
        self.encoded.extend(rows["row"])
        return self.task.encode_rows(rows, processor, config)


@pytest.mark.parametrize(
    ("known", "settings", "last"),
    [
        (True, {"num_train_epochs": 2}, 26),  # 13 steps an epoch: 7 lies within the first, 21 within the second
        (False, {"max_steps": 30}, 30),
    ],
)
@pytest.mark.parametrize("stop_at", [7, 21])
def test_resuming_within_an_epoch_is_equal_to_the_bit_and_encodes_no_row_again(
    tmp_path, model_folder, task, known, settings, last, stop_at
):
    whole, losses, every, state = trained(tmp_path, model_folder, task, known=known, **settings)
    assert state.global_step == len(losses) == last
    resumed, again, rest, _ = trained(tmp_path, model_folder, task, stop_at=stop_at, known=known, **settings)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert again == losses
    assert rest == every[len(every) - len(rest) :]
    assert len(rest) <= len(every) - 8 * (stop_at - 2)


def test_known_rows_make_epochs_and_every_row_is_trained_once_in_each(tmp_path, model_folder, task):
    _, _, encoded, state = trained(tmp_path, model_folder, task, num_train_epochs=2)
    assert (state.max_steps, state.num_train_epochs, state.epoch) == (26, 2, 2.0)
    assert set(Counter(encoded).values()) <= {2, 3}  # a filler is encoded once more, and does not count
    assert sum(Counter(encoded).values()) - 2 * 103 <= 2


def test_the_weights_are_those_of_every_layout(tmp_path, model_folder, task):
    # Dropout draws by micro-batch, so it is off here.
    plain = tmp_path / "plain"
    shutil.copytree(model_folder, plain)
    config = json.loads((plain / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (plain / "config.json").write_text(json.dumps(config))

    def steady(folder, layout):
        return trained(folder, plain, task, layout=layout, max_steps=3)[0]

    one, four = steady(tmp_path / "a", BatchLayout(8, 1, 1)), steady(tmp_path / "b", BatchLayout(2, 1, 4))
    assert all(torch.allclose(one[name], four[name], atol=1e-5) for name in one)


def test_loader_workers_encode_the_same_batches(tmp_path, model_folder, task):
    here, losses, _, _ = trained(tmp_path / "a", model_folder, task, max_steps=6)
    there, others, _, _ = trained(tmp_path / "b", model_folder, task, max_steps=6, workers=1)
    assert losses == others
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_skipping_parses_rows_and_encodes_none(task, model_folder):
    rows, _, _ = streamed_rows(task, model_folder)
    encoded = []
    rows.task = Counting(task, encoded)
    sampler = batches(stream())
    loader = torch.utils.data.DataLoader(rows, batch_sampler=sampler, collate_fn=list)
    first = next(iter(skip_first_batches(loader, 10)))
    assert [row["row"] for row in first] == counted(list(sampler)[10:11])
    assert len(encoded) == 8
