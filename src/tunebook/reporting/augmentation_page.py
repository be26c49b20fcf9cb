"""Shows training rows before and after augmentation: a table of the terminal and a page. Varies no row itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from tunebook.files import write_text
from tunebook.panels import Row
from tunebook.reporting.formatting import printed
from tunebook.reporting.pages import rendered, shortened

PAGE = "augmentation.html"
TEXTS = ("text", "text_pair", "mixed_text")
Shown = list[tuple[dict[str, Any], list[dict[str, Any]], int]]


def write_augmentation(folder: Path, shown: Shown, name: str, method: str) -> None:
    """Write augmentation.html of what `preview` shows: the row before, its versions, its number."""
    rows = [
        (_row(before, number), [(_title(at, after, before), _row(after, number)) for at, after in enumerate(versions)])
        for before, versions, number in shown
    ]
    title = f"Augmentation of {name}"
    write_text(folder / PAGE, rendered("augmentation.html.jinja", title=title, name=name, method=method, shown=rows))


def augmentation_table(shown: Shown) -> str:
    """The texts before and after, one below the other; of images the number of rows alone."""
    if not any(role in before for before, _, _ in shown for role in TEXTS):
        return f"{len(shown)} images before and after; look at the page"
    table = Table(title=Text("Before and after augmentation"), title_justify="left", title_style="")
    table.add_column(Text("row"), justify="right", no_wrap=True)
    table.add_column(Text(""), no_wrap=True)
    table.add_column(Text("text"), overflow="fold")
    for before, versions, number in shown:
        table.add_row(Text(str(number)), Text("before"), Text(shortened(_text(before)) or ""))
        for at, after in enumerate(versions):
            table.add_row(Text(""), Text(f"after {at + 1}"), Text(shortened(_text(after)) or ""))
        table.add_section()
    return printed(table)


def _row(values: dict[str, Any], number: int) -> Row:
    return Row("train", number, str(values.get("label", "")), _text(values), values.get("image"))


def _title(at: int, after: dict[str, Any], before: dict[str, Any]) -> str:
    if "mixed" in after:
        return f"after {at + 1}: {after['mixed']}"
    changed = any(after.get(role) != before.get(role) for role in (*TEXTS, "image"))
    return f"after {at + 1}" + ("" if changed else ", unchanged")


def _text(values: dict[str, Any]) -> str | None:
    texts = [str(values[role]) for role in TEXTS if values.get(role) is not None]
    return "\n— ".join(texts) if texts else None
