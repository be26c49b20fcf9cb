"""Every YAML file that ships is composed, checked and run for two steps, with tiny models and a few rows."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from PIL import Image

from tests import tiny
from tunebook import files
from tunebook.check import check
from tunebook.config import identity
from tunebook.config.compose import compose
from tunebook.run import RunResult, run

ROOT = Path(__file__).parents[1]
FILES = sorted(str(path.relative_to(ROOT)) for top in ("conf", "recipes") for path in (ROOT / top).rglob("*.yaml"))
# How many there are at least: an empty glob must not pass for a good one.
LEAST = {
    "conf": 1, "conf/adapter": 8, "conf/augmentation": 8, "conf/cleaning": 2, "conf/dataset": 14, "conf/freezing": 12,
    "conf/evaluation": 1, "conf/hyperparameters": 3, "conf/loss": 11, "conf/model": 14, "conf/regularization": 6,
    "conf/runtime": 3, "conf/sampling": 4, "conf/task": 7, "recipes": 22,
}  # fmt: skip
SHORT = [
    "hyperparameters.max_steps=2", "hyperparameters.eval_strategy=steps", "hyperparameters.eval_steps=2",
    "hyperparameters.early_stopping_patience=null", "dataset.max_rows={train: 96, validation: 8, test: 8}",
    "runtime.use_cpu=true", "runtime.dataloader_num_workers=0", "runtime.dataloader_pin_memory=false",
    "cleaning.leaks=report", "cleaning.near_leaks=report",  # a few sentences make all the rows
]  # fmt: skip
FURTHER = {
    "synonyms": ["augmentation.synonyms=synonyms.txt"],
    "paraphrase": ["dataset=files", "dataset.columns.paraphrase=paraphrase"],
    "qlora": ["adapter.bits=null"],  # which needs a GPU
}
# Phases of an epoch are too long for two steps; each needs more than a step of warm-up, or there is one a layer.
FURTHER |= dict.fromkeys(["head_then_all", "fine_tune"], ["freezing.head_steps=2"])
FURTHER |= dict.fromkeys(["gradual", "gradual_ulmfit"], ["freezing.every_steps=1"])
TASK_OF = {"conll": "token_classification"}
TASK_OF |= dict.fromkeys(["parallel", "bart_base", "marian_en_de", "t5_small", "translator_small"], "seq2seq")
MODEL_OF = {"token_classification": "bert_tokens", "seq2seq": "bart", "chat": "llama"}
LONGER = {"chain_thaw": 7, "head_then_all": 4, "fine_tune": 4}
DONE: dict[str, RunResult] = {}


def test_all_of_them_are_found():
    found = Counter(str(Path(file).parent) for file in FILES)
    assert {folder: found[folder] >= least for folder, least in LEAST.items()} == dict.fromkeys(LEAST, True), found
    assert set(found) == set(LEAST), "a new folder: say how many files it has"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of each family."""
    folder = tmp_path_factory.mktemp("models")
    for family in tiny.FAMILIES:
        tiny.tiny_model(family, folder / family)
    for name in ("bart", "t5", "llama", "bert_tokens"):
        getattr(tiny, f"tiny_{name}")(folder / name)
    return folder


