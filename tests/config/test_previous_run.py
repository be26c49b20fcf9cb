"""A folder that is no finished run's is told before anything slow, with what is there."""

import json

import pytest
import yaml

from tunebook.check import check as whole_check
from tunebook.config import previous_run
from tunebook.config.check import check
from tunebook.config.compose import compose
from tunebook.config.identity import frozen_recipe
from tunebook.errors import ConfigurationError


@pytest.fixture
def finished(here):
    """A folder as a finished run leaves it, without its weights."""
    path = here / "out" / "mood" / "one"
    (path / "model").mkdir(parents=True)
    (path / "model" / "config.json").write_text("{}")
    config, problems = check(compose(["task.max_length=99", "loss=focal", f"run.output_dir={here}"]))
    assert not problems
    (path / "recipe.yaml").write_text(frozen_recipe(config, "float32", "typed", {"train": "f00"}))
    record = {
        "status": "finished", "working_folder": str(here), "data": {"fingerprints": {"train": "f00", "test": "ba5"}},
        "configuration": {"run": {"recipe": "mood"}},
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(record))
    return path


def test_a_finished_run_says_its_task_its_data_and_where_it_was_typed(finished, here):
    found = previous_run.read("out/mood/one", "evaluation.retention")
    assert found.config.task.name == "text_classification"
    assert found.config.task.options.max_length == 99
    assert found.config.loss.name == "focal"
    assert found.fingerprints == {"train": "f00", "test": "ba5"}
    assert found.cwd == here
    assert found.title == "mood/one"
    assert found.model.is_dir()


def refused(said: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        previous_run.read(said, "evaluation.retention")
    assert {problem.key for problem in error.value.problems} == {"evaluation.retention"}
    return " ".join(problem.message for problem in error.value.problems)


def test_folders_that_are_none_are_told_with_what_is_there(finished):
    assert refused("out/mood/two") == "there is no folder out/mood/two; out/mood has: one"
    assert refused("out/mood/on").endswith("did you mean one?")
    assert "name the run's own folder, out/mood/one" in refused("out/mood/one/model")
    assert "it holds runs: one" in refused("out/mood")
    assert "which holds run.json, recipe.yaml and model" in refused("out")
    (finished / "recipe.yaml").unlink()
    assert "out/mood/one lacks recipe.yaml" in refused("out/mood/one")


def test_a_run_that_is_not_over_is_refused(finished):
    record = json.loads((finished / "run.json").read_text())
    (finished / "run.json").write_text(json.dumps({**record, "status": "stopped"}))
    assert "has not finished (it is stopped); repeat its command" in refused(str(finished))


def test_a_recipe_that_was_edited_is_told(finished):
    content = yaml.safe_load((finished / "recipe.yaml").read_text())
    content["task"]["max_lenght"] = 3
    del content["loss"]
    (finished / "recipe.yaml").write_text(yaml.safe_dump(content))
    said = refused(str(finished))
    assert "task.max_lenght in its recipe unknown; did you mean max_length?" in said
    assert "loss in its recipe is missing" in said


def test_every_previous_run_is_found_by_its_key(finished):
    config, _ = check(compose([f"evaluation.retention=[{finished}, b]", "regularization.replay.run=c"]))
    assert previous_run.named_in(config) == [
        ("evaluation.retention", str(finished)), ("evaluation.retention", "b"), ("regularization.replay.run", "c"),
    ]  # fmt: skip


def test_texts_and_images_share_no_backbone(finished):
    images = ["task=image_classification", "dataset=digits", "model=vit_small"]
    with pytest.raises(ConfigurationError) as error:
        whole_check(compose([*images, f"evaluation.retention=[{finished}]"]))
    assert [problem.key for problem in error.value.problems] == ["evaluation.retention"]
    assert "reads text; this run reads image" in error.value.problems[0].message
