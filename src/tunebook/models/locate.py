"""Finds where a model's files are: a local folder, an installed package or the Hub; loads no weights."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from huggingface_hub import errors as hub_errors
from safetensors import SafetensorError

from tunebook import files
from tunebook.errors import ModelError, NothingReached, Problem
from tunebook.models.problems import missing_folder

if TYPE_CHECKING:
    from tunebook.config.model_groups import ModelConfig, ModelPackage

WEIGHTS, ADAPTER = "model.safetensors", "adapter_config.json"
# What missing, broken or refused files raise in transformers, safetensors and torch; the rest is a bug.
UNREADABLE = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError, UnpicklingError)
NOT_REACHED = (hub_errors.LocalEntryNotFoundError, hub_errors.OfflineModeIsEnabled, ConnectionError)


@dataclass(frozen=True)
class Location:
    """Arguments of `from_pretrained` (a folder, or a Hub id with its revision), and how messages describe them."""

    name_or_path: str
    revision: str | None
    described: str


def locate(config_model: ModelConfig) -> Location:
    """Where the model's files are: a local folder if one is named, else the package, else Hub or cache.

    A local folder goes before the package, so that `model.name_or_path=./mine` means mine even in a group
    that names a package.

    Raises:
        ModelError: a local path that does not exist, a package whose weights are not the declared ones, or
            nothing named at all.
    """
    name = config_model.name_or_path
    if name is not None and _means_a_folder(name):
        return Location(str(_existing_folder(name)), None, name)
    if config_model.package is not None and name in {None, config_model.package.carries}:
        folder = _package_folder(config_model.package)
        if folder is not None:
            return Location(str(folder), None, f"the installed package {config_model.package.module}")
    if name is None:
        message = "no model is named; set model.name_or_path to a Hub id or a folder, or model.config"
        if (package := config_model.package) is not None:
            message = f"the package {package.module} is not installed and no model is named; install it or name a model"
        raise ModelError(Problem("model.name_or_path", message))
    revision = config_model.revision
    return Location(name, revision, f"{name}@{revision or 'main'} (Hugging Face Hub or its cache)")


@contextmanager
def reading(location: Location, what: str) -> Iterator[None]:
    """Turns what the libraries raise while files (`what`: which of them) are read into errors that say how to fix it.

    Raises:
        NothingReached: no network, and the cache does not hold the files.
        ModelError: anything else that makes them unreadable.
    """
    try:
        yield
    except UNREADABLE as error:
        if _not_reached(error):
            raise NothingReached(Problem("model.name_or_path", _unreachable(location))) from error
        message = f"cannot read {what} from {location.described}: {first_line(error)}"
        raise ModelError(Problem("model.name_or_path", message)) from error


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _means_a_folder(name: str) -> bool:
    path = Path(name)
    return name.startswith((".", "~", os.sep)) or path.is_dir() or (os.sep in name and path.parent.is_dir())


def _existing_folder(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        _refuse_lone_adapter(path)
        if not (path / "config.json").exists() and (path / "model" / "config.json").is_file():
            message = f"{name} is a run's folder; its model is in {path / 'model'}"
            raise ModelError(Problem("model.name_or_path", message))
        return path
    if path.is_file():
        message = f"{name} is a file; name the folder that holds config.json and the weights"
        raise ModelError(Problem("model.name_or_path", message))
    raise ModelError(missing_folder(name))


def _refuse_lone_adapter(path: Path) -> None:
    if not (path / ADAPTER).is_file() or any(path.glob("model*.safetensors")):
        return
    base = files.read_json(path / ADAPTER).get("base_model_name_or_path")
    message = (
        f"{path} holds an adapter for {base}, and no model; name a folder with merged weights, such as the folder "
        "model of a run with adapter.save=merged or both"
    )
    raise ModelError(Problem("model.name_or_path", message))


def _package_folder(package: ModelPackage) -> Path | None:
    """The folder inside an installed package, or None where it is not installed. Imports nothing."""
    spec = importlib.util.find_spec(package.module)
    roots = list(spec.submodule_search_locations or []) if spec else []
    if not roots:
        return None
    folder = (Path(roots[0]) / package.folder).resolve()
    weights = folder / WEIGHTS
    if not folder.is_relative_to(Path(roots[0]).resolve()) or not weights.is_file():
        wanted = f"{package.folder}/{WEIGHTS}"
        message = f"the installed package {package.module} has no {wanted}; install it again"
        raise ModelError(Problem("model.package.folder", message))
    stat = weights.stat()
    actual = _sha256(str(weights), stat.st_size, stat.st_mtime_ns)
    if actual != package.sha256:
        message = (
            f"the weights in the installed package {package.module} are not the declared ones: "
            f"SHA-256 {actual}, declared {package.sha256}; install the declared version, or check the hash"
        )
        raise ModelError(Problem("model.package.sha256", message))
    return folder


@functools.lru_cache(maxsize=8)
def _sha256(path: str, size: int, changed: int) -> str:
    # Size and time are there for the cache: a file that changed is read again.
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_reached(error: BaseException) -> bool:
    cause = error.__cause__ or error.__context__
    return isinstance(error, NOT_REACHED) or (cause is not None and _not_reached(cause))


def _unreachable(location: Location) -> str:
    return (
        f"the Hub cannot be reached and the cache does not hold {location.name_or_path}"
        f"@{location.revision or 'main'}; download it where there is a network "
        f"(hf download {location.name_or_path}) and point HF_HOME or model.name_or_path at it, "
        "or use model=minilm, which an installed package carries"
    )
