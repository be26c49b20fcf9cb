"""A command is checked once before it runs; under --multirun each of its runs is."""

from __future__ import annotations

import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from tunebook.check import check
from tunebook.config.command import launch


@pytest.fixture
def run(here, monkeypatch):
    """run("a=1") types a command; gives the names of the checked and of the trained configurations."""

    def typed(*arguments):
        checked, trained = [], []

        def counted(composed):
            checked.append(composed.content["run"]["name"])
            return check(composed)

        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["run.py", f"hydra.run.dir={here}", f"hydra.sweep.dir={here}", *arguments])
        launch(lambda config, command: trained.append((config.run.name, command)), counted)
        return checked, trained

    return typed


def test_a_plain_run_is_checked_once(run):
    checked, trained = run("run.name=one", "hyperparameters.learning_rate=1e-4", "freezing=last_n")
    assert checked == ["one"]
    [(name, command)] = trained
    assert name == "one"
    assert "run.name=one hyperparameters.learning_rate=1e-4 freezing=last_n" in command


def test_each_run_of_a_sweep_is_checked_before_the_first_starts(run):
    checked, trained = run("--multirun", "run.name=one,two")
    assert checked[:2] == ["one", "two"]
    assert [name for name, _ in trained] == ["one", "two"]


def test_showing_a_configuration_checks_nothing(run, capsys):
    assert run("--cfg", "job", "run.name=one") == ([], [])
    assert "name: one" in capsys.readouterr().out
