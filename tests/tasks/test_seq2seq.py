from types import SimpleNamespace

import pytest
import sacrebleu
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    BartForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from tunebook.data.labels.base import Targets
from tunebook.errors import ConfigurationError
from tunebook.tasks import seq2seq
from tunebook.tasks._text_panels import TextPrediction, TextReference, overlap, repeats
from tunebook.tasks.seq2seq import Options, Task
from tunebook.training.losses import cross_entropy

SOURCES = ["a long and winding road", "rain", "two dogs run fast over the green grass"]
TARGETS = ["road", "it rains all day", "dogs run"]
NO_TARGETS = Targets()


@pytest.fixture(scope="module")
def tokenizer():
    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = ["<pad>", "</s>", "<unk>", "<s>"]
    words.train_from_iterator([*SOURCES, *TARGETS], trainers.WordLevelTrainer(special_tokens=special))
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>"
    )


def loss_of(task, model, batch, smoothing=0.0):
    with torch.no_grad():
        return task.loss(task.forward(model, batch), batch, loss(smoothing))


def bart(tokenizer):
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, max_position_embeddings=40, init_std=0.3,
        pad_token_id=0, eos_token_id=1, bos_token_id=3, decoder_start_token_id=1, forced_eos_token_id=None,
    )  # fmt: skip
    return BartForConditionalGeneration(config).eval()


def t5(tokenizer):
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0, initializer_factor=3.0,
    )  # fmt: skip
    return T5ForConditionalGeneration(config).eval()


def loss(smoothing=0.0):
    targets = SimpleNamespace(names=(), counts=None)
    return cross_entropy.Loss(cross_entropy.Options(), targets, smoothing)


def batch_of(task, tokenizer, sources=SOURCES, targets=TARGETS, weights=None):
    rows = {"text": sources, "target": targets, "row": list(range(len(sources))), "position": list(range(len(sources)))}
    columns = task.encode(rows, tokenizer, None, NO_TARGETS)
    examples = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for example, weight in zip(examples, weights or [1.0] * len(examples), strict=True):
        example["weight"] = weight
    return task.collate(examples, tokenizer)


def test_source_has_its_prefix_and_target_its_end(tokenizer):
    batch = batch_of(Task(Options(prefix="rain ")), tokenizer)
    assert tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True) == "rain a long and winding road"
    assert tokenizer.decode(batch["labels"][0][batch["labels"][0] != -100]) == "road </s>"
    assert batch["attention_mask"].sum(-1).tolist() == [7, 3, 10]
    assert batch["labels"].ne(-100).sum(-1).tolist() == [2, 5, 3]


def test_long_sources_and_targets_are_cut(tokenizer):
    batch = batch_of(Task(Options(max_length=4, max_target_length=2)), tokenizer)
    assert batch["input_ids"].shape[1] == 4
    assert batch["labels"].shape[1] == 2
    assert batch["labels"][1, -1] == tokenizer.eos_token_id


@pytest.mark.parametrize("build", [bart, t5])
def test_loss_is_that_of_transformers(tokenizer, build):
    task, model = Task(Options()), build(tokenizer)
    batch = batch_of(task, tokenizer, SOURCES[:1], TARGETS[:1])
    ours = loss_of(task, model, batch)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
    with torch.no_grad():
        theirs = model(**inputs).loss
    assert ours.count == 2
    assert float(ours.total / ours.count) == pytest.approx(float(theirs), rel=1e-5)


def test_loss_is_a_sum_over_tokens_by_weight_of_their_row(tokenizer):
    task, model = Task(Options()), bart(tokenizer)
    batch = batch_of(task, tokenizer, weights=[1.0, 0.5, 0.0])
    summed = loss_of(task, model, batch)
    alone = []
    for source, target in zip(SOURCES, TARGETS, strict=True):
        one = batch_of(task, tokenizer, [source], [target])
        each = loss_of(task, model, one)
        alone.append((float(each.total), int(each.count)))
    assert [count for _, count in alone] == [2, 5, 3]
    assert float(summed.total) == pytest.approx(alone[0][0] + 0.5 * alone[1][0], rel=1e-4)
    assert int(summed.count) == int(task.count(batch)) == 7
    assert summed.each.tolist() == pytest.approx([total / count for total, count in alone], rel=1e-4)


def test_label_smoothing_is_that_of_pytorch(tokenizer):
    task, model = Task(Options()), bart(tokenizer)
    batch = batch_of(task, tokenizer)
    with torch.no_grad():
        outputs = task.forward(model, batch)
    smooth = loss_of(task, model, batch, 0.1)
    flat = torch.nn.functional.cross_entropy(
        outputs.logits.flatten(0, 1), batch["labels"].flatten(), label_smoothing=0.1, reduction="sum"
    )
    assert float(smooth.total) == pytest.approx(float(flat), rel=1e-5)


