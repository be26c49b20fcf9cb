"""Tunebook from Python: recipes by name, with data sets, models and callbacks as objects.

Objects are written to the cache folder under a name that follows from their content, and the run reads them from
there: everything else (identity of the run, resume, audit, records) is as from the command line.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from tunebook.config.schema import Config
    from tunebook.run import RunResult

SPLITS = ("train", "validation", "test")


def check(recipe: str | None = None, *overrides: str) -> Config:
    """The checked configuration of a recipe.

    Args:
        recipe: name or path, as behind `+recipe=`; None: none.
        overrides: as on the command line, `"hyperparameters.learning_rate=1e-4"`.

    Raises:
        ConfigurationError: with every problem, each with its key, place and fix.
    """
    from tunebook.check import check as check_composed
    from tunebook.config.compose import compose

    return check_composed(compose(_arguments(recipe, overrides)))


def run(
    recipe: str | None = None,
    *overrides: str,
    data: Mapping[str, Any] | None = None,
    model: Any = None,
    processor: Any = None,
    callbacks: Sequence[Any] = (),
    **splits: Any,
) -> RunResult:
    """Train a recipe: `tunebook.run("bert_sentiment", "freezing=head_only", train=my_dataset, test=my_frame)`.

    Args:
        recipe: name or path, as behind `+recipe=`; None: none.
        overrides: as on the command line.
        data: split (`train`, `validation`, `test`) to `datasets.Dataset` or `pandas.DataFrame`; in place of keywords.
        model: a `PreTrainedModel` to start from, in place of the recipe's; it is copied, not changed.
        processor: its tokenizer or image processor; needed with `model`.
        callbacks: of transformers, added to the run's own.
        splits: `train=`, `validation=` and `test=`, as `data`.

    Raises:
        TunebookError: a mistake that the user can fix.
    """
    from tunebook.run import run as run_config

    objects = {**(data or {}), **splits}
    if unknown := sorted(set(objects) - set(SPLITS)):
        raise ConfigurationError([Problem(name, f"is no split; there are {', '.join(SPLITS)}") for name in unknown])
    given = [*_dataset_overrides(objects), *_model_overrides(model, processor), *overrides]
    config = check(recipe, *given)
    return run_config(config, _command(recipe, given), callbacks)


def _arguments(recipe: str | None, overrides: Sequence[str]) -> list[str]:
    return [*([] if recipe is None else [f"+recipe={recipe}"]), *overrides]


def _command(recipe: str | None, overrides: Sequence[str]) -> str:
    return " ".join(["accelerate launch run.py", *map(shlex.quote, _arguments(recipe, overrides))])


def cache_folder() -> Path:
    """Where objects are stored: `TUNEBOOK_CACHE`, else ~/.cache/tunebook."""
    return Path(os.environ.get("TUNEBOOK_CACHE") or "~/.cache/tunebook").expanduser()


def _dataset_overrides(objects: Mapping[str, Any]) -> list[str]:
    if not objects:
        return []
    from datasets import Dataset, DatasetDict
    from pandas import DataFrame

    splits = {}
    for name, value in objects.items():
        if isinstance(value, DataFrame):
            value = Dataset.from_pandas(value, preserve_index=False)
        if not isinstance(value, Dataset):
            kind = type(value).__name__
            raise ConfigurationError(Problem(name, f"should be a datasets.Dataset or a pandas.DataFrame, not a {kind}"))
        splits[name] = value
    digest = hashlib.sha256()
    for name in sorted(splits):
        digest.update(f"{name}:{splits[name]._fingerprint}:{splits[name].features}".encode())
    folder = cache_folder() / "objects" / f"data-{digest.hexdigest()[:24]}"
    _write_once(folder, lambda aside: DatasetDict(splits).save_to_disk(str(aside)))
    return ["dataset=arrow", f"dataset.path={folder}"]


def _model_overrides(model: Any, processor: Any) -> list[str]:
    if model is None:
        return []
    from transformers import PreTrainedModel

    problems = []
    if not isinstance(model, PreTrainedModel):
        problems.append(Problem("model", f"should be a transformers.PreTrainedModel, not a {type(model).__name__}"))
    if not hasattr(processor, "save_pretrained"):
        problems.append(Problem("processor", "should be the model's tokenizer or image processor"))
    if problems:
        raise ConfigurationError(problems)
    folder = cache_folder() / "objects" / f"model-{_weights_digest(model)}"

    def save(aside: Path) -> None:
        model.save_pretrained(aside)
        processor.save_pretrained(aside)

    _write_once(folder, save)
    return ["model=auto", f"model.name_or_path={folder}"]


def _weights_digest(model: Any) -> str:
    import torch

    digest = hashlib.sha256(model.config.to_json_string().encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:24]


def _write_once(folder: Path, write: Any) -> None:
    """Write a folder whole or not at all; another process may have been faster."""
    if folder.is_dir():
        return
    aside = folder.with_name(f".{folder.name}-{os.getpid()}")
    write(aside)
    try:
        aside.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
