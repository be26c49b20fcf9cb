import numpy as np
import pytest
import torch

from tunebook.tasks._multi_label import MultiLabelOutput

OUTPUT = MultiLabelOutput()


@pytest.fixture
def logits():
    return torch.randn(9, 4, generator=torch.Generator().manual_seed(0))


def test_predictions_are_each_labels_probability(logits):
    assert torch.allclose(OUTPUT.predictions(logits), logits.sigmoid())


def test_every_label_is_predicted_from_its_own_threshold_on(logits):
    predictions = OUTPUT.predictions(logits).numpy()
    assert OUTPUT.decide(predictions).tolist() == (logits >= 0).int().tolist()
    least = torch.tensor([0.2, 0.5, 0.5, 0.9])
    assert OUTPUT.decide(predictions, {0: 0.2, 3: 0.9}).tolist() == (logits.sigmoid() >= least).int().tolist()
    assert OUTPUT.decide(np.array([[0.2]]), {0: 0.2}).tolist() == [[1]]


def test_a_record_names_all_labels():
    prediction = np.array([0.75, 0.25, 0.5])
    record = OUTPUT.record(prediction, np.array([1, 1, 0]), ["a", "b", "c"], {2: 0.6})
    assert record == {
        "label": ["a", "b"],
        "predicted": ["a"],
        "probabilities": {"a": 0.75, "b": 0.25, "c": 0.5},
        "correct": False,
    }
    assert OUTPUT.record(prediction, np.array([1, 0, 1]), ["a", "b", "c"], None)["correct"] is True


def test_the_divergence_is_the_mean_over_labels(logits):
    other = logits.flip(0)
    one, two = (torch.distributions.Bernoulli(logits=some) for some in (logits, other))
    both = torch.distributions.kl_divergence(one, two) + torch.distributions.kl_divergence(two, one)
    assert torch.allclose(OUTPUT.divergence(logits, other), both.mean(-1) / 2, atol=1e-6)
