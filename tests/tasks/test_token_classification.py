"""Token classification: alignment of words and tokens, windows, loss, predictions, records and panels."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from tokenizers import pre_tokenizers
from transformers import AutoModelForTokenClassification, pipeline

from tests import tiny
from tunebook.data.labels.base import Targets
from tunebook.errors import ConfigurationError, DataError
from tunebook.tasks import _alignment, _entities
from tunebook.tasks._windows import Window, windows
from tunebook.tasks.base import Evaluated
from tunebook.tasks.token_classification import Options, Task, problems
from tunebook.training.losses import cross_entropy

NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
TARGETS = Targets(NAMES, "the values")
OUT, B_LOC, I_LOC, B_PER, I_PER = range(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.tiny_text_model("bert", tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def processor(folder):
    return Task(Options(max_length=64)).load_processor(tiny.model_config(name_or_path=folder))


def task_of(**options):
    return Task(Options(**{"max_length": 32, "stride": 4, **options}))


def rows_of(**columns):
    count = len(next(iter(columns.values())))
    return {**columns, "row": list(range(10, 10 + count)), "position": list(range(count))}


def examples_of(task, processor, **columns):
    encoded = task.encode(rows_of(**columns), processor, None, TARGETS)
    return [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]


def by_word(model_inputs):
    """A model whose output for a token follows from the token alone."""
    ids = model_inputs["input_ids"]
    return {"logits": 4 * torch.nn.functional.one_hot(ids % len(NAMES), len(NAMES)).float()}


def predicted_rows(task, processor, size, **columns):
    """Merged predictions of each row, from batches of some size."""
    examples = examples_of(task, processor, **columns)
    parts: dict[int, list] = {}
    for start in range(0, len(examples), size):
        batch = task.collate(examples[start : start + size], processor)
        outputs = task.forward(lambda **inputs: by_word(inputs), batch)
        predictions = task.predict(None, outputs, batch, processor)
        for example, prediction in zip(examples[start : start + size], predictions, strict=True):
            parts.setdefault(example["position"], []).append(prediction)
    return [task.merge(parts[position]) for position in sorted(parts)]


# ---- words and tokens ----

TRICKY = ["hello", "\u200b", " ", "boredom", "film's", "", "🙂x", "a-b"]


@pytest.mark.parametrize("subtokens", ["first", "all"])
def test_every_word_keeps_its_tag_and_its_place(processor, subtokens):
    tags = [B_PER, I_PER, OUT, B_LOC, I_LOC, OUT, OUT, B_PER]
    (example,) = examples_of(task_of(subtokens=subtokens), processor, tokens=[TRICKY], tags=[tags])
    alone = [processor(word, add_special_tokens=False)["input_ids"] if word.strip() else [] for word in TRICKY]
    ids, labels, units = [2], [-100], [[-1, 0, 0]]
    for word, (own, tag) in enumerate(zip(alone, tags, strict=True)):
        behind = {B_PER: I_PER, B_LOC: I_LOC}.get(tag, tag) if subtokens == "all" else -100
        ids += own
        labels += ([tag] + [behind] * (len(own) - 1)) if own else []
        units += ([[word, word, word + 1]] + [[-1, 0, 0]] * (len(own) - 1)) if own else []
    assert len(alone[3]) > 1
    assert [word for word, own in enumerate(alone) if not own] == [1, 2, 5]
    assert example["input_ids"] == [*ids, 3]
    assert example["labels"] == [*labels, -100]
    assert example["units"] == [*units, [-1, 0, 0]]
    assert (example["row"], example["position"], example["length"]) == (10, 0, len(ids) + 1)


def test_words_without_a_token_are_outside_in_every_row(processor):
    task = task_of()
    (prediction,) = predicted_rows(task, processor, 1, tokens=[TRICKY], tags=[[OUT] * 8])
    record = task.record(prediction, {"tokens": TRICKY, "tags": [OUT] * 8}, TARGETS)
    assert len(record["tags"]) == 8
    assert [record["tags"][word] for word in (1, 2, 5)] == ["O", "O", "O"]


def test_rows_without_words_are_examples_that_count_nothing(processor):
    task = task_of()
    examples = examples_of(task, processor, tokens=[[], [" "]], tags=[[], [OUT]])
    assert [example["input_ids"] for example in examples] == [[2, 3], [2, 3]]
    assert int(task.count(task.collate(examples, processor))) == 0
    first, second = predicted_rows(task, processor, 2, tokens=[[], [" "]], tags=[[], [OUT]])
    assert task.record(first, {"tokens": [], "tags": []}, TARGETS)["tags"] == []
    assert task.record(second, {"tokens": [" "], "tags": [OUT]}, TARGETS)["tags"] == ["O"]


def test_rows_without_tags_can_be_predicted(processor):
    task = task_of()
    (prediction,) = predicted_rows(task, processor, 1, tokens=[["a", "good", "film"]])
    assert set(task.record(prediction, {"tokens": ["a", "good", "film"]}, TARGETS)) == {"entities", "tags"}


def test_a_tokenizer_of_bytes_puts_a_blank_before_every_word():
    fast = tiny.tiny_tokenizer()
    fast.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert fast.backend_tokenizer.pre_tokenizer.add_prefix_space is False
    _alignment.put_blank_before_words(fast)
    assert fast.backend_tokenizer.pre_tokenizer.add_prefix_space is True


# ---- spans ----

TEXT = "the food in greatness was fine"


def span(start, end, label="LOC"):
    return {"start": start, "end": end, "label": label}


def test_spans_of_characters_become_tags_of_tokens(processor):
    task = task_of(form="characters")
    (example,) = examples_of(task, processor, text=[TEXT], spans=[[span(12, 21)]])
    offsets = processor(TEXT, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    inside = [at for at, (start, end) in enumerate(offsets) if start >= 12 and end <= 21]
    assert len(inside) > 1
    expected = [B_LOC if at == inside[0] else I_LOC if at in inside else OUT for at in range(len(offsets))]
    assert example["labels"] == [-100, *expected, -100]
    assert example["units"][1:-1] == [[at, *place] for at, place in enumerate(offsets)]


def test_spans_inside_of_a_token_are_refused_widened_or_dropped(processor, caplog):
    wrong = span(13, 21)
    assert processor.tokenize("the food")[0] == "the"
    columns = {"text": [TEXT, TEXT], "spans": [[span(4, 8, "PER")], [span(1, 3), wrong]]}
    with pytest.raises(DataError) as caught:
        examples_of(task_of(form="characters"), processor, **columns)
    assert [problem.place for problem in caught.value.problems][:1] == ["row 11"]
    widened = examples_of(task_of(form="characters", misaligned="widen"), processor, **columns)
    assert widened[1]["labels"][1] == B_LOC
    assert "begin or end inside a token" in caplog.text
    dropped = examples_of(task_of(form="characters", misaligned="drop"), processor, **columns)
    assert dropped[1]["labels"][1] == OUT
    assert dropped[0]["labels"] == widened[0]["labels"]


def test_widened_spans_do_not_take_a_token_twice():
    tags, misaligned = _alignment.tags_of_spans([span(0, 2), span(2, 4, "PER")], [(0, 3), (3, 4)])
    assert tags == ["B-LOC", "B-PER"]
    assert len(misaligned) == 2


def test_characters_must_stay_where_spans_count_them():
    def config(**settings):
        cleaning = SimpleNamespace(whitespace="strip", unicode="keep")
        return SimpleNamespace(task=SimpleNamespace(options=Options(**settings)), cleaning=cleaning)

    assert [one.key for one in problems(config(form="characters"))] == ["cleaning.whitespace"]
    assert problems(config()) == []
    assert [one.key for one in problems(config(max_length=64, stride=33))] == ["task.stride"]


# ---- windows ----


@pytest.mark.parametrize(("room", "stride"), [(5, 0), (5, 2), (8, 4), (8, 3), (30, 5)])
def test_each_token_is_of_one_window_and_words_are_whole(room, stride):
    words = [word for word, size in enumerate([1, 3, 1, 1, 2, 4, 1, 1, 5, 1, 2, 1, 1, 1]) for _ in range(size)]
    result = windows(words, room, stride)
    assert all(one.end - one.start <= room for one in result)
    assert all(one.start <= one.first < one.last <= one.end for one in result)
    assert [at for one in result for at in range(one.first, one.last)] == list(range(len(words)))
    borders = {at for at in range(1, len(words)) if words[at] != words[at - 1]} | {0, len(words)}
    assert {border for one in result for border in (one.start, one.end, one.first, one.last)} <= borders


def test_a_word_is_of_the_window_in_which_it_is_furthest_from_an_edge():
    # 12 words of one token: windows 0–8, 4–12; words 4 and 5 have more context in the first one.
    assert windows(list(range(12)), 8, 4) == [Window(0, 8, 0, 6), Window(4, 12, 6, 12)]
    assert windows(list(range(8)), 8, 4) == [Window(0, 8, 0, 8)]
    assert windows([], 8, 4) == [Window(0, 0, 0, 0)]


def test_a_word_longer_than_a_window_is_cut():
    result = windows([0, *[1] * 20, 2], 6, 3)
    assert [at for one in result for at in range(one.first, one.last)] == list(range(22))
    assert all(one.end - one.start <= 6 for one in result)


def test_tags_are_the_same_with_and_without_windows(processor):
    random = np.random.default_rng(0)
    vocabulary = " ".join(tiny.SENTENCES).split()
    tokens = [random.choice(vocabulary, size=size).tolist() for size in (18, 3, 15)]
    tokens[2][4:4] = ["badly" * 5, " "]  # a word longer than a window, and one of no token
    tags = [[OUT] * len(words) for words in tokens]
    whole = Task(Options(max_length=512))
    windowed = Task(Options(max_length=12, stride=4))
    assert len(examples_of(windowed, processor, tokens=tokens, tags=tags)) > 3
    expected = predicted_rows(whole, processor, 1, tokens=tokens, tags=tags)
    for size in (1, 4):
        for one, other in zip(
            predicted_rows(windowed, processor, size, tokens=tokens, tags=tags), expected, strict=True
        ):
            np.testing.assert_array_equal(one[:, :4], other[:, :4])
            np.testing.assert_allclose(one[:, 4], other[:, 4])


def test_windows_learn_each_token_once(processor):
    tokens, tags = [["good", "film"] * 12], [[B_PER, I_PER] * 12]
    whole, windowed = Task(Options(max_length=512)), Task(Options(max_length=12, stride=4))
    counts = [
        int(task.count(task.collate(examples_of(task, processor, tokens=tokens, tags=tags), processor)))
        for task in (whole, windowed)
    ]
    assert counts[0] == counts[1] >= 24


# ---- loss ----


def test_the_loss_is_a_masked_mean_of_tokens_by_weight():
    task = task_of()
    torch.manual_seed(0)
    logits = torch.randn(3, 4, 5)
    labels = torch.tensor([[-100, 1, 2, -100], [-100, 0, -100, -100], [-100, 3, 4, 0]])
    weights = torch.tensor([1.0, 0.5, 0.0])
    batch = {"labels": labels, "weight": weights}
    loss = cross_entropy.Loss(cross_entropy.Options(), None, 0.0)
    result = task.loss({"logits": logits}, batch, loss)
    token = -logits.log_softmax(-1)
    first = [token[0, 1, 1], token[0, 2, 2]]
    second = token[1, 1, 0]
    third = [token[2, 1, 3], token[2, 2, 4], token[2, 3, 0]]
    assert float(result.total) == pytest.approx(float(sum(first) + 0.5 * second), rel=1e-6)
    assert int(result.count) == int(task.count(batch)) == 3
    expected = [float(sum(first) / 2), float(second), float(sum(third) / 3)]
    assert result.each.tolist() == pytest.approx(expected, rel=1e-6)


def test_without_weights_it_is_the_loss_of_transformers(folder, processor):
    task = task_of()
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=5).eval()
    examples = examples_of(task, processor, tokens=[["good", "film"], ["bad"]], tags=[[B_PER, I_PER], [OUT]])
    batch = task.collate(examples, processor)
    with torch.no_grad():
        loss = task.loss(task.forward(model, batch), batch, cross_entropy.Loss(cross_entropy.Options(), None, 0.0))
        theirs = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "labels")}).loss
    assert float(loss.total / loss.count) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize(("padding", "width"), [("longest", 5), ("max_length", 16)])
def test_labels_are_padded_as_the_inputs(processor, padding, width):
    task = Task(Options(max_length=16, stride=4, padding=padding))
    examples = examples_of(task, processor, tokens=[["a", "good", "film"], ["bad"]], tags=[[OUT, OUT, OUT], [OUT]])
    batch = task.collate(examples, processor)
    shapes = [tuple(batch[name].shape) for name in ("input_ids", "attention_mask", "labels", "units")]
    width = max(example["length"] for example in examples) if padding == "longest" else width
    assert shapes == [(2, width)] * 3 + [(2, width, 3)]
    assert int(task.count(batch)) == sum(label != -100 for example in examples for label in example["labels"])


# ---- metrics, records, panels ----


def arrays(rows):
    """Predictions of words from rows of tags."""
    return [np.array([[at, at, at + 1, NAMES.index(tag), 0.5] for at, tag in enumerate(tags)]) for tags in rows]


def random_tags(seed, rows=40, length=9):
    return np.random.default_rng(seed).choice(NAMES, size=(rows, length)).tolist()


def test_entity_metrics_are_seqevals():
    seqeval = pytest.importorskip("seqeval.metrics")
    task = task_of()
    predicted, labelled = random_tags(1), random_tags(2)
    references = [{"tokens": ["w"] * 9, "tags": [NAMES.index(tag) for tag in tags]} for tags in labelled]
    names = ["entity_f1", "entity_precision", "entity_recall", "token_accuracy", "entity_f1:PER"]
    evaluator = task.evaluator(names, TARGETS)
    evaluator.update(arrays(predicted[:15]), references[:15])
    evaluator.update(arrays(predicted[15:]), references[15:])
    report = seqeval.classification_report(labelled, predicted, output_dict=True, zero_division=0)
    assert evaluator.compute() == pytest.approx(
        {
            "entity_f1": seqeval.f1_score(labelled, predicted),
            "entity_precision": seqeval.precision_score(labelled, predicted),
            "entity_recall": seqeval.recall_score(labelled, predicted),
            "token_accuracy": seqeval.accuracy_score(labelled, predicted),
            "entity_f1:PER": report["PER"]["f1-score"],
        }
    )
    assert evaluator.row_scores() == {}


def test_the_panel_shows_seqevals_figures_of_each_type_and_the_worst_rows():
    seqeval = pytest.importorskip("seqeval.metrics")
    task = task_of()
    predicted, labelled = random_tags(1), random_tags(2)
    evaluated = Evaluated(
        split="test",
        rows=Dataset.from_dict({"row": list(range(100, 140))}),
        predictions=arrays(predicted),
        references=[{"tokens": ["w"] * 9, "tags": [NAMES.index(tag) for tag in tags]} for tags in labelled],
        losses=np.zeros(40, dtype=np.float32),
        positions=np.arange(40),
        targets=TARGETS,
    )
    (panel,) = task.panels(evaluated)
    report = seqeval.classification_report(labelled, predicted, output_dict=True, zero_division=0)
    figures = ("precision", "recall", "f1-score")
    expected = [
        [kind, *(round(report[kind][one], 3) for one in figures), report[kind]["support"]] for kind in ("LOC", "PER")
    ]
    assert panel.tables[0].rows == expected
    kinds = dict(panel.tables[1].rows)
    assert sum(kinds.values()) - kinds["invented"] == report["micro avg"]["support"]
    assert len(panel.examples) == 20
    assert all(100 <= example.rows[0].row < 140 for example in panel.examples)


def test_kinds_of_errors():
    labelled = [("PER", 0, 2), ("LOC", 3, 4), ("PER", 5, 7), ("LOC", 8, 9), ("PER", 10, 12)]
    predicted = [("PER", 0, 2), ("PER", 3, 4), ("PER", 5, 6), ("LOC", 11, 13), ("LOC", 20, 21)]
    assert _entities.error_kinds(labelled, predicted) == {
        "right": 1,
        "wrong type": 1,
        "wrong boundary": 1,
        "missed": 1,
        "wrong type and boundary": 1,
        "invented": 1,
    }


def test_a_record_of_words_names_entities_with_place_text_and_score():
    task = task_of()
    reference = {"tokens": ["Ada", "Byron", "in", "Rome"], "tags": [B_PER, I_PER, OUT, B_LOC]}
    prediction = np.array([[0, 0, 1, B_PER, 0.9], [1, 1, 2, I_PER, 0.7], [2, 2, 3, OUT, 0.9], [3, 3, 4, B_PER, 0.6]])
    assert task.record(prediction, reference, TARGETS) == {
        "label_entities": [
            {"type": "PER", "start": 0, "end": 2, "text": "Ada Byron"},
            {"type": "LOC", "start": 3, "end": 4, "text": "Rome"},
        ],
        "entities": [
            {"type": "PER", "start": 0, "end": 2, "text": "Ada Byron", "score": pytest.approx(0.8)},
            {"type": "PER", "start": 3, "end": 4, "text": "Rome", "score": pytest.approx(0.6)},
        ],
        "correct": False,
        "label_tags": ["B-PER", "I-PER", "O", "B-LOC"],
        "tags": ["B-PER", "I-PER", "O", "B-PER"],
    }


def test_plain_labels_have_no_entities_to_score():
    task, targets = task_of(), Targets(("DET", "NOUN"), "the values")
    with pytest.raises(ConfigurationError, match="token_accuracy"):
        task.evaluator(["entity_f1"], targets)
    prediction = np.array([[0, 0, 1, 0, 0.9], [1, 1, 2, 1, 0.9]])
    record = task.record(prediction, {"tokens": ["a", "film"], "tags": [0, 1]}, targets)
    assert (record["entities"], record["correct"], record["tags"]) == ([], True, ["DET", "NOUN"])


@pytest.mark.parametrize("max_length", [64, 14])
def test_a_pipeline_finds_the_same_entities(folder, processor, max_length):
    task = Task(Options(form="characters", max_length=max_length, stride=4))
    torch.manual_seed(3)
    names = dict(enumerate(NAMES))
    model = AutoModelForTokenClassification.from_pretrained(
        folder, id2label=names, label2id={name: at for at, name in names.items()}
    ).eval()
    text = "the plot is thin and the jokes are bad"
    examples = examples_of(task, processor, text=[text], spans=[[span(4, 8)]])
    batch = task.collate(examples, processor)
    with torch.no_grad():
        predictions = task.predict(model, task.forward(model, batch), batch, processor)
    record = task.record(task.merge(predictions), {"text": text, "spans": [span(4, 8)]}, TARGETS)
    assert record["label_entities"] == [{"type": "LOC", "start": 4, "end": 8, "text": "plot"}]
    if max_length == 14:
        assert len(examples) > 1
        return
    served = pipeline(
        "token-classification", model=model, tokenizer=processor, aggregation_strategy="simple", device=-1
    )
    ours = [(one["type"], one["start"], one["end"]) for one in record["entities"]]
    assert ours == [(one["entity_group"], one["start"], one["end"]) for one in served(text)]
    assert ours
    assert [one["score"] for one in record["entities"]] == pytest.approx([float(one["score"]) for one in served(text)])
