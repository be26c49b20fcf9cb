"""States are computed for rows of like length together, in shares that add up, and as if computed one by one."""

import datasets
import numpy as np
import pytest
import torch

from tests.models.cache.conftest import texts
from tunebook.models.cache.computing import StateComputer, probe_batch, states_layout, token_counts, write_states
from tunebook.models.cache.replay import compute_states
from tunebook.models.cache.states_file import StatesReader, StatesWriter

LENGTHS = [3, 9, 5, 2, 9, 4, 6, 1, 7, 8, 2]


def encoded():
    batch = texts(LENGTHS)
    rows = [[values[row, :length].tolist() for row, length in enumerate(LENGTHS)] for values in batch.values()]
    columns = dict(zip(batch, rows, strict=True))
    return datasets.Dataset.from_dict({**columns, "labels": [0] * len(LENGTHS), "row": list(range(len(LENGTHS)))})


def collated(rows):
    width = max(len(row["input_ids"]) for row in rows)
    names = ["input_ids", "attention_mask"]
    batch = {name: torch.tensor([row[name] + [0] * (width - len(row[name])) for row in rows]) for name in names}
    return {**batch, "labels": torch.zeros(len(rows)), "row": torch.zeros(len(rows))}


class Watched(StatesWriter):
    """Notes which rows are put down together."""

    def __init__(self, *settings):
        super().__init__(*settings)
        self.seen = []

    def write(self, rows, states):
        self.seen.append(list(rows))
        super().write(rows, states)


def computing(made, boundary, size=4):
    return StateComputer(
        made.model, boundary, ("input_ids", "attention_mask"), collated, torch.device("cpu"), None, size
    )


def test_lengths_are_those_of_the_masks():
    assert token_counts(encoded()).tolist() == LENGTHS
    assert token_counts(encoded().select([10, 1, 0])).tolist() == [2, 9, 3]
    assert token_counts(encoded().remove_columns("attention_mask")) is None


def test_a_probe_has_the_shortest_and_the_longest_rows():
    batch = probe_batch([encoded().add_column("length", LENGTHS)], collated, torch.device("cpu"))
    assert batch.keys() == {"input_ids", "attention_mask"}
    counts = batch["attention_mask"].sum(1).tolist()
    assert (len(counts), counts[0], counts[-1]) == (6, 9, 1)
    few = probe_batch([encoded().select([0, 1])], collated, torch.device("cpu"))
    assert set(few["attention_mask"].sum(1).tolist()) == {3, 9}
    assert len(few["input_ids"]) == 6
    longest, all_rows = [1, 4], encoded().add_column("length", LENGTHS)  # of nine tokens each
    both = probe_batch([all_rows.select(longest), all_rows.select([0, 3])], collated, torch.device("cpu"))
    assert set(both["attention_mask"].sum(1).tolist()) == {9, 3, 2}


@pytest.mark.parametrize("trains", ["head", "half"])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_add_up_to_the_states_of_every_row(case, tmp_path, trains, processes):
    made = case("bert", trains)
    boundary, _ = made.proved()
    rows, how = encoded(), computing(made, boundary)
    layout = states_layout(rows, how)
    assert (layout.rows, layout.shape, layout.dtype) == (11, (32,), torch.float32)
    assert (None if layout.lengths is None else layout.lengths.tolist()) == (LENGTHS if trains == "half" else None)
    drafts = [Watched(tmp_path, layout) for _ in range(processes)]
    drafts[0].begin()
    for rank, draft in enumerate(drafts):
        write_states(draft, rows, how, (rank, processes), "")
    drafts[0].finish({})
    together = [seen for draft in drafts for seen in draft.seen]
    # Sorted by length whatever is stored, and cut alike for any number of processes.
    order = np.argsort(LENGTHS, kind="stable")[::-1].tolist()
    assert sorted(together) == sorted(order[at : at + 4] for at in range(0, 11, 4))
    stored = StatesReader.opened(tmp_path)
    for row in range(11):
        alone = collated(rows.__getitems__([row]))
        inputs = {name: alone[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            states = compute_states(made.model.eval(), boundary, inputs)
        assert torch.allclose(stored.rows([row]), states.reshape(-1, 32), atol=1e-5)


def test_the_model_is_left_in_its_mode(case):
    made = case("bert", "half")
    boundary, _ = made.proved()
    made.model.train()
    computing(made, boundary).states(encoded().__getitems__([0, 1]))
    assert all(module.training for module in made.model.modules())
