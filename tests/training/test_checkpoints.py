import json

import pytest

from tunebook.errors import RunDirectoryError
from tunebook.training import checkpoints


def save(root, step, content="weights", **facts):
    with checkpoints.saving(root / f"checkpoint-{step}", True, lambda: None, {"step": step, **facts}) as aside:
        (aside / "model.safetensors").write_text(content)
        (aside / "rng_state.pth").write_text("state")


def names(root):
    return sorted(path.name for path in root.iterdir())


def test_a_checkpoint_appears_whole_and_lists_its_files(tmp_path):
    save(tmp_path, 5, processes=2)
    assert names(tmp_path) == ["checkpoint-5"]
    assert checkpoints.problems(tmp_path / "checkpoint-5") == []
    assert checkpoints.facts(tmp_path / "checkpoint-5") == {"step": 5, "processes": 2}
    listed = json.loads((tmp_path / "checkpoint-5" / "manifest.json").read_text())["files"]
    assert listed.keys() == {"model.safetensors", "rng_state.pth"}
    assert listed["rng_state.pth"][0] == 5


def test_nothing_stands_under_the_name_while_it_is_written(tmp_path):
    def crash():
        with checkpoints.saving(tmp_path / "checkpoint-5", True, lambda: None, {}) as aside:
            (aside / "model.safetensors").write_text("half")
            assert not (tmp_path / "checkpoint-5").exists()
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        crash()
    assert checkpoints.newest_whole(tmp_path) is None
    assert names(tmp_path) == []


BREAKS = {
    "missing": (lambda folder: (folder / "rng_state.pth").unlink(), "rng_state.pth is missing"),
    "truncated": (lambda folder: (folder / "model.safetensors").write_text("wei"), "has 3 bytes, not 7"),
    "changed": (lambda folder: (folder / "model.safetensors").write_text("wEights"), "is damaged"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
    "bad manifest": (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json cannot be read"),
}


@pytest.mark.parametrize("way", BREAKS)
def test_a_broken_newest_checkpoint_is_passed_over(tmp_path, way, caplog):
    save(tmp_path, 5)
    save(tmp_path, 10)
    damage, reason = BREAKS[way]
    damage(tmp_path / "checkpoint-10")
    with caplog.at_level("WARNING", "tunebook"):
        assert checkpoints.newest_whole(tmp_path) == tmp_path / "checkpoint-5"
    assert reason in caplog.text
    assert names(tmp_path) == ["broken-checkpoint-10", "checkpoint-5"]


def test_ten_comes_after_nine(tmp_path):
    for step in (9, 10, 100):
        save(tmp_path, step)
    assert [path.name for path in checkpoints.checkpoints(tmp_path)] == [
        "checkpoint-9",
        "checkpoint-10",
        "checkpoint-100",
    ]
    assert checkpoints.newest_whole(tmp_path).name == "checkpoint-100"


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [(None, None, [1, 2, 3, 4]), (2, None, [3, 4]), (2, 1, [1, 4]), (1, None, [4]), (1, 2, [2, 4]), (1, 4, [4])],
)
def test_rotation_keeps_the_newest_and_the_best(tmp_path, keep, best, left):
    for step in (1, 2, 3, 4):
        save(tmp_path, step)
    checkpoints.rotate(tmp_path, keep, tmp_path / f"checkpoint-{best}" if best else None)
    assert names(tmp_path) == [f"checkpoint-{step}" for step in left]


def test_saving_the_same_step_again_replaces_it(tmp_path):
    save(tmp_path, 5, "old")
    save(tmp_path, 5, "new")
    assert (tmp_path / "checkpoint-5" / "model.safetensors").read_text() == "new"
    assert checkpoints.problems(tmp_path / "checkpoint-5") == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    def write():
        with checkpoints.saving(tmp_path / "checkpoint-5", True, lambda: None, {}):
            raise OSError(28, "No space left on device")

    with pytest.raises(RunDirectoryError, match="disk of .* is full; checkpoint-5 was not written"):
        write()
    assert names(tmp_path) == []


def test_too_little_space_is_told_before_training(tmp_path):
    checkpoints.require_space(tmp_path, 1)
    with pytest.raises(RunDirectoryError, match=r"one checkpoint of this model takes about 1,\d+,"):
        checkpoints.require_space(tmp_path, 1 << 60)
