"""What a user should know of settings that overlap, though they can be run. Knows the configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.config.schema import Config


@dataclass(frozen=True)
class _Remedies:
    """The remedies of imbalance and of overconfidence, each as the user would write it; None: not used.

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
    """One sentence for each two settings of a checked configuration that do the same or undo each other.

    Nothing here keeps a run from starting; what cannot be run is a problem (`tunebook.check`).
    """
    remedies = _remedies(config)
    return [
        *_imbalance(remedies),
        *_few_shot(config, remedies),
        *_softness(config, remedies),
        *_choice(config, remedies),
    ]


def _remedies(config: Config) -> _Remedies:
    loss, wanted, varied = config.loss, config.hyperparameters, config.augmentation.options
    weights = next((key for key in ("class_weights", "positive_weights") if getattr(loss.options, key, None)), None)
    given = getattr(loss.options, weights) if weights else None
    smoothing = None
    if getattr(loss.options, "label_smoothing", None):
        smoothing = f"loss.label_smoothing={loss.options.label_smoothing:g}"  # type: ignore[attr-defined]
    elif wanted.label_smoothing_factor and getattr(loss.options, "label_smoothing", None) is None:
        smoothing = f"hyperparameters.label_smoothing_factor={wanted.label_smoothing_factor:g}"
    mixing = next((key for key in ("mixup", "cutmix") if getattr(varied, key, None)), None)
    best = (wanted.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    return _Remedies(
        weights=f"loss.{weights}" + (f"={given}" if isinstance(given, str) else "") if weights else None,
        sampling=None if config.sampling.method == "none" else f"sampling.method={config.sampling.method}",
        focal=f"loss.name={loss.name}" if getattr(loss.options, "gamma", None) else None,
        smoothing=smoothing,
        mixing=f"augmentation.{mixing}" if mixing else None,
        best=best if wanted.load_best_model_at_end or wanted.early_stopping_patience else None,
    )


def _imbalance(remedies: _Remedies) -> list[str]:
    sentences = []
    if remedies.weights and remedies.sampling:
        sentences.append(
            f"{remedies.weights} and {remedies.sampling} both even classes out, and the weights know nothing of what "
            "is drawn: together rare classes count twice over; one of them is enough"
        )
    if remedies.focal and remedies.weights:
        sentences.append(
            f"{remedies.focal} already turns to rare classes, as they are learned last: the more of gamma, the less "
            f"weight they need in addition (Lin et al. 2017); compare with {remedies.weights.split('=')[0]}=null"
        )
    if remedies.focal and remedies.sampling:
        sentences.append(
            f"{remedies.focal} already turns to rare classes, as they are learned last, and {remedies.sampling} evens "
            "them out: compare with sampling=none"
        )
    if remedies.mixing and remedies.sampling:
        sentences.append(
            f"{remedies.mixing} takes the row to mix with from all training rows alike: {remedies.sampling} evens out "
            "only one row of the two"
        )
    return sentences


def _few_shot(config: Config, remedies: _Remedies) -> list[str]:
    used = [one for one in (remedies.weights, remedies.sampling) if one]
    if not config.dataset.per_class or not used:
        return []
    return [
        f"dataset.per_class={config.dataset.per_class} already takes as many rows of each class: "
        f"{' and '.join(used)} can change little or nothing"
    ]


def _softness(config: Config, remedies: _Remedies) -> list[str]:
    sentences = []
    if remedies.smoothing and remedies.focal:
        sentences.append(
            f"{remedies.smoothing} and {remedies.focal} both keep the model from being sure: its probabilities will "
            "tend to be lower than its share of right answers"
        )
    if remedies.smoothing and remedies.mixing:
        sentences.append(
            f"{remedies.smoothing} and {remedies.mixing} both soften the labels: mixed labels are smoothed once more; "
            "one of them is enough"
        )
    if config.cleaning.label_noise == "weight" and remedies.smoothing:
        sentences.append(
            f"cleaning.label_noise=weight and {remedies.smoothing} both answer to wrong labels, the one for the rows "
            "that look wrong, the other for all; one of them is enough"
        )
    if config.cleaning.label_noise == "weight" and remedies.focal:
        sentences.append(
            f"cleaning.label_noise=weight and {remedies.focal} pull apart: wrongly labelled rows are among the hard "
            "ones, which the loss raises while their weight lowers them"
        )
    return sentences


def _choice(config: Config, remedies: _Remedies) -> list[str]:
    used = [one for one in (remedies.weights, remedies.sampling) if one]
    sentences = []
    if used and remedies.best in {"accuracy", "loss"}:
        sentences.append(
            f"with {' and '.join(used)} rare classes count more, but the best checkpoint is picked by {remedies.best}, "
            "which the frequent ones decide: hyperparameters.metric_for_best_model=f1_macro, for instance"
        )
    threshold = getattr(config.task.options, "threshold", None)
    if used and isinstance(threshold, float):
        sentences.append(
            f"task.threshold={threshold:g} and {' and '.join(used)} both move the border between answers; "
            "task.threshold=tuned finds the border on validation"
        )
    return sentences
