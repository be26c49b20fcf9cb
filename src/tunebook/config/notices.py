"""What a user should know of settings that can be run together but overlap. Knows the typed configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.config.schema import Config

FOCAL = {"focal", "binary_focal"}


@dataclass(frozen=True)
class _Cures:
    """The cures of imbalance and of overconfidence in a configuration, each as the user would write it; None: not used.

    Args:
        weights: of classes, or of positives.
        sampling: that evens classes out.
        focal: loss.
        smoothing: of labels.
        mixing: of rows.
        best: the metric that picks the best checkpoint, where one is picked.
    """

    weights: str | None
    sampling: str | None
    focal: str | None
    smoothing: str | None
    mixing: str | None
    best: str | None


def notices(config: Config) -> list[str]:
    """One sentence for each two settings of a checked configuration that do the same or undo each other, or for
    a column that is named and not used.

    Nothing here keeps a run from starting; what cannot be run is told by `tunebook.config.rules`.
    """
    cures = _cures(config)
    return [
        *_unused(config),
        *_imbalance(cures),
        *_few_shot(config, cures),
        *_softness(config, cures),
        *_choice(config, cures),
    ]


def _cures(config: Config) -> _Cures:
    loss, wanted, varied = config.loss, config.hyperparameters, config.augmentation.options
    weights = next((key for key in ("class_weights", "positive_weights") if getattr(loss.options, key, None)), None)
    said = getattr(loss.options, weights) if weights else None
    smoothing = None
    if getattr(loss.options, "label_smoothing", None):
        smoothing = f"loss.label_smoothing={loss.options.label_smoothing:g}"  # type: ignore[attr-defined]
    elif wanted.label_smoothing_factor and getattr(loss.options, "label_smoothing", None) is None:
        smoothing = f"hyperparameters.label_smoothing_factor={wanted.label_smoothing_factor:g}"
    mixing = next((key for key in ("mixup", "cutmix") if getattr(varied, key, None)), None)
    best = (wanted.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    return _Cures(
        weights=f"loss.{weights}" + (f"={said}" if isinstance(said, str) else "") if weights else None,
        sampling=None if config.sampling.method == "none" else f"sampling.method={config.sampling.method}",
        focal=f"loss.name={loss.name}" if loss.name in FOCAL else None,
        smoothing=smoothing,
        mixing=f"augmentation.{mixing}" if mixing else None,
        best=best if wanted.load_best_model_at_end or wanted.early_stopping_patience else None,
    )


def _unused(config: Config) -> list[str]:
    named, split = config.dataset.columns, config.dataset.split
    carves = split.validation is not None or split.test is not None or split.k_fold is not None
    told = []
    for role, method, what in (
        ("group", "grouped", "rows of one group may stand in two splits"),
        ("time", "time", "training may hold later rows than validation and test"),
    ):
        if role in named and not (carves and split.method in {"auto", method}):
            why = f"dataset.split.method is {split.method}" if carves else "no split is carved"
            told.append(f"dataset.columns.{role} is not used, as {why}: {what}")
    if "paraphrase" in named and config.augmentation.method != "paraphrase":
        told.append("dataset.columns.paraphrase is not used: augmentation=paraphrase adds what stands there")
    return told


def _imbalance(cures: _Cures) -> list[str]:
    told = []
    if cures.weights and cures.sampling:
        told.append(
            f"{cures.weights} and {cures.sampling} both even classes out, and the weights know nothing of what is "
            "drawn: together rare classes count twice over; one of them is enough"
        )
    if cures.focal and cures.weights:
        told.append(
            f"{cures.focal} already turns to rare classes, as they are learned last: the more of gamma, the less "
            f"weight they need beside it (Lin et al. 2017); compare with {cures.weights.split('=')[0]}=null"
        )
    if cures.focal and cures.sampling:
        told.append(
            f"{cures.focal} already turns to rare classes, as they are learned last, and {cures.sampling} evens them "
            "out: compare with sampling=none"
        )
    if cures.mixing and cures.sampling:
        told.append(
            f"{cures.mixing} takes the row to mix with from all training rows alike: {cures.sampling} evens out "
            "only one row of the two"
        )
    return told


def _few_shot(config: Config, cures: _Cures) -> list[str]:
    used = [cure for cure in (cures.weights, cures.sampling) if cure]
    if not config.dataset.per_class or not used:
        return []
    return [
        f"dataset.per_class={config.dataset.per_class} already takes as many rows of each class: "
        f"{' and '.join(used)} can change little or nothing"
    ]


def _softness(config: Config, cures: _Cures) -> list[str]:
    told = []
    if cures.smoothing and cures.focal:
        told.append(
            f"{cures.smoothing} and {cures.focal} both keep the model from being sure: its probabilities will "
            "tend to be lower than its share of right answers"
        )
    if cures.smoothing and cures.mixing:
        told.append(
            f"{cures.smoothing} and {cures.mixing} both soften the labels: mixed labels are smoothed once more; "
            "one of them is enough"
        )
    if config.cleaning.label_noise == "weight" and cures.smoothing:
        told.append(
            f"cleaning.label_noise=weight and {cures.smoothing} both answer to wrong labels, the one for the rows "
            "that look wrong, the other for all; one of them is enough"
        )
    if config.cleaning.label_noise == "weight" and cures.focal:
        told.append(
            f"cleaning.label_noise=weight and {cures.focal} pull apart: wrongly labelled rows are among the hard "
            "ones, which the loss raises while their weight lowers them"
        )
    return told


def _choice(config: Config, cures: _Cures) -> list[str]:
    used = [cure for cure in (cures.weights, cures.sampling) if cure]
    told = []
    if used and cures.best in {"accuracy", "loss"}:
        told.append(
            f"with {' and '.join(used)} rare classes count more, but the best checkpoint is picked by {cures.best}, "
            "which the frequent ones decide: hyperparameters.metric_for_best_model=f1_macro, for instance"
        )
    threshold = getattr(config.task.options, "threshold", None)
    if used and isinstance(threshold, float):
        told.append(
            f"task.threshold={threshold:g} and {' and '.join(used)} both move the border between answers; "
            "task.threshold=tuned finds the border on validation"
        )
    return told
