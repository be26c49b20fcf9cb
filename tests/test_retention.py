"""Forgetting measured: what a run reports of previous tasks, by their own metrics on its backbone, before and after."""

import json
import os
import signal

import pytest

from tests import tiny, two_tasks
from tunebook import retention
from tunebook.errors import ConfigurationError, DataError, ModelError
from tunebook.training import callbacks

SPLITS = {"validation", "test"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return two_tasks.first(tmp_path_factory.mktemp("first"))


def metrics(result):
    return json.loads((result.path / "metrics.json").read_text())


@pytest.fixture(scope="module")
def measured(first, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    arguments = two_tasks.second(
        folder, first.model, f"evaluation.retention=[{first.path}]", f"run.output_dir={folder}"
    )
    return two_tasks.go(*arguments)


def test_on_its_own_backbone_a_previous_task_has_its_own_figures(first, measured):
    own = metrics(first)
    retained = metrics(measured)["retention"][str(first.path)]
    assert set(retained) == SPLITS
    for split in SPLITS:
        assert set(retained[split]) == {"accuracy", "f1_macro", "loss"}
        for metric, numbers in retained[split].items():
            assert numbers["before"] == pytest.approx(own[split][metric], abs=1e-6)
            assert numbers["change"] == numbers["after"] - numbers["before"]
        assert numbers["after"] != numbers["before"]


def test_it_changes_nothing_of_the_run(first, measured, tmp_path):
    plain = two_tasks.go(*two_tasks.second(tmp_path, first.model, f"run.output_dir={tmp_path}"))
    weights = [(result.model / "model.safetensors").read_bytes() for result in (plain, measured)]
    assert weights[0] == weights[1]
    ours, theirs = metrics(plain), metrics(measured)
    assert "retention" not in ours
    assert theirs.pop("retention")
    assert ours == theirs


def test_the_figures_after_are_those_of_the_finished_backbone(first, measured, tmp_path):
    """Measured once more before another training, which starts from that model."""
    arguments = two_tasks.second(
        tmp_path, measured.model, f"evaluation.retention=[{first.path}]", f"run.output_dir={tmp_path}",
        "hyperparameters.max_steps=1",
    )  # fmt: skip
    again = two_tasks.go(*arguments)
    after = metrics(measured)["retention"][str(first.path)]
    before = metrics(again)["retention"][str(first.path)]
    for split in SPLITS:
        assert before[split]["loss"]["before"] == pytest.approx(after[split]["loss"]["after"], abs=1e-6)
    log = (again.path / "log.txt").read_text()
    assert "as this run does not start from its backbone" in log


def test_it_is_shown_in_the_log_the_report_and_the_model_card(first, measured):
    log = (measured.path / "log.txt").read_text()
    assert "Previous tasks, under their own heads on this run's backbone" in log
    assert "does not start from its backbone" not in log
    number = f"{metrics(measured)['retention'][str(first.path)]['test']['loss']['after']:.4f}"
    for page in ("log.txt", "report.html", "README.md"):
        text = (measured.path / page).read_text()
        assert number in text, page
        assert "Previous tasks" in text, page


def test_a_finished_run_shows_it_again(first, measured, capsys):
    out = measured.path.parents[1]
    arguments = two_tasks.second(out, first.model, f"evaluation.retention=[{first.path}]", f"run.output_dir={out}")
    assert not two_tasks.go(*arguments).trained
    assert "Previous tasks, under their own heads" in capsys.readouterr().out


def test_a_resumed_run_keeps_the_figures_of_before(first, measured, tmp_path, monkeypatch):
    arguments = two_tasks.second(
        tmp_path, first.model, f"evaluation.retention=[{first.path}]", f"run.output_dir={tmp_path}"
    )
    vote = callbacks.StopSync.on_pre_optimizer_step
    scored = []

    def with_signal(self, args, state, control, **kwargs):
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return vote(self, args, state, control, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.StopSync, "on_pre_optimizer_step", with_signal)
        with pytest.raises(SystemExit):
            two_tasks.go(*arguments)
    figures = retention._figures
    monkeypatch.setattr(retention, "_figures", lambda *given: scored.append(1) or figures(*given))
    assert metrics(two_tasks.go(*arguments))["retention"] == metrics(measured)["retention"]
    assert len(scored) == 1, "only after training"


def test_thresholds_of_the_previous_run_are_its_own(tmp_path):
    previous = two_tasks.first(tmp_path, "task.threshold=tuned", "hyperparameters.max_steps=12")
    arguments = two_tasks.second(
        tmp_path, previous.model, f"evaluation.retention=[{previous.path}]", f"run.output_dir={tmp_path}/b",
        "hyperparameters.max_steps=1",
    )  # fmt: skip
    retained, own = metrics(two_tasks.go(*arguments))["retention"][str(previous.path)], metrics(previous)
    assert own["without_thresholds"]["validation"]["accuracy"] != own["validation"]["accuracy"]
    for split in SPLITS:
        assert retained[split]["accuracy"]["before"] == pytest.approx(own[split]["accuracy"])


def test_rows_that_have_changed_are_refused_before_training(tmp_path):
    previous = two_tasks.first(tmp_path, "hyperparameters.max_steps=1")
    file = tmp_path / "mood-validation.jsonl"
    file.write_text(file.read_text().replace("good", "great", 1))
    arguments = two_tasks.second(
        tmp_path, previous.model, f"evaluation.retention=[{previous.path}]", f"run.output_dir={tmp_path}/b"
    )
    with pytest.raises(
        DataError, match=r"evaluation.retention +the rows of default/first have changed .*\(validation\)"
    ):
        two_tasks.go(*arguments)
    assert not list((tmp_path / "b").rglob("history.jsonl"))
    file.unlink()
    with pytest.raises(
        ConfigurationError, match="evaluation.retention.*default/first: dataset.validation.*mood-validation"
    ):
        two_tasks.go(*arguments)


def test_another_tokenizer_is_refused(first, tmp_path):
    model = tiny.tiny_text_model("bert", tmp_path / "bert")
    tiny.tiny_tokenizer(["other words than those , in other numbers"] * 3).save_pretrained(model)
    arguments = two_tasks.second(tmp_path, model, f"evaluation.retention=[{first.path}]", f"run.output_dir={tmp_path}")
    with pytest.raises(ModelError, match="evaluation.retention +default/first has another tokenizer"):
        two_tasks.go(*arguments)


def test_image_tasks_are_measured_too(tmp_path):
    tiny.tiny_model("vit", tmp_path / "vit")
    common = [
        "task=image_classification", "dataset=digits", "model=auto", "runtime=cpu", "runtime.precision=float32",
        "run.audit=false", "hyperparameters.max_steps=2", "hyperparameters.eval_strategy=steps",
        "hyperparameters.eval_steps=2", "dataset.max_rows={train: 32, validation: 20, test: 20}",
        "cleaning.leaks=report",
    ]  # fmt: skip
    previous = two_tasks.go(*common, f"model.name_or_path={tmp_path / 'vit'}", f"run.output_dir={tmp_path / 'a'}")
    arguments = [*common, f"model.name_or_path={previous.model}", f"run.output_dir={tmp_path / 'b'}",
                 f"evaluation.retention=[{previous.path}]", "regularization=replay", "regularization.r_drop={}",
                 f"regularization.replay.run={previous.path}", "regularization.replay.share=0.4"]  # fmt: skip
    retained, own = metrics(two_tasks.go(*arguments))["retention"][str(previous.path)], metrics(previous)
    assert retained["test"]["loss"]["before"] == pytest.approx(own["test"]["loss"], abs=1e-5)
    assert retained["test"]["loss"]["after"] != retained["test"]["loss"]["before"]
