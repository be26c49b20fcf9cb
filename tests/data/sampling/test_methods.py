"""What an epoch of each method holds, and that it follows from (seed, epoch) alone on any number of ranks."""

import numpy as np
import pytest

from tunebook.config import registry
from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling import none, oversample, undersample, weighted
from tunebook.data.sampling.base import TrainTargets
from tunebook.training.batches import BatchLayout, EffectiveBatches, epoch_order

IDS = np.array([0] * 50 + [1] * 12 + [2] * 5)
LABELS = TrainTargets(SingleLabel(), ("ham", "spam", "scam"), IDS)
# 20 rows: 12 without a label, 5 of the first, 3 of both: the second label is the rarer one.
MANY = TrainTargets(
    MultiLabel(), ("rude", "cruel"), np.array([[0, 0]] * 12 + [[1, 0]] * 5 + [[1, 1]] * 3, dtype=np.int8)
)
METHODS = {
    "oversample": (oversample, {}),
    "oversample to a third": (oversample, {"ratio": 1 / 3}),
    "undersample": (undersample, {}),
    "undersample to 2.5": (undersample, {"ratio": 2.5}),
    "weighted": (weighted, {}),
    "weighted, 30 rows": (weighted, {"power": 0.5, "rows": 30}),
}


def build(name, labels=LABELS):
    module, options = METHODS[name]
    return module.Sampling(module.Options(**options), labels)


def counts(drawn, of=IDS):
    return np.bincount(of[drawn], minlength=3).tolist()


def test_every_method_is_tested():
    assert {module.__name__.rsplit(".", 1)[1] for module, _ in METHODS.values()} == {*registry.names("sampling")} - {
        "none"
    }


@pytest.mark.parametrize("labels", [LABELS, MANY], ids=["one label", "several"])
@pytest.mark.parametrize("name", METHODS)
def test_an_epoch_has_as_many_rows_as_said_and_is_drawn_the_same_each_time(name, labels):
    sampling = build(name, labels)
    for epoch in range(4):
        drawn = sampling.draw(3, epoch)
        assert len(drawn) == sampling.rows
        assert set(drawn.tolist()) <= set(range(len(labels.values)))
        assert drawn.tolist() == build(name, labels).draw(3, epoch).tolist() == sorted(drawn.tolist())
    state = np.random.get_state()[1].tolist()
    sampling.draw(3, 0)
    assert np.random.get_state()[1].tolist() == state, "the global generator is left alone"


@pytest.mark.parametrize("name", ["oversample to a third", "undersample", "weighted"])
def test_seeds_and_epochs_draw_other_rows(name):
    sampling = build(name)
    assert sampling.draw(3, 0).tolist() != sampling.draw(3, 1).tolist()
    assert sampling.draw(3, 0).tolist() != sampling.draw(4, 0).tolist()


def test_oversampling_raises_every_class_and_loses_no_row():
    for epoch in range(3):
        drawn = build("oversample").draw(0, epoch)
        times = np.bincount(drawn, minlength=len(IDS))
        assert counts(drawn) == [50, 50, 50]
        assert times[:50].tolist() == [1] * 50
        assert set(times[50:62].tolist()) == {4, 5}, "50 = 12 × 4 + 2: none once more often than another"
        assert times[62:].tolist() == [10] * 5
        assert counts(build("oversample to a third").draw(0, epoch)) == [50, 17, 17]


def test_undersampling_takes_other_rows_of_frequent_classes_until_all_have_come():
    epochs = [build("undersample").draw(0, epoch) for epoch in range(10)]
    for drawn in epochs:
        assert counts(drawn) == [5, 5, 5]
        assert len(set(drawn.tolist())) == 15, "no row twice"
        assert drawn[-5:].tolist() == [62, 63, 64, 65, 66], "every row of the smallest class"
    large = np.concatenate([drawn[drawn < 50] for drawn in epochs])
    assert sorted(large.tolist()) == list(range(50)), "10 epochs of 5 rows: each of the 50 once"
    assert counts(build("undersample to 2.5").draw(0, 0)) == [12, 12, 5]


@pytest.mark.parametrize(("power", "shares"), [(1.0, [1 / 3] * 3), (0.0, [50 / 67, 12 / 67, 5 / 67])])
def test_weighted_rows_come_by_the_rows_of_their_class(power, shares):
    sampling = weighted.Sampling(weighted.Options(power=power, rows=30_000), LABELS)
    found = np.array(counts(sampling.draw(0, 0))) / 30_000
    assert found == pytest.approx(shares, abs=0.015)
    rows = np.bincount(sampling.draw(0, 1), minlength=67)[:50]
    assert rows.min() > 0
    assert rows.max() < 1.35 * rows.mean()


