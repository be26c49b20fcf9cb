import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from tunebook.data.labels.multi_label import MultiLabel
from tunebook.data.labels.single_label import SingleLabel
from tunebook.data.sampling.base import TrainTargets
from tunebook.errors import ConfigurationError
from tunebook.training.losses import cross_entropy
from tunebook.training.losses._class_weights import class_weights, positive_weights, share_of_weights

IDS = np.array([0] * 60 + [1] * 30 + [2] * 10)
LABELS = TrainTargets(SingleLabel(), ("ham", "spam", "scam"), IDS)
# 10 rows: `rude` in 8, `cruel` in 2, `absurd` in 1.
MANY = TrainTargets(
    MultiLabel(), ("rude", "cruel", "absurd"), np.array([[at < 8, at < 2, at < 1] for at in range(10)]).astype(np.int8)
)


def weights(given, beta=0.9, labels=LABELS):
    return class_weights(given, beta, labels)


def test_balanced_is_that_of_scikit_learn():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=IDS)
    assert weights("balanced") == pytest.approx(expected)


def test_effective_numbers_are_those_of_the_paper():
    # Cui et al. (2019), equation 2, written out: E_n = 1 + beta + … + beta^(n-1).
    effective = [sum(0.9**power for power in range(count)) for count in (60, 30, 10)]
    found = weights("effective")
    assert found / found[0] == pytest.approx([effective[0] / number for number in effective])


@pytest.mark.parametrize(("beta", "like"), [(0.0, [1, 1, 1]), (0.999999, [1, 2, 6])])
def test_effective_numbers_lie_between_alike_and_balanced(beta, like):
    found = weights("effective", beta)
    assert found / found[0] == pytest.approx(like, rel=1e-3)


@pytest.mark.parametrize("given", ["balanced", "effective", [1.0, 4.0, 4.0], {"scam": 5.0}])
def test_every_weight_has_mean_1_over_the_training_rows(given):
    assert weights(given)[IDS].mean() == pytest.approx(1.0)


def test_given_weights_keep_their_ratios():
    by_order = weights([1.0, 2.0, 5.0])
    assert by_order / by_order[0] == pytest.approx([1, 2, 5])
    assert weights({"scam": 5.0, "spam": 2.0}) == pytest.approx(by_order)
    assert weights(None) is None


def test_labels_that_are_not_there_are_all_told():
    with pytest.raises(ConfigurationError) as told:
        weights({"spma": 5.0, "scam": 2.0, "hma": 1.0})
    assert [(problem.key, problem.message) for problem in told.value.problems] == [
        ("loss.class_weights.spma", "no such label; did you mean spam?"),
        ("loss.class_weights.hma", "no such label; did you mean ham?"),
    ]


def test_another_number_of_weights_than_labels_is_told_with_the_order():
    with pytest.raises(ConfigurationError, match="2 weights for 3 labels; they are, in this order: ham, spam, scam"):
        weights([1.0, 2.0])
    with pytest.raises(ConfigurationError, match="loss.positive_weights +4 weights for 3 labels"):
        positive_weights([1.0] * 4, 20, MANY)


@pytest.mark.parametrize("given", ["balanced", "effective"])
def test_a_class_without_rows_has_no_weight_of_its_own(given):
    labels = TrainTargets(SingleLabel(), ("a", "b", "c"), np.array([0, 2, 2]))
    with pytest.raises(ConfigurationError, match="no training row has b, .* give the weights as {label: weight}"):
        weights(given, labels=labels)
    assert weights([1.0, 9.0, 1.0], labels=labels)[[0, 2]] == pytest.approx([1, 1])


def test_balanced_positives_even_out_each_label_within_bounds():
    assert positive_weights("balanced", 20, MANY) == pytest.approx([2 / 8, 8 / 2, 9 / 1])
    assert positive_weights("balanced", 3, MANY) == pytest.approx([1 / 3, 3, 3])
    everywhere = TrainTargets(MultiLabel(), ("a", "b"), np.array([[1, 0], [1, 1]], dtype=np.int8))
    assert positive_weights("balanced", 20, everywhere) == pytest.approx([1 / 20, 1]), "not 0: the label would be lost"
    assert positive_weights({"cruel": 4.0}, 2, MANY) == pytest.approx([1, 4, 1]), "what is given is not bounded"
    assert positive_weights(None, 20, MANY) is None


def test_positive_weights_have_mean_1_over_rows_and_labels():
    found = positive_weights("balanced", 20, MANY)
    cells = np.where(MANY.values == 1, found, 1.0)
    assert share_of_weights(found, MANY) * cells.mean() == pytest.approx(1.0)
    assert share_of_weights(None, MANY) == 1.0


@pytest.mark.parametrize("given", [[1.0, 0.0], [True, 1.0], {"a": -1.0}, "balancd", 3])
def test_what_no_weight_can_be_is_refused(given):
    with pytest.raises(ValueError, match="class_weights"):
        cross_entropy.Options(class_weights=given)
