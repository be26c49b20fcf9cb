import logging
from types import SimpleNamespace

import datasets
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tunebook.data.labels.base import Targets
from tunebook.errors import ConfigurationError, DataError
from tunebook.tasks import chat
from tunebook.tasks._chat_template import set_template
from tunebook.tasks.chat import Options, Task
from tunebook.training.losses import cross_entropy

NO_TARGETS = Targets()
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# As reasoning models do: an earlier answer loses its thoughts once a later turn follows.
FORGETFUL = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' and not loop.last %}{{ message['content'].split('</think>')[-1] }}"
    "{% else %}{{ message['content'] }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'].split('</think>')[-1] }}"
    "{% endgeneration %}{% else %}{{ message['content'] }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
)
NO_PROMPT = CHATML.partition("{% if add")[0]
LONG = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "how are you?"},
    {"role": "assistant", "content": "fine, thanks"},
    {"role": "user", "content": "and now"},
    {"role": "assistant", "content": " bye\n"},
]


@pytest.fixture
def tokenizer():
    return make_tokenizer()


def make_tokenizer(template=None, pad="<pad>"):
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(["how are you? fine, thanks and now bye assistant user"] * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=pad, bos_token="<s>", eos_token="</s>", chat_template=template,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )  # fmt: skip


def llama(tokenizer, seed=0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, initializer_range=0.5, pad_token_id=0, bos_token_id=1,
        eos_token_id=2,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def encoded(task, tokenizer, *conversations, **columns):
    columns = columns or {"messages": list(conversations)}
    count = len(next(iter(columns.values())))
    places = {"row": [10 + at for at in range(count)], "position": list(range(count))}
    result = task.encode({**columns, **places}, tokenizer, None, NO_TARGETS)
    return [dict(zip(result, values, strict=True)) for values in zip(*result.values(), strict=True)]


def learned(example, tokenizer):
    return tokenizer.decode([label for label in example["labels"] if label != -100])


def turn(user, assistant):
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


def batch_of(task, tokenizer, *conversations, weights=None):
    examples = encoded(task, tokenizer, *conversations)
    for example, weight in zip(examples, weights or [1.0] * len(examples), strict=True):
        example["weight"] = weight
    return task.collate(examples, tokenizer)


def loss(smoothing=0.0):
    return cross_entropy.Loss(cross_entropy.Options(), SimpleNamespace(names=(), counts=None), smoothing)


def loss_of(task, model, batch):
    with torch.no_grad():
        return task.loss(task.forward(model, batch), batch, loss())


@pytest.mark.parametrize(
    ("template", "end"),
    [(None, "</s>"), (CHATML, "<|im_end|>"), (MARKED, "<|im_end|>"), (NO_PROMPT, "<|im_end|>")],
    ids=["plain", "chatml", "marked", "no_prompt"],
)
def test_answers_and_their_stop_tokens_are_learned(template, end):
    tokenizer = make_tokenizer(template)
    set_template(tokenizer, None)
    (example,) = encoded(Task(Options()), tokenizer, LONG)
    assert learned(example, tokenizer) == f"fine, thanks{end} bye\n{end}"
    assert tokenizer.decode(example["input_ids"]) == tokenizer.apply_chat_template(LONG, tokenize=False)
    (last,) = encoded(Task(Options(train_on="last_answer")), tokenizer, LONG)
    assert learned(last, tokenizer) == f" bye\n{end}"
    (every,) = encoded(Task(Options(train_on="all")), tokenizer, LONG)
    assert every["labels"] == every["input_ids"]


def test_the_prompt_ends_where_generation_begins():
    tokenizer = make_tokenizer(CHATML)
    (example,) = encoded(Task(Options()), tokenizer, LONG)
    prompt = tokenizer.apply_chat_template(LONG[:-1], add_generation_prompt=True)["input_ids"]
    assert example["input_ids"][: example["prompt"]] == prompt


def test_a_template_that_rewrites_earlier_turns_is_refused_or_marks_answers():
    thoughtful = [*turn("how", "<think>hm</think>fine"), *turn("now", "bye")]
    with pytest.raises(DataError) as caught:
        encoded(Task(Options()), make_tokenizer(FORGETFUL), LONG[:3], thoughtful)
    assert [problem.key for problem in caught.value.problems] == ["row 11"]
    tokenizer = make_tokenizer(MARKED)
    (example,) = encoded(Task(Options()), tokenizer, thoughtful)
    assert learned(example, tokenizer) == "fine<|im_end|>bye<|im_end|>"


@pytest.mark.parametrize(
    "columns",
    [
        {"messages": [turn("how\n\nare", "fine")]},
        {"conversations": [[{"from": "human", "value": "how\n\nare"}, {"from": "gpt", "value": "fine"}]]},
        {"instruction": ["how"], "input": ["are"], "output": ["fine"]},
        {"prompt": ["how\n\nare"], "completion": ["fine"]},
    ],
    ids=["messages", "sharegpt", "alpaca", "prompt_completion"],
)
def test_all_forms_give_the_same_example(columns):
    tokenizer = make_tokenizer(CHATML)
    (expected,) = encoded(Task(Options()), tokenizer, turn("how\n\nare", "fine"))
    (example,) = encoded(Task(Options()), tokenizer, **columns)
    assert example == expected
    rows = {**columns, "row": [0]}
    assert Task(Options()).references(rows) == [("user: how\n\nare", "fine")]


def test_an_empty_input_and_a_system_prompt(tokenizer):
    set_template(tokenizer, CHATML)
    (example,) = encoded(
        Task(Options()), tokenizer, instruction=["how"], input=[""], output=["fine"], system=["be kind"]
    )
    messages = [{"role": "system", "content": "be kind"}, *turn("how", "fine")]
    assert tokenizer.decode(example["input_ids"]) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_the_form_must_be_clear():
    splits = {"train": datasets.Dataset.from_dict({"prompt": ["a"], "completion": ["b"], "messages": [[]]})}
    assert [one.key for one in Task(Options()).misfits(NO_TARGETS, splits)] == ["task.form"]
    assert Task(Options(form="messages")).misfits(NO_TARGETS, splits) == []
    assert len(Task(Options(form="alpaca")).misfits(NO_TARGETS, splits)) == 1
    assert len(Task(Options()).misfits(NO_TARGETS, {"train": datasets.Dataset.from_dict({"text": ["a"]})})) == 1


def test_rows_that_are_no_conversations_are_named(tokenizer):
    talk = [[{"from": "gpt", "value": "a"}], [{"from": "narrator", "value": "a"}], [{"from": "human", "value": None}]]
    with pytest.raises(DataError) as caught:
        encoded(Task(Options()), tokenizer, conversations=talk)
    assert [problem.key for problem in caught.value.problems] == ["row 11", "row 12"]


def test_long_conversations_are_cut_or_dropped():
    tokenizer = make_tokenizer(CHATML)
    task = Task(Options(max_length=16))
    short, long = turn("how", "fine"), turn("how", "fine, thanks and bye and bye and bye")
    cut = encoded(task, tokenizer, short, long, turn("how are you? " * 9, "fine"))
    assert [example["row"] for example in cut] == [10, 11]
    assert [example["position"] for example in cut] == [0, 1]
    assert len(cut[1]["input_ids"]) == len(cut[1]["labels"]) == 16
    assert learned(cut[1], tokenizer).startswith("fine, thanks")
    assert [one["row"] for one in encoded(Task(Options(max_length=16, too_long="drop")), tokenizer, short, long)] == [
        10
    ]


def test_rows_without_a_token_to_learn_are_counted_and_many_refused(caplog):
    tokenizer = make_tokenizer(CHATML)
    conversations = [turn("how", "fine"), LONG[:2], LONG[:2], turn("now", "bye")]
    rows = datasets.Dataset.from_dict({"messages": conversations, "row": [3, 5, 7, 9]})
    columns = {**rows[:], "position": [0, 1, 2, 3]}
    task = Task(Options(max_untrained=0.5))
    examples = datasets.Dataset.from_dict(task.encode(columns, tokenizer, None, NO_TARGETS))
    with caplog.at_level(logging.INFO, "tunebook"):
        task.check_examples("train", rows, examples, tokenizer)
    assert "2 left out" in caplog.text
    with pytest.raises(DataError) as caught:
        Task(Options()).check_examples("train", rows, examples, tokenizer)
    (problem,) = caught.value.problems
    assert problem.key == "task.max_untrained"
    assert "rows 5, 7" in problem.message


def test_preview_marks_what_is_learned():
    tokenizer = make_tokenizer(CHATML)
    task = Task(Options())
    shown = task.preview(encoded(task, tokenizer, turn("how", "fine"), LONG), tokenizer, 1)
    assert shown == "<|im_start|>user\nhow<|im_end|>\n<|im_start|>assistant\n[[fine<|im_end|>]]\n"


def test_the_end_token_is_learned_where_it_is_the_padding_token_too():
    tokenizer = make_tokenizer(pad="</s>")
    set_template(tokenizer, None)
    batch = batch_of(Task(Options()), tokenizer, turn("how", "fine"), LONG)
    assert batch["labels"].eq(tokenizer.eos_token_id).sum(-1).tolist() == [1, 2]
    assert batch["attention_mask"].sum(-1)[0] < batch["attention_mask"].sum(-1)[1] == batch["input_ids"].shape[1]


def test_loss_is_that_of_transformers():
    tokenizer = make_tokenizer(CHATML)
    task, model = Task(Options()), llama(tokenizer)
    batch = batch_of(task, tokenizer, LONG)
    ours = loss_of(task, model, batch)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
    with torch.no_grad():
        theirs = model(**inputs).loss
    assert float(ours.total / ours.count) == pytest.approx(float(theirs), rel=1e-5)
    assert int(ours.count) == int(batch["labels"][:, 1:].ne(-100).sum())


def test_loss_is_a_sum_over_tokens_of_all_rows():
    tokenizer = make_tokenizer(CHATML)
    task, model = Task(Options()), llama(tokenizer)
    conversations = [turn("how", "fine"), LONG, turn("now", "bye and bye and bye")]
    together = batch_of(task, tokenizer, *conversations, weights=[1.0, 2.0, 0.0])
    summed = loss_of(task, model, together)
    alone = [loss_of(task, model, batch_of(task, tokenizer, one)) for one in conversations]
    counts = [int(one.count) for one in alone]
    assert len(set(counts)) == 3
    assert int(summed.count) == int(task.count(together)) == counts[0] + counts[1]
    assert float(summed.total) == pytest.approx(float(alone[0].total + 2 * alone[1].total), rel=1e-4)
    assert summed.each.tolist() == pytest.approx([float(one.total / one.count) for one in alone], rel=1e-4)


def test_the_first_token_counts_for_nothing():
    tokenizer = make_tokenizer(CHATML)
    task = Task(Options(train_on="all"))
    batch = batch_of(task, tokenizer, turn("how", "fine"))
    assert int(task.count(batch)) == batch["input_ids"].shape[1] - 1


def test_steps_learn_an_answer_that_is_then_generated_alone_and_in_a_batch():
    tokenizer = make_tokenizer(CHATML)
    task = Task(Options(generate=True, generation={"max_new_tokens": 12}))
    model = llama(tokenizer).train()
    conversations = [turn("how are you?", "fine"), turn("now", "bye and bye")]
    batch = batch_of(task, tokenizer, *conversations)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        summed = task.loss(task.forward(model, batch), batch, loss())
        optimizer.zero_grad()
        (summed.total / summed.count).backward()
        optimizer.step()
    model.eval()
    task.prepare_model(model, tokenizer)
    assert model.generation_config.eos_token_id == [2, tokenizer.convert_tokens_to_ids("<|im_end|>")]

    def texts(*some):
        batch = batch_of(task, tokenizer, *some)
        with torch.no_grad():
            return task.predict(model, task.forward(model, batch), batch, tokenizer)

    together = texts(*conversations)
    assert [one.text for one in together] == ["fine", "bye and bye"]
    assert [texts(one)[0].text for one in conversations] == ["fine", "bye and bye"]
    evaluator = task.evaluator(["perplexity", "token_accuracy", "chrf"], NO_TARGETS)
    evaluator.update(together, task.references({"messages": conversations, "row": [0, 1]}))
    figures = evaluator.compute()
    assert figures["chrf"] == pytest.approx(100)
    assert figures["token_accuracy"] == 1
    assert figures["perplexity"] < 1.5


def test_templates_by_text_file_and_name(tokenizer, tmp_path):
    (tmp_path / "mine.jinja").write_text(CHATML)
    set_template(tokenizer, str(tmp_path / "mine.jinja"))
    assert tokenizer.chat_template == CHATML
    set_template(tokenizer, MARKED)
    assert tokenizer.chat_template == MARKED
    with pytest.raises(ConfigurationError) as caught:
        set_template(tokenizer, "chatlm")
    assert caught.value.problems[0].key == "task.chat_template='chatlm'"
    tokenizer.chat_template = {"default": CHATML, "tools": MARKED}
    set_template(tokenizer, None)
    assert tokenizer.chat_template == CHATML
    tokenizer.save_pretrained(tmp_path)
    assert PreTrainedTokenizerFast.from_pretrained(tmp_path).chat_template == CHATML


def test_a_template_without_an_end_is_reported(tokenizer, caplog):
    set_template(tokenizer, "{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}")
    with caplog.at_level(logging.WARNING, "tunebook"):
        Task(Options()).prepare_model(llama(tokenizer), tokenizer)
    assert "stop" in caplog.text


def test_metrics_of_texts_need_generated_answers():
    settings = SimpleNamespace(metrics=["chrf", "perplexity", "token_accuracy"], options=Options())
    assert [one.key for one in chat.problems(SimpleNamespace(task=settings))] == ["task.metrics='chrf'"]
    assert "backbone_cache" in Task(Options()).capabilities
    assert "backbone_cache" not in Task(Options(generate=True)).capabilities
