"""Types commands as a user does, many in one process, and watches that none of them imports torch.

Run as a program it reads cases as JSON from its standard input and writes what each came to as JSON.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import io
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "datasets", "sklearn", "evaluate"}


def typed(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What commands come to.

    Args:
        cases: each with `arguments`, and where wanted `program` (default run.py), `files` (name -> text, or
            a list of byte values, in the command's own empty folder), `links` (name -> target) and `environment`.

    Returns:
        For each its `code`, its `output` (both streams) and the heavy libraries that it `imported`.
    """
    command = [sys.executable, str(Path(__file__))]
    environment = {name: value for name, value in os.environ.items() if name != "TUNEBOOK_RECIPES"}
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class _Watch(importlib.abc.MetaPathFinder):
    """Refuses heavy libraries, so that one case that imports one spoils no other."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        caller = sys._getframe(1)
        while caller and "importlib" in caller.f_code.co_filename and "util" not in caller.f_code.co_filename:
            caller = caller.f_back
        # importlib.util.find_spec only asks where a library lies; that is allowed.
        if name in HEAVY and caller and "importlib" not in caller.f_code.co_filename:
            self.seen.append(name)
            raise ImportError(f"{name} is imported before the command has been checked")


def _one(case: dict[str, Any], watch: _Watch) -> dict[str, Any]:
    from hydra.core.global_hydra import GlobalHydra

    program = str(ROOT / case.get("program", "run.py"))
    watch.seen.clear()
    GlobalHydra.instance().clear()
    spoken, code = io.StringIO(), 0
    kept = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, content in case.get("files", {}).items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else bytes(content))
        for name, target in case.get("links", {}).items():
            Path(name).symlink_to(target)
        os.environ.update(case.get("environment", {}))
        sys.argv = [program, *case["arguments"]]
        with contextlib.redirect_stdout(spoken), contextlib.redirect_stderr(spoken):
            try:
                runpy.run_path(program, run_name="__main__")
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else int(bool(error.code))
            except BaseException:
                code = 1
                traceback.print_exc()
    os.environ.clear()
    os.environ.update(kept)
    return {"code": code, "output": spoken.getvalue(), "imported": [*watch.seen]}


if __name__ == "__main__":
    guard = _Watch()
    sys.meta_path.insert(0, guard)
    json.dump([_one(case, guard) for case in json.load(sys.stdin)], sys.stdout)
