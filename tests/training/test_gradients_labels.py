"""Several labels and numbers too: one effective batch gives one gradient, however it is split."""

import json

import pytest

from tests import tiny
from tests.training.test_gradients import ROWS, gradients, relative_difference, without_dropout

WORDS = " ".join(tiny.SENTENCES).split()
LABELS = {
    "multi_label_text": lambda at: [name for name, each in zip("abc", (2, 3, 5), strict=True) if at % each == 0],
    "text_regression": lambda at: at**1.5 - 4,
}


def overrides(tmp_path, task: str) -> list[str]:
    model = without_dropout(tiny.tiny_text_model("bert", tmp_path / "bert"))
    rows = [{"text": " ".join(WORDS[at : 3 + 3 * at]), "label": LABELS[task](at)} for at in range(ROWS)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [f"task={task}", "task.max_length=48", "dataset=files", f"dataset.train={file}", "model=auto",
            f"model.name_or_path={model}"]  # fmt: skip


@pytest.mark.parametrize("task", LABELS)
def test_every_layout_gives_the_gradient_of_the_whole_batch(tmp_path, task):
    said = overrides(tmp_path, task)
    found = {layout: gradients(tmp_path, said, layout) for layout in ("8x1", "2x4", "2 ranks x 4")}
    whole = found.pop("8x1")
    assert len(whole) > 5
    for layout, gradient in found.items():
        assert relative_difference(whole, gradient) < 1e-5, layout


@pytest.mark.parametrize("task", LABELS)
def test_without_the_mend_the_gradient_grows_with_the_micro_batches(tmp_path, task):
    said = overrides(tmp_path, task)
    whole, split = (gradients(tmp_path, said, layout, "plain") for layout in ("8x1", "2x4"))
    assert relative_difference(whole, split) > 1.0


@pytest.mark.parametrize("task", LABELS)
def test_the_loss_is_the_models_own_on_one_batch(tmp_path, task):
    said = overrides(tmp_path, task)
    ours, theirs = (gradients(tmp_path, said, "8x1", mode) for mode in ("mend", "plain"))
    assert relative_difference(ours, theirs) < 1e-5
