"""Shows an audit: the short table of the terminal, audit.json and the page audit.html. Looks at no data itself."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunebook.data.audit.audit import Audit, title, write_json
from tunebook.files import write_text
from tunebook.reporting import audit_plots
from tunebook.reporting.pages import rendered

JSON, PAGE = "audit.json", "audit.html"
STYLES = {"warning": "bold red", "note": "yellow", "fine": "green"}


def write_audit(folder: Path, audit: Audit, name: str) -> None:
    """Write audit.json and audit.html, each whole or not at all.

    Args:
        folder: that they lie in; made when it is not there.
        audit: what was found.
        name: of the recipe, for the page's heading.
    """
    write_json(folder / JSON, audit)
    write_text(folder / PAGE, page(audit, name))


def page(audit: Audit, name: str) -> str:
    """The page as text. Everything that comes from the data is escaped."""
    drawn = {
        check: [
            # Markup: the pictures are ours, and matplotlib has escaped the names inside.
            Markup(audit_plots.draw(plot, f"{check}-{at}"))
            for at, plot in enumerate(look.plots)
        ]
        for check, look in audit.results.items()
    }
    heading = f"Audit of {name}"
    return rendered("audit.html.jinja", title=heading, audit=audit, name=name, drawn=drawn, in_words=title)


def audit_table(audit: Audit) -> str:
    """The audit in the terminal: a line a check, warnings first.

    Returns:
        Text of several lines; coloured only when standard output is a terminal.
    """
    rows = ", ".join(f"{count:,} {split}" for split, count in audit.rows.items())
    table = Table(title=Text(f"Audit of {rows} rows"), title_justify="left", title_style="")
    table.add_column(Text("check"), no_wrap=True)
    table.add_column(Text(""), no_wrap=True)
    table.add_column(Text("found"), overflow="fold")
    for name, look in audit.results.items():
        table.add_row(Text(title(name)), Text(look.level, style=STYLES[look.level]), Text(look.words))
    return printed(table)


def printed(table: Table) -> str:
    """A table as text, as wide as the terminal; coloured only when standard output is one."""
    buffer = io.StringIO()
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    console = Console(file=buffer, width=width, force_terminal=sys.stdout.isatty(), highlight=False)
    console.print(table)
    # Rich fills every line up to the width; in a log file those blanks are only noise.
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
