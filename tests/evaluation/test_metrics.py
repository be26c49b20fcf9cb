"""Metrics: each equals its library's function, a name that is not allowed is explained, many ranks compute at once."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from tunebook.config import registry
from tunebook.errors import ConfigurationError, NothingReached, Problem
from tunebook.evaluation import catalog
from tunebook.evaluation.metrics import Metrics

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


def of_predictions(kind: str) -> list[str]:
    return [name for name, card in catalog.shipped(kind).items() if card.takes == "predictions"]


@pytest.fixture(scope="module")
def everything() -> Metrics:
    return Metrics(of_predictions("single_label"))


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
    assert list(got) == of_predictions("single_label")
    for name, value in got.items():
        assert type(value) is float
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


@pytest.mark.parametrize("empty", [False, True], ids=["some of each", "a label that nobody has"])
def test_values_of_several_labels_equal_scikit_learn(empty):
    chances, predictions, references = labels_case()
    references[:, 2] *= not empty
    names = of_predictions("multi_label")
    assert {"f1_samples", "precision_samples", "recall_samples", "exact_match"} < set(names)
    got = Metrics(names, "multi_label", NAMES).compute(predictions, references)
    for name, value in got.items():
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


def test_values_of_numbers_equal_scikit_learn_and_scipy():
    random = np.random.default_rng(5)
    references = np.round(random.normal(2.5, 1, 150), 1)  # with ties
    predictions = references + random.normal(0, 0.7, 150)
    got = Metrics(of_predictions("regression"), "regression").compute(predictions, references)
    assert set(got) == {"mae", "mse", "rmse", "r2", "pearson", "spearman"}
    for name, value in got.items():
        assert value == pytest.approx(expected(name, references, predictions), abs=1e-12), name


def test_numbers_that_are_all_equal_are_correlated_with_nothing():
    got = Metrics(["pearson", "spearman", "r2"], "regression").compute(np.full(4, 2.0), np.array([1.0, 2, 3, 4]))
    assert got == {"pearson": 0.0, "spearman": 0.0, "r2": pytest.approx(-0.2)}


@pytest.mark.parametrize("label", range(3))
def test_one_labels_own_scores(label):
    names = [f"{name}:{NAMES[label]}" for name in ("f1", "precision", "recall")]
    predictions, references = case("multi-class")
    predictions, references = predictions % 3, references % 3
    one = Metrics(names, "single_label", NAMES).compute(predictions, references)
    _, answered, labelled = labels_case()
    many = Metrics(names, "multi_label", NAMES).compute(answered, labelled)
    for name, function in zip(names, (AVERAGED["f1"], AVERAGED["precision"], AVERAGED["recall"]), strict=True):
        assert one[name] == pytest.approx(function(references == label, predictions == label, zero_division=0))
        assert many[name] == pytest.approx(function(labelled[:, label], answered[:, label], zero_division=0))
    assert len({*one.values(), *many.values()}) > 3


def test_metrics_of_scores_equal_scikit_learn():
    chances, _, labelled = labels_case()
    names = ["average_precision", "roc_auc", "average_precision:spam", "roc_auc:spam"]
    got = Metrics(names, "multi_label", NAMES).compute((chances >= 0.5).astype(int), labelled, chances)
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
    names = ["average_precision", "average_precision:ham", "roc_auc"]
    metrics = Metrics(names, "single_label", ["ham", "spam"], positive)
    got = metrics.compute((chance > 0.5).astype(int), references, both)
    each = [sklearn_metrics.average_precision_score(references == at, both[:, at]) for at in (0, 1)]
    assert each[0] != pytest.approx(each[1])
    assert got["average_precision"] == pytest.approx(each[positive])
    assert got["average_precision:ham"] == pytest.approx(each[0])
    assert got["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(references, chance))


def test_scores_without_anything_to_tell_apart():
    chances, references = np.array([[0.2, 0.3], [0.6, 0.1]]), np.array([[0, 1], [0, 1]])
    metrics = Metrics(["roc_auc", "average_precision"], "multi_label", ["a", "b"])
    assert metrics.compute(references, references, chances) == {"roc_auc": 0.5, "average_precision": 0.5}


def test_scores_of_more_than_two_classes_are_not_kept_and_refused():
    with pytest.raises(ConfigurationError, match=r"average_precision.*two classes only; here are 3"):
        Metrics(["average_precision", "accuracy"], "single_label", NAMES)
    with pytest.raises(ValueError, match="needs the probabilities"):
        Metrics(["roc_auc"], "single_label", NAMES[:2]).compute(np.array([0, 1]), np.array([0, 1]))


def test_a_label_that_is_not_there():
    with pytest.raises(ConfigurationError, match=r"'f1:spma'.*no label 'spma'; did you mean spam\?"):
        Metrics(["f1:spma"], "single_label", NAMES)
    with pytest.raises(ConfigurationError, match=r"'entity_f1:PRE'.*no label 'PRE'; did you mean PER\?"):
        Metrics(["entity_f1:PRE"], "token_labels", TAGS)


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


TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TAG_METRICS = ["entity_f1", "entity_precision", "entity_recall", "token_accuracy", "entity_f1:PER", "entity_recall:LOC"]
TEXT_METRICS = ["rouge1", "rouge2", "rougeL", "rougeLsum", "bleu", "chrf"]


def tagged(seed: int, rows: int = 30) -> list[list[str]]:
    """Rows of unequal length, some of them with entities that begin with I-."""
    random = np.random.default_rng(seed)
    return [list(random.choice(TAGS, 1 + row % 9, p=[0.5, 0.2, 0.1, 0.1, 0.1])) for row in range(rows)]


def written(seed: int, rows: int = 20) -> list[str]:
    words = ["the", "cats", "were", "sitting", "on", "a", "mat", "running", "quickly", "home"]
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, 8)) + "\nso it ended." for _ in range(rows)]


def test_entities_equal_seqeval():
    from seqeval import metrics as seqeval

    references = tagged(0)
    predictions = [list(row) for row in references]
    for at, row in enumerate(tagged(1)):
        if at % 2:
            predictions[at] = row
    got = Metrics(TAG_METRICS, "token_labels", TAGS).compute(predictions, references)
    report = seqeval.classification_report(references, predictions, output_dict=True)
    assert got == pytest.approx({
        "entity_f1": seqeval.f1_score(references, predictions),
        "entity_precision": seqeval.precision_score(references, predictions),
        "entity_recall": seqeval.recall_score(references, predictions),
        "token_accuracy": seqeval.accuracy_score(references, predictions),
        "entity_f1:PER": report["PER"]["f1-score"],
        "entity_recall:LOC": report["LOC"]["recall"],
    })  # fmt: skip
    assert len(set(got.values())) == len(got)
    assert min(got.values()) > 0


def test_entities_by_hand():
    # One of two is right; the other ends a token too early, and counts as wrong and as missed.
    references, predictions = [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]]
    got = Metrics(["entity_f1", "entity_f1:LOC", "entity_f1:PER"], "token_labels", TAGS).compute(
        predictions, references
    )
    assert got == {"entity_f1": 0.5, "entity_f1:LOC": 1.0, "entity_f1:PER": 0.0}


@pytest.mark.parametrize("references", [[["O", "O"]], [["B-PER", "O"]]], ids=["none at all", "none predicted"])
def test_without_an_entity_figures_are_0(references):
    names = ["entity_f1", "entity_precision", "entity_recall", "entity_f1:LOC"]
    assert set(Metrics(names, "token_labels", TAGS).compute([["O", "O"]], references).values()) == {0.0}


def test_texts_equal_rouge_score_and_sacrebleu():
    import sacrebleu
    from rouge_score.rouge_scorer import RougeScorer

    references, predictions = written(0), written(1)
    got = Metrics(TEXT_METRICS, "text").compute(predictions, references)
    scorer = RougeScorer(TEXT_METRICS[:4], use_stemmer=True)
    each = [scorer.score(reference, text) for reference, text in zip(references, predictions, strict=True)]
    assert got == pytest.approx(
        {name: np.mean([scores[name].fmeasure for scores in each]) for name in TEXT_METRICS[:4]}
        | {
            "bleu": sacrebleu.corpus_bleu(predictions, [references]).score,
            "chrf": sacrebleu.corpus_chrf(predictions, [references]).score,
        }
    )
    assert min(got.values()) > 0
    assert Metrics(["bleu", "rougeL"], "token_ids").compute(references, references) == pytest.approx(
        {"bleu": 100.0, "rougeL": 1.0}
    )


def test_perplexity_is_of_the_loss_alone():
    metrics = Metrics(["perplexity"], "token_ids")
    assert metrics.compute(["a"], ["b"], loss=2.0) == {"perplexity": pytest.approx(np.exp(2.0))}
    assert metrics.compute(["a"], ["b"], loss=1e6) == {"perplexity": np.inf}
    with pytest.raises(ValueError, match="needs the loss"):
        metrics.compute(["a"], ["b"])


def test_texts_and_tags_of_different_number_are_refused():
    with pytest.raises(ValueError, match="not 1 and 2"):
        Metrics(["bleu"], "text").compute(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="not 0 and 0"):
        Metrics(["entity_f1"], "token_labels", TAGS).compute([], [])


@pytest.mark.parametrize(
    ("name", "target_type", "inputs"),
    [
        ("f1_macro", "single_label", "ids"),
        ("f1_samples", "multi_label", "indicators"),
        ("average_precision", "multi_label", "probabilities"),
        ("rmse", "regression", "numbers"),
        ("entity_f1", "token_labels", "tags"),
        ("rougeL", "text", "texts"),
    ],
)
def test_the_evaluate_module_gives_the_same(name, target_type, inputs, tmp_path, monkeypatch):
    import evaluate

    chances, predicted, labelled = labels_case()
    predictions, references = {
        "ids": case("multi-class"),
        "indicators": (predicted, labelled),
        "probabilities": (chances, labelled),
        "numbers": (chances[:, 0], chances[:, 1]),
        "tags": (tagged(1), tagged(2)),
        "texts": (written(1), written(2)),
    }[inputs]
    labels = {"entity_f1": TAGS}.get(name, NAMES)
    expected_value = Metrics([name], target_type, labels).compute(predictions, references, chances)[name]
    module = evaluate.load(str(catalog.FOLDER), name, cache_dir=str(tmp_path), keep_in_memory=True)
    assert module.compute(predictions=predictions, references=references) == {name: pytest.approx(expected_value)}


def test_the_evaluate_module_needs_no_tunebook(tmp_path):
    code = (
        "import evaluate, sys\n"
        f"module = evaluate.load({str(catalog.FOLDER)!r}, 'f1_macro', keep_in_memory=True)\n"
        "print(module.compute(predictions=[0, 1, 1], references=[0, 1, 1], label=1))\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'tunebook'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split("\n")[:2] == ["{'f1_macro': 1.0}", "[]"]


class Plugin:
    name, value, dist = "metric.half", "half", None
    TARGETS = ("single_label",)
    GREATER_IS_BETTER = False

    def load(self):
        return self

    @staticmethod
    def compute(predictions, references):
        return len(predictions) / 2


def test_a_plug_in_is_a_metric_too(monkeypatch):
    catalog._plugin.cache_clear()
    monkeypatch.setattr(registry, "_entry_points", lambda: (Plugin(),))
    assert catalog.direction("half") is False
    assert Metrics(["half", "accuracy"]).compute(np.array([0, 1, 1]), np.array([0, 1, 1])) == {
        "half": 1.5, "accuracy": 1.0,
    }  # fmt: skip
    assert "scores one label a row" in catalog.problems(["half"], "task.metrics", "regression")[0].message
    assert "did you mean half?" in catalog.problems(["halff"], "task.metrics")[0].message
    catalog._plugin.cache_clear()


def test_the_names_of_the_table():
    assert len(catalog.shipped()) == 24 + 4 + 7
    assert {metric.name for metric in catalog.shipped().values()} == set(catalog.shipped())
    assert {metric.takes for metric in catalog.shipped().values()} == {"predictions", "probabilities", "loss"}


def test_catalog_imports_nothing_heavy():
    code = (
        "import sys, tunebook.evaluation.catalog as c; c.shipped(); "
        "heavy = ('torch', 'evaluate', 'datasets', 'sklearn', 'numpy', 'seqeval', 'sacrebleu'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_direction():
    smaller = {name for name in catalog.shipped() if not catalog.direction(name)}
    assert smaller == {"mae", "mse", "rmse", "perplexity"}
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
        ("wer", "hub:NAME"),
        ("f1:", "names no label; write f1:LABEL"),
        ("accuracy:spam", "there are average_precision:LABEL, entity_f1:LABEL"),
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
        ("accuracy", "regression", "scores one label a row; for numbers: mae, mse, rmse, pearson, r2, spearman"),
        ("accuracy", "multi_label", "scores one label a row; for several labels a row: average_precision, exact_match"),
        ("f1_samples", "single_label", "scores several labels a row; for one label a row: accuracy"),
        ("f1:spam", "regression", "scores one label a row or several labels a row; for numbers: mae"),
        ("mae", "single_label", "scores numbers; for one label a row: accuracy"),
        ("maee", "regression", "did you mean mae?"),
        ("bleu", "token_labels", "for labels of tokens: entity_f1, entity_precision"),
        ("f1_macro", "token_ids", "for generated text: bleu, chrf, perplexity, rouge1"),
    ],
)
def test_a_metric_for_another_kind_of_label_is_told(name, kind, says):
    (problem,) = catalog.problems([name], "task.metrics", kind)
    assert says in problem.message


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("tunebook.evaluation.catalog.find_spec", lambda name: None)
    (problem,) = catalog.problems(["rouge1", "accuracy"], "task.metrics")
    assert problem == Problem("task.metrics='rouge1'", "needs the package rouge_score: pip install 'tunebook[text]'")


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
        "from tunebook.evaluation.metrics import Metrics\n"
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
