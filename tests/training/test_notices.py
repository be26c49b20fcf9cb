"""What overlaps is told and runs all the same; what does not overlap is not told of."""

from __future__ import annotations

import pytest

from tests.commands import typed
from tunebook.check import check, notices
from tunebook.config.compose import compose

BY_F1 = "task.metrics=[f1_macro]"


def told(*arguments: str, metrics: str = BY_F1) -> list[str]:
    return notices(check(compose([*arguments, metrics])))


TWO = {
    "groups of given splits": (
        ["dataset.columns.group=topic"],
        ["dataset.columns.group is not used, as no split is carved"],
    ),
    "times of given splits": (["dataset.columns.time=topic"], ["dataset.columns.time is not used, as no split"]),
    "paraphrases that nothing adds": (
        ["dataset.columns.paraphrase=topic"],
        ["dataset.columns.paraphrase is not used: augmentation=paraphrase adds"],
    ),
    "weights and sampling": (
        ["loss=weighted", "sampling=oversample"],
        ["loss.class_weights=balanced and sampling.method=oversample both even classes out"],
    ),
    "given weights and sampling": (
        ["loss=cross_entropy", "loss.class_weights={negative: 2}", "sampling=weighted"],
        ["loss.class_weights and sampling.method=weighted both even classes out"],
    ),
    "focal and weights": (
        ["loss=focal", "loss.class_weights=effective"],
        ["loss.name=focal already turns to rare classes", "compare with loss.class_weights=null"],
    ),
    "focal and sampling": (["loss=focal", "sampling=undersample"], ["compare with sampling=none"]),
    "focal and smoothing": (
        ["loss=focal", "loss.label_smoothing=0.1"],
        ["loss.label_smoothing=0.1 and loss.name=focal both keep the model from being sure"],
    ),
    "positives and sampling": (
        ["task=multi_label_text", "loss=weighted_binary", "sampling=oversample"],
        ["loss.positive_weights=balanced and sampling.method=oversample both even classes out"],
    ),
    "smoothing and noise": (
        ["loss=label_smoothing", "cleaning.label_noise=weight"],
        ["cleaning.label_noise=weight and loss.label_smoothing=0.1 are both for wrong labels"],
    ),
    "smoothing in the other place": (
        ["hyperparameters.label_smoothing_factor=0.2", "cleaning.label_noise=weight"],
        ["and hyperparameters.label_smoothing_factor=0.2 are both for wrong labels"],
    ),
    "focal and noise": (["loss=focal", "cleaning.label_noise=weight"], ["and loss.name=focal pull apart"]),
    "few shots and weights": (
        ["loss=weighted", "dataset.per_class=8"],
        ["dataset.per_class=8 already takes as many rows of each class: loss.class_weights=balanced can"],
    ),
    "few shots and sampling": (["sampling=undersample", "dataset.per_class=8"], [": sampling.method=undersample can"]),
    "weights and a threshold": (["loss=weighted", "task.threshold=0.3"], ["task.threshold=0.3 and loss.class_weights"]),
}


@pytest.mark.parametrize("name", TWO)
def test_two_cures_that_overlap_are_told_in_one_sentence(name):
    arguments, says = TWO[name]
    sentences = told(*arguments, metrics="task.metrics=[f1_micro]" if "positives" in name else BY_F1)
    assert len(sentences) == 1, sentences
    for part in says:
        assert part in sentences[0]
    assert "\n" not in sentences[0]


ALONE = {
    "nothing": [],
    "weights": ["loss=weighted"],
    "given weights": ["loss=cross_entropy", "loss.class_weights=[1, 2]"],
    "focal": ["loss=focal"],
    "oversampling": ["sampling=oversample"],
    "smoothing": ["loss=label_smoothing"],
    "smoothing, set to 0": ["loss=focal", "loss.label_smoothing=0"],
    "few shots": ["dataset.per_class=8"],
    "a threshold": ["task.threshold=0.3"],
    "weights and a tuned threshold": ["loss=weighted", "task.threshold=tuned"],
    "weights and smoothing": ["loss=weighted", "loss.label_smoothing=0.1"],
    "noise that is dropped": ["cleaning.label_noise=drop", "loss=focal"],
}


@pytest.mark.parametrize("name", ALONE)
def test_nothing_is_told_of_one_cure(name):
    assert told(*ALONE[name]) == []


def test_three_cures_are_told_pair_by_pair():
    sentences = told("loss=focal", "loss.class_weights=balanced", "sampling=oversample")
    assert len(sentences) == 3


