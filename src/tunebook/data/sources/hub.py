"""A data set of the Hugging Face Hub, or its copy in the cache. Knows `datasets`, not what the columns are for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tunebook.data.sources.base import LoadContext, SourceOptions, chosen_splits, unknown_splits
from tunebook.errors import DataError, NothingReached, Problem, TunebookError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class Options(SourceOptions):
    """Which data set.

    Args:
        path: its id, such as nyu-mll/glue.
        name: of its configuration, such as sst2.
        revision: branch, tag or commit.
        splits: our split to the Hub's; None: those that are named train, validation and test there.
    """

    path: str
    name: str | None = None
    revision: str | None = None
    splits: dict[str, str] | None = None


def given_splits(options: Options) -> set[str]:
    """The splits that the recipe names."""
    return set(options.splits or {})


def place(options: Options, split: str) -> str:
    """The id and the Hub's name of the split."""
    return f"{options.path} {(options.splits or {}).get(split, split)}"


def preflight(options: Options, context: LoadContext) -> list[Problem]:
    """Split names that Tunebook does not know."""
    return unknown_splits(options.splits)


def load(options: Options, context: LoadContext) -> DatasetDict:
    """The named splits, downloaded or from the cache.

    Raises:
        NothingReached: no network, and the cache does not hold it.
        DataError: no such data set, configuration, revision or split.
    """
    from datasets import DatasetDict, load_dataset
    from datasets.exceptions import DatasetsError

    try:
        loaded = load_dataset(options.path, options.name, revision=options.revision)
    except ConnectionError:
        raise _unreached(options) from None
    except (DatasetsError, FileNotFoundError, RuntimeError, ValueError) as error:
        raise _refused(options, error) from error
    if not isinstance(loaded, DatasetDict):
        raise DataError(Problem("dataset.path", f"{options.path} has no splits"))
    names, problems = chosen_splits(options.splits, list(loaded), options.path)
    if problems:
        raise DataError(problems)
    splits: dict[str, Dataset] = {ours: loaded[theirs] for ours, theirs in names.items()}
    _check_revision(options, next(iter(splits.values())))
    return DatasetDict(splits)


def _unreached(options: Options) -> TunebookError:
    what = options.path + (f" ({options.name})" if options.name else "")
    message = (
        f"{what} is not in the cache and the Hub cannot be reached: check the network (and HF_HUB_OFFLINE), "
        "or download it once where there is one, or use local files with dataset=files"
    )
    return NothingReached(Problem("dataset.path", message))


def _refused(options: Options, error: Exception) -> TunebookError:
    """What `datasets` says, under the key that the user can change."""
    reason = " ".join(str(error).split())
    listed = re.search(r"(?:Available(?: configs in the cache)?|available configs): \[(.*?)\]", reason)
    if listed:
        names = re.findall(r"'([^']*)'", listed[1])
        if "in the cache" in reason:
            message = f"the cache holds {options.path} only as {', '.join(names)}, and the Hub cannot be reached"
            return NothingReached(Problem("dataset.name", message))
        if options.name:
            message = f"{options.path} has no {options.name!r}; {did_you_mean(options.name, names)}"
        else:
            message = f"must be given for {options.path}; {did_you_mean('', names)}"
        return DataError(Problem("dataset.name", message))
    if "revision" in reason.lower():
        return DataError(Problem("dataset.revision", f"{options.path} has no revision {options.revision!r}"))
    if "cannot be accessed" in reason or "doesn't exist" in reason:
        message = f"the Hub has no data set {options.path!r}, or it is private: check the id, or `hf auth login`"
        return DataError(Problem("dataset.path", message))
    return DataError(Problem("dataset.path", f"{options.path} cannot be loaded: {reason}"))


def _check_revision(options: Options, split: Dataset) -> None:
    """Offline, `datasets` takes whatever revision is cached; a stated commit must be that one."""
    commit = re.compile(r"[0-9a-f]{40}")
    files = [entry["filename"] for entry in split.cache_files]
    cached = {part for file in files for part in re.split(r"[/\\]", file) if commit.fullmatch(part)}
    stated = options.revision or ""
    if commit.fullmatch(stated) and cached and stated not in cached:
        message = f"the cache holds {options.path} at {', '.join(sorted(cached))}, not at {stated}"
        raise DataError(Problem("dataset.revision", message))
