"""Shows an audit: the short table of the terminal, audit.json and the page audit.html. Reads no data itself."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from tunebook.data.audit.audit import Audit, title, write_json
from tunebook.files import write_text
from tunebook.reporting.formatting import printed
from tunebook.reporting.pages import rendered

JSON, PAGE = "audit.json", "audit.html"
STYLES = {"warning": "bold red", "note": "yellow", "fine": "green"}


def write_audit(folder: Path, audit: Audit, name: str) -> None:
    """Write audit.json and audit.html, each whole or not at all, with the recipe's name as heading."""
    write_json(folder / JSON, audit)
    write_page(folder, audit, name)


def write_page(folder: Path, audit: Audit, name: str) -> None:
    """Write audit.html alone."""
    write_text(folder / PAGE, page(audit, name))


def page(audit: Audit, name: str) -> str:
    """The page as text. Everything that comes from the data is escaped."""
    heading = f"Audit of {name}"
    return rendered("audit.html.jinja", title=heading, audit=audit, name=name, in_words=title)


def audit_table(audit: Audit) -> str:
    """The audit in the terminal: a line a check, warnings first.

    Returns:
        Text of several lines; coloured only when standard output is a terminal.
    """
    rows = ", ".join(f"{count:,} {split}" for split, count in audit.rows.items())
    table = Table(title=Text(f"Audit of {rows} rows"), title_justify="left", title_style="")
    table.add_column(Text("check"), no_wrap=True)
    table.add_column(Text(""), no_wrap=True)
    table.add_column(Text("result"), overflow="fold")
    for name, result in audit.results.items():
        table.add_row(Text(title(name)), Text(result.level, style=STYLES[result.level]), Text(result.words))
    return printed(table)
