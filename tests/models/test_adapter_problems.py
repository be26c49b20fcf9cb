"""Settings that an adapter cannot be used with are told before torch is imported, each with its mend."""

import importlib.util

import pytest

from tests.commands import typed
from tunebook.check import check, hints
from tunebook.config.compose import compose
from tunebook.models.adapters import lora

TOLD = {
    "adapter=lora freezing=head_only": ["freezing.policy", "trains the head alone, so lora has no weights to adapt"],
    "adapter=lora freezing.norms=train freezing.biases=train freezing.embeddings=train": [
        "freezing.norms", "freezing.biases", "freezing.embeddings", "3 problems",
    ],
    "adapter=prefix adapter.save=merged": ["prefix is no part of any weight", "set adapter.save=adapter"],
    "adapter=prompt freezing=last_n": ["last_n never trains the embeddings", "use freezing=none"],
    "adapter=prefix runtime.activation_checkpointing=true": ["runtime.activation_checkpointing", "set it to false"],
    "adapter=prompt task=image_classification dataset=digits model=vit_base": ["reads texts", "use adapter=lora"],
    "adapter=prompt model.head_widths=[16]": ["prompt is saved alone", "set model.head_widths=null"],
    "adapter=lora adapter.save=adapter model.head_widths=[16]": ["set adapter.save=merged"],
    "adapter=lora task=image_classification dataset=digits model=resnet_small": ["model.config", "starts from scratch"],
    "adapter=lora adapter.r=0 adapter.lora_dropout=1 adapter.lora_alhpa=3": [
        "adapter.r ", "adapter.lora_dropout", "did you mean lora_alpha?", "3 problems",
    ],
    "adapter=lora adapter.target_modules=[]": ["adapter.target_modules"],
    "adapter=prompt adapter.num_virtual_tokens=0": ["adapter.num_virtual_tokens"],
    "adapter=qlora runtime.use_cpu=true adapter.save=both": ["needs a GPU", "set adapter.save=adapter"],
    "adapter=loar": ["did you mean lora?"],
}  # fmt: skip
FINE = [
    "adapter=lora freezing=last_n", "adapter=lora freezing=embeddings", "adapter=lora freezing.norms=freeze",
    "adapter=prompt", "adapter=prefix adapter.save=both", "adapter=dora adapter.save=merged", "adapter=rslora",
    "adapter=ia3 freezing=gradual", "adapter=prompt freezing=head_then_all", "adapter=none freezing.norms=train",
]  # fmt: skip


@pytest.fixture(scope="module")
def said():
    cases = [{"arguments": line.split()} for line in TOLD]
    return dict(zip(TOLD, typed(cases), strict=True))


@pytest.mark.parametrize("line", TOLD)
def test_it_is_told_in_plain_words(said, line):
    answer = said[line]
    assert answer["code"] == 2, answer["output"]
    assert not answer["imported"]
    assert "Traceback" not in answer["output"]
    for words in TOLD[line]:
        assert words in answer["output"]


@pytest.mark.parametrize("line", FINE)
def test_it_can_be_run(line):
    check(compose(line.split()))


def test_four_bits_ask_for_their_package(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else find(name, *a)
    )
    config = check(compose(["adapter=lora"]))
    bits = config.adapter.model_copy(
        update={"options": config.adapter.options.model_copy(update={"bits": 4}), "save": "adapter"}
    )
    found = lora.problems(config.model_copy(update={"adapter": bits}))
    assert [problem.key for problem in found] == ["adapter.bits"]
    assert "pip install 'tunebook[qlora]'" in found[0].message


def test_notices_say_what_is_saved_and_that_the_rate_is_low():
    told = hints(check(compose(["adapter=prompt", "adapter.save=both"])))
    assert "prompt cannot be merged into the weights: the adapter alone is saved" in told[0]
    assert "learning_rate=5e-05 is a rate for whole models" in told[1]
    assert hints(check(compose(["adapter=lora", "hyperparameters.learning_rate=1e-3"]))) == []
    assert hints(check(compose([]))) == []
