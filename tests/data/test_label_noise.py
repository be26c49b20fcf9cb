"""Label noise: planted flips are found, duplicates do not give labels away, every rank does the same."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value, concatenate_datasets

from tunebook.config.data_groups import CleaningConfig
from tunebook.data.label_noise import policy as policies
from tunebook.data.label_noise import probabilities, requirements, suspects
from tunebook.data.labels.base import LabelColumn, Targets
from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.prepare import PreparedData
from tunebook.errors import ConfigurationError, DataError

NAMES = ["red", "green", "blue"]
ROWS = 240
FLIPS = list(range(0, ROWS, 12))
"""Places of the labels that are wrong: one row in twelve."""


class Alone:
    """The single process of a run."""

    main = True

    @contextlib.contextmanager
    def main_first(self):
        yield

    def from_main(self, value):
        return value


class Other(Alone):
    """A process that is told what the main one has found."""

    main = False

    def __init__(self, told):
        self.told = told

    def from_main(self, value):
        assert value is None
        return json.loads(json.dumps(self.told))


def clouds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three clouds of points, their true classes, and the given ones, some of which are wrong."""
    generator = np.random.default_rng(0)
    true = np.arange(ROWS) % 3
    points = 6 * np.eye(3)[true] @ generator.normal(size=(3, 8)) + generator.normal(size=(ROWS, 8))
    given = true.copy()
    given[FLIPS] = (true[FLIPS] + generator.integers(1, 3, len(FLIPS))) % 3
    return points.astype(np.float32), true, given


def prepared(given: np.ndarray, **fields) -> PreparedData:
    """Training rows that begin at row 1000, with a validation split that must stay."""

    def split(first: int, labels: list[int]) -> Dataset:
        rows = list(range(first, first + len(labels)))
        features = Features({"text": Value("string"), "label": ClassLabel(names=NAMES), "row": Value("int64")})
        return Dataset.from_dict({"text": [f"text {row}" for row in rows], "label": labels, "row": rows}, features)

    splits = DatasetDict({"train": split(1000, given.tolist()), "validation": split(0, [0, 1, 2])})
    fields.setdefault("label", LabelColumn(SingleLabel(), "label", NAMES))
    digests = {"train": "abc", "validation": "def"}
    return PreparedData(splits, Targets(tuple(NAMES)), digests, {}, None, "a test", **fields)


def encoded(data: PreparedData) -> Dataset:
    """Training rows as a task encodes them on the fly."""
    return data.splits["train"].with_transform(lambda rows: {"row": rows["row"], "labels": rows["label"]})


def treated(policy: str, **settings):
    """The clouds, treated by the single process."""
    points, _, given = clouds()
    data = settings.pop("data", None) or prepared(given)
    arguments = {"features": lambda _: points, "seed": 1, "ranks": Alone(), **settings}
    share = arguments.pop("share", None)
    return policies.apply_policy(
        CleaningConfig(label_noise=policy, label_noise_share=share), data, encoded(data), **arguments
    )


def test_planted_flips_are_found_and_little_else():
    points, true, given = clouds()
    told = probabilities.out_of_fold(points, given, range(ROWS), 5, 0, NAMES)
    np.testing.assert_allclose(told.sum(1), 1)
    found = set(suspects.find(given, told).places.tolist())
    assert len(found & set(FLIPS)) / len(FLIPS) >= 0.65
    assert len(found & set(FLIPS)) / len(found) >= 0.95
    assert (told.argmax(1) == true).mean() > 0.97


def test_a_stated_share_takes_the_least_sure_rows_in_order():
    points, _, given = clouds()
    found = suspects.find(given, probabilities.out_of_fold(points, given, range(ROWS), 5, 0, NAMES), share=1 / 24)
    assert len(found.places) == 10
    assert set(found.places.tolist()) <= set(FLIPS)
    assert found.quality[found.places].tolist() == sorted(found.quality)[:10]


def test_a_suspect_is_told_with_the_likeliest_other_label():
    told = np.array([[0.1, 0.6, 0.3], [0.5, 0.3, 0.2]])
    answered_otherwise, unsure = (suspects.describe(np.array([2, 0]), told, place, NAMES) for place in (0, 1))
    assert answered_otherwise == {
        "given": "blue", "suggested": "green", "probability_given": 0.3, "probability_suggested": 0.6,
    }  # fmt: skip
    assert (unsure["given"], unsure["suggested"], unsure["probability_suggested"]) == ("red", "green", 0.3)


