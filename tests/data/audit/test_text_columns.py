"""Texts of every text-like column are audited, targets apart from inputs; large splits are sampled by the seed."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from tests.data.audit.conftest import sentences
from tests.data.small_tasks import LABELS, TEXT
from tunebook.config import registry
from tunebook.data.audit import audit as audit_module
from tunebook.data.audit import context as context_module
from tunebook.data.audit.audit import audit
from tunebook.data.audit.checks import class_balance, giveaways, lengths, rare_classes
from tunebook.data.audit.facts import AuditFacts
from tunebook.data.columns import Column
from tunebook.data.labels.base import LabelColumn, Targets
from tunebook.data.prepare import PreparedData

SUMMARY = {"columns": {"summary": Column("text", target=True)}}


def test_lengths_of_targets_are_apart_from_those_of_inputs(made):
    rows = {"text": ["one two three four", "one two"], "summary": ["one", "one two three"]}
    context = made({"train": rows, "test": rows}, **SUMMARY)
    assert (context.text_roles, context.target_text_roles) == (["text"], ["summary"])
    result = lengths.check(context)
    assert result.numbers["splits"]["train"]["longest"] == 4
    targets = result.numbers["targets"]
    assert (targets["unit"], targets["splits"]["test"]["p50"], targets["splits"]["test"]["longest"]) == ("words", 1, 3)
    assert [table.title for table in result.tables] == ["Length in words", "Length of targets in words"]
    assert len(result.plots) == 2


def test_targets_are_measured_by_the_tokenizer_where_there_is_one(made):
    rows = {"text": ["a b"], "summary": ["abc"]}
    facts = {"lengths": {"train": np.array([4])}, "measure": lambda texts, _: [len(text) for text in texts]}
    targets = lengths.check(made({"train": rows}, **SUMMARY, **facts)).numbers["targets"]
    assert (targets["unit"], targets["splits"]["train"]["longest"]) == ("tokens", 3)


@pytest.mark.parametrize(
    ("kind", "feature", "value"),
    [
        ("tokens", List(Value("string")), ["a", "b", "c"]),
        (
            "messages",
            List({"role": Value("string"), "content": Value("string")}),
            [{"role": "user", "content": "a b c"}],
        ),
    ],
)
def test_tokens_and_messages_are_texts(made, kind, feature, value):
    context = made({"train": {"talk": [value] * 3}}, columns={"talk": Column(kind)}, features={"talk": feature})
    assert context.text_roles == ["talk"]
    assert context.texts("train") == ["a b c"] * 3
    assert context.shown("train", 1).text == "a b c"
    assert lengths.check(context).numbers["splits"]["train"]["longest"] == 3


def test_rows_without_labels_skip_what_needs_classes(made):
    rows, other = ({"text": sentences(30, seed), "summary": ["a", "b"] * 15} for seed in (0, 1))
    context = made({"train": rows, "test": other}, **SUMMARY)
    result = audit(context.data, context.facts)
    assert {"class_balance", "rare_classes", "giveaways", "label_conflicts"} <= set(result.not_applicable)
    assert result.record()["not_applicable"] == result.not_applicable
    assert {"lengths", "alignment", "leaks"} <= set(result.results)


def test_large_splits_are_sampled_by_the_seed(made, monkeypatch):
    monkeypatch.setattr(context_module, "MOST_TEXTS", 40)
    rows = {"text": [f"word {at}" for at in range(100)], "label": [0, 1] * 50}
    contexts = [made({"train": rows}, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (context.texts("train") for context in contexts)
    assert len(first) == 40
    assert first == again != other
    assert class_balance.check(contexts[0]).numbers["rows"]["train"] == {"bad": 50, "good": 50}
    assert rare_classes.check(contexts[0]).numbers["rows_per_batch"] == {"bad": 16.0, "good": 16.0}
    assert lengths.check(contexts[0]).numbers["sampled"] == {"train": 40}
    assert giveaways.check(contexts[0]).numbers["sampled"] == {"train": 40}


def test_memory_does_not_grow_with_the_texts(tmp_path, monkeypatch):
    """Of 60,000 rows with 25 MB of text, a thousand are read; labels are counted in all."""
    monkeypatch.setattr(context_module, "MOST_TEXTS", 1000)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"]), "row": Value("int64")})

    def rows():
        yield from ({"text": f"{at} " + "word " * 80, "label": at % 2, "row": at} for at in range(60_000))

    train = Dataset.from_generator(rows, features=features, cache_dir=str(tmp_path))
    names = ("a", "b")
    data = PreparedData(
        DatasetDict(train=train, test=train.select(range(500))),
        Targets(names),
        {},
        {},
        None,
        "made by hand",
        columns=TEXT,
        label=LabelColumn(LABELS["single_label"], "label", names),
    )
    audit(data, AuditFacts())
    tracemalloc.start()
    result = audit(data, AuditFacts())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.results["class_balance"].numbers["rows"]["train"] == {"a": 30_000, "b": 30_000}
    assert peak < 20e6


def test_checks_of_installed_packages_run_too(made, monkeypatch):
    class Extra:
        @staticmethod
        def check(context):
            return "not here"

    load = registry.load
    monkeypatch.setattr(registry, "names", lambda kind: ["extra", "lengths"])
    monkeypatch.setattr(registry, "load", lambda kind, name: Extra if name == "extra" else load(kind, name))
    context = made({"train": {"text": ["a", "b"], "label": [0, 1]}})
    result = audit_module.audit(context.data, context.facts)
    assert (list(result.results), result.not_applicable) == (["lengths"], {"extra": "not here"})


def test_a_chat_whose_messages_are_input_and_target_is_read_as_input(made):
    feature = List({"role": Value("string"), "content": Value("string")})
    rows = {"talk": [[{"role": "user", "content": "a b"}]] * 2}
    columns = {"talk": Column("messages", target=True)}
    context = made({"train": rows}, columns=columns, features={"talk": feature})
    assert (context.text_roles, context.target_text_roles) == (["talk"], [])
