"""The table of metrics: name, function, direction and what it scores. Imports nothing of Tunebook, and libraries late.

Every function takes (predictions, references, **kwargs) and returns a float. `label` in its kwargs asks for the
figure of one label alone: its id, or the type of an entity.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ONE_LABEL = frozenset({"single_label"})
MULTI_LABEL = frozenset({"multi_label"})
NUMBERS = frozenset({"regression"})
TAGS = frozenset({"token_labels"})
# A task that learns token ids is scored by the text that it generates.
TEXTS = frozenset({"text", "token_ids"})


@dataclass(frozen=True)
class Metric:
    """One number that can be asked for.

    Args:
        name: as recipes write it (`f1_macro`, `f1:spam`).
        function: (predictions, references, **kwargs) -> float; None where `takes` is `loss`.
        targets: the target types that it scores.
        greater_is_better: its direction.
        takes: `predictions`; `probabilities` of each label; or `loss`: it is exp(mean loss) and needs no predictions.
        kwargs: fixed arguments of the function.
        family: the name on the Hub's model cards, and the one that is asked of one label (`f1`); "": the name itself.
        of_one_label: whether it can be asked of one label, as `FAMILY:LABEL`.
        package: that has to be installed: the name of its module, of Tunebook's extra `text`; "": none.
        label: whose figure it is alone; None: of all.
    """

    name: str
    function: Callable[..., float] | None
    targets: frozenset[str]
    greater_is_better: bool = True
    takes: Literal["predictions", "probabilities", "loss"] = "predictions"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    family: str = ""
    of_one_label: bool = False
    package: str = ""
    label: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.family or self.name)


def sklearn(function: str, **fixed: Any) -> Callable[..., float]:
    """A function of sklearn.metrics, with predictions in front as everywhere here."""

    def compute(predictions: Any, references: Any, **kwargs: Any) -> float:
        import sklearn.metrics

        with warnings.catch_warnings():
            # Classes that are predicted and never labelled, and labels that no row has, are usual in small splits.
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            warnings.filterwarnings("ignore", message="No positive class found in y_true")
            return float(getattr(sklearn.metrics, function)(references, predictions, **fixed, **kwargs))

    return compute


def averaged(function: str) -> Callable[..., float]:
    """Precision, recall or F1; a class of which nothing is predicted or labelled counts 0."""
    compute = sklearn(function, zero_division=0)

    def of_label(predictions: Any, references: Any, label: int | None = None, **kwargs: Any) -> float:
        return compute(predictions, references, labels=None if label is None else [label], **kwargs)

    return of_label


def ranking(function: str, both: bool) -> Callable[..., float]:
    """ROC AUC or average precision: the mean over labels.

    Args:
        function: of sklearn.metrics.
        both: whether only labels count that some rows have and some have not; 0.5 where there is none.
    """
    compute = sklearn(function)

    def mean(predictions: Any, references: Any, label: int | None = None) -> float:
        import numpy as np

        scores, labels = np.asarray(predictions), np.asarray(references)
        if scores.ndim == 1:
            scores, labels = scores[:, None], labels[:, None]
        columns = range(labels.shape[1]) if label is None else [label]
        counted = [at for at in columns if not both or 0 < labels[:, at].sum() < len(labels)]
        return float(np.mean([compute(scores[:, at], labels[:, at]) for at in counted])) if counted else 0.5

    return mean


def squared_error(predictions: Any, references: Any, root: bool = False) -> float:
    """The mean squared error, or its root."""
    return sklearn("root_mean_squared_error" if root else "mean_squared_error")(predictions, references)


def r2(predictions: Any, references: Any) -> float:
    """1 at best; 0 is what predicting the mean would give, and what one row alone gets."""
    return sklearn("r2_score")(predictions, references) if len(references) > 1 else 0.0


def correlation(function: str) -> Callable[..., float]:
    """A correlation of scipy.stats; 0 where all predictions or all references are equal."""

    def compute(predictions: Any, references: Any) -> float:
        import scipy.stats

        if len(set(predictions)) < 2 or len(set(references)) < 2:
            return 0.0
        return float(getattr(scipy.stats, function)(predictions, references).statistic)

    return compute


def entities(figure: str) -> Callable[..., float]:
    """Precision, recall or F1 of entities by seqeval: right in type, first and last token; read as conlleval reads.

    Args:
        figure: `precision`, `recall` or `f1-score`.
    """

    def compute(predictions: Sequence[list[str]], references: Sequence[list[str]], label: str | None = None) -> float:
        from seqeval.metrics import classification_report

        tags = {tag for row in references for tag in row} | {tag for row in predictions for tag in row}
        if tags <= {"O"}:
            return 0.0  # seqeval's report of no entity at all fails
        report = classification_report(list(references), list(predictions), output_dict=True, zero_division=0)
        return float(report["micro avg" if label is None else label][figure]) if label in {None, *report} else 0.0

    return compute


def token_accuracy(predictions: Sequence[list[str]], references: Sequence[list[str]]) -> float:
    """The share of tokens with the right tag."""
    from seqeval.metrics import accuracy_score

    return float(accuracy_score(list(references), list(predictions)))


def rouge(predictions: Sequence[str], references: Sequence[str], kind: str, use_stemmer: bool) -> float:
    """The mean F-measure over rows, in [0, 1]. Only Latin letters and digits count; case does not.

    Args:
        predictions: generated texts.
        references: one text a row.
        kind: `rouge1`, `rouge2`, `rougeL`, or `rougeLsum`, which takes each line as a sentence.
        use_stemmer: whether English words are compared by their stem, as published figures do.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], use_stemmer=use_stemmer)
    pairs = zip(predictions, references, strict=True)
    return sum(scorer.score(reference, text)[kind].fmeasure for text, reference in pairs) / len(references)