def test_repeated_inputs_share_a_fold_and_each_class_is_spread():
    given = np.arange(60) % 3
    inputs = [place % 30 for place in range(60)]  # each input twice, thirty places apart
    fold = probabilities.fold_of_rows(given, inputs, 5, 0, NAMES)
    assert np.array_equal(fold[:30], fold[30:])
    assert np.bincount(fold).tolist() == [12] * 5
    assert all((np.bincount(given[fold == number]) == 4).all() for number in range(5))


def test_a_repeated_row_does_not_vouch_for_its_own_wrong_label():
    points, _, given = clouds()
    twice = np.concatenate([points, points[FLIPS]]), np.concatenate([given, given[FLIPS]])
    inputs = [*range(ROWS), *FLIPS]
    told = probabilities.out_of_fold(*twice, inputs, 5, 0, NAMES)
    assert told[FLIPS, given[FLIPS]].max() < 0.5
    assert told[np.arange(ROWS, ROWS + len(FLIPS)), given[FLIPS]].max() < 0.5


def test_a_class_with_fewer_rows_than_folds_is_named():
    given = np.array([0] * 20 + [1] * 20 + [2] * 3)
    with pytest.raises(DataError, match=r"label_noise_folds.*fewer different training rows: blue \(3\)"):
        probabilities.fold_of_rows(given, range(43), 5, 0, NAMES)
    assert set(probabilities.fold_of_rows(given, range(43), 3, 0, NAMES)) == {0, 1, 2}


def test_a_forgotten_and_a_wrong_label_of_many_are_found():
    points, true, _ = clouds()
    right = np.stack([true == 0, true != 2, true == 2], axis=1).astype(np.int8)
    given = right.copy()
    given[4, 1], given[8, 0] = 0, 1  # row 4 is class 1 and has lost `green`; row 8 is class 2 and was given `red`
    told = probabilities.out_of_fold(points, given, range(ROWS), 5, 0, NAMES)
    found = suspects.find(given, told, share=2 / ROWS)
    assert set(found.places.tolist()) == {4, 8}
    assert {4, 8} <= set(suspects.find(given, told).places.tolist())
    lost, added = (suspects.describe(given, told, place, NAMES) for place in (4, 8))
    assert (lost["given"], lost["suggested"]) == ("no green", "green")
    assert (added["given"], added["suggested"]) == ("red", "no red")
    assert added["probability_given"] < 0.2


def test_drop_takes_exactly_the_suspects_and_says_why():
    result = treated("drop")
    rows = [one["row"] for one in result.record["suspects"]]
    left = result.data.splits["train"]["row"][:]
    assert sorted([*rows, *left]) == list(range(1000, 1000 + ROWS))
    assert [row["row"] for row in result.encoded] == left
    assert {row - 1000 for row in rows} <= set(FLIPS)
    assert len(result.data.splits["validation"]) == 3
    finding = result.data.findings[-1]
    assert (finding.kind, finding.policy, finding.rows, finding.dropped) == ("label_noise", "drop", rows, len(rows))
    first, suspect = result.data.dropped[0], result.record["suspects"][0]
    assert (first.row, first.values["text"]) == (suspect["row"], f"text {suspect['row']}")
    assert first.values["label"] == suspect["given"]
    assert f"labelled {suspect['given']}, probably {suspect['suggested']}" in first.reason
    assert suspect["suggested"] == NAMES[clouds()[1][suspect["row"] - 1000]]


def test_weights_have_mean_one_and_are_small_where_the_label_is_wrong():
    result = treated("weight")
    weights = result.data.weights
    assert weights.mean() == pytest.approx(1)
    wrong = np.isin(np.arange(ROWS), FLIPS)
    assert weights[wrong].mean() < 0.3 < 0.9 < weights[~wrong].mean()
    assert weights.min() / weights.max() >= policies.FLOOR
    assert len(result.data.splits["train"]) == ROWS


def test_weights_multiply_those_that_the_rows_have():
    own = np.where(np.arange(ROWS) % 2, 0.5, 1.5)
    plain, both = (
        treated("weight").data.weights,
        treated("weight", data=prepared(clouds()[2], weights=own)).data.weights,
    )
    np.testing.assert_allclose(both / both.sum(), plain * own / (plain * own).sum())
    dropped = treated("drop", data=prepared(clouds()[2], weights=own)).data
    assert dropped.weights.mean() == pytest.approx(1)
    assert len(dropped.weights) == len(dropped.splits["train"]) < ROWS


def with_paraphrases(given: np.ndarray) -> tuple[PreparedData, np.ndarray]:
    """Every row once more as its paraphrase, which has its number and label; and where each stands in the clouds."""
    data = prepared(given)
    train = data.splits["train"]
    said = train.map(lambda row: {"text": f"said otherwise: {row['text']}"})
    data.splits["train"] = concatenate_datasets([train, said])
    return data, np.tile(np.arange(ROWS), 2)


