import numpy as np
import pytest
import torch

from tunebook.tasks._single_label import SingleLabelOutput
from tunebook.tasks._thresholds import positive_id

OUTPUT = SingleLabelOutput()


def batch(classes):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(9, classes, generator=draw)


@pytest.mark.parametrize(("classes", "columns"), [(4, 2), (2, 3)])
def test_predictions_are_the_class_and_its_probability(classes, columns):
    logits = batch(classes)
    predictions = OUTPUT.predictions(logits)
    assert predictions.shape == (9, columns)
    assert torch.equal(predictions[:, 0].long(), logits.argmax(-1))
    assert torch.allclose(predictions[:, 1], logits.softmax(-1).max(-1).values)
    assert OUTPUT.decide(predictions.numpy()).tolist() == logits.argmax(-1).tolist()


def test_both_probabilities_of_two_classes_follow_and_no_others():
    logits = batch(2)
    both = OUTPUT.probabilities(OUTPUT.predictions(logits).numpy())
    assert both == pytest.approx(logits.double().softmax(-1).numpy(), abs=1e-6)
    assert OUTPUT.probabilities(OUTPUT.predictions(batch(3)).numpy()) is None


def test_the_probability_of_what_is_all_but_sure_is_not_rounded_away():
    logits = torch.tensor([[40.0, 0.0], [30.0, 0.0]])
    both = OUTPUT.probabilities(OUTPUT.predictions(logits).numpy())
    assert 0 < both[0, 1] < both[1, 1]


@pytest.mark.parametrize(("positive", "threshold"), [(1, 0.3), (1, 0.9), (0, 0.3)])
def test_a_threshold_decides_between_two_classes(positive, threshold):
    logits = batch(2)
    probability = logits.softmax(-1)[:, positive].numpy()
    expected = np.where(probability >= threshold, positive, 1 - positive)
    predictions = OUTPUT.predictions(logits).numpy()
    assert OUTPUT.decide(predictions, {positive: threshold}).tolist() == expected.tolist()
    assert expected.tolist() != logits.argmax(-1).tolist()


def test_a_record_names_the_classes():
    record = OUTPUT.record(np.array([1, 0.75]), np.int64(0), ["no", "yes", "other"], None)
    assert record == {"label": "no", "predicted": "yes", "probability": 0.75, "correct": False}


def test_a_record_by_a_threshold_has_the_probability_of_what_it_predicts():
    record = OUTPUT.record(np.array([1, 0.75, np.log(3)]), np.int64(0), ["no", "yes"], {1: 0.8})
    assert record == {"label": "no", "predicted": "no", "probability": pytest.approx(0.25), "correct": True}


def test_the_positive_class_is_the_named_one_or_the_last():
    assert positive_id(OUTPUT, ["ham", "spam"]) == 1
    assert positive_id(SingleLabelOutput(positive="ham"), ["ham", "spam"]) == 0


def test_the_divergence_of_two_passes_is_the_mean_of_both_kullback_leiblers():
    first, second = batch(4), batch(4).flip(0)
    one, other = (torch.distributions.Categorical(logits=logits) for logits in (first, second))
    both = torch.distributions.kl_divergence(one, other) + torch.distributions.kl_divergence(other, one)
    assert torch.allclose(OUTPUT.divergence(first, second), both / 2, atol=1e-6)