def sacrebleu(function: str) -> Callable[..., float]:
    """BLEU or chrF of the whole split by sacrebleu, in [0, 100], with its default tokenizer."""

    def compute(predictions: Sequence[str], references: Sequence[str]) -> float:
        import sacrebleu

        return float(getattr(sacrebleu, function)(list(predictions), [list(references)]).score)

    return compute


def _averages(family: str) -> list[Metric]:
    """The averages of precision, recall or F1; the `macro` of one class is that class's own figure."""
    function, both = averaged(f"{family}_score"), ONE_LABEL | MULTI_LABEL
    return [
        Metric(f"{family}_macro", function, both, kwargs={"average": "macro"}, family=family, of_one_label=True),
        Metric(f"{family}_micro", function, both, kwargs={"average": "micro"}, family=family),
        Metric(f"{family}_weighted", function, both, kwargs={"average": "weighted"}, family=family),
        Metric(f"{family}_samples", function, MULTI_LABEL, kwargs={"average": "samples"}, family=family),
    ]


def _ranking(name: str, function: Callable[..., float]) -> Metric:
    return Metric(name, function, ONE_LABEL | MULTI_LABEL, takes="probabilities", of_one_label=True)


def _entities(name: str, figure: str) -> Metric:
    return Metric(name, entities(figure), TAGS, of_one_label=True, package="seqeval")


def _rouge(name: str) -> Metric:
    return Metric(name, rouge, TEXTS, kwargs={"kind": name, "use_stemmer": True}, family="rouge", package="rouge_score")


_ALL = [
    Metric("accuracy", sklearn("accuracy_score"), ONE_LABEL),
    _ranking("average_precision", ranking("average_precision_score", both=False)),
    Metric("balanced_accuracy", sklearn("balanced_accuracy_score"), ONE_LABEL),
    Metric("bleu", sacrebleu("corpus_bleu"), TEXTS, family="sacrebleu", package="sacrebleu"),
    Metric("chrf", sacrebleu("corpus_chrf"), TEXTS, package="sacrebleu"),
    _entities("entity_f1", "f1-score"),
    _entities("entity_precision", "precision"),
    _entities("entity_recall", "recall"),
    Metric("exact_match", sklearn("accuracy_score"), MULTI_LABEL),
    *_averages("f1"),
    Metric("mae", sklearn("mean_absolute_error"), NUMBERS, greater_is_better=False),
    Metric("mcc", sklearn("matthews_corrcoef"), ONE_LABEL),
    Metric("mse", squared_error, NUMBERS, greater_is_better=False),
    Metric("rmse", squared_error, NUMBERS, greater_is_better=False, kwargs={"root": True}, family="mse"),
    Metric("pearson", correlation("pearsonr"), NUMBERS),
    Metric("perplexity", None, TEXTS, greater_is_better=False, takes="loss"),
    *_averages("precision"),
    Metric("r2", r2, NUMBERS),
    *_averages("recall"),
    _ranking("roc_auc", ranking("roc_auc_score", both=True)),
    *map(_rouge, ("rouge1", "rouge2", "rougeL", "rougeLsum")),
    Metric("spearman", correlation("spearmanr"), NUMBERS),
    Metric("token_accuracy", token_accuracy, TAGS | {"token_ids"}, package="seqeval"),
]
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric that ships, by name."""
