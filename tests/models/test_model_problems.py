"""What the group `model` cannot ask for together is told before anything is loaded."""

import pytest

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError

SCRATCH = ["task=image_classification", "dataset=digits", "model=vit_small"]


def told(*overrides: str) -> dict[str, str]:
    try:
        check(compose(list(overrides)))
    except ConfigurationError as error:
        return {problem.key: problem.message for problem in error.problems}
    return {}


def test_defaults_and_what_goes_together_are_fine():
    assert told() == told(*SCRATCH, "model.init=kaiming", "model.head_widths=[8]") == {}
    assert told("model.reinit_layers=2", "model.drop_layers=1", "freezing=last_n", "freezing.n=2") == {}
    assert told("adapter=lora", "adapter.save=merged", "model.drop_layers=1") == {}


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        ([*SCRATCH, "model.drop_layers=1"], "model.drop_layers", "gets its number of layers in model.config"),
        ([*SCRATCH, "model.reinit_layers=1"], "model.reinit_layers", "every layer is initialized anyway; set it to 0"),
        (
            [*SCRATCH, "model.config.hidden_dropout_prob=0.1", "model.dropout.hidden_dropout_prob=0.2"],
            "model.dropout.hidden_dropout_prob",
            "set twice: model.config.hidden_dropout_prob",
        ),
        (["model.reinit_layers=1", "freezing=head_only"], "model.reinit_layers", "never trains; set it to 0"),
        (["model.reinit_layers=1", "adapter=lora"], "model.reinit_layers", "that an adapter leaves as they are"),
        (["model.drop_layers=1", "adapter=lora", "adapter.save=adapter"], "adapter.save", "to merged, or use adapter"),
    ],
)
def test_what_contradicts_is_told_with_its_mend(overrides, key, said):
    found = told(*overrides)
    assert found.keys() == {key}
    assert said in found[key]
