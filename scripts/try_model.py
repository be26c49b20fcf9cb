"""Load a finished run's model as anybody would, and classify a sentence: python scripts/try_model.py [RUN] [TEXT]"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tunebook.errors import RunDirectoryError

TEXT = "I expected to be bored and left humming the tunes."


def newest_run(root: Path) -> Path:
    """The run under a folder that was finished last.

    Raises:
        RunDirectoryError: there is none.
    """
    records = [path for path in root.rglob("run.json") if json.loads(path.read_text())["status"] == "finished"]
    if not records:
        raise RunDirectoryError(f"no finished run under {root}; run a recipe first")
    return max(records, key=lambda path: path.stat().st_mtime).parent


def main() -> None:
    """Classify one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="run directory; default: the newest under outputs/")
    parser.add_argument("text", nargs="?", default=TEXT)
    given = parser.parse_args()
    from transformers import pipeline
    from transformers.utils import logging

    logging.disable_progress_bar()

    run = given.run or newest_run(Path("outputs"))
    folder = run if (run / "config.json").is_file() else run / "model"
    if not (folder / "config.json").is_file():
        raise RunDirectoryError(f"{run} holds no finished model; name a run directory or its model folder")
    answer = pipeline("text-classification", model=str(folder))(given.text)[0]
    print(f"{given.text!r} → {answer['label']} ({answer['score']:.1%})   [pipeline of {folder}]")


if __name__ == "__main__":
    from tunebook.config.command import telling_mistakes

    with telling_mistakes():
        main()
