"""Where a key is set: on the command line, in which line of the recipe, or in which file under conf/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunebook.config import folders
from tunebook.config.recipe_file import shown

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Places:
    """Looks up the place of a dotted key.

    Args:
        typed: keys set on the command line.
        recipe: the recipe's file, if there is one.
        choices: group -> option, as composed.
    """

    typed: tuple[str, ...] = ()
    recipe: Path | None = None
    choices: dict[str, str] | None = None

    def of(self, key: str) -> str:
        """The strongest place that sets `key` or something above or below it; "" where nothing does.

        A problem may show the value with the key (`dataset.columns.text='review'`).
        """
        key = key.split("=")[0]
        if any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in self.typed):
            return COMMAND_LINE
        if self.recipe:
            line = line_of(self.recipe, key)
            if line:
                return f"{shown(self.recipe)}:{line}"
        group, _, rest = key.partition(".")
        option = (self.choices or {}).get(group)
        return _in_group(group, option, rest) if option and rest else ""


def _in_group(group: str, option: str, key: str) -> str:
    """Where an option of a group, or one that it builds on, sets a key."""
    file = folders.conf_folder() / group / f"{option}.yaml"
    if not file.is_file():
        return ""
    line = line_of(file, key)
    if line:
        return f"conf/{group}/{option}.yaml:{line}"
    bases = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults") or []
    return next((place for base in bases if isinstance(base, str) and (place := _in_group(group, base, key))), "")


def line_of(file: Path, key: str) -> int | None:
    """The line (from 1) of a YAML file that sets a dotted key, or the nearest parent that it sets."""
    node: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    parts, line = key.split("."), None
    while parts and isinstance(node, yaml.MappingNode):
        for count in range(len(parts), 0, -1):
            wanted = ".".join(parts[:count])
            match = next((pair for pair in node.value if pair[0].value == wanted), None)
            if match:
                line, node, parts = match[0].start_mark.line + 1, match[1], parts[count:]
                break
        else:
            return line if not parts else None
    return line
