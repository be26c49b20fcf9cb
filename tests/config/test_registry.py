"""An installed package adds a module of any kind; a name that is claimed twice, or a broken package, is named."""

from __future__ import annotations

import json

import pytest

from tests.config.plugins import ROOT, package, python
from tunebook.config import registry

OPTIONS = "from tunebook.config.options import Options as Base\nclass Options(Base):\n    strength: float = 1.0\n"
REFUSES = (
    "from tunebook.errors import Problem\n"
    "def problems(config):\n    return [Problem({key!r}, 'refused by the plug-in ' + __name__)]\n"
)
BODIES = {
    "task": "from tunebook.tasks.text_classification import Options, Task\n",
    "source": OPTIONS,
    "sampling": OPTIONS + "TARGETS = {'single_label'}\nclass Sampling: pass\n",
    "augmentation": OPTIONS + "ROLES = {'text'}\nclass Augmentation: pass\n",
    "loss": OPTIONS + "TARGETS = {'single_label'}\nclass Loss: pass\n",
    "policy": OPTIONS + "def rules(depth, options): return []\n",
    "adapter": OPTIONS + "POSITION = 'layers'\ndef configuration(options, place): pass\n",
    "regularization": OPTIONS + "def start(options, context): pass\n",
    "check": "def check(context): return None\n",
    "metric": "GREATER_IS_BETTER = True\nTARGETS = {'single_label'}\ndef compute(predictions, references): return 1\n",
}
CHOSEN = {
    "task": ["task.name=mine"],
    "source": ["dataset.source=mine"],
    "sampling": ["sampling.method=mine"],
    "augmentation": ["augmentation.method=mine"],
    "loss": ["loss.name=mine"],
    "policy": ["freezing.policy=mine"],
    "adapter": ["adapter.method=mine"],
    "regularization": ["regularization.mine.strength=2"],
}
CHECKED = """
import json, sys
from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import TunebookError
try:
    check(compose(sys.argv[1:]))
    print(json.dumps({}))
except TunebookError as error:
    print(json.dumps({problem.key: problem.message for problem in error.problems}))
"""


def problems_of(folders, cwd, *arguments):
    done = python("-c", CHECKED, *arguments, folders=folders, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kind_can_be_added():
    assert set(BODIES) == set(registry.KINDS)
    assert set(CHOSEN) == set(registry.KINDS) - {"check", "metric"}


@pytest.mark.parametrize("kind", BODIES)
def test_a_package_adds_a_module(tmp_path, kind):
    folder = package(tmp_path / "site", "extra", {f"{kind}.mine": "extra_mine"}, extra_mine=BODIES[kind])
    program = (
        "from tunebook.config import registry\n"
        f"print(registry.load({kind!r}, 'mine').__name__)\n"
        f"print('mine' in (registry.names({kind!r}) if {kind!r} in registry.FOLDERS else registry.plugins({kind!r})))\n"
    )
    done = python("-c", program, folders=[folder], cwd=tmp_path)
    assert (done.stdout.split(), done.stderr) == (["extra_mine", "True"], "")


@pytest.mark.parametrize("kind", CHOSEN)
def test_what_a_plugin_refuses_is_reported_with_everything_else(tmp_path, kind):
    body = BODIES[kind] + REFUSES.format(key=f"{kind}.key")
    folder = package(tmp_path / "site", "extra", {f"{kind}.mine": "extra_mine"}, extra_mine=body)
    found = problems_of([folder], tmp_path, *CHOSEN[kind], "hyperparameters.lerning_rate=1")
    assert found[f"{kind}.key"] == "refused by the plug-in extra_mine"
    assert "did you mean learning_rate?" in found["hyperparameters.lerning_rate"]


def test_options_of_a_plugin_are_checked(tmp_path):
    folder = package(tmp_path / "site", "extra", {"loss.mine": "extra_mine"}, extra_mine=BODIES["loss"])
    assert problems_of([folder], tmp_path, "loss.name=mine", "loss.strength=2") == {}
    found = problems_of([folder], tmp_path, "loss.name=mine", "loss.strenth=2")
    assert "did you mean strength?" in found["loss.strenth"]


def test_a_name_of_two_packages_names_both(tmp_path):
    folders = [
        package(tmp_path / name, name, {"loss.mine": f"{name}_mine"}, **{f"{name}_mine": BODIES["loss"]})
        for name in ("first", "second")
    ]
    found = problems_of(folders, tmp_path, "loss.name=mine")
    assert list(found) == ["loss.mine"]
    assert "first 1.0" in found["loss.mine"]
    assert "second 1.0" in found["loss.mine"]


def test_a_name_that_ships_cannot_be_taken(tmp_path):
    folder = package(tmp_path / "site", "extra", {"loss.focal": "extra_mine"}, extra_mine=BODIES["loss"])
    found = problems_of([folder], tmp_path)
    assert list(found) == ["loss.focal"]
    assert "tunebook and by extra 1.0" in found["loss.focal"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('no licence')\n", "RuntimeError: no licence"),
        (OPTIONS, "does not define TARGETS, Loss"),
    ],
)
def test_a_broken_package_is_named(tmp_path, body, words):
    folder = package(tmp_path / "site", "extra", {"loss.mine": "extra_mine"}, extra_mine=body)
    done = python(str(ROOT / "run.py"), "loss.name=mine", folders=[folder], cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "loss.mine" in done.stderr
    assert "extra 1.0" in done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("point", ["metrik.mine", "mine", "loss."])
def test_an_entry_point_of_no_kind_is_reported(tmp_path, point):
    folder = package(tmp_path / "site", "extra", {point: "extra_mine"}, extra_mine="")
    found = problems_of([folder], tmp_path)
    assert list(found) == [point]
    assert "extra 1.0" in found[point]


def test_a_metric_that_ships_cannot_be_taken(tmp_path):
    folder = package(tmp_path / "site", "extra", {"metric.accuracy": "extra_mine"}, extra_mine=BODIES["metric"])
    program = "from tunebook.config import registry; registry.plugins('metric', ['accuracy', 'f1'])"
    done = python("-c", program, folders=[folder], cwd=tmp_path)
    assert "tunebook and by extra 1.0" in done.stderr


def test_an_unknown_name():
    with pytest.raises(KeyError, match="no loss named"):
        registry.load("loss", "nothing")
