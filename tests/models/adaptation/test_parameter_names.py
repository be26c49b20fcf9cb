"""The names that parameters had before an adapter came, and which of its parameters multiply."""

import pytest

from tunebook.models.adaptation.parameter_names import is_factor, plain_name

QUERY = "bert.encoder.layer.0.attention.self.query"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (f"{QUERY}.lora_A.default.weight", f"{QUERY}.weight"),
        (f"{QUERY}.lora_magnitude_vector.default.weight", f"{QUERY}.weight"),
        (f"{QUERY}.ia3_l.default", f"{QUERY}.weight"),
        (f"{QUERY}.base_layer.bias", f"{QUERY}.bias"),
        ("classifier.modules_to_save.default.out_proj.weight", "classifier.out_proj.weight"),
        ("classifier.original_module.bias", "classifier.bias"),
        ("base_model.bert.embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight"),
        ("prompt_encoder.default.embedding.weight", "prompt_encoder.default.embedding.weight"),
        (f"{QUERY}.weight", f"{QUERY}.weight"),
    ],
)
def test_a_parameter_is_found_by_the_name_of_its_weight(name, plain):
    assert plain_name(name) == plain


def test_factors_are_told_from_matrices():
    assert is_factor(f"{QUERY}.ia3_l.default")
    assert is_factor(f"{QUERY}.lora_magnitude_vector.default.weight")
    assert not is_factor(f"{QUERY}.lora_A.default.weight")
    assert not is_factor("classifier.modules_to_save.default.weight")
