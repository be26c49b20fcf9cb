"""A model that begins at its boundary gives what the whole model gives: logits, loss and gradients."""

import copy

import pytest
import torch

from tests.models.cache.conftest import texts
from tests.models.cache.test_boundary import HALF, HEAD
from tunebook.models.cache.boundary import batch_size_of
from tunebook.models.cache.not_cacheable import NotCacheable
from tunebook.models.cache.replay import compute_states, replayed_states
from tunebook.models.cache.validation import states_by_row
from tunebook.models.freezing import frozen_modules, hold_frozen_in_eval

CASES = [*((family, "head") for family in HEAD), *((family, "half") for family in HALF)]
NORMED_BY_BATCH = [("resnet", "half"), ("mobilenet_v2", "half")]
"""Statistics of so few rows blow up a last digit of the states; in float64 there are more digits."""
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def step(model, batch, frozen=(), seed=3, labels=LABELS):
    """Logits, loss and gradients of one step in training mode, its dropout drawn from a seed."""
    torch.manual_seed(seed)
    model.train()
    hold_frozen_in_eval(frozen)
    model.zero_grad(set_to_none=True)
    output = model(**batch, labels=labels[: batch_size_of(batch).rows])
    output["loss"].backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return {"logits": output["logits"].detach(), "loss": output["loss"].detach(), **gradients}


def apart(one, other):
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize(("family", "trains"), CASES)
def test_a_training_step_is_equal_to_the_bit_for_the_same_batch(case, family, trains):
    made = case(family, trains)
    boundary, _ = made.proved()
    frozen = frozen_modules(made.model)
    whole = step(made.model, made.batch, frozen)
    assert set(whole) - {"logits", "loss"} <= made.ever
    assert len(whole) > 2
    with torch.no_grad():
        made.model.eval()
        states = compute_states(made.model, boundary, made.batch)
    with replayed_states(made.model, boundary, states, batch_size_of(made.batch).tokens):
        served = step(made.model, made.batch, frozen)
    assert apart(whole, served) == 0.0


@pytest.mark.parametrize(("family", "trains"), CASES)
def test_states_of_rows_by_themselves_serve_any_batch(case, family, trains):
    made = case(family, trains)
    if (family, trains) in NORMED_BY_BATCH:
        made.model.double(), made.batch.update(pixel_values=made.batch["pixel_values"].double())
    boundary, placeholders = made.proved()
    frozen = frozen_modules(made.model)
    made.model.eval()
    states = states_by_row(made.model, boundary, made.batch)
    rows = [4, 1, 3]  # other rows together than those they were computed with, padded otherwise
    batch = {name: values[rows] for name, values in made.batch.items()}
    whole = step(made.model, batch, frozen)
    tokens = batch_size_of(batch).tokens
    with replayed_states(made.model, boundary, states[rows], tokens):
        served = step(made.model, batch, frozen)
        assert apart(whole, served) < 1e-5
        if placeholders is not None:
            lengths = batch["attention_mask"].sum(1) if "attention_mask" in batch else torch.ones(3, dtype=torch.long)
            assert apart(served, step(made.model, placeholders(lengths, tokens), frozen)) == 0.0


@pytest.mark.parametrize(("family", "trains"), CASES)
def test_nothing_that_is_frozen_in_front_runs(case, family, trains):
    made = case(family, trains)
    boundary, _ = made.proved()
    states = compute_states(made.model.eval(), boundary, made.batch).detach()
    ran = []
    inside = [made.model.get_submodule(name) for name, _ in boundary.skipped]
    for module in {part for outer in inside for part in outer.modules() if part is not outer}:
        module.register_forward_hook(lambda module, args, output: ran.append(module))
    with replayed_states(made.model, boundary, states, batch_size_of(made.batch).tokens):
        made.model(**made.batch)
    assert ran == []
    made.model(**made.batch)
    layers = {made.model.get_submodule(name) for name in boundary.layers} - set(inside)
    assert layers <= set(ran) if layers else ran


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "vit"])
def test_a_model_is_left_as_it_was(case, family):
    made = case(family, "half")
    boundary, _ = made.proved()
    before = made.model.eval()(**made.batch)["logits"]
    states = compute_states(made.model, boundary, made.batch).detach()
    hooks = sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in made.model.modules())
    with pytest.raises(ZeroDivisionError), replayed_states(made.model, boundary, states, 9):
        1 / 0  # noqa: B018
    assert torch.equal(before, made.model(**made.batch)["logits"])
    assert not any("forward" in vars(module) for module in made.model.modules())
    assert hooks == sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in made.model.modules())
    again = copy.deepcopy(made.model)
    assert torch.equal(before, again(**made.batch)["logits"])


