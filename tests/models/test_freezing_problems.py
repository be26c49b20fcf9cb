"""What the check of a configuration says of freezing in phases, before torch is imported."""

from __future__ import annotations

import re

import pytest

from tunebook.check import check
from tunebook.config.compose import compose
from tunebook.errors import ConfigurationError


def problems(*arguments: str) -> dict[str, str]:
    """Key -> message."""
    try:
        check(compose(list(arguments)))
    except ConfigurationError as error:
        return {problem.key: problem.message for problem in error.problems}
    return {}


@pytest.mark.parametrize(
    ("arguments", "key", "words"),
    [
        (["freezing=head_then_all", "freezing.head_epochs=3"], "head_epochs", "take 3 epochs.*num_train_epochs=3"),
        (["freezing=fine_tune", "hyperparameters.num_train_epochs=0.5"], "head_epochs", "take 1 epochs"),
        (
            ["freezing=head_then_all", "freezing.head_steps=100", "hyperparameters.max_steps=100"],
            "head_steps",
            "take 100 steps.*max_steps=100",
        ),
        (["freezing=chain_thaw", "freezing.every_epochs=1.5"], "every_epochs", "take 3 epochs"),
        (["freezing=chain_thaw", "freezing.every_share=50%"], "every_share", "take 100%"),
    ],
)
def test_phases_that_leave_nothing_for_the_last(arguments, key, words):
    found = problems(*arguments)
    assert list(found) == [f"freezing.{key}"]
    (message,) = found.values()
    assert re.search(words, message)


@pytest.mark.parametrize(
    "arguments",
    [
        ["freezing=head_then_all"],
        ["freezing=head_then_all", "freezing.head_epochs=2.9"],
        # How long an epoch is, only the data tells.
        ["freezing=head_then_all", "freezing.head_epochs=5", "hyperparameters.max_steps=100"],
        ["freezing=head_then_all", "freezing.head_steps=1000"],
        ["freezing=head_then_all", "freezing.head_share=20%"],
        ["freezing=chain_thaw"],
        ["freezing=chain_thaw", "freezing.every_epochs=1"],
        ["freezing=gradual", "hyperparameters.num_train_epochs=1"],
        ["freezing=gradual", "freezing.groups=[layer.5, [layer.4, layer.3]]"],
        ["freezing=gradual", "freezing.groups=3", "freezing.n=50%"],
        ["freezing=last_n", "freezing.n=25%"],
        ["freezing=first_n", "freezing.n=all"],
        ["freezing=none", "runtime.ddp_find_unused_parameters=false"],
    ],
)
def test_what_can_be_run(arguments):
    assert problems(*arguments) == {}


@pytest.mark.parametrize(
    "runtime", ["ddp_find_unused_parameters=false", "ddp_static_graph=true", "fsdp=full_shard", "deepspeed=ds.json"]
)
@pytest.mark.parametrize("policy", ["gradual", "chain_thaw", "head_then_all"])
def test_what_cannot_follow_phases(policy, runtime):
    found = problems(f"freezing={policy}", f"runtime.{runtime}")
    assert f"runtime.{runtime.split('=')[0]}" in found
    assert f"freezing.policy={policy}" in found[f"runtime.{runtime.split('=')[0]}"]


def test_reentrant_checkpoints_behind_frozen_layers():
    kwargs = ["runtime.activation_checkpointing=true", "runtime.activation_checkpointing_kwargs.use_reentrant=true"]
    assert list(problems("freezing=embeddings", *kwargs)) == ["runtime.activation_checkpointing_kwargs.use_reentrant"]
    assert problems("freezing=none", *kwargs) == {}


@pytest.mark.parametrize(
    ("arguments", "key", "words"),
    [
        (["freezing=last_n", "freezing.n=125%"], "freezing.n", "a share of them such as 25%"),
        (["freezing=last_n", "freezing.n=0%"], "freezing.n", "a share of them such as 25%"),
        (["freezing=first_n", "freezing.n=0.25"], "freezing.n", "a share of them such as 25%"),
        (["freezing=gradual", "freezing.n=most"], "freezing.n", "or all; not 'most'"),
        (["freezing=gradual", "freezing.every_share=1.5"], "freezing.every_share", "such as 0.1 or 10%"),
        (["freezing=gradual", "freezing.groups=0"], "freezing.groups", "a number of groups"),
        (["freezing=gradual", "freezing.groups=[]"], "freezing.groups", "a number of groups"),
        (["freezing=gradual", "freezing.groups=['(']"], "freezing.groups", "not a regular expression"),
        (["freezing=gradual", "freezing.groups=2", "freezing.layers_at_a_time=2"], "freezing", "set one of them"),
        (["freezing=gradual", "freezing.groups=[a]", "freezing.n=2"], "freezing", "take n out"),
        (["freezing=gradual", "freezing.every_steps=1", "freezing.every_epochs=1"], "freezing", "set one of them"),
        (["freezing=chain_thaw", "freezing.every_steps=1", "freezing.every_share=1%"], "freezing", "set one of them"),
        (["freezing=head_then_all", "freezing.head_steps=1", "freezing.head_epochs=1"], "freezing", "set one of them"),
        (["freezing=head_then_all", "freezing.learning_rate=0"], "freezing.learning_rate", "such as 50%; not 0"),
        (["freezing=head_only", "freezing.biases=tran"], "freezing.biases", "did you mean train"),
        (["freezing=gradual", "freezing.evry_steps=2"], "freezing.evry_steps", "did you mean every_steps"),
        (["freezing=head_only", "freezing.every_steps=2"], "freezing.every_steps", "gradual"),
    ],
)
def test_mistakes_in_the_options(arguments, key, words):
    found = problems(*arguments)
    assert list(found) == [key]
    assert words in found[key]
