"""Metric modules and the catalog: equal to scikit-learn, found by their folders, loaded by many at once."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import yaml
from scipy import stats
from sklearn import metrics as sklearn_metrics

from tunebook.errors import ConfigurationError, NothingReached
from tunebook.evaluation import catalog
from tunebook.evaluation.compute import Metrics

AVERAGED = {
    "precision": sklearn_metrics.precision_score,
    "recall": sklearn_metrics.recall_score,
    "f1": sklearn_metrics.f1_score,
}
NAMES = ["ham", "spam", "not: sure"]
SINGLE = {
    "accuracy": sklearn_metrics.accuracy_score,
    "exact_match": sklearn_metrics.accuracy_score,
    "balanced_accuracy": sklearn_metrics.balanced_accuracy_score,
    "mcc": sklearn_metrics.matthews_corrcoef,
    "mae": sklearn_metrics.mean_absolute_error,
    "mse": sklearn_metrics.mean_squared_error,
    "rmse": sklearn_metrics.root_mean_squared_error,
    "r2": sklearn_metrics.r2_score,
    "pearson": lambda references, predictions: stats.pearsonr(references, predictions).statistic,
    "spearman": lambda references, predictions: stats.spearmanr(references, predictions).statistic,
}


def expected(name: str, references: np.ndarray, predictions: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in SINGLE:
            return SINGLE[name](references, predictions)
        kind, average = name.rsplit("_", 1)
        return AVERAGED[kind](references, predictions, average=average, zero_division=0)


def of_answers(kind: str) -> list[str]:
    return [name for name, card in catalog.shipped(kind).items() if card.takes == "answers"]


@pytest.fixture(scope="module")
def everything() -> Metrics:
    return Metrics(of_answers("class"))


def case(kind: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    classes = 2 if kind == "binary" else 5
    references = random.integers(0, classes, 200)
    predictions = np.where(random.random(200) < 0.6, references, random.integers(0, classes, 200))
    if kind == "a class never predicted":
        predictions[predictions == 4] = 0
    if kind == "a class never labelled":
        references[references == 4] = 0
    if kind == "all wrong":
        predictions = (references + 1) % classes
    if kind == "one class only":
        predictions[:] = 0
    return predictions, references


def labels_case(rows: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, answers at 0.5 and labels of three, one of them rare; some rows have none."""
    random = np.random.default_rng(4)
    references = (random.random((rows, 3)) < [0.5, 0.3, 0.03]).astype(np.int64)
    chances = np.clip(0.3 * references + 0.7 * random.random((rows, 3)), 0, 1)
    assert (references.sum(axis=1) == 0).any()
    return chances, (chances >= 0.5).astype(np.int64), references


@pytest.mark.parametrize(
    "kind",
    ["binary", "multi-class", "a class never predicted", "a class never labelled", "all wrong", "one class only"],
)
def test_values_equal_scikit_learn(everything, kind):
    predictions, references = case(kind)
    got = everything.compute(predictions, references)
    assert list(got) == of_answers("class")
    for name, value in got.items():
        assert type(value) is float
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


@pytest.mark.parametrize("empty", [False, True], ids=["some of each", "a label that nobody has"])
def test_values_of_several_labels_equal_scikit_learn(empty):
    chances, predictions, references = labels_case()
    references[:, 2] *= not empty
    names = of_answers("classes")
    assert {"f1_samples", "precision_samples", "recall_samples", "exact_match"} < set(names)
    got = Metrics(names, "classes", NAMES).compute(predictions, references)
    for name, value in got.items():
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


def test_values_of_numbers_equal_scikit_learn_and_scipy():
    random = np.random.default_rng(5)
    references = np.round(random.normal(2.5, 1, 150), 1)  # with ties
    predictions = references + random.normal(0, 0.7, 150)
    got = Metrics(of_answers("number"), "number").compute(predictions, references)
    assert set(got) == {"mae", "mse", "rmse", "r2", "pearson", "spearman"}
    for name, value in got.items():
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


def test_numbers_that_are_all_equal_are_correlated_with_nothing():
    got = Metrics(["pearson", "spearman", "r2"], "number").compute(np.full(4, 2.0), np.array([1.0, 2, 3, 4]))
    assert got == {"pearson": 0.0, "spearman": 0.0, "r2": pytest.approx(-0.2)}


@pytest.mark.parametrize("label", range(3))
def test_one_labels_own_scores(label):
    names = [f"{name}:{NAMES[label]}" for name in ("f1", "precision", "recall")]
    predictions, references = case("multi-class")
    predictions, references = predictions % 3, references % 3
    one = Metrics(names, "class", NAMES).compute(predictions, references)
    _, answered, labelled = labels_case()
    many = Metrics(names, "classes", NAMES).compute(answered, labelled)
    for name, function in zip(names, (AVERAGED["f1"], AVERAGED["precision"], AVERAGED["recall"]), strict=True):
        assert one[name] == pytest.approx(function(references == label, predictions == label, zero_division=0))
        assert many[name] == pytest.approx(function(labelled[:, label], answered[:, label], zero_division=0))
    assert len({*one.values(), *many.values()}) > 3