def test_a_forward_twice_the_size_takes_its_states_twice(case):
    made = case("roberta", "head")
    boundary, _ = made.proved()
    states = compute_states(made.model.eval(), boundary, made.batch).detach()
    twice = {name: torch.cat([values, values]) for name, values in made.batch.items()}
    with replayed_states(made.model, boundary, torch.cat([states, states]), 9):
        served = made.model(**twice)["logits"]
        # The head's dropout module runs twice in each forward; in the second one it is the first again.
        again = made.model(**twice)["logits"]
    assert torch.equal(served, again)
    assert torch.allclose(served, made.model(**twice)["logits"], atol=1e-6)


@pytest.mark.parametrize(("family", "rows"), [("bert", [3]), ("vit", [2])])
def test_a_single_row_is_served(case, family, rows):
    made = case(family, "half")
    boundary, _ = made.proved()
    batch = {name: values[rows] for name, values in made.batch.items()}
    states = states_by_row(made.model.eval(), boundary, made.batch)[rows]
    with replayed_states(made.model, boundary, states, batch_size_of(batch).tokens):
        served = made.model(**batch)["logits"]
    assert torch.allclose(served, made.model(**batch)["logits"], atol=1e-5)


def test_masks_reach_the_trained_layers(case):
    made = case("bert", "half")
    boundary, _ = made.proved()
    longer = texts([9, 4, 7, 2, 9, 5])
    states = states_by_row(made.model.eval(), boundary, longer)
    ones = {**longer, "attention_mask": torch.ones_like(longer["attention_mask"])}
    with replayed_states(made.model, boundary, states, 9):
        right, wrong = made.model(**longer)["logits"], made.model(**ones)["logits"]
    assert not torch.allclose(right[3], wrong[3], atol=1e-4)
    assert torch.allclose(right[0], wrong[0], atol=1e-6)  # the longest row has no padding


TOKEN_MODELS = [
    ("bert", "AutoModelForTokenClassification", "head"),
    ("bert", "AutoModelForTokenClassification", "half"),
    ("roberta", "AutoModelForTokenClassification", "half"),
    ("llama", "AutoModelForCausalLM", "head"),
    ("llama", "AutoModelForCausalLM", "half"),
    ("qwen3", "AutoModelForCausalLM", "half"),
    ("gpt2", "AutoModelForCausalLM", "half"),
]


@pytest.mark.parametrize(("family", "auto_class", "trains"), TOKEN_MODELS)
def test_models_with_logits_of_each_token_run_on_states_of_single_rows(case, family, auto_class, trains):
    made = case(family, trains, auto_class)
    boundary, _ = made.proved()
    assert boundary.by_token
    rows = [4, 1, 3]
    states = states_by_row(made.model.eval(), boundary, made.batch)
    batch = {name: values[rows] for name, values in made.batch.items()}
    labels = torch.where(batch["attention_mask"] == 1, batch["input_ids"] % 3, -100)
    frozen = frozen_modules(made.model)
    whole = step(made.model, batch, frozen, labels=labels)
    with replayed_states(made.model, boundary, states[rows], batch_size_of(batch).tokens):
        replayed = step(made.model, batch, frozen, labels=labels)
    mask = batch["attention_mask"].bool()
    for results in (whole, replayed):
        results["logits"] = results["logits"][mask]  # the cache has no states at the padding
    assert apart(whole, replayed) < 1e-5


def test_answer_spans_whose_softmax_runs_over_the_padding_are_refused(case):
    with pytest.raises(NotCacheable, match="its start_logits"):
        case("bert", "half", "AutoModelForQuestionAnswering", num_labels=2).proved()
