import numpy as np
import torch

from tunebook.answers.number import Number


def test_row_scores_are_the_number_and_its_squared_error():
    scores = Number().row_scores(torch.tensor([[1.5], [-2.0]]), torch.tensor([1.0, 2.0]))
    assert scores.tolist() == [[1.5, 0.25], [-2.0, 16.0]]
    assert Number().answered(scores.numpy()).tolist() == [1.5, -2.0]
    assert Number().probabilities(scores.numpy()) is None


def test_a_record_says_how_far_off_it_is():
    assert Number().record(np.array([1.5, 0.25]), 2.0, []) == {"label": 2.0, "predicted": 1.5, "error": -0.5}
