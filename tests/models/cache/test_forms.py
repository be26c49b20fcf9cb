"""Shapes that follow from a batch, told by two of them."""

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

from tunebook.models.cache.forms import Length, Size, form_of, length
from tunebook.models.cache.refusal import NotCacheable

SIZES = Size(4, 9), Size(3, 8)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((32, 32), Length(32)),
        ((4, 3), Length(1, rows=True)),
        ((9, 8), Length(1, tokens=True)),
        ((12, 9), Length(3, rows=True)),
        ((36, 24), Length(1, rows=True, tokens=True)),
        ((14, 13), Length(1, tokens=True, plus=5)),
        ((1, 1), Length(1)),
    ],
)
def test_a_dimension_follows_from_rows_and_tokens(values, found):
    assert length(values, SIZES) == found
    assert tuple(found.at(size) for size in SIZES) == values


def test_a_dimension_that_follows_from_neither_is_refused():
    with pytest.raises(NotCacheable, match="does not follow from the batch"):
        length((17, 5), SIZES)


def test_an_output_of_any_form_is_made_for_another_batch():
    def output(size):
        hidden = torch.ones(size.rows, size.tokens, 5)
        pooled, ids = hidden[:, 0], torch.ones(size.rows, dtype=torch.long)
        states = hidden, (pooled, 7, None, "word", True, object())
        return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=pooled, hidden_states=(states, [ids]))

    made = form_of((output(SIZES[0]), output(SIZES[1])), SIZES)(Size(2, 6), 0.5)
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
    assert form_of(((4, 9, 16), (3, 8, 16)), SIZES)(Size(2, 6), None) == (2, 6, 16)