def test_weights_of_power_one_half_go_by_the_square_root():
    sampling = weighted.Sampling(weighted.Options(power=0.5, rows=30_000), LABELS)
    roots = np.sqrt([50, 12, 5])
    assert np.array(counts(sampling.draw(0, 0))) / 30_000 == pytest.approx(roots / roots.sum(), abs=0.015)


def test_rows_of_several_labels_go_by_the_rarest_and_rows_of_none_are_never_raised():
    times = np.bincount(build("oversample", MANY).draw(0, 0), minlength=20)
    assert times[:12].tolist() == [1] * 12
    assert (times[12:17].sum(), times[17:].tolist()) == (12, [4, 4, 4])
    taken = build("undersample", MANY).draw(0, 0)
    assert np.histogram(taken, [0, 12, 17, 20])[0].tolist() == [3, 3, 3]
    probabilities = build("weighted", MANY).probabilities
    # Rarest labels: `cruel` of 3 rows, `rude` of 8; a row without any is as likely as the most frequent group's.
    assert probabilities[[17, 12, 0]] / probabilities[0] == pytest.approx([12 / 3, 12 / 8, 1])


def test_a_few_rows_without_a_label_are_not_taken_for_a_rare_class():
    values = np.array([[1, 0]] * 10 + [[0, 1]] * 6 + [[0, 0]], dtype=np.int8)
    labels = TrainTargets(MultiLabel(), ("a", "b"), values)
    assert np.bincount(build("oversample", labels).draw(0, 0))[16] == 1
    assert build("undersample", labels).rows == 6 + 6 + 1
    assert build("weighted", labels).probabilities[16] == build("weighted", labels).probabilities[0]


LAYOUTS = [(8, 1, 1), (2, 1, 4), (4, 2, 1), (2, 2, 2), (1, 4, 2)]


@pytest.mark.parametrize("strategy", ["random", "group_by_length", "sequential"])
@pytest.mark.parametrize(("per_device", "processes", "accumulation"), LAYOUTS)
@pytest.mark.parametrize("name", METHODS)
def test_over_all_ranks_every_step_has_the_keys_of_one_process(name, per_device, processes, accumulation, strategy):
    lengths = [(row * 7) % 40 for row in range(len(IDS))]
    alone = EffectiveBatches(build(name), BatchLayout(8, 1, 1), 0, strategy, 3, lengths)
    layout = BatchLayout(per_device, processes, accumulation)
    # Each rank draws for itself, as it does in its own process.
    ranks = [EffectiveBatches(build(name), layout, rank, strategy, 3, lengths) for rank in range(processes)]
    for epoch in (0, 1):
        for batches in (alone, *ranks):
            batches.set_epoch(epoch)
        steps, shares = list(alone), [list(batches) for batches in ranks]
        for number, step in enumerate(steps):
            turns = [share[number * accumulation : (number + 1) * accumulation] for share in shares]
            keys = [key for rank in turns for micro in rank for key in micro if key.counted]
            assert sorted(keys) == sorted(step)
            assert len(keys) == len(set(keys)), "no key twice"
        assert len(steps) == -(-build(name).rows // 8)
        assert [len(share) for share in shares] == [len(shares[0])] * processes
        drawn = sorted(key.row for step in steps for key in step)
        assert drawn == build(name).draw(3, epoch).tolist(), "none lost"


def test_length_grouping_sorts_what_is_drawn_and_keeps_the_copies_apart():
    lengths = [3 + (row * 13) % 90 for row in range(len(IDS))]
    sampling = build("oversample")
    keys = EffectiveBatches(sampling, BatchLayout(8, 1, 1), 0, "group_by_length", 0, lengths).keys()
    assert len(set(keys)) == sampling.rows == 150
    copies = [key.copy for key in keys if key.row == 66]
    assert sorted(copies) == list(range(10))

    def padding(order):
        steps = [order[at : at + 8] for at in range(0, len(order), 8)]
        return sum(len(step) * max(lengths[row] for row in step) for step in steps) - sum(lengths[row] for row in order)

    drawn = sampling.draw(0, 0)
    shuffled = [int(drawn[at]) for at in epoch_order(150, 8, "random", 0, 0)]
    assert padding([key.row for key in keys]) < 0.7 * padding(shuffled)


def test_sampling_none_is_the_same_as_oversampling_equal_classes():
    labels = TrainTargets(SingleLabel(), ("a", "b"), np.array([0, 1] * 9))
    assert oversample.Sampling(oversample.Options(), labels).draw(1, 2).tolist() == list(range(18))
    assert none.Sampling(none.Options(), labels).draw(1, 2).tolist() == list(range(18))


@pytest.mark.parametrize(
    ("module", "options"),
    [(oversample, {"ratio": 1.5}), (oversample, {"ratio": 0}), (undersample, {"ratio": 0.5}), (weighted, {"power": 2})],
)
def test_shares_outside_of_their_range_are_refused(module, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        module.Options(**options)