@pytest.mark.parametrize("file", FILES)
def test_it_runs(file, models, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    Path("synonyms.txt").write_text("movie: film, picture\n")
    arguments = chosen(file)
    if Path(file).stem in {"replay", "next_task"}:
        arguments.append(f"regularization.replay.run={an_previous_run(models)}")
    composed = compose(arguments).content
    task = composed["task"]["name"]
    small = small_parts if task in MODEL_OF else small_classifier
    arguments += [*small(composed, models), *SHORT]
    if composed["runtime"].get("tf32"):
        arguments.append("runtime.tf32=null")  # which transformers refuses without a GPU
    if composed["runtime"]["precision"] == "auto":
        arguments.append("runtime.precision=float32")
    steps = LONGER.get(Path(file).stem, 2)
    arguments += [f"hyperparameters.max_steps={steps}", f"hyperparameters.eval_steps={steps}"]
    config = check(compose([*arguments, f"run.name={Path(file).parent.name}-{Path(file).stem}"]))
    # Most files of conf/ give the default run: once is enough.
    content = identity.content(config)
    key = f"{identity.fingerprint(config)} {content['runtime']}"
    result = DONE.get(key) or run(config)
    DONE[key] = result
    assert result.trained
    assert set(result.metrics) >= {"test"} or set(result.metrics) >= {"validation"}
    assert files.read_json(result.path / "metrics.json")["best"]["steps_trained"] == steps
    assert files.read_json(result.path / "run.json")["status"] == "finished"
    for left in ("model/config.json", "recipe.yaml", "report.html", "README.md", "history.jsonl"):
        assert (result.path / left).is_file()


def an_previous_run(models: Path) -> Path:
    """The folder of a finished run of the default recipe, whose rows can be replayed."""
    small = [f"model.name_or_path={models / 'bert'}", "task.max_length=32", "runtime.precision=float32"]
    return run(check(compose(["model=auto", *small, *SHORT, "run.name=previous"]))).path


def chosen(file: str) -> list[str]:
    """The arguments that bring a file into play, with what its kind needs beside it."""
    folder, name = str(Path(file).parent), Path(file).stem
    if folder == "recipes":
        return [f"+recipe={name}", *FURTHER.get(name, [])]
    if folder == "conf":
        return []
    group = Path(folder).name
    content = yaml.safe_load((ROOT / file).read_text()) or {}
    images = {
        "task": name == "image_classification",
        "dataset": "image" in content.get("columns", {}),
        "model": any(family in name for family in tiny.IMAGE),
        "augmentation": content.get("method") == "image",
    }.get(group, False)
    beside = {"task": "image_classification", "dataset": "digits", "model": "resnet_small"} if images else {}
    several = {"binary_cross_entropy", "binary_focal", "weighted_binary", "go_emotions"}
    beside |= {"task": "multi_label_text"} if name in several else {}
    beside |= {"task": TASK_OF[name], "dataset": "files", "model": "auto"} if name in TASK_OF else {}
    beside |= {"model": "auto"} if name in MODEL_OF else {}
    beside |= {"task": "text_regression"} if name in {"mse", "huber", "stsb"} else {}
    return [
        f"{group}={name}",
        *(f"{key}={option}" for key, option in beside.items() if key != group),
        *FURTHER.get(name, []),
    ]


def small_classifier(composed: dict[str, Any], models: Path) -> list[str]:
    """Overrides that put in a tiny model and a few rows, for tasks with a label a row."""
    return [*small_model(composed["model"], models), *small_dataset(composed["dataset"], composed["task"])]


def small_parts(composed: dict[str, Any], models: Path) -> list[str]:
    """Overrides that put in a tiny model and a few rows, for the other tasks."""
    dataset, task = composed["dataset"], composed["task"]["name"]
    small = models / ("t5" if "t5" in str(composed["model"].get("name_or_path")) else MODEL_OF[task])
    own = composed["model"].get("config")
    model = [f"model.tokenizer={small}"] if own else [f"model.name_or_path={small}", "model.revision=null"]
    splits = [name for name in ("train", "validation") if name == "train" or not (dataset.get("split") or {}).get(name)]
    reset = [f"dataset.{key}=null" for key in ("rows",) if key in dataset]
    if dataset["source"] == "conll":
        given = [
            f"dataset.{split}={tagged_sentences(split, dataset.get('labels') or ['PER', 'LOC'])}" for split in splits
        ]
    elif dataset["source"] == "parallel":
        given = [f"dataset.{split}.{side}={lines(split, side)}" for split in splits for side in ("text", "target")]
    else:
        given = [f"dataset.{split}={objects(split, task)}" for split in splits]
        given += [] if dataset["source"] == "files" else ["dataset=files", "dataset.columns=null"]
    stride = {"token_classification": ["task.stride=8"], "seq2seq": ["task.max_target_length=32"]}.get(task, [])
    return [*model, "model.package=null", "task.max_length=32", *stride, *reset, *given]


def tagged_sentences(split: str, labels: list[str]) -> Path:
    """A CoNLL file of 48 sentences with every type of entity."""
    file = Path(f"{split}-{len(labels)}.conll").absolute()
    sentences = [
        f"film\tO\nstory{at}\tB-{labels[at % len(labels)]}\ngood\tI-{labels[at % len(labels)]}\n" for at in range(48)
    ]
    file.write_text("\n".join(sentences))
    return file


def lines(split: str, side: str) -> Path:
    """A file of 48 lines."""
    file = Path(f"{split}.{side}").absolute()
    file.write_text("".join(f"{tiny.SENTENCES[at % len(tiny.SENTENCES)]} {at} {split}\n" for at in range(48)))
    return file


def objects(split: str, task: str) -> Path:
    """JSON Lines of 96 rows."""
    file = Path(f"{split}-{task}.jsonl").absolute()
    rows: list[dict[str, Any]] = []
    for at in range(96):
        text = f"{tiny.SENTENCES[at % len(tiny.SENTENCES)]} {at} {split}"
        rows.append(
            {
                "token_classification": {"tokens": ["film", f"story{at}"], "tags": ["O", "B-PER"]},
                "seq2seq": {"text": text, "target": "good"},
                "chat": {"instruction": f"film {at}", "output": "good", "response": "good"},
            }[task]
        )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def small_model(model: dict[str, Any], folder: Path) -> list[str]:
    """Overrides that put a tiny model of the same family in; the declared head stays, and is checked."""
    if model.get("config"):
        return []
    name = str(model.get("name_or_path")).lower()
    # Longer names first: 'bert' is in most of them.
    families = sorted(tiny.FAMILIES, key=len, reverse=True)
    family = next((family for family in families if family in name.replace("-", "")), "bert")
    place = f"model.name_or_path={folder / family}"
    return [
        place,
        "model.revision=null",
        "model.package=null",
        *(["task.max_length=32"] if family in tiny.TEXT else []),
    ]


def small_dataset(dataset: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """Overrides that put a few rows in place of the user's or the Hub's, under the same columns and labels."""
    source = dataset["source"]
    if source in {"image_folder", "image_files", "arrow"}:
        return {"image_folder": of_image_folder, "image_files": of_image_files, "arrow": of_arrow}[source]()
    if source == "hub" and not dataset["path"]:
        return of_a_folder_in_place_of_the_hub()
    form = "number" if "regression" in task["name"] else "classes" if task.get("multi_label") else "class"
    paraphrases = "paraphrase" in dataset.get("columns", {})
    if source not in {"files", "hub"} and form == "class" and not paraphrases:
        return []
    columns = {"text": "text", "label": "label"} | dataset["columns"]
    taken_out = [f"~dataset.{key}" for key in ("path", "name", "revision", "splits") if key in dataset]
    reset = {"column_names": "null", "quoting": "auto", "delimiter": "null", "format": "auto", "rows": "null"}
    taken_out += [f"dataset.{key}={value}" for key, value in reset.items() if key in dataset]
    labels = dataset.get("labels") or ["a", "b"]
    carved = {name for name in ("validation", "test") if (dataset.get("split") or {}).get(name)}
    taken_out += ["dataset.labels=null"] if form == "number" and "labels" in dataset else []
    splits = [name for name in dataset.get("splits") or ("train", "validation") if name not in carved]
    given = [f"dataset.{split}={a_table(split, columns, labels, form)}" for split in splits]
    separator = ["dataset.label_separator='|'"] if form == "classes" else []
    return ["dataset.source=files", *taken_out, *given, *separator]


def a_table(split: str, columns: dict[str, str], labels: list[str], form: str) -> Path:
    """A CSV file of 48 rows with the columns of a dataset."""
    file = Path(f"{split}-{form}-{'-'.join(columns.values())}.csv").absolute()
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns.values())
        for at in range(48):
            words = f"{tiny.SENTENCES[at % len(tiny.SENTENCES)]} {at}"
            label = at % 7 / 2 if form == "number" else labels[at % len(labels)]
            writer.writerow([label if role == "label" else words for role in columns])
    return file


def of_image_folder() -> list[str]:
    """The arguments for a folder of images."""
    return [f"dataset.path={a_folder_of_images()}"]


def of_image_files() -> list[str]:
    """The arguments for tables of image paths."""
    folder = a_folder_of_images()
    given = []
    for split in ("train", "validation"):
        images = sorted((folder / split).rglob("*.png"))
        lines = [f"{image.relative_to(folder)},{image.parent.name}\n" for image in images]
        (folder / f"{split}.csv").write_text("image,label\n" + "".join(lines))
        given.append(f"dataset.{split}={folder / f'{split}.csv'}")
    return given


def of_a_folder_in_place_of_the_hub() -> list[str]:
    """The arguments for a local folder, which `datasets` loads as it loads a data set of the Hub."""
    folder = Path("a_data_set").absolute()
    folder.mkdir(exist_ok=True)
    for split in ("train", "validation"):
        a_table(split, {"text": "text", "label": "label"}, ["a", "b"], "class").rename(folder / f"{split}.csv")
    return [f"dataset.path={folder}"]


def of_arrow() -> list[str]:
    """The arguments for what `save_to_disk` wrote."""
    folder = Path("saved").absolute()
    rows = {"text": [f"{tiny.SENTENCES[at % len(tiny.SENTENCES)]} {at}" for at in range(48)], "label": ["a", "b"] * 24}
    datasets.DatasetDict({split: datasets.Dataset.from_dict(rows) for split in ("train", "validation")}).save_to_disk(
        folder
    )
    return [f"dataset.path={folder}"]


def a_folder_of_images() -> Path:
    """Two classes of eight images, for training and for validation."""
    folder = Path("photos").absolute()
    for at in range(32):
        place = folder / ("train" if at < 16 else "validation") / "ab"[at % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (at * 7, 0, 255 * (at % 2))).save(place / f"{at}.png")
    return folder