def test_groups_that_the_method_of_carving_does_not_regard_are_told(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "fine", "label": "good", "by": 1}\n' * 9)
    carved = ["dataset=files", f"dataset.train={tmp_path}/rows.jsonl", "dataset.split.test=0.3"]
    assert told(*carved, "dataset.columns.group=by") == []
    assert told(*carved, "dataset.columns.group=by", "dataset.split.method=grouped") == []
    [sentence] = told(*carved, "dataset.columns.group=by", "dataset.split.method=stratified")
    assert sentence.startswith("dataset.columns.group is not used, as dataset.split.method is stratified: rows of one")


@pytest.mark.parametrize("method", ["mixup", "cutmix"])
def test_mixed_rows_overlap_with_smoothing_and_undo_half_of_sampling(method):
    images = ["task=image_classification", "dataset=digits", "model=resnet_small", "augmentation=image_basic"]
    mixed = f"augmentation.{method}=0.3"
    [softened] = told(*images, mixed, "loss=label_smoothing")
    assert f"loss.label_smoothing=0.1 and augmentation.{method} both soften the labels" in softened
    assert told(*images, mixed) == []
    only = told(*images, mixed, "sampling=weighted")
    assert len(only) == 1
    assert only[0].startswith(f"augmentation.{method} takes the row to mix with from all training rows alike")


@pytest.mark.parametrize(
    ("metrics", "more", "count"),
    [
        ("task.metrics=[accuracy]", [], 1),
        ("task.metrics=[f1_macro]", ["hyperparameters.metric_for_best_model=eval_loss"], 1),
        ("task.metrics=[f1_macro,accuracy]", [], 0),
        ("task.metrics=[accuracy]", ["hyperparameters.load_best_model_at_end=false"], 0),
    ],
)
def test_a_choice_that_frequent_classes_decide_is_told(metrics, more, count):
    assert len(told("loss=weighted", *more, metrics=metrics)) == count


LABELS = {
    "focal for several": (
        ["task=multi_label_text", "loss=focal"],
        "loss.name",
        "has several labels a row: use binary_cross_entropy",
    ),
    "huber for one": (["loss=huber"], "loss.name", "huber is for one number a row"),
    "weights for a number": (["task=text_regression", "loss=weighted"], "loss.name", "default, huber or mse"),
    "oversampling for a number": (
        ["task=text_regression", "sampling=oversample"],
        "sampling.method",
        "oversample is for one label a row or several labels a row; text_regression has one number a row: use none",
    ),
    "smoothing of a number": (
        ["task=text_regression", "hyperparameters.label_smoothing_factor=0.1"],
        "hyperparameters.label_smoothing_factor",
        "the loss mse has no labels to smooth",
    ),
    "smoothing said twice": (
        ["loss=label_smoothing", "hyperparameters.label_smoothing_factor=0.1"],
        "hyperparameters.label_smoothing_factor",
        "is set twice: loss.label_smoothing=0.1 too",
    ),
    "weights misspelt": (["loss=weighted", "loss.class_weights=balancd"], "loss.class_weights", "mean balanced?"),
    "a weight below 0": (["loss=weighted", "loss.class_weights={a: -1}"], "loss.class_weights.a", "more than 0"),
    "words for a weight": (["loss=weighted", "loss.class_weights=[1,x]"], "loss.class_weights.1", "be a number"),
    "gamma of another loss": (["loss=weighted", "loss.gamma=2"], "loss.gamma", "key of loss.name=binary_focal or"),
}


@pytest.fixture(scope="module")
def outcomes():
    return dict(zip(LABELS, typed([{"arguments": arguments} for arguments, _, _ in LABELS.values()]), strict=True))


@pytest.mark.parametrize("name", LABELS)
def test_a_loss_or_method_for_another_kind_of_label_is_told_before_torch(name, outcomes):
    _, key, says = LABELS[name]
    outcome = outcomes[name]
    assert outcome["code"] == 2
    assert not outcome["imported"], outcome
    assert outcome["output"].startswith("1 problem in this configuration:"), outcome["output"]
    assert f"  {key}  " in outcome["output"], outcome["output"]
    assert says in outcome["output"], outcome["output"]


def test_each_kind_of_label_has_a_loss_of_its_own():
    for arguments, kind in ([], "cross_entropy"), (["task=multi_label_text"], "binary_cross_entropy"):
        config = check(compose([*arguments, "hyperparameters.label_smoothing_factor=0.1"]))
        assert config.loss.name == "default"
        assert check(compose([*arguments, f"loss={kind}"])).loss.name == kind
    assert check(compose(["task=text_regression", "loss=huber"])).loss.options.delta == 1.0
