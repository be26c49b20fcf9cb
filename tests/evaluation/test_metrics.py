"""Metric modules and the catalog: equal to scikit-learn, found by their folders, loaded by many at once."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from sklearn import metrics as sklearn_metrics

from tunebook.errors import ConfigurationError, NothingReached
from tunebook.evaluation import catalog
from tunebook.evaluation.compute import Metrics

AVERAGED = {
    "precision": sklearn_metrics.precision_score,
    "recall": sklearn_metrics.recall_score,
    "f1": sklearn_metrics.f1_score,
}


def expected(name: str, references: np.ndarray, predictions: np.ndarray) -> float:
    if name == "accuracy":
        return sklearn_metrics.accuracy_score(references, predictions)
    if name == "mcc":
        return sklearn_metrics.matthews_corrcoef(references, predictions)
    kind, average = name.rsplit("_", 1)
    return AVERAGED[kind](references, predictions, average=average, zero_division=0)


@pytest.fixture(scope="module")
def everything() -> Metrics:
    return Metrics(catalog.shipped())


def case(kind: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    classes = 2 if kind == "binary" else 5
    references = random.integers(0, classes, 200)
    predictions = np.where(random.random(200) < 0.6, references, random.integers(0, classes, 200))
    if kind == "a class never predicted":
        predictions[predictions == 4] = 0
    if kind == "all wrong":
        predictions = (references + 1) % classes
    if kind == "one class only":
        predictions[:] = 0
    return predictions, references


@pytest.mark.parametrize("kind", ["binary", "multi-class", "a class never predicted", "all wrong", "one class only"])
def test_values_equal_scikit_learn(everything, kind):
    predictions, references = case(kind)
    got = everything.compute(predictions, references)
    assert list(got) == list(catalog.shipped())
    for name, value in got.items():
        assert type(value) is float
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


def test_two_computations_do_not_mix(everything):
    first = everything.compute(np.array([0, 1]), np.array([0, 1]))
    second = everything.compute(np.array([1, 0]), np.array([0, 1]))
    assert (first["accuracy"], second["accuracy"]) == (1.0, 0.0)


def test_keys_are_exactly_the_requested_ones():
    got = Metrics(["mcc", "f1_macro"]).compute(np.array([0, 1, 1]), np.array([0, 1, 0]))
    assert list(got) == ["mcc", "f1_macro"]


def test_numpy_random_state_is_left_alone(everything):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    everything.compute(np.array([0, 1]), np.array([0, 1]))
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(
    ("predictions", "references"),
    [([0, 1], [0]), ([], []), ([[0, 1]], [[0, 1]])],
    ids=["different lengths", "no rows", "two dimensions"],
)
def test_wrong_shapes_are_refused(everything, predictions, references):
    with pytest.raises(ValueError, match="one equal shape"):
        everything.compute(np.array(predictions, dtype=int), np.array(references, dtype=int))


def test_catalog_is_what_the_folders_hold():
    folders = {path.name for path in catalog.FOLDER.iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert folders == {card.module_dir.name for card in catalog.shipped().values()}
    assert folders == {"accuracy", "precision", "recall", "f1", "mcc"}
    declared = set()
    for folder in folders:
        assert (catalog.FOLDER / folder / f"{folder}.py").is_file()
        declared |= set(yaml.safe_load((catalog.FOLDER / folder / "card.yaml").read_text())["outputs"])
    assert declared == set(catalog.shipped())
    assert len(declared) == 11


def test_catalog_imports_nothing_heavy():
    code = (
        "import sys, tunebook.evaluation.catalog as c; c.shipped(); "
        "print([m for m in ('torch', 'evaluate', 'datasets', 'sklearn', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_direction():
    assert all(catalog.direction(name) is True for name in catalog.shipped())
    assert catalog.direction("hub:wer") is None
    with pytest.raises(KeyError):
        catalog.direction("f2")


def test_good_names_raise_no_problem():
    assert catalog.problems([*catalog.shipped(), "hub:bleu"], "task.metrics") == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("f1_marco", "did you mean f1_macro?"),
        ("bleu", "hub:NAME"),
        ("hub:owner/name", "plugin"),
        ("hub:/etc/metric", "plugin"),
        ("hub:", "not a name"),
        ("hub:..", "not a name"),
        ("hub:a b", "not a name"),
    ],
)
def test_bad_names_are_explained(name, says):
    (problem,) = catalog.problems([name], "task.metrics")
    assert problem.key.startswith("task.metrics")
    assert name in problem.key
    assert says in problem.message


def test_all_problems_come_at_once():
    assert len(catalog.problems(["acuracy", "mcc", "mcc", "hub:a/b"], "task.metrics")) == 3
    with pytest.raises(ConfigurationError) as caught:
        Metrics(["acuracy", "hub:a/b"])
    assert len(caught.value.problems) == 2


def test_hub_metric_that_is_not_reachable(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def fail(*_, **__):
        raise FileNotFoundError("no such module")

    monkeypatch.setattr("evaluate.load", fail)
    with pytest.raises(NothingReached, match="f1_macro"):
        Metrics(["hub:bleu"])


def test_a_folder_beside_the_recipe_is_never_run(monkeypatch, tmp_path):
    trap = tmp_path / "evaluate-metric" / "bleu"
    trap.mkdir(parents=True)
    (trap / "bleu.py").write_text("raise SystemExit('stranger')")
    (tmp_path / "bleu").mkdir()
    (tmp_path / "bleu" / "bleu.py").write_text("raise SystemExit('stranger')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="hides"):
        Metrics(["hub:bleu"])


class Stub:
    def __init__(self, result):
        self.result = result

    def compute(self, **_):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    ("result", "value"),
    [({"bleu": 0.5, "length": 3}, 0.5), ({"score": 2}, 2.0)],
    ids=["by its name", "the only number"],
)
def test_hub_metric_gives_one_number(monkeypatch, tmp_path, result, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evaluate.load", lambda *_, **__: Stub(result))
    assert Metrics(["hub:bleu"]).compute(np.array([0]), np.array([0])) == {"hub:bleu": value}


@pytest.mark.parametrize("result", [{"a": 1, "b": 2}, {"a": [1]}, ValueError("texts only")])
def test_hub_metric_that_does_not_fit(monkeypatch, tmp_path, result):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evaluate.load", lambda *_, **__: Stub(result))
    metrics = Metrics(["hub:bleu"])
    with pytest.raises(ConfigurationError, match="hub:bleu"):
        metrics.compute(np.array([0]), np.array([0]))


def test_two_processes_load_and_compute_at_once(tmp_path):
    """A fresh cache, no network: neither may trip over the other's files."""
    code = (
        "import numpy as np\n"
        "from tunebook.evaluation import catalog\n"
        "from tunebook.evaluation.compute import Metrics\n"
        "m = Metrics(catalog.shipped())\n"
        "print(sum(sum(m.compute(np.array([0, 1, 1]), np.array([0, 1, 0])).values()) for _ in range(5)))\n"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    for name in ("HF_MODULES_CACHE", "HF_METRICS_CACHE", "HF_EVALUATE_CACHE"):
        environment.pop(name, None)
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    assert ended[0][0] == ended[1][0]
    assert ended[0][1] == ended[1][1] == ""
