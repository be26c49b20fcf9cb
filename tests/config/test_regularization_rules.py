"""Methods that a recipe cannot have are told with their mend; what can be combined is left alone."""

import pytest

from tunebook.config import regularization_rules
from tunebook.config.check import check
from tunebook.config.compose import compose

ALL = ["regularization.l2_sp={}", "regularization.mixout={}", "regularization.r_drop={}", "regularization.ema={}"]
REPLAY = "regularization.replay.run=somewhere"


def told(*overrides: str) -> dict[str, str]:
    return dict(regularization_rules.problems(check(compose(list(overrides)))[0]))


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
        (["task=image_classification", "model=resnet_small", *ALL], {"l2_sp", "mixout"}, "drawn at random here"),
        (["adapter=prefix", REPLAY], {"replay"}, "use an adapter that stands in layers"),
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
    found = told("adapter=prompt", "evaluation.keep=[somewhere]")
    assert "adapter=prompt stands in front of it" in found["evaluation.keep"]


@pytest.mark.parametrize("field", ["fsdp", "deepspeed"])
def test_weights_in_pieces_are_refused(field):
    found = told("regularization.ema={}", f"runtime.{field}={'full_shard' if field == 'fsdp' else 'ds.json'}")
    assert "regularization.ema, which look at whole weights" in found[f"runtime.{field}"]


def problems(*overrides: str) -> dict[str, str]:
    return {problem.key: problem.message for problem in check(compose(list(overrides)))[1]}


def test_methods_that_a_file_lacks_can_be_set_and_typos_are_told():
    assert problems("regularization.ema.decay=0.99", "regularization.l2_sp.alpha=0.5") == {}
    assert "did you mean ema?" in problems("regularization.emma.decay=0.99")["regularization.emma"]
    assert "did you mean decay?" in problems("regularization.ema.dcay=0.99")["regularization.ema.dcay"]
    assert "less than 1" in problems("regularization.mixout.p=1.0")["regularization.mixout.p"]
    assert problems("regularization=replay")["regularization.replay.run"] == "must be given"
