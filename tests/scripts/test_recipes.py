"""scripts/recipes.py: list, show, check, new and schema, as a user types them, none of them with torch."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.commands import typed
from tunebook.check import check
from tunebook.config.compose import compose

TOP = "# @package _global_\n"
OWN = {"environment": {"TUNEBOOK_RECIPES": "own"}}


def command(*arguments: str, **more: Any) -> tuple[int, str]:
    outcome = typed([{"program": "scripts/recipes.py", "arguments": [*arguments], **more}])[0]
    assert not outcome["imported"]
    assert "Traceback" not in outcome["output"]
    return outcome["code"], outcome["output"]


def test_list():
    code, said = command("list")
    lines = said.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line[:1].strip()}
    assert code == 0
    assert max(map(len, lines)) < 100
    assert rows["recipe"] == ["task", "model", "dataset", "network"]
    assert rows["image_digits"] == ["image_classification", "resnet_small", "digits", "no"]
    assert (rows["bert_sst2"][-1], rows["vit_images"][-1]) == ("yes", "yours")
    assert "    Handwritten digits with a small ResNet trained from scratch; no download" in lines


def test_list_goes_on_past_a_broken_recipe():
    files = {"own/broken.yaml": [0xFF], "own/typo.yaml": f"{TOP}# A typo.\nrun: {{nam: x}}\n"}
    code, said = command("list", files=files, **OWN)
    assert code == 0
    assert "    cannot be used; see: python scripts/recipes.py check own/broken.yaml" in said.splitlines()
    assert "image_digits" in said
    assert "    A typo" in said


def test_show():
    code, said = command("show", "image_digits")
    header, _, content = said.partition("\n\ntask:")
    assert code == 0
    assert header.startswith("Handwritten digits with a small ResNet trained from scratch; no download.")
    assert "+recipe=image_digits" in header
    assert yaml.safe_load(f"task:{content}") == compose(["+recipe=image_digits"]).content


def test_show_needs_a_recipe_that_is_there():
    code, said = command("show", "image_digts")
    assert code == 2
    assert "did you mean image_digits?" in said


def test_check_tells_the_problems_of_all_files():
    files = {"a.yaml": "run: {name: x}\n", "b.yaml": f"{TOP}run:\n  nam: x\n", "c.yaml": f"{TOP}run: {{name: x}}\n"}
    code, said = command("check", "a.yaml", "b.yaml", "./c.yaml", "d.yaml", files=files)
    assert code == 2
    assert "./c.yaml: fine" in said
    assert "3 problems in these recipes:" in said
    for part in ("(a.yaml)", "(b.yaml:3)", "did you mean name?", "+recipe=./d.yaml", "no such file"):
        assert part in said


def test_check_takes_what_the_recipe_waits_for():
    files = {"mine.yaml": f"{TOP}defaults:\n  - override /dataset: files\n", "a.csv": "text,label\nx,a\n"}
    code, said = command("check", "mine.yaml", files=files)
    assert code == 2
    assert "dataset.train" in said
    assert command("check", "mine.yaml", "--set", "dataset.train=a.csv", files=files) == (0, "mine.yaml: fine\n")


@pytest.mark.parametrize("base", ["image_digits", "bert_sentiment"])
def test_new_starts_from_another(base, tmp_path, monkeypatch):
    code, said = command("new", "sub/mine", "--from", base, environment={"TUNEBOOK_RECIPES": str(tmp_path)})
    text = (tmp_path / "sub" / "mine.yaml").read_text()
    assert code == 0
    assert f"scripts/recipes.py check {tmp_path}/sub/mine.yaml" in said
    assert text.startswith(f"{TOP}# What sub/mine is for, in one sentence. Started from {base}.\n")
    assert "+recipe=sub/mine\n# Measured: not yet measured\n" in text
    monkeypatch.setenv("TUNEBOOK_RECIPES", str(tmp_path))
    made, old = (check(compose([f"+recipe={name}"])) for name in ("sub/mine", base))
    assert made.run.recipe == "sub/mine"
    assert made.model_copy(update={"run": old.run}) == old


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["new", "there", "--from", "image_digits"], "is there already: own/there.yaml"),
        (["new", "there.yaml", "--from", "image_digits"], "is there already: own/there.yaml"),
        (["new", "../x", "--from", "image_digits"], "cannot leave the recipe folder"),
        (["new", "a b", "--from", "image_digits"], "letters, digits"),
        (["new", "x", "--from", "image_digts"], "did you mean image_digits?"),
        (["new", "x", "--from", "bad"], "has no '# @package _global_' line"),
        (["new", "x"], "the following arguments are required: --from"),
        (["frobnicate"], "invalid choice"),
        ([], "the following arguments are required"),
    ],
)
def test_mistakes_are_told(arguments, says):
    code, said = command(*arguments, files={"own/there.yaml": TOP, "own/bad.yaml": "run: {name: x}\n"}, **OWN)
    assert code == 2
    assert says in said


def test_schema_is_written(tmp_path, monkeypatch, capsys):
    from scripts import recipes

    kept = recipes.SCHEMA
    monkeypatch.setattr(recipes, "SCHEMA", tmp_path / "recipe.schema.json")
    recipes.main(["schema"])
    assert (tmp_path / "recipe.schema.json").read_text() == kept.read_text()
    assert "recipe.schema.json written" in capsys.readouterr().out
