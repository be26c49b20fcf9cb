"""Shapes that follow from a batch, told by two of them."""

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.shapes import BatchSize, Dimension, dimension_of, output_template

SIZES = BatchSize(4, 9), BatchSize(3, 8)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((32, 32), Dimension(32)),
        ((4, 3), Dimension(1, rows=True)),
        ((9, 8), Dimension(1, tokens=True)),
        ((12, 9), Dimension(3, rows=True)),
        ((36, 24), Dimension(1, rows=True, tokens=True)),
        ((14, 13), Dimension(1, tokens=True, plus=5)),
        ((1, 1), Dimension(1)),
    ],
)
def test_a_dimension_follows_from_rows_and_tokens(values, found):
    assert dimension_of(values, SIZES) == found
    assert tuple(found.at(size) for size in SIZES) == values


def test_a_dimension_that_follows_from_neither_is_refused():
    with pytest.raises(NotCacheable, match="does not follow from the batch"):
        dimension_of((17, 5), SIZES)


def test_an_output_of_any_form_is_made_for_another_batch():
    def output(size):
        hidden = torch.ones(size.rows, size.tokens, 5)
        pooled, ids = hidden[:, 0], torch.ones(size.rows, dtype=torch.long)
        states = hidden, (pooled, 7, None, "word", True, object())
        return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=pooled, hidden_states=(states, [ids]))

    made = output_template((output(SIZES[0]), output(SIZES[1])), SIZES)(BatchSize(2, 6), 0.5)
    assert type(made) is BaseModelOutputWithPooling
    assert made.last_hidden_state.shape == (2, 6, 5)
    assert made.last_hidden_state.unique().tolist() == [0.5]
    assert made.pooler_output.shape == (2, 5)
    (hidden, (pooled, *rest)), (ids,) = made.hidden_states
    assert hidden.shape == (2, 6, 5)
    assert pooled.shape == (2, 5)
    assert rest == [7, None, "word", True, None]
    assert ids.tolist() == [0, 0]
    assert ids.dtype == torch.long


def test_numbers_that_follow_from_the_batch_are_made_for_it():
    assert output_template(((4, 9, 16), (3, 8, 16)), SIZES)(BatchSize(2, 6), None) == (2, 6, 16)
