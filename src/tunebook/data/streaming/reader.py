"""What a streamed source is: rows one after another, each with its place. Knows no format and no role's meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from datasets import DatasetDict


class Raw(NamedTuple):
    """One row as the source has it.

    Attributes:
        values: column to value.
        place: where it stands, for messages: `train.csv, line 12`.
    """

    values: dict[str, Any]
    place: str


class Reader(Protocol):
    """Reads the training rows of one source lazily, as often as asked, and the other splits whole.

    Attributes:
        place: the training split's name in messages.
    """

    place: str

    def columns(self) -> list[str]:
        """The columns that training rows have, as far as the beginning of the source tells."""

    def rows(self, columns: list[str]) -> Iterator[Raw]:
        """Every training row, from the first on, always in the same order; at least those columns.

        Raises:
            DataError: at the row or line that cannot be read.
        """

    def label_names(self, column: str) -> list[str] | None:
        """Names that the source itself gives the values of a column, in the order of their ids."""

    def identity(self) -> str:
        """64 hexadecimal digits that change when the training rows have (very likely) changed."""

    def evaluated(self) -> DatasetDict:
        """Validation and test, as far as there are, whole."""
