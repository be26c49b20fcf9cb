"""Text to text with an encoder-decoder: summaries, translations. Knows the source and the target text of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, model_validator

from tunebook.data.columns import Column
from tunebook.errors import ConfigurationError, Problem, did_you_mean
from tunebook.tasks import _tokens
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
    from torch import nn

    from tunebook.config.schema import Config, ModelConfig
    from tunebook.data.labels.base import Targets
    from tunebook.panels import Panel
    from tunebook.training.losses.base import Loss


class Options(TaskOptions):
    """How texts become tokens, and how text is generated.

    Args:
        max_length: tokens of a source, special ones included; longer sources are cut at their end.
        max_target_length: likewise of a target.
        prefix: put in front of every source, such as `summarize: ` for T5.
        source_lang: code of the source's language, for tokenizers of several languages (mBART, NLLB, M2M100).
        target_lang: likewise of the target.
        predict_with_generate: generate text at each evaluation, for metrics of texts; else only the loss is computed.
        generation: see `GenerationOptions`; `max_new_tokens` is `max_target_length` where it is not given.
    """

    max_length: int = Field(default=512, ge=4)
    max_target_length: int = Field(default=128, ge=2)
    prefix: str = ""
    source_lang: str | None = None
    target_lang: str | None = None
    predict_with_generate: bool = True
    generation: GenerationOptions = GenerationOptions()

    @model_validator(mode="after")
    def _both_languages(self) -> Options:
        if (self.source_lang is None) != (self.target_lang is None):
            raise ValueError("source_lang and target_lang go together: give both or none")
        return self


def problems(config: Config) -> list[Problem]:
    """Metrics of texts where no text is generated."""
    options = cast(Options, config.task.options)
    return metric_problems(config.task.metrics, options.predict_with_generate, "task.predict_with_generate")


class Task(TextOutputs):
    """A target text for each source, with `AutoModelForSeq2SeqLM`; see `tunebook.tasks.base.Task`."""

    columns = {"text": Column("text"), "target": Column("text", target=True)}
    auto_class = "AutoModelForSeq2SeqLM"
    pipeline: str | None = None
    capabilities = frozenset({"augmentation", "generation"})

    def __init__(self, options: Options) -> None:
        self.options = options

    def load_processor(self, model: ModelConfig) -> Any:
        """The model's tokenizer, with both languages set where the recipe names them.

        Raises:
            ConfigurationError: the model has too few positions, or the tokenizer knows no such language.
        """
        options = self.options
        processor = tokenizer_for(model, max(options.max_length, options.max_target_length))
        processor.model_max_length = options.max_length
        if options.source_lang is None or options.target_lang is None:
            return processor
        if not hasattr(processor, "src_lang"):
            message = f"{type(processor).__name__} knows no languages; take source_lang and target_lang out"
            raise ConfigurationError(Problem("task.source_lang", message))
        languages = {"source_lang": options.source_lang, "target_lang": options.target_lang}
        known = [token.strip("_") for token in processor.all_special_tokens]
        unknown = {key: name for key, name in languages.items() if language_id(processor, name) is None}
        if unknown:
            hints = {key: f"no such language; {did_you_mean(name, known)}" for key, name in unknown.items()}
            raise ConfigurationError([Problem(f"task.{key}={unknown[key]!r}", hint) for key, hint in hints.items()])
        processor.src_lang, processor.tgt_lang = options.source_lang, options.target_lang
        return processor

    def prepare_model(self, model: Any, processor: Any) -> None:
        """Puts the settings of generation into the model's, so that the finished model generates as evaluation does.

        Raises:
            ConfigurationError: they contradict one another.
        """
        stated = self.options.generation.model_dump()
        stated["max_new_tokens"] = stated["max_new_tokens"] or self.options.max_target_length
        if self.options.target_lang is not None:
            stated["forced_bos_token_id"] = language_id(processor, self.options.target_lang)
        set_generation(model, processor, stated)

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, Any]:
        """Token ids of the source with their number as `length`, and of the target as `labels`."""
        options = self.options
        sources = [options.prefix + text for text in rows["text"]]
        tokens = processor(sources, truncation=True, max_length=options.max_length)["input_ids"]
        wanted = processor(text_target=rows["target"], truncation=True, max_length=options.max_target_length)
        places = {"row": rows["row"], "position": rows["position"]}
        return {"input_ids": tokens, "labels": wanted["input_ids"], **places, "length": [len(ids) for ids in tokens]}

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Sources padded on the right, with their mask, and targets."""
        inputs = _tokens.padded_inputs([example["input_ids"] for example in examples], processor.pad_token_id)
        return {**inputs, **self.collate_targets(examples)}

    def collate_targets(self, examples: list[dict[str, Any]]) -> Batch:
        """`labels`, padded with what the loss leaves out, `row` and `weight`."""
        labels = _tokens.pad([example["labels"] for example in examples], _tokens.IGNORED)
        return {"labels": labels, **base_batch(examples)}

    def count(self, batch: Batch) -> torch.Tensor:
        """Tokens of the targets, the end of each included."""
        return _tokens.token_count(batch["labels"], batch["weight"])

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """The model on sources and shifted targets; it computes no loss of its own where it can shift without."""
        inputs = {name: batch[name] for name in batch if name not in {"labels", "row", "weight"}}
        shift = getattr(getattr(model, "module", model), "prepare_decoder_input_ids_from_labels", None)
        if shift is None:
            return model(**inputs, labels=batch["labels"])
        return model(**inputs, decoder_input_ids=shift(labels=batch["labels"]))

    def loss(self, outputs: Any, batch: Batch, loss: Loss | None) -> LossSum:
        """The registered loss of each target token."""
        return _tokens.token_loss(outputs.logits, batch["labels"], batch["weight"], loss)

    def predict(self, model: nn.Module, outputs: Any, batch: Batch, processor: Any) -> list[TextPrediction]:
        """Loss, right tokens and, with `predict_with_generate`, the generated text of each example."""
        options = self.options
        texts: Sequence[str | None] = [None] * len(batch["row"])
        if options.predict_with_generate:
            inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
            texts = generated_texts(model, inputs, processor, options.generation, options.max_target_length)
        read = batch["attention_mask"].sum(-1).tolist()
        figures = _tokens.token_figures(outputs.logits, batch["labels"])
        return [TextPrediction(*own, *rest) for own, *rest in zip(figures, read, texts, strict=True)]

    def references(self, rows: dict[str, list[Any]]) -> list[TextReference]:
        """Sources and targets as they are in the data."""
        return [TextReference(*pair) for pair in zip(rows["text"], rows["target"], strict=True)]

    def panels(self, evaluated: Evaluated) -> list[Panel]:
        """Lengths, faults, examples, and texts that may be cut."""
        options, predictions = self.options, evaluated.predictions
        cut = {
            f"sources of max_length={options.max_length} tokens": sum(
                one.inputs >= options.max_length for one in predictions
            ),
            f"targets of max_target_length={options.max_target_length} tokens": sum(
                one.tokens >= options.max_target_length for one in predictions
            ),
        }
        return text_panels(evaluated, cut)


def language_id(processor: Any, language: str) -> int | None:
    """The token of a language: `de_DE` of mBART, `deu_Latn` of NLLB, `de` of M2M100 (written `__de__`); None: none."""
    vocabulary = processor.get_vocab()
    return vocabulary.get(language, vocabulary.get(f"__{language}__"))
