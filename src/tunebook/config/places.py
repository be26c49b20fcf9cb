"""Where a key was said: on the command line, in which line of the recipe, or in which file under conf/."""

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
        said: keys set on the command line.
        recipe: the recipe's file, if there is one.
        choices: group -> option, as composed.
    """

    said: tuple[str, ...] = ()
    recipe: Path | None = None
    choices: dict[str, str] | None = None

    def of(self, key: str) -> str:
        """The strongest place that sets `key` or something above or below it; "" where nothing does."""
        if any(key == said or key.startswith(f"{said}.") or said.startswith(f"{key}.") for said in self.said):
            return COMMAND_LINE
        if self.recipe:
            line = line_of(self.recipe, key)
            if line:
                return f"{shown(self.recipe)}:{line}"
        group, _, rest = key.partition(".")
        option = (self.choices or {}).get(group)
        if option:
            file = folders.conf_folder() / group / f"{option}.yaml"
            line = line_of(file, rest) if rest and file.is_file() else None
            return f"conf/{group}/{option}.yaml" + (f":{line}" if line else "")
        return ""


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
