"""The fields of TrainingArguments that are read from its source are those that the installed class has."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal

import pytest
from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from tunebook.config.schema import Hyperparameters, Runtime
from tunebook.config.training_fields import RENAMED, RESERVED, RUNTIME, group_of, training_fields

INSTALLED = {field.name for field in dataclasses.fields(TrainingArguments)}


def test_the_fields_are_the_installed_ones():
    assert set(training_fields()) == INSTALLED
    assert len(INSTALLED) > 100


def test_every_named_field_is_installed():
    assert set(RUNTIME) <= INSTALLED
    assert set(RESERVED) <= INSTALLED
    assert not set(RUNTIME) & set(RESERVED)


@pytest.mark.parametrize("name", sorted(RENAMED))
def test_renamed_fields_are_gone(name):
    with pytest.raises(TypeError, match=name):
        TrainingArguments(**{name: "x"})


def test_every_field_has_one_home():
    homes = {name: group_of(name) for name in INSTALLED}
    assert {name for name, home in homes.items() if home is None} == set(RESERVED)
    assert {name for name, home in homes.items() if home == "runtime"} <= set(Runtime.model_fields)
    assert {name for name, home in homes.items() if home == "hyperparameters"} <= set(Hyperparameters.model_fields)
    assert not set(Runtime.model_fields) & set(Hyperparameters.model_fields)


def test_what_a_message_points_to_exists():
    for message in [*RENAMED.values(), *RESERVED.values()]:
        for group, model in {"hyperparameters": Hyperparameters, "runtime": Runtime}.items():
            for part in message.split(f"{group}.")[1:]:
                name = part.split()[0].split("=")[0].strip(",;)")
                assert name in model.model_fields, message


def test_enums_are_read_with_their_values():
    assert training_fields()["eval_strategy"].type == Literal[tuple(option.value for option in IntervalStrategy)]
    assert typing.get_args(training_fields()["per_device_train_batch_size"].type) in {(), (int,)}
    assert training_fields()["per_device_train_batch_size"].type is int


def test_types_of_transformers_alone_are_left_to_it():
    assert training_fields()["parallelism_config"].type in {Any, Any | None}
