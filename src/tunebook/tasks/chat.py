"""Conversations with a causal language model, which learns the answers. Knows messages, templates and answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from tunebook.errors import ConfigurationError, DataError, Problem
from tunebook.tasks import _tokens
from tunebook.tasks._chat_examples import check_left_out, marked
from tunebook.tasks._chat_template import KEY, render, set_template, stop_tokens
from tunebook.tasks._conversations import COLUMNS, Form, Messages, conversations, form_of, form_problem, last_answer
from tunebook.tasks._generation import (
    GenerationOptions,
    TextOutputs,
    generated_texts,
    metric_problems,
    set_generation,
)
from tunebook.tasks._text import tokenizer_for
from tunebook.tasks._text_panels import TextPrediction, TextReference, text_panels
from tunebook.tasks.base import Batch, Evaluated, LossSum, TaskOptions, base_batch

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn

    from tunebook.config.schema import Config, ModelConfig
    from tunebook.data.labels.base import Targets
    from tunebook.panels import Panel
    from tunebook.training.losses.base import Loss

logger = logging.getLogger("tunebook")
MOST_NEW_TOKENS = 128


class Options(TaskOptions):
    """How conversations are read and what of them is learned.

    Args:
        form: of the rows; `auto`: by the columns that are there.
        chat_template: Jinja text, a file, `plain` or the name of one of the tokenizer's own; None: the tokenizer's
            own, else `plain`. It is saved with the tokenizer.
        train_on: which tokens count in the loss: those of all answers, of the last one, or all.
        max_length: tokens of a conversation.
        too_long: longer ones are cut at their end, or left out.
        max_untrained: share of rows that may be left out because nothing of them is learned; more are refused.
        generate: generate the last answer at each evaluation, for metrics of texts.
        generation: see `GenerationOptions`; `max_new_tokens` is 128 at evaluation where it is not given.
    """

    form: Form = "auto"
    chat_template: str | None = None
    train_on: Literal["answers", "last_answer", "all"] = "answers"
    max_length: int = Field(default=1024, ge=8)
    too_long: Literal["cut", "drop"] = "cut"
    max_untrained: float = Field(default=0.1, ge=0, le=1)
    generate: bool = False
    generation: GenerationOptions = GenerationOptions()


def problems(config: Config) -> list[Problem]:
    """Metrics of texts where no text is generated."""
    options = cast(Options, config.task.options)
    return metric_problems(config.task.metrics, options.generate, "task.generate")


class Task(TextOutputs):
    """Supervised fine-tuning of answers, with `AutoModelForCausalLM`; see `tunebook.tasks.base.Task`."""

    columns = COLUMNS
    auto_class = "AutoModelForCausalLM"
    pipeline: str | None = "text-generation"

    def __init__(self, options: Options) -> None:
        self.options = options
        # Rows may be left out, so none is augmented in its place; rows of the cache bring no text to generate from.
        self.capabilities = frozenset({"generation"} if options.generate else {"generation", "backbone_cache"})

    def load_processor(self, model: ModelConfig) -> Any:
        """The model's tokenizer with its chat template.

        Raises:
            ConfigurationError: too few positions, no such template, or answers that it cannot mark.
        """
        options = self.options
        new = (options.generation.max_new_tokens or MOST_NEW_TOKENS) if options.generate else 0
        processor = tokenizer_for(model, options.max_length + new)
        processor.model_max_length = options.max_length
        logger.info("conversations are written by %s", set_template(processor, options.chat_template))
        return processor

    def prepare_model(self, model: Any, processor: Any) -> None:
        """Puts the settings of generation and the token that ends an answer into the model's generation configuration.

        Raises:
            ConfigurationError: the settings contradict one another, or the template cannot be used.
        """
        asked: Messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]
        try:
            rendered = render(asked, processor)
        except ValueError as error:
            raise ConfigurationError(Problem(KEY, str(error))) from None
        stop = rendered.ids[rendered.answers[-1][1] - 1]
        known = model.generation_config.eos_token_id
        ends = {*(known if isinstance(known, list) else [known]), processor.eos_token_id} - {None}
        if stop in stop_tokens(processor):
            ends |= {stop}
        else:
            logger.warning("the chat template ends answers by no special token: the model cannot learn to stop")
        stated = {**self.options.generation.model_dump(), "eos_token_id": sorted(ends) or None}
        set_generation(model, processor, stated)

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, Any]:
        """Token ids, `labels`, and `prompt`: the tokens in front of the last answer. Rows without a label are left out.

        Raises:
            DataError: rows that are no conversations, or that the template refuses, with their numbers.
        """
        names = ("input_ids", "labels", "prompt", "row", "position", "length")
        columns: dict[str, list[Any]] = {name: [] for name in names}
        problems = []
        for at, messages in enumerate(conversations(rows, self.options.form)):
            try:
                ids, labels, prompt = self._tokens(messages, processor)
            except ValueError as error:
                problems.append(Problem(f"row {rows['row'][at]}", str(error)))
                continue
            if any(label != _tokens.IGNORED for label in labels[1:]):
                values = (ids, labels, prompt, rows["row"][at], rows["position"][at], len(ids))
                for name, value in zip(names, values, strict=True):
                    columns[name].append(value)
        if problems:
            raise DataError(problems)
        return columns

    def _tokens(self, messages: Messages, processor: Any) -> tuple[list[int], list[int], int]:
        """Token ids, labels and the length of the prompt; nothing where the conversation is left out."""
        options = self.options
        rendered = render(messages, processor)
        ids, answers = rendered.ids, rendered.answers
        if len(ids) > options.max_length and options.too_long == "drop":
            return [], [], 0
        spans = {"answers": answers, "last_answer": answers[-1:], "all": [(0, len(ids))]}[options.train_on]
        labels = [_tokens.IGNORED] * len(ids)
        for begin, end in spans:
            labels[begin:end] = ids[begin:end]
        prompt = answers[-1][0] if answers else len(ids)
        return ids[: options.max_length], labels[: options.max_length], min(prompt, options.max_length)

    def check_examples(self, split: str, rows: Dataset, encoded: Dataset, processor: Any) -> None:
        """Reports how the rows of a split were read and which were left out.

        Raises:
            DataError: more than `max_untrained` of them were.
        """
        form = form_of(rows.column_names, self.options.form)
        check_left_out(split, rows, encoded, form, self.options.max_length, self.options.max_untrained)

    def preview(self, examples: Any, processor: Any, n: int = 2) -> str:
        """The first examples as text; what is learned is in double brackets."""
        return marked(examples, processor, n)

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Conversations padded on the right, with their mask: the end token may be the padding token too."""
        import torch

        inputs = _tokens.padded_inputs([example["input_ids"] for example in examples], processor.pad_token_id)
        prompt = torch.tensor([example["prompt"] for example in examples], dtype=torch.long)
        return {**inputs, "prompt": prompt, **self.collate_targets(examples)}

    def collate_targets(self, examples: list[dict[str, Any]]) -> Batch:
        """`labels`, `row` and `weight`."""
        labels = _tokens.pad([example["labels"] for example in examples], _tokens.IGNORED)
        return {"labels": labels, **base_batch(examples)}

    def count(self, batch: Batch) -> torch.Tensor:
        """Tokens to learn; the first of a conversation is predicted by nothing."""
        return _tokens.token_count(batch["labels"][:, 1:], batch["weight"])

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """The model on its inputs; it sees no labels."""
        return model(**{name: batch[name] for name in batch if name not in {"labels", "prompt", "row", "weight"}})

    def loss(self, outputs: Any, batch: Batch, loss: Loss | None) -> LossSum:
        """The registered loss of each token to learn, predicted by those before it."""
        return _tokens.token_loss(outputs.logits[:, :-1], batch["labels"][:, 1:], batch["weight"], loss)

    def predict(self, model: nn.Module, outputs: Any, batch: Batch, processor: Any) -> list[TextPrediction]:
        """Loss, right tokens and, with `generate`, the text of the last answer of each example."""
        options = self.options
        texts: Sequence[str | None] = [None] * len(batch["row"])
        if options.generate:
            lengths = batch["prompt"].clamp(min=1).tolist()
            prompts = [ids[:length] for ids, length in zip(batch["input_ids"].tolist(), lengths, strict=True)]
            inputs = _tokens.padded_inputs(prompts, processor.pad_token_id, left=True)
            inputs = {name: tensor.to(batch["input_ids"].device) for name, tensor in inputs.items()}
            texts = generated_texts(model, inputs, processor, options.generation, MOST_NEW_TOKENS)
        read = batch["attention_mask"].sum(-1).tolist()
        figures = _tokens.token_figures(outputs.logits[:, :-1], batch["labels"][:, 1:])
        return [TextPrediction(*own, *rest) for own, *rest in zip(figures, read, texts, strict=True)]

    def references(self, rows: dict[str, list[Any]]) -> list[TextReference]:
        """The last answer of each conversation, and what comes before it."""
        return [TextReference(*last_answer(messages)) for messages in conversations(rows, self.options.form)]

    def misfits(self, targets: Targets, splits: Collection[str]) -> list[Problem]:
        """Columns of no form, or of several."""
        if not isinstance(splits, Mapping):
            return []
        clashes = [form_problem(split.column_names, self.options.form) for split in splits.values()]
        return list(dict.fromkeys(filter(None, clashes)))

    def panels(self, evaluated: Evaluated) -> list[Panel]:
        """The loss of rows and, with `generate`, lengths, faults and examples."""
        longest = self.options.max_length
        full = sum(one.inputs >= longest for one in evaluated.predictions)
        return text_panels(evaluated, {f"conversations of max_length={longest} tokens": full})
