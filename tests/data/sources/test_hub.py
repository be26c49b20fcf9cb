"""The Hub: splits, the cache without a network, and what is said when something is not there."""

from __future__ import annotations

import datasets
import pytest
from datasets import Dataset, DatasetDict
from datasets.exceptions import DatasetNotFoundError

from tunebook.data.sources import hub
from tunebook.data.sources.base import LoadContext
from tunebook.errors import DataError, NothingReached

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(**options):
    return hub.load(hub.Options(**options), LoadContext())


@pytest.fixture
def offline(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    return tmp_path


@pytest.fixture
def cached(offline):
    """A data set in the cache's own layout: me/tiny, configuration default, at COMMIT."""
    folder = offline / "me___tiny" / "default" / "0.0.0" / COMMIT
    folder.mkdir(parents=True)
    splits = {}
    for name, count in {"train": 3, "dev": 2}.items():
        split = Dataset.from_dict({"text": ["a"] * count, "label": [0] * count})
        with datasets.arrow_writer.ArrowWriter(
            path=str(folder / f"tiny-{name}.arrow"), features=split.features
        ) as writer:
            writer.write_table(split.data.table)
            writer.finalize()
        splits[name] = datasets.SplitInfo(name=name, num_examples=count, dataset_name="tiny")
    info = datasets.DatasetInfo(
        features=split.features, dataset_name="tiny", config_name="default", splits=datasets.SplitDict(splits)
    )
    info.write_to_directory(str(folder))


@pytest.mark.usefixtures("cached")
def test_the_cache_is_enough():
    splits = load(path="me/tiny", splits={"train": "train", "validation": "dev"})
    assert splits.num_rows == {"train": 3, "validation": 2}


@pytest.mark.usefixtures("cached")
def test_unknown_split_names_those_there_are():
    with pytest.raises(DataError, match="me/tiny has no split 'test'; allowed: dev, train"):
        load(path="me/tiny", splits={"test": "test"})


@pytest.mark.usefixtures("cached")
def test_unknown_configuration_in_the_cache():
    with pytest.raises(NothingReached, match="the cache holds me/tiny only as default"):
        load(path="me/tiny", name="large")


@pytest.mark.usefixtures("cached")
def test_another_commit_than_the_cached_one():
    assert load(path="me/tiny", revision=COMMIT).num_rows == {"train": 3}
    with pytest.raises(DataError, match=f"the cache holds me/tiny at {COMMIT}"):
        load(path="me/tiny", revision="f" * 40)


@pytest.mark.usefixtures("offline")
def test_neither_hub_nor_cache():
    with pytest.raises(NothingReached) as caught:
        load(path="me/absent", name="part")
    message = str(caught.value)
    for part in ("me/absent (part)", "check the network", "dataset=files", "download it once"):
        assert part in message
    assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize(
    ("error", "options", "parts"),
    [
        (
            ValueError("BuilderConfig 'sst' not found. Available: ['sst2', 'mrpc']"),
            {"name": "sst"},
            ["dataset.name", "did you mean sst2?"],
        ),
        (
            ValueError("Config name is missing.\nPlease pick one among the available configs: ['sst2', 'mrpc']"),
            {},
            ["dataset.name", "must be given", "mrpc, sst2"],
        ),
        (DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed."), {}, ["dataset.path"]),
        (
            DatasetNotFoundError("Revision 'v9' doesn't exist for dataset 'a/b' on the Hub."),
            {"revision": "v9"},
            ["dataset.revision", "no revision 'v9'"],
        ),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"), {}, ["found b.py"]),
    ],
)
def test_what_the_hub_refuses(monkeypatch, error, options, parts):
    def refuse(*_args, **_options):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError) as caught:
        load(path="a/b", **options)
    for part in parts:
        assert part in str(caught.value)


def test_splits_by_their_own_names(monkeypatch):
    part = Dataset.from_dict({"text": ["a"]})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: DatasetDict(train=part, extra=part, test=part))
    assert list(load(path="a/b")) == ["train", "test"]
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: DatasetDict(all=part))
    with pytest.raises(DataError, match="must be given; a/b has: all"):
        load(path="a/b")


def test_preflight_knows_the_splits():
    problems = hub.preflight(hub.Options(path="a/b", splits={"valid": "dev"}), LoadContext())
    assert [problem.key for problem in problems] == ["dataset.splits.valid"]
