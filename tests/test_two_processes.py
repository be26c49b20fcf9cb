"""The documented line for two processes on a CPU: one directory, one log, one report, the same model."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tests.training.test_gradients import without_dropout

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def overrides(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("two")
    model = without_dropout(tiny.tiny_text_model("bert", folder / "bert"))
    words = " ".join(tiny.SENTENCES).split()
    # 37 rows at 8 a step: the last step has 5, so that one rank gets rows that do not count.
    for split, count in {"train": 37, "validation": 21, "test": 19}.items():
        rows = [
            {"text": " ".join(words[at % 9 : at % 9 + 3 + at % 20]) + f" {split} {at}", "label": "ab"[at % 2]}
            for at in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [f"dataset.{split}={folder / split}.jsonl" for split in ("train", "validation", "test")]
    return [
        "task.max_length=48", "dataset=files", *files, "model=auto", f"model.name_or_path={model}",
        "hyperparameters.effective_batch_size=8", "hyperparameters.num_train_epochs=2", "runtime.precision=float32",
        "hyperparameters.learning_rate=1e-3", "runtime.logging_steps=1", "runtime.per_device_eval_batch_size=4",
        "cleaning.leaks=report", "cleaning.near_leaks=report",  # the few words of all splits are the same
    ]  # fmt: skip


def launch(overrides: list[str], out: Path, launcher: list[str]) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*launcher, "run.py", *overrides, f"run.output_dir={out}"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


BIN = Path(sys.executable).parent
LAUNCHERS = {
    "accelerate": [str(BIN / "accelerate"), "launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
                   "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"],
    "torchrun": [str(BIN / "torchrun"), "--nproc_per_node", "2", "--rdzv_backend", "c10d",
                 "--rdzv_endpoint", "localhost:0"],
}  # fmt: skip


@pytest.fixture(scope="module")
def alone(overrides, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    launch(overrides, out, [sys.executable])
    return next((out / "default").iterdir())


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_do_what_one_does(overrides, alone, tmp_path, launcher):
    said = launch(overrides, tmp_path, LAUNCHERS[launcher])
    runs = list((tmp_path / "default").iterdir())
    assert len(runs) == 1
    run = runs[0]
    assert run.name == alone.name, "the directory follows from the configuration alone"
    log = (run / "log.txt").read_text()
    assert log.count("effective batch 8 = 4 per device × 2 processes × 1 accumulation step") == 1
    assert len(re.findall(r"step 10/10   epoch", log)) == len(re.findall("step 10/10   validation", log)) == 1
    assert said.count("accuracy │") == 1
    ours, whole = (json.loads((path / "metrics.json").read_text()) for path in (run, alone))
    for split in ("validation", "test"):
        assert ours[split] == pytest.approx(whole[split], abs=1e-5)
    one, two = (load_file(path / "model" / "model.safetensors") for path in (alone, run))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)


def test_predictions_keep_the_order_of_the_rows(overrides, alone, tmp_path):
    launch(overrides, tmp_path, LAUNCHERS["torchrun"])
    run = next((tmp_path / "default").iterdir())
    for split, count in {"validation": 21, "test": 19}.items():
        ours, whole = (
            [json.loads(line) for line in (path / "predictions" / f"{split}.jsonl").read_text().splitlines()]
            for path in (run, alone)
        )
        assert [line["row"] for line in ours] == list(range(count))
        assert [line["label"] for line in ours] == [line["label"] for line in whole]
        assert [line["loss"] for line in ours] == pytest.approx([line["loss"] for line in whole], abs=1e-4)


def test_a_mistake_in_the_data_is_told_once_and_by_no_traceback_of_ours(overrides, tmp_path):
    empty = tmp_path / "rows.jsonl"
    empty.write_text('{"text": "fine", "label": "a"}\n{"text": null, "label": "b"}\n')
    said = [f"dataset.train={empty}" if text.startswith("dataset.train=") else text for text in overrides]
    with pytest.raises(AssertionError) as failed:
        launch(said, tmp_path / "out", LAUNCHERS["torchrun"])
    told = str(failed.value)
    assert told.count("in the dataset:") == 1
    assert "Connection closed by peer" not in told
    assert "src/tunebook" not in told


def test_two_ranks_see_the_resampled_epochs_of_one(overrides, tmp_path):
    rows = [{"text": f"{tiny.SENTENCES[at % 7]} {at}", "label": "ab"[at % 5 == 0]} for at in range(37)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    # 29 of one class and 8 of the other: 58 rows an epoch, so 8 steps, the last of them with 2 rows.
    said = [*overrides, f"dataset.train={tmp_path / 'train.jsonl'}", "sampling=oversample", "loss=focal"]
    for out, launcher in {"alone": [sys.executable], "two": LAUNCHERS["torchrun"]}.items():
        launch(said, tmp_path / out, launcher)
    alone, two = (next((tmp_path / out / "default").iterdir()) for out in ("alone", "two"))
    assert "step 16/16   epoch" in (two / "log.txt").read_text()
    one, other = (load_file(path / "model" / "model.safetensors") for path in (alone, two))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