def test_metrics_of_scores_equal_scikit_learn():
    chances, _, labelled = labels_case()
    names = ["average_precision", "roc_auc", "average_precision:spam", "roc_auc:spam"]
    got = Metrics(names, "classes", NAMES).compute((chances >= 0.5).astype(int), labelled, chances)
    assert got["average_precision"] == pytest.approx(
        sklearn_metrics.average_precision_score(labelled, chances, average="macro")
    )
    assert got["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(labelled, chances, average="macro"))
    assert got["average_precision:spam"] == pytest.approx(
        sklearn_metrics.average_precision_score(labelled[:, 1], chances[:, 1])
    )
    assert got["roc_auc:spam"] == pytest.approx(sklearn_metrics.roc_auc_score(labelled[:, 1], chances[:, 1]))


@pytest.mark.parametrize("positive", [0, 1])
def test_of_two_classes_the_positive_one_is_scored(positive):
    chance = np.random.default_rng(0).random(60)
    references = (chance + np.random.default_rng(1).normal(0, 0.4, 60) > 0.4).astype(int)
    both = np.stack([1 - chance, chance], axis=1)
    metrics = Metrics(["average_precision", "average_precision:ham", "roc_auc"], "class", ["ham", "spam"], positive)
    got = metrics.compute((chance > 0.5).astype(int), references, both)
    each = [sklearn_metrics.average_precision_score(references == at, both[:, at]) for at in (0, 1)]
    assert each[0] != pytest.approx(each[1])
    assert got["average_precision"] == pytest.approx(each[positive])
    assert got["average_precision:ham"] == pytest.approx(each[0])
    assert got["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(references, chance))


def test_scores_without_anything_to_tell_apart():
    chances, references = np.array([[0.2, 0.3], [0.6, 0.1]]), np.array([[0, 1], [0, 1]])
    metrics = Metrics(["roc_auc", "average_precision"], "classes", ["a", "b"])
    assert metrics.compute(references, references, chances) == {"roc_auc": 0.5, "average_precision": 0.5}


def test_scores_of_more_than_two_classes_are_not_kept_and_refused():
    with pytest.raises(ConfigurationError, match=r"average_precision.*two classes only; here are 3"):
        Metrics(["average_precision", "accuracy"], "class", NAMES)
    with pytest.raises(ValueError, match="needs the probabilities"):
        Metrics(["roc_auc"], "class", NAMES[:2]).compute(np.array([0, 1]), np.array([0, 1]))


def test_a_label_that_is_not_there():
    with pytest.raises(ConfigurationError, match=r"'f1:spma'.*no label 'spma'; did you mean spam\?"):
        Metrics(["f1:spma"], "class", NAMES)


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
    ids=["different lengths", "no rows", "several labels"],
)
def test_wrong_shapes_are_refused(everything, predictions, references):
    with pytest.raises(ValueError, match="one equal shape"):
        everything.compute(np.array(predictions, dtype=int), np.array(references, dtype=int))


def test_catalog_is_what_the_folders_hold():
    folders = {path.name for path in catalog.FOLDER.iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert folders == {card.module_dir.name for card in catalog.shipped().values()}
    assert len(folders) == 14
    declared = set()
    for folder in folders:
        assert (catalog.FOLDER / folder / f"{folder}.py").is_file()
        declared |= set(yaml.safe_load((catalog.FOLDER / folder / "card.yaml").read_text())["outputs"])
    assert declared == set(catalog.shipped())
    assert len(declared) == 24


def test_catalog_imports_nothing_heavy():
    code = (
        "import sys, tunebook.evaluation.catalog as c; c.shipped(); "
        "print([m for m in ('torch', 'evaluate', 'datasets', 'sklearn', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_direction():
    smaller = {name for name in catalog.shipped() if not catalog.direction(name)}
    assert smaller == {"mae", "mse", "rmse"}
    assert catalog.direction("f1:any label") is True
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
        ("f1:", "names no label; write f1:LABEL"),
        ("accuracy:spam", "there are average_precision:LABEL, f1:LABEL"),
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


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("accuracy", "number", "scores one label a row; for numbers: mae, mse, rmse, pearson, r2, spearman"),
        ("accuracy", "classes", "scores one label a row; for several labels a row: average_precision, exact_match"),
        ("f1_samples", "class", "scores several labels a row; for one label a row: accuracy"),
        ("f1:spam", "number", "scores one label a row or several labels a row; for numbers: mae"),
        ("mae", "class", "scores numbers; for one label a row: accuracy"),
        ("maee", "number", "did you mean mae?"),
    ],
)
def test_a_metric_for_another_kind_of_label_is_told(name, kind, says):
    (problem,) = catalog.problems([name], "task.metrics", kind)
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
        "m = Metrics(['accuracy', 'f1_macro', 'mcc', 'balanced_accuracy'])\n"
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
