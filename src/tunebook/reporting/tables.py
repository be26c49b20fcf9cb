"""What the terminal shows when a run is over; knows nothing of how the numbers were computed."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tunebook.reporting.formatting import clock, figure, metric_names, printed, side_by_side

# What a run directory may hold, and why one would open it.
PLACES = {
    "model": "the best model; loads with pipeline()",
    "adapter": "the same as an adapter for its base model; loads with peft",
    "report.html": "to look at",
    "metrics.json": "final numbers",
    "predictions": "every evaluated row",
    "thresholds.json": "from which probability on a label is predicted",
    "audit.html": "the audit of the data",
    "dropped.jsonl": "rows that were left out",
    "label_noise.json": "rows that are probably labelled wrong, the likeliest first",
    "history.jsonl": "every logged step",
    "recipe.yaml": "the frozen recipe, to run again",
    "run.json": "versions, hardware, times",
    "README.md": "the model card",
}

OWN_CODE = "the best model; its head is Tunebook's own, README.md says how it loads"
ADAPTER_ALONE = "the adapter of the best model; README.md says how it loads"


def closing_table(
    metrics: dict[str, dict[str, float]],
    seconds: float,
    run_dir: str | Path,
    untuned: dict[str, dict[str, float]] | None = None,
) -> str:
    """The last lines of a run: numbers per split, the time and where everything is.

    Args:
        metrics: final numbers, per split.
        seconds: wall-clock time.
        run_dir: the run directory; only what it holds by now is listed.
        untuned: the numbers without thresholds, where the run has thresholds.

    Returns:
        Text of several lines; coloured only when standard output is a terminal.
    """
    numbers = _numbers(side_by_side(metrics, untuned or {}))
    width = max(60, min(100, shutil.get_terminal_size((100, 24)).columns))
    return printed(Group(numbers, Text(f"Time  {clock(seconds)}"), Text(""), _places(Path(run_dir))), width)


def _numbers(metrics: dict[str, dict[str, float]]) -> Table:
    table = Table(title_justify="left")
    table.add_column(Text("metric"))
    for split in metrics:
        table.add_column(Text(split), justify="right")
    for name in metric_names(metrics):
        cells = [figure(numbers[name]) if name in numbers else "–" for numbers in metrics.values()]
        table.add_row(Text(name), *map(Text, cells))
    return table


def _places(run_dir: Path) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(style="dim")
    table.add_row(Text(f"{run_dir}/"), Text(""))
    for name, why in PLACES.items():
        if name == "model" and (run_dir / name / "adapter_config.json").exists():
            why = ADAPTER_ALONE
        elif name == "model" and any((run_dir / name).glob("*.py")):
            why = OWN_CODE
        if (run_dir / name).exists():
            table.add_row(Text(f"  {name}{'/' if (run_dir / name).is_dir() else ''}"), Text(why))
    return table
