"""One effective batch gives one gradient, however it is split over micro-batches and processes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests import tiny
from tests.training.step_worker import main as one_step

ROWS = 8
LAYOUTS = {"8x1": (1, 8), "2x4": (1, 2), "2 ranks x 4": (2, 4), "2 ranks x 2 x 2": (2, 2)}


def without_dropout(folder: Path) -> Path:
    config = json.loads((folder / "config.json").read_text())
    config.update({key: 0.0 for key in config if "dropout" in key or "drop_path" in key})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def text_overrides(tmp_path: Path, family: str, pair: bool) -> list[str]:
    tiny.tiny_text_model(family, tmp_path / family)
    model = without_dropout(tmp_path / family)
    words = " ".join(tiny.SENTENCES).split()
    rows = [
        {
            "text": " ".join(words[at : at + 3 + 2 * at]),
            "text_pair": " ".join(words[: 1 + at]),
            "label": "ab"[at % 3 == 0],
        }
        for at in range(ROWS)
    ]
    if not pair:
        rows = [{"text": row["text"], "label": row["label"]} for row in rows]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [
        "task=text_classification",
        "task.max_length=48",
        "dataset=files",
        f"dataset.train={file}",
        "model=auto",
        f"model.name_or_path={model}",
    ]


def image_overrides(tmp_path: Path, family: str, pair: bool) -> list[str]:
    tiny.tiny_image_model(family, tmp_path / family)
    model = without_dropout(tmp_path / family)
    noise = np.random.default_rng(0)
    for at in range(ROWS):
        folder = tmp_path / "images" / "train" / ("cat" if at % 3 == 0 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{at}.png")
    frozen = []
    if family == "resnet":
        # Statistics of BatchNorm depend on the micro-batch by nature; frozen, they are fixed.
        rule = "{pattern: normalization, train: false}"
        frozen = ["freezing=patterns", f"freezing.rules=[{rule}]"]
    return [
        "task=image_classification",
        "dataset=image_folder",
        f"dataset.path={tmp_path / 'images'}",
        "model=auto",
        f"model.name_or_path={model}",
        *frozen,
    ]


CASES = {
    "text bert": (text_overrides, "bert", False),
    "text pair distilbert": (text_overrides, "distilbert", True),
    "image vit": (image_overrides, "vit", False),
    "image resnet": (image_overrides, "resnet", False),
}


def gradients(tmp_path: Path, overrides: list[str], layout: str, mode: str = "mend") -> dict[str, torch.Tensor]:
    processes, per_device = LAYOUTS[layout]
    out = tmp_path / f"{layout} {mode}.pt".replace(" ", "_")
    said = [
        *overrides,
        "hyperparameters.eval_strategy='no'",
        "hyperparameters.load_best_model_at_end=false",
        f"hyperparameters.effective_batch_size={ROWS}",
        f"hyperparameters.per_device_train_batch_size={per_device}",
        "hyperparameters.num_train_epochs=1",
        "hyperparameters.max_grad_norm=0",
        "runtime=cpu",
        f"run.output_dir={tmp_path / 'out'}",
        f"run.name={out.stem}",
    ]
    if processes == 1:
        one_step(str(out), mode, said)
    else:
        worker = Path(__file__).with_name("step_worker.py")
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            str(processes),
            "--master_port",
            "0",
            "--rdzv_backend",
            "c10d",
            "--rdzv_endpoint",
            "localhost:0",
            str(worker),
        ]
        done = subprocess.run([*command, str(out), mode, *said], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[:6000]
    return torch.load(out)


def relative_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    a = torch.cat([value.flatten().double() for value in one.values()])
    b = torch.cat([other[name].flatten().double() for name in one])
    return float((a - b).norm() / a.norm())


@pytest.mark.parametrize("case", CASES)
def test_every_layout_gives_the_gradient_of_the_whole_batch(tmp_path, case):
    build, family, pair = CASES[case]
    overrides = build(tmp_path, family, pair)
    found = {layout: gradients(tmp_path, overrides, layout) for layout in LAYOUTS}
    whole = found.pop("8x1")
    assert len(whole) > 5
    for layout, gradient in found.items():
        difference = relative_difference(whole, gradient)
        print(f"{case}, {layout}: relative difference {difference:.1e}")
        assert difference < 1e-5, layout


LOSSES = {
    "weighted": ["loss=weighted", "loss.label_smoothing=0.1"],
    "focal": ["loss=focal", "loss.class_weights=effective"],
}


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_classes_count_the_same_in_every_layout(tmp_path, loss):
    overrides = text_overrides(tmp_path, "bert", pair=False)  # 5 rows of one class, 3 of the other
    said = [*overrides, *LOSSES[loss]]
    found = {layout: gradients(tmp_path, said, layout) for layout in ("8x1", "2x4", "2 ranks x 2 x 2")}
    whole = found.pop("8x1")
    for layout, gradient in found.items():
        assert relative_difference(whole, gradient) < 1e-5, layout
    (tmp_path / "plain").mkdir()
    assert relative_difference(whole, gradients(tmp_path / "plain", overrides, "8x1")) > 1e-2


# ViT's single-label head is the one of these four whose own loss heeds the count in transformers 5.23.
@pytest.mark.parametrize("case", [case for case in CASES if case != "image vit"])
def test_without_the_mend_the_gradient_grows_with_the_micro_batches(tmp_path, case):
    build, family, pair = CASES[case]
    overrides = build(tmp_path, family, pair)
    whole = gradients(tmp_path, overrides, "8x1", "plain")
    split = gradients(tmp_path, overrides, "2x4", "plain")
    assert relative_difference(whole, split) > 1.0