@pytest.mark.parametrize("build", [bart, t5])
def test_a_few_steps_learn_by_heart_what_is_then_generated(tokenizer, build):
    task, model = Task(Options(max_target_length=8)), build(tokenizer).train()
    batch = batch_of(task, tokenizer)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        summed = task.loss(task.forward(model, batch), batch, loss())
        optimizer.zero_grad()
        (summed.total / summed.count).backward()
        optimizer.step()
    model.eval()
    task.prepare_model(model, tokenizer)
    with torch.no_grad():
        predictions = task.predict(model, task.forward(model, batch), batch, tokenizer)
    assert [one.text for one in predictions] == TARGETS
    assert [one.correct for one in predictions] == [one.tokens for one in predictions] == [2, 5, 3]
    evaluator = task.evaluator(["bleu", "perplexity", "token_accuracy"], NO_TARGETS)
    evaluator.update(predictions, task.references({"text": SOURCES, "target": TARGETS}))
    figures = evaluator.compute()
    assert figures["bleu"] == pytest.approx(100)
    assert figures["token_accuracy"] == 1
    assert 1 < figures["perplexity"] < 1.5


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("build", [bart, t5])
def test_generated_text_does_not_depend_on_the_batch(tokenizer, build, beams):
    task = Task(Options(generation={"num_beams": beams, "max_new_tokens": 6}))
    model = build(tokenizer)
    task.prepare_model(model, tokenizer)

    def texts(**batch):
        batch = batch_of(task, tokenizer, **batch)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=False):
            return [one.text for one in task.predict(model, task.forward(model, batch), batch, tokenizer)]

    together = texts()
    alone = [texts(sources=[s], targets=[t])[0] for s, t in zip(SOURCES, TARGETS, strict=True)]
    assert together == alone
    assert len(set(together)) > 1


def test_generation_runs_in_bfloat16(tokenizer):
    task, model = Task(Options(max_target_length=4)), bart(tokenizer)
    batch = batch_of(task, tokenizer)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        predictions = task.predict(model, task.forward(model, batch), batch, tokenizer)
    assert len(predictions) == 3
    assert all(isinstance(one.text, str) for one in predictions)


def test_settings_of_generation_are_saved_with_the_model(tokenizer, tmp_path):
    task = Task(Options(max_target_length=9, generation={"num_beams": 2, "length_penalty": 0.5}))
    model = bart(tokenizer)
    task.prepare_model(model, tokenizer)
    model.save_pretrained(tmp_path)
    saved = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).generation_config
    assert (saved.num_beams, saved.length_penalty, saved.max_new_tokens) == (2, 0.5, 9)


def test_settings_that_contradict_one_another_are_refused(tokenizer):
    task = Task(Options(generation={"num_beams": 1, "length_penalty": 0.5}))
    with pytest.raises(ConfigurationError) as caught:
        task.prepare_model(bart(tokenizer), tokenizer)
    assert caught.value.problems[0].key == "task.generation"


def test_metrics_are_those_of_sacrebleu():
    texts, references = ["the dogs run fast over it", "rain"], ["dogs run fast over the grass", "rain falls"]
    predictions = [TextPrediction(2.0, 4, 2, 5, text) for text in texts]
    evaluator = Task(Options()).evaluator(["bleu", "chrf", "perplexity", "token_accuracy", "rouge1"], NO_TARGETS)
    for at in range(2):
        evaluator.update(predictions[at : at + 1], [TextReference("", references[at])])
    figures = evaluator.compute()
    assert figures["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, [references]).score)
    assert figures["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, [references]).score)
    assert figures["perplexity"] == pytest.approx(2.718281828**0.5)
    assert figures["token_accuracy"] == 0.5
    assert evaluator.row_scores()["rouge1"].mean() == pytest.approx(figures["rouge1"])


def test_metrics_of_texts_need_generated_texts():
    settings = SimpleNamespace(metrics=["bleu", "perplexity"], options=Options(predict_with_generate=False))
    found = seq2seq.problems(SimpleNamespace(task=settings))
    assert [problem.key for problem in found] == ["task.metrics='bleu'"]


def test_without_generation_only_the_loss_is_kept(tokenizer):
    task, model = Task(Options(predict_with_generate=False)), bart(tokenizer)
    batch = batch_of(task, tokenizer)
    predictions = task.predict(model, task.forward(model, batch), batch, tokenizer)
    assert [one.text for one in predictions] == [None] * 3
    record = task.record(predictions[0], TextReference("a", "b"), NO_TARGETS)
    assert set(record) == {"source", "reference", "perplexity", "token_accuracy"}


def test_panels_count_faults_and_order_examples():
    import datasets
    import numpy as np

    from tunebook.tasks.base import Evaluated

    rows = datasets.Dataset.from_dict({"text": SOURCES, "target": TARGETS, "row": [4, 5, 6]})
    texts = ["road", "", "two dogs run fast over the green grass"]
    evaluated = Evaluated(
        "test", rows, [TextPrediction(1.0, 2, 1, 512, text) for text in texts],
        [TextReference(*pair) for pair in zip(SOURCES, TARGETS, strict=True)],
        np.float32([0.1, 0.9, 0.5]), np.arange(3), NO_TARGETS,
    )  # fmt: skip
    generated, losses = Task(Options()).panels(evaluated)
    assert [row[1] for row in generated.tables[0].rows] == [1, 1, 0]
    assert [row[1] for row in losses.tables[0].rows] == [3, 0]
    assert generated.examples[0].rows[0].row == 5
    assert losses.examples[0].rows[0].row == 5
    assert sum(generated.plots[0].series["reference"]) == pytest.approx(1)


def test_overlap_and_repeated_runs():
    assert overlap("the dog", "The cat") == 0.5
    assert overlap("", "") == 0
    assert repeats("a b c d a b c d")
    assert not repeats("a b c d a b c")


def test_languages_become_tokens(tokenizer):
    assert seq2seq.language_id(tokenizer, "rain") == tokenizer.convert_tokens_to_ids("rain")
    assert seq2seq.language_id(tokenizer, "xx") is None
    with pytest.raises(ValueError, match="go together"):
        Options(source_lang="en")
