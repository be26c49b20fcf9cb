"""What a user should know of settings that overlap, though they can be run. Knows the configuration alone."""

from __future__ import annotations

from tunebook.config.schema import Config

SENTENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("weights", "sampling"),
        "{weights} and {sampling} both even classes out, and the weights know nothing of what is sampled: together "
        "rare classes count twice over; one of them is enough",
    ),
    (
        ("focal", "weights"),
        "{focal} already turns to rare classes, as they are learned last: the more of gamma, the less weight they need "
        "in addition (Lin et al. 2017); compare with {weights_key}=null",
    ),
    (
        ("focal", "sampling"),
        "{focal} already turns to rare classes, as they are learned last, and {sampling} evens them out: compare with "
        "sampling=none",
    ),
    (
        ("mixing", "sampling"),
        "{mixing} takes the row to mix with from all training rows alike: {sampling} evens out only one row of the two",
    ),
    (
        ("per_class", "evens"),
        "dataset.per_class={per_class} already takes as many rows of each class: {evens} can change little or nothing",
    ),
    (
        ("smoothing", "focal"),
        "{smoothing} and {focal} both keep the model from being sure: its probabilities will tend to be lower than its "
        "share of right predictions",
    ),
    (
        ("smoothing", "mixing"),
        "{smoothing} and {mixing} both soften the labels: mixed labels are smoothed once more; one of them is enough",
    ),
    (
        ("noise", "smoothing"),
        "{noise} and {smoothing} are both for wrong labels, the one for the rows that look wrong, the other for all; "
        "one of them is enough",
    ),
    (
        ("noise", "focal"),
        "{noise} and {focal} pull apart: wrongly labelled rows are among the hard ones, which the loss raises while "
        "their weight lowers them",
    ),
    (
        ("evens", "best"),
        "with {evens} rare classes count more, but the best checkpoint is picked by {best}, which the frequent ones "
        "decide: hyperparameters.metric_for_best_model=f1_macro, for instance",
    ),
    (
        ("evens", "threshold"),
        "task.threshold={threshold} and {evens} both move the border between predictions; task.threshold=tuned finds "
        "the border on validation",
    ),
)
"""The settings that overlap, as `_used` names them, and what to say of them."""


def notices(config: Config) -> list[str]:
    """One sentence for each two settings of a checked configuration that do the same or undo each other.

    Nothing here keeps a run from starting; what cannot be run is a problem (`tunebook.check`).
    """
    used = _used(config)
    return [sentence.format(**used) for names, sentence in SENTENCES if all(used[name] for name in names)]


def _used(config: Config) -> dict[str, str]:
    """The settings against imbalance and overconfidence, each as the user would write it; empty: not used."""
    loss, wanted = config.loss, config.hyperparameters
    weights = next((key for key in ("class_weights", "positive_weights") if getattr(loss.options, key, None)), None)
    given = getattr(loss.options, weights) if weights else None
    weights_key = f"loss.{weights}" if weights else ""
    sampling = "" if config.sampling.method == "none" else f"sampling.method={config.sampling.method}"
    own_smoothing = getattr(loss.options, "label_smoothing", None)
    smoothing = f"loss.label_smoothing={own_smoothing:g}" if own_smoothing else ""
    if own_smoothing is None and wanted.label_smoothing_factor:
        smoothing = f"hyperparameters.label_smoothing_factor={wanted.label_smoothing_factor:g}"
    mixing = next((key for key in ("mixup", "cutmix") if getattr(config.augmentation.options, key, None)), None)
    best = (wanted.metric_for_best_model or config.task.metrics[0]).removeprefix("eval_")
    picked = bool(wanted.load_best_model_at_end or wanted.early_stopping_patience)
    threshold = getattr(config.task.options, "threshold", None)
    weighted = f"{weights_key}={given}" if isinstance(given, str) else weights_key
    return {
        "weights": weighted,
        "weights_key": weights_key,
        "sampling": sampling,
        "evens": " and ".join(one for one in (weighted, sampling) if one),
        "focal": f"loss.name={loss.name}" if getattr(loss.options, "gamma", None) else "",
        "smoothing": smoothing,
        "mixing": f"augmentation.{mixing}" if mixing else "",
        "noise": "cleaning.label_noise=weight" if config.cleaning.label_noise == "weight" else "",
        "per_class": str(config.dataset.per_class or ""),
        "best": best if picked and best in {"accuracy", "loss"} else "",
        "threshold": f"{threshold:g}" if isinstance(threshold, float) else "",
    }
