"""All that is done to one row by itself: roles, text normalisation, what is missing, the label. Knows no file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.config.schema import CleaningConfig
from tunebook.data.columns import ROW, key_of
from tunebook.data.reading.typed import kind_of
from tunebook.data.streaming.label_codes import LabelCodes, UnknownLabel
from tunebook.errors import DataError, Problem


@dataclass(frozen=True)
class Left:
    """A row without a value that it needs.

    Args:
        reason: `no text`, `no label`.
        values: role to what was read.
    """

    reason: str
    values: dict[str, Any]


@dataclass(frozen=True)
class RowWork:
    """Makes a training row of what a source gives.

    Args:
        columns: role to column, of the roles in use; of several 0/1 columns of one label, all of them.
        codes: of the label; None without one.
        cleaning: what happens to texts.
        label: the label's role.
        aside: roles that may be missing.
    """

    columns: Mapping[str, str | list[str]]
    codes: LabelCodes | None
    cleaning: CleaningConfig
    label: str = "label"
    aside: frozenset[str] = frozenset()

    def __call__(self, values: Mapping[str, Any], place: str, row: int) -> dict[str, Any] | Left:
        """Roles and `row`, with texts normalised and the label encoded; `Left` where a value is missing.

        Args:
            values: column to value.
            place: of the row, for messages.
            row: its number in the split, from 0.

        Raises:
            DataError: a text that is no text, a label that is not named.
        """
        found: dict[str, Any] = {}
        lacks: list[str] = []
        for role, column in self.columns.items():
            if role == self.label and self.codes:
                given = [values.get(name) for name in column] if isinstance(column, list) else values.get(column)
                if not isinstance(column, list) and self.codes.lacks(given):
                    lacks.append("no label")
                else:
                    found[role] = self._label(self.codes, given, column, place, row)
            else:
                found[role] = text = self._text(role, values.get(str(column)), place, row)
                if not text and role not in self.aside:
                    lacks.append(f"no {'text' if role == 'text' else role}")
        found[ROW] = row
        keeps_empty = self.cleaning.missing == "report" and "no label" not in lacks
        return Left(" and ".join(lacks), self._told(found)) if lacks and not keeps_empty else found

    def _told(self, found: dict[str, Any]) -> dict[str, Any]:
        """What was read, without the row's number and with a class by its name."""
        told = {role: value for role, value in found.items() if role != ROW}
        if self.codes and self.codes.kind == "class" and self.label in told:
            told[self.label] = self.codes.names[told[self.label]]
        return told

    def _text(self, role: str, value: Any, place: str, row: int) -> str:
        if not isinstance(value, str):
            kind = kind_of(value)
            if kind != "missing":
                message = f"must be text; row {row} (counted from 0) holds a {kind}. Is it the right column?"
                raise DataError(Problem(key_of(role, self.columns[role]), message, place))
            return ""
        if self.cleaning.unicode != "keep":
            value = unicodedata.normalize(self.cleaning.unicode, value)
        if self.cleaning.whitespace == "collapse":
            return " ".join(value.split())
        return value.strip() if self.cleaning.whitespace == "strip" or not value.strip() else value

    def _label(self, codes: LabelCodes, given: Any, column: str | list[str], place: str, row: int) -> Any:
        try:
            return codes.code_columns(given, column) if isinstance(column, list) else codes.code(given)
        except UnknownLabel as error:
            key = key_of(self.label, column)
            raise DataError(Problem(key, f"row {row} (counted from 0) {error}", place)) from None
