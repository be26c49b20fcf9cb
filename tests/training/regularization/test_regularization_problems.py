"""Methods that a recipe cannot have are told with their mend; what can be combined is left alone."""

import pytest

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError

ALL = ["regularization.l2_sp={}", "regularization.mixout={}", "regularization.r_drop={}", "regularization.ema={}"]
REPLAY = "regularization.replay.run=somewhere"


def told(*overrides: str) -> dict[str, str]:
    try:
        check(compose(list(overrides)))
    except ConfigurationError as error:
        return {problem.key: problem.message for problem in error.problems if "somewhere" not in problem.message}
    return {}


def test_defaults_and_all_methods_together_are_fine():
    assert told() == {}
    assert told(*ALL, REPLAY) == {}
    assert told("adapter=lora", "regularization.r_drop={}", "regularization.ema={}", REPLAY) == {}


@pytest.mark.parametrize(
    ("overrides", "keys", "said"),
    [
        (["adapter=lora", *ALL], {"l2_sp", "mixout"}, "with adapter=lora they never leave it"),
        (["freezing=head_only", "regularization.mixout={}"], {"mixout"}, "freezing=head_only keeps it there"),
        (["freezing=head_only", "regularization.l2_sp={}"], {"l2_sp"}, "freezing=head_only keeps it there"),
        (["freezing=head_only", REPLAY], {"replay"}, "lets no part of it learn"),
        (
            ["task=image_classification", "dataset=digits", "model=resnet_small", *ALL],
            {"l2_sp", "mixout"},
            "initialized at random here",
        ),
        (["adapter=prefix", REPLAY], {"replay"}, "use an adapter inside layers"),
    ],
)
def test_what_cannot_be_is_told(overrides, keys, said):
    found = told(*overrides)
    assert set(found) == {f"regularization.{key}" for key in keys}
    assert all(said in message for message in found.values())


def test_what_still_has_something_to_do_is_not_refused():
    assert told("freezing=head_only", "regularization.l2_sp.beta=0.1") == {}
    assert told("freezing=head_only", "freezing.biases=train", "regularization.l2_sp={}") == {}


def test_previous_tasks_need_an_adapter_in_layers_too():
    found = told("adapter=prompt", "evaluation.retention=[somewhere]")
    assert "adapter=prompt is in front of it" in found["evaluation.retention"]


@pytest.mark.parametrize("field", ["fsdp", "deepspeed"])
def test_weights_in_pieces_are_refused(field):
    found = told("regularization.ema={}", f"runtime.{field}={'full_shard' if field == 'fsdp' else 'ds.json'}")
    assert "regularization.ema, which look at whole weights" in found[f"runtime.{field}"]


def test_methods_that_a_file_lacks_can_be_set_and_typos_are_told():
    assert told("regularization.ema.decay=0.99", "regularization.l2_sp.alpha=0.5") == {}
    assert "did you mean ema?" in told("regularization.emma.decay=0.99")["regularization.emma"]
    assert "did you mean decay?" in told("regularization.ema.dcay=0.99")["regularization.ema.dcay"]
    assert "less than 1" in told("regularization.mixout.p=1.0")["regularization.mixout.p"]
    assert told("regularization=replay")["regularization.replay.run"] == "must be given"
