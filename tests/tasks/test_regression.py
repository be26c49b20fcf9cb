import numpy as np
import torch

from tunebook.tasks._regression import RegressionOutput

OUTPUT = RegressionOutput()


def test_predictions_are_the_numbers():
    predictions = OUTPUT.predictions(torch.tensor([[1.5], [-2.0]]))
    assert predictions.tolist() == [[1.5], [-2.0]]
    assert OUTPUT.decide(predictions.numpy()).tolist() == [1.5, -2.0]
    assert OUTPUT.probabilities(predictions.numpy()) is None


def test_a_record_says_how_far_off_it_is():
    record = OUTPUT.record(np.array([1.5]), 2.0, [], None)
    assert record == {"label": 2.0, "predicted": 1.5, "error": -0.5}


def test_the_divergence_is_the_squared_difference():
    first, second = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.5]])
    assert OUTPUT.divergence(first, second).tolist() == [4.0, 0.25]
