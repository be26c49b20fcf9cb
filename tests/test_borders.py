"""The borders between the parts of Tunebook, read from the imports: who may know whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tunebook.config import registry

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tunebook"
FILES = sorted(SOURCE.rglob("*.py"))
OPTIONS = sorted(f"{kind} {name}" for kind in registry.FOLDERS for name in registry.names(kind))
HEAVY = {"torch", "transformers", "datasets", "evaluate", "sklearn", "matplotlib", "pandas", "pyarrow"}


def name_of(file: Path) -> str:
    """A file as Python imports it."""
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path, typing_only: bool = False) -> set[str]:
    """Everything that a file imports, wherever in it; without what stands under TYPE_CHECKING unless wanted."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped and not typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # The metrics are one `evaluate` module, which is loaded by its path without Tunebook.
            assert not node.level or file.stem == "tunebook_metrics", f"{file} imports relatively"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def folder_of(module: str) -> str:
    """The folder of Tunebook that a module belongs to; for one beside the folders, its own name."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "tunebook" else ""


def known(file: Path) -> set[str]:
    """The folders and modules of Tunebook that a file imports, its own folder left out."""
    found = {folder_of(module) for module in imports(file) if module.startswith("tunebook.")}
    return found - {"", folder_of(name_of(file))}


def test_the_files_are_found():
    assert len(FILES) > 60
    assert len(OPTIONS) >= 12


@pytest.mark.parametrize("file", [file for file in FILES if file.parent.name != "config"], ids=name_of)
def test_hydra_and_omegaconf_stay_in_config(file):
    assert not {"hydra", "omegaconf"} & {module.split(".")[0] for module in imports(file, typing_only=True)}


def test_errors_know_nothing():
    assert known(SOURCE / "errors.py") == set()


@pytest.mark.parametrize("file", sorted((SOURCE / "config").rglob("*.py")), ids=name_of)
def test_config_knows_the_errors_alone(file):
    assert known(file) <= {"errors"}


def test_folders_import_in_no_circle():
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    graph: dict[str, set[str]] = {folder: set() for folder in folders}
    for file in FILES:
        folder = folder_of(name_of(file))
        if folder in folders:
            graph[folder] |= known(file) & folders
    while graph:
        leaves = {folder for folder, below in graph.items() if not below & graph.keys()}
        assert leaves, f"a circle among {sorted(graph)}: {graph}"
        graph = {folder: below for folder, below in graph.items() if folder not in leaves}


@pytest.mark.parametrize("file", [file for file in FILES if file.read_text().strip()], ids=name_of)
def test_a_file_opens_with_what_it_owns(file):
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 300


def test_run_py_is_one_screen():
    assert len((ROOT / "run.py").read_text().splitlines()) < 80


def loaded_by(*lines: str) -> set[str]:
    """The modules that are loaded after some lines of Python, in a process of its own."""
    program = "\n".join(["import sys", *lines, "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_config_loads_no_plug_in_and_nothing_heavy():
    modules = [name_of(file) for file in (SOURCE / "config").rglob("*.py")]
    assert len(modules) > 15
    loaded = loaded_by(*(f"import {module}" for module in modules))
    assert not HEAVY & loaded
    known = {name for name in loaded if name.partition(".")[0] == "tunebook"} - {"tunebook", "tunebook.errors"}
    assert all(name.startswith("tunebook.config") for name in known), known


def test_modules_with_options_import_nothing_heavy():
    """The check of a configuration imports every one of them, and must stay quick."""
    loaded = loaded_by(
        "import tunebook.check",
        "from tunebook.config import registry",
        "for kind in registry.FOLDERS:",
        "    registry.contract(kind)",
        "    for name in registry.names(kind) if kind != 'check' else []:",
        "        registry.load(kind, name).Options",
    )
    assert not HEAVY & loaded


def test_no_rule_stands_in_config():
    """What a module refuses is in its own file; config knows the form alone."""
    assert not list((SOURCE / "config").glob("*rules*.py"))
    for file in (SOURCE / "config").rglob("*.py"):
        assert "importlib.util.find_spec" not in file.read_text() or file.stem in {"registry", "training_fields"}
