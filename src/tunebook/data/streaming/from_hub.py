"""Streams the training rows of the source `hub`: rows come over the network, or from a local folder of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tunebook.data.sources import hub
from tunebook.data.sources.base import SPLITS, LoadContext
from tunebook.data.streaming.reader import Raw
from tunebook.errors import DataError, NothingReached, Problem, did_you_mean

if TYPE_CHECKING:
    from datasets import DatasetDict

T = TypeVar("T")


class HubReader:
    """A data set of the Hub; see `Reader`.

    Args:
        options: of the source.
        context: of the run.

    Raises:
        NothingReached: no network.
        DataError: no such data set, configuration, revision or split.
    """

    def __init__(self, options: hub.Options, context: LoadContext) -> None:
        from datasets import load_dataset_builder

        self.options, self.context = options, context
        self.place = hub.place(options, "train")
        self.builder = self._told(lambda: load_dataset_builder(options.path, options.name, revision=options.revision))
        self.streams: dict[str, Any] = self._told(self.builder.as_streaming_dataset)
        self.names = options.splits or {split: split for split in SPLITS if split in self.streams}
        missing = [
            Problem(f"dataset.splits.{ours}", f"{options.path} has no split {theirs!r}; {near}")
            for ours, theirs in self.names.items()
            if theirs not in self.streams and (near := did_you_mean(theirs, self.streams))
        ]
        if "train" not in self.names:
            message = f"must name the training split; {options.path} has: {', '.join(self.streams)}"
            missing.append(Problem("dataset.splits.train", message))
        if missing:
            raise DataError(missing)

    def columns(self) -> list[str]:
        """As the data set declares them, else the keys of its first row."""
        features = self._train().features
        return list(features) if features else list(next(self.rows([])).values)

    def rows(self, columns: list[str]) -> Iterator[Raw]:
        """See `Reader`."""
        yield from self._rows(self._train())

    def label_names(self, column: str) -> list[str] | None:
        """Of a ClassLabel column."""
        from datasets import ClassLabel

        feature = (self._train().features or {}).get(column)
        return list(feature.names) if isinstance(feature, ClassLabel) else None

    def identity(self) -> str:
        """SHA-256 over the data set's id, configuration, split and version as `datasets` names it."""
        said = [self.options.path, self.options.name, self.names["train"], self.builder.hash]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def evaluated(self) -> DatasetDict:
        """Validation and test, streamed too: as files they would bring the training rows along."""
        from datasets import Dataset, DatasetDict

        splits = {}
        for ours, theirs in self.names.items():
            if ours != "train":
                stream = self.streams[theirs]
                splits[ours] = Dataset.from_list([raw.values for raw in self._rows(stream)], features=stream.features)
        return DatasetDict(splits)

    def _train(self) -> Any:
        return self.streams[self.names["train"]]

    def _rows(self, stream: Any) -> Iterator[Raw]:
        rows, number = iter(stream), 0
        while True:
            values = self._told(lambda: next(rows, None), f" after row {number}")
            if values is None:
                return
            yield Raw(values, f"{self.place}, row {number}")
            number += 1

    def _told(self, what: Callable[[], T], where: str = "") -> T:
        """What `datasets` gives, or a message about it that names the key."""
        from datasets.exceptions import DatasetsError

        name = self.options.path
        try:
            return what()
        except ConnectionError:
            message = f"{name} cannot be reached{where}: streaming needs the network (see HF_HUB_OFFLINE) all the time"
            raise NothingReached(Problem("dataset.path", message)) from None
        except (DatasetsError, OSError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise DataError(Problem("dataset.path", f"{name} cannot be streamed{where}: {said}")) from error
