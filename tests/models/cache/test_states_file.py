"""States on disk come back to the bit, and what is not as it was written is not trusted."""

import json
import pickle

import numpy as np
import pytest
import torch

from tunebook.models.cache.states_file import (
    LENGTHS,
    MANIFEST,
    STATES,
    DamagedStates,
    StatesLayout,
    StatesReader,
    StatesWriter,
)


def written(folder, dtype=torch.float32, lengths=None, shape=(3,), rows=5, order=(3, 0, 4, 2, 1)):
    layout = StatesLayout(shape, dtype, rows, None if lengths is None else np.array(lengths))
    states = [torch.randn((*(() if lengths is None else (lengths[row],)), *shape)).to(dtype) for row in range(rows)]
    folder.mkdir()
    draft = StatesWriter(folder, layout)
    draft.begin()
    draft.write(order[:2], [states[row] for row in order[:2]])
    draft.write(order[2:], [states[row] for row in order[2:]])
    draft.finish({"split": "train"})
    return states


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("lengths", [None, [2, 5, 1, 3, 4]])
def test_states_come_back_in_any_order_and_repeated(tmp_path, dtype, lengths):
    states = written(tmp_path / "a", dtype, lengths)
    stored = StatesReader.opened(tmp_path / "a")
    chosen = [4, 1, 1, 0]
    found = stored.rows(chosen)
    assert found.dtype == dtype
    wanted = [states[row] for row in chosen]
    assert torch.equal(found, torch.stack(wanted) if lengths is None else torch.cat(wanted))
    assert stored.lengths(chosen).tolist() == [1, 1, 1, 1] if lengths is None else [4, 5, 5, 2]


def test_the_bound_is_told_before_anything_is_computed(tmp_path):
    layout = StatesLayout((3, 2), torch.bfloat16, 5, np.array([2, 5, 1, 3, 4]))
    assert layout.bytes == 15 * 6 * 2
    written(tmp_path / "a", torch.bfloat16, [2, 5, 1, 3, 4], (3, 2))
    assert (tmp_path / "a" / STATES).stat().st_size == layout.bytes


def flipped(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


DAMAGES = {
    "one bit of the states": lambda folder: flipped(folder / STATES),
    "the end of the states": lambda folder: (folder / STATES).write_bytes((folder / STATES).read_bytes()[:-4]),
    "the states": lambda folder: (folder / STATES).unlink(),
    "the lengths": lambda folder: flipped(folder / LENGTHS),
    "the manifest's end": lambda folder: (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:20]),
    "the manifest's rows": lambda folder: (folder / MANIFEST).write_text(
        json.dumps({**json.loads((folder / MANIFEST).read_text()), "dtype": "nonsense"})
    ),
    "the manifest": lambda folder: (folder / MANIFEST).write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found(tmp_path, damage):
    written(tmp_path / "a", lengths=[2, 5, 1, 3, 4])
    StatesReader.opened(tmp_path / "a")
    DAMAGES[damage](tmp_path / "a")
    with pytest.raises(DamagedStates):
        StatesReader.opened(tmp_path / "a")


def test_workers_map_the_file_too(tmp_path):
    states = written(tmp_path / "a", rows=200, order=tuple(range(200)), shape=(50,))
    stored = StatesReader.opened(tmp_path / "a")
    sent = pickle.dumps(stored)
    assert len(sent) < 1000
    assert torch.equal(pickle.loads(sent).rows([7, 3]), torch.stack([states[7], states[3]]))