def test_of_a_row_and_its_paraphrase_only_the_suspects_go():
    points, _, given = clouds()
    data, places = with_paraphrases(given)
    seen = points[places]
    right = 1  # FLIPS holds no odd place
    seen[ROWS + right] = points[given != given[right]][0]  # a bad paraphrase of a good row
    result = treated("drop", data=data, features=lambda _: seen)
    gone = {one["place"] for one in result.record["suspects"]}
    assert ROWS + right in gone
    assert right not in gone
    left = [place for place in range(2 * ROWS) if place not in gone]
    texts = data.splits["train"]["text"][:]
    assert result.data.splits["train"]["text"][:] == [texts[place] for place in left]
    assert [row["row"] for row in result.encoded] == [1000 + int(places[place]) for place in left]
    assert [one.values["text"] for one in result.data.dropped] == [
        texts[one["place"]] for one in result.record["suspects"]
    ]


def test_a_paraphrase_does_not_vouch_for_a_wrong_label():
    points, _, given = clouds()
    data, places = with_paraphrases(given)
    quality = np.asarray(treated("report", data=data, features=lambda _: points[places]).record["quality"])
    assert np.median(quality[FLIPS]) < 0.3
    alone = np.asarray(treated("report").record["quality"])
    assert np.median(quality[FLIPS]) == pytest.approx(np.median(alone[FLIPS]), abs=0.05)


def test_drop_never_takes_the_last_row_of_a_class():
    record = treated("report").record
    given = clouds()[2]
    for gone, named in [(np.flatnonzero(given == 2), "'blue'"), (np.arange(ROWS), "'red', 'green', 'blue'")]:
        suspected = [{**record["suspects"][0], "row": 1000 + place, "place": place} for place in gone.tolist()]
        with pytest.raises(DataError, match=f"drop leaves no training row of {named}; use weight or report"):
            treated("drop", before={**record, "suspects": suspected}, features=None)


def test_report_changes_no_row():
    result = treated("report")
    assert len(result.encoded) == len(result.data.splits["train"]) == ROWS
    assert result.data.weights is None
    assert result.data.dropped == []
    assert result.data.findings[-1].dropped == 0


def test_ignore_looks_at_nothing():
    result = treated("ignore", features=None)
    assert (result.record, result.data.findings) == (None, [])


@pytest.mark.parametrize("policy", ["drop", "weight"])
def test_every_rank_and_every_continuation_does_what_the_first_did(policy, tmp_path):
    first = treated(policy)
    policies.write(tmp_path, first.record)
    again = treated(policy, before=policies.read(tmp_path), features=None)
    other = treated(policy, ranks=Other(first.record), features=None)
    for result in (again, other):
        assert result.data.splits["train"]["row"][:] == first.data.splits["train"]["row"][:]
        assert [row["row"] for row in result.encoded] == [row["row"] for row in first.encoded]
        assert result.data.findings == first.data.findings
        assert policy == "drop" or np.array_equal(result.data.weights, first.data.weights)


def test_a_record_of_other_rows_is_refused(tmp_path):
    assert policies.read(tmp_path) is None
    policies.write(tmp_path, treated("drop").record)
    kept = policies.read(tmp_path) | {"fingerprint": "another"}
    with pytest.raises(DataError, match=r"label_noise.json is of other training rows"):
        treated("drop", before=kept, features=None)


def test_the_same_seed_finds_the_same():
    assert treated("report").record == treated("report").record


def test_numbers_and_a_missing_package_are_told_before_anything_is_loaded(monkeypatch):
    noisy = CleaningConfig(label_noise="drop")
    assert requirements.problems(noisy, True) == []
    assert requirements.problems(CleaningConfig(), False) == []
    assert "classes" in requirements.problems(noisy, False)[0].message
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'tunebook[noise]'" in requirements.problems(noisy, True)[0].message
    with pytest.raises(ConfigurationError, match="cleanlab"):
        treated("drop")


def test_multi_label_rows_are_treated_too():
    points, true, _ = clouds()
    given = np.stack([true == 0, true != 2, true == 2], axis=1).astype(int)
    given[4, 1] = 0
    data = prepared(true, label=LabelColumn(MultiLabel(), "label", NAMES))
    feature = List(Value("int8"))
    train = data.splits["train"].remove_columns("label").add_column("label", given.tolist(), feature=feature)
    data.splits["train"] = train
    result = treated("drop", data=data, features=lambda _: points, share=1 / ROWS)
    assert [one["row"] for one in result.record["suspects"]] == [1004]
    assert result.data.dropped[0].reason.startswith("label_noise: labelled no green, probably green")
    assert result.data.dropped[0].values["label"] == []
