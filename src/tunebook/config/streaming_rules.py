"""What cannot be combined with `dataset.streaming`, and what then does not apply: told from the configuration alone."""

from __future__ import annotations

from typing import Any

from tunebook.config import registry
from tunebook.config.data_groups import AUXILIARY, CleaningConfig
from tunebook.config.places import Places
from tunebook.config.schema import Config
from tunebook.errors import Problem

SOURCES = ("files", "hub")
ROW_WISE = ("whitespace", "unicode", "missing")
"""Keys of `cleaning` that look at one row at a time."""
PARAMETERS = {"near_duplicates": ("similarity",), "label_noise": ("label_noise_folds", "label_noise_share")}
WHOLE = "needs all training rows at once, which a stream never holds"
Finding = tuple[str, str]


def problems(config: Config, places: Places) -> list[Problem]:
    """Every setting that somebody made and that a stream cannot follow. Groups that are None are not judged."""
    if not config.dataset or not config.dataset.streaming:
        return []
    found = [*_source(config), *_rows(config)]
    if config.task:
        found += _task(config)
    if config.cleaning:
        found += _cleaning(config, places)
    if config.hyperparameters:
        found += _steps(config)
    if config.sampling and config.sampling.method != "none":
        found.append(("sampling.method", f"{WHOLE}; set sampling=none"))
    if config.loss:
        found += _options("loss", config.loss.options, ("class_weights", "positive_weights"))
    if config.augmentation:
        found += _augmentation(config)
    return [Problem(key, message, places.of(key)) for key, message in found]


def notices(config: Config) -> list[str]:
    """What the defaults would do and a stream does not, as sentences for the log."""
    if not config.dataset.streaming:
        return []
    untold = [key for key in _whole_set_keys() if getattr(config.cleaning, key) != "ignore"]
    told = []
    if untold:
        told.append(f"streamed training rows are not looked through for {', '.join(untold)} (cleaning)")
    if config.run.audit:
        told.append("there is no audit: it needs all training rows at once")
    steps = config.hyperparameters.max_steps or -1
    unknown = not (config.dataset.rows or {}).get("train") or config.cleaning.missing == "drop"
    if unknown and steps > 0:
        told.append(
            f"how many rows an epoch has is not known: the {steps} steps count as one epoch, in which the stream "
            "begins anew as often as it ends; evaluate within it by hyperparameters.eval_strategy=steps"
        )
    return told


def _source(config: Config) -> list[Finding]:
    dataset = config.dataset
    if dataset.source in SOURCES:
        return []
    message = f"cannot be done with dataset.source={dataset.source}; it can with {' and '.join(SOURCES)}"
    return [("dataset.streaming", message)]


def _task(config: Config) -> list[Finding]:
    module = registry.load("task", config.task.name)
    found: list[Finding] = []
    if "image" in module.ROLES:
        found.append(("dataset.streaming", f"streams texts only; {config.task.name} needs images: set it to false"))
    if module.Task(config.task.options).answer.kind == "number":
        return found
    if config.dataset.source == "files" and not config.dataset.labels and not _named_by_columns(config):
        message = "must be given: they cannot be gathered from rows that are not yet read, as in [negative, positive]"
        found.append(("dataset.labels", message))
    return found


def _named_by_columns(config: Config) -> bool:
    return isinstance(config.dataset.columns.get("label"), list)


def _rows(config: Config) -> list[Finding]:
    dataset = config.dataset
    found: list[Finding] = []
    for split in ("validation", "test"):
        if getattr(dataset.split, split) is not None:
            message = f"cannot be carved from a stream; give {split} rows of their own and set this to null"
            found.append((f"dataset.split.{split}", message))
    if dataset.split.k_fold is not None:
        found.append(("dataset.split.k_fold", f"{WHOLE}; set it to null"))
    if dataset.per_class is not None:
        found.append(("dataset.per_class", f"{WHOLE}; set it to null"))
    if "train" in (dataset.max_rows or {}):
        message = f"drawing them {WHOLE}; for fewer rows set hyperparameters.max_steps, and take this out"
        found.append(("dataset.max_rows.train", message))
    for role in AUXILIARY:
        if role in dataset.columns:
            found.append((f"dataset.columns.{role}", f"what it is for {WHOLE}; take it out"))
    return found


def _cleaning(config: Config, places: Places) -> list[Finding]:
    """Cleaning that somebody chose; the defaults are told of in `notices`."""
    found: list[Finding] = []
    frozen = "cleaning" not in (places.choices or {"cleaning": ""})
    for key in _whole_set_keys():
        value = getattr(config.cleaning, key)
        place = places.of(f"cleaning.{key}")
        default = place in {"", *_of_default(place)} or (frozen and value == CleaningConfig.model_fields[key].default)
        if value != "ignore" and not default:
            found.append((f"cleaning.{key}", f"{value} {WHOLE}; set cleaning.{key}=ignore"))
    return found


def _augmentation(config: Config) -> list[Finding]:
    found = _options("augmentation", config.augmentation.options, ("mixup", "cutmix"))
    method = config.augmentation.method
    module = registry.load("augmentation", method)
    if hasattr(module, "add_rows"):
        found.append(("augmentation.method", f"{method} adds rows, which {WHOLE}; choose another"))
    return found


def _of_default(place: str) -> list[str]:
    return [place] if place.startswith("conf/cleaning/default.yaml") else []


def _whole_set_keys() -> list[str]:
    beside = {*ROW_WISE, *(name for names in PARAMETERS.values() for name in names)}
    return [key for key in CleaningConfig.model_fields if key not in beside]


def _steps(config: Config) -> list[Finding]:
    steps = config.hyperparameters.max_steps
    if steps is not None and steps != -1:
        return []
    if not (config.dataset.rows or {}).get("train"):
        message = (
            "must be given with dataset.streaming, as in dataset.rows.train=1000000 (it is checked), so that epochs "
            "give a number of steps; or give hyperparameters.max_steps"
        )
        return [("dataset.rows.train", message)]
    if config.cleaning and config.cleaning.missing == "drop":
        message = (
            "must be given where cleaning.missing=drop may leave streamed rows out: how many an epoch then has is "
            "not known"
        )
        return [("hyperparameters.max_steps", message)]
    return []


def _options(group: str, options: Any, names: tuple[str, ...]) -> list[Finding]:
    """Options of a module that need all rows; asked for by name, as modules come and go."""
    return [
        (f"{group}.{name}", f"{WHOLE}; set it to null") for name in names if getattr(options, name, None) is not None
    ]
