"""A tag for each word of a list, or labelled spans of a text: names, places, parts of speech. Knows no one model.

Long texts become several examples (windows); each word is learned and predicted in exactly one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from tunebook.data.columns import Column
from tunebook.data.labels.tag_schemes import Scheme, split_tag
from tunebook.data.labels.token_labels import SpanLabels, TagLabels
from tunebook.errors import ConfigurationError, ModelError, Problem
from tunebook.tasks import _alignment, _entities
from tunebook.tasks._alignment import IGNORED, NO_UNIT
from tunebook.tasks._text import TextOptions, padded, tokenizer_for
from tunebook.tasks._windows import windows
from tunebook.tasks.base import Batch, Evaluated, LossSum, base_batch, model_inputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from tunebook.config.schema import Config, ModelConfig
    from tunebook.data.labels.base import Targets
    from tunebook.panels import Panel
    from tunebook.training.losses.base import Loss


class Options(TextOptions):
    """How words become tokens, and how tags are read.

    Args:
        form: `words`: columns `tokens` (a list of words) and `tags`; `characters`: columns `text` and `spans` (a list
            of {start, end, label} in characters).
        stride: tokens that a window of a long text shares with the one before it.
        scheme: of the tags; `auto`: detected.
        invalid_tags: tags that break the rules of their scheme: `repair` reads them as conlleval does, `error` refuses.
        subtokens: which tokens of a word are learned: `all` (those behind the first as inside the entity, which
            pipelines need that read every token), or the `first` alone.
        misaligned: spans that begin or end inside a token: `error` refuses them, `widen` to whole tokens, or `drop`.
    """

    form: Literal["words", "characters"] = "words"
    stride: int = Field(default=64, ge=0)
    scheme: Scheme | Literal["auto"] = "auto"
    invalid_tags: Literal["repair", "error"] = "repair"
    subtokens: Literal["first", "all"] = "all"
    misaligned: Literal["error", "widen", "drop"] = "error"


def problems(config: Config) -> list[Problem]:
    """Strides as long as a window, and cleaning that would move characters under their spans."""
    options = cast(Options, config.task.options)
    result = []
    if options.stride > options.max_length // 2:
        message = f"must be at most half of task.max_length={options.max_length}, or windows hardly move on"
        result.append(Problem("task.stride", message))
    if options.form == "characters":
        result += [
            Problem(f"cleaning.{name}", "moves characters, and spans count them; set it to keep")
            for name in ("whitespace", "unicode")
            if getattr(config.cleaning, name) != "keep"
        ]
    return result


class Task:
    """Token classification with `AutoModelForTokenClassification`; see `tunebook.tasks.base.Task`."""

    columns = {"tokens": Column("tokens"), "tags": Column("tags", target=True)}
    auto_class = "AutoModelForTokenClassification"
    pipeline: str | None = "token-classification"
    target_type = "token_labels"
    default_loss: str | None = "cross_entropy"
    problem_type = None
    capabilities = frozenset({"backbone_cache"})
    lazy = False

    def __init__(self, options: Options) -> None:
        self.options = options
        self.labels: TagLabels | SpanLabels = TagLabels(options.scheme, options.invalid_tags)
        if options.form == "characters":
            self.columns = {"text": Column("text"), "spans": Column("spans", target=True)}
            self.labels = SpanLabels()

    def load_processor(self, model: ModelConfig) -> Any:
        """The model's fast tokenizer, which pads on the right and puts a blank before every word of a list.

        Raises:
            ModelError: the tokenizer cannot say which token is of which word.
            ConfigurationError: `max_length` is more than the model has positions for.
        """
        processor = tokenizer_for(model, self.options.max_length)
        if not processor.is_fast:
            message = "has a slow tokenizer, which cannot say which token is of which word; take another model"
            raise ModelError(Problem("model.name_or_path", message))
        processor.padding_side = "right"
        if self.options.form == "words":
            _alignment.put_blank_before_words(processor)
        return processor

    def encode(self, rows: dict[str, list[Any]], processor: Any, model: Any, targets: Targets) -> dict[str, list[Any]]:
        """Windows with `labels` (-100: not learned here) and `units`, for each token (unit, start, end).

        A unit is what is predicted: a word by its first token, or each token of a text. -1: not predicted here.

        Raises:
            DataError: spans that are not at borders of tokens, under `misaligned: error`.
        """
        words = self.options.form == "words"
        encoded = processor(
            rows["tokens" if words else "text"], is_split_into_words=words, add_special_tokens=False, truncation=False,
            return_offsets_mapping=True, return_attention_mask=False, return_token_type_ids=False, verbose=False,
        )  # fmt: skip
        before, behind = _alignment.special_tokens(processor)
        room = self.options.max_length - len(before) - len(behind)
        if words:
            aligned = _alignment.words(rows, encoded, targets.names, self.options.subtokens)
        else:
            aligned = _alignment.spans(rows, encoded, targets.names, self.options.misaligned)
        names = ("input_ids", "labels", "units", "row", "position", "length")
        result: dict[str, list[Any]] = {name: [] for name in names}
        for at, (units, labels) in enumerate(aligned):
            ids = encoded["input_ids"][at]
            for window in windows(encoded.word_ids(at), room, self.options.stride):
                own = range(window.first, window.last)
                tokens = range(window.start, window.end)
                learned = [labels[token] if token in own else IGNORED for token in tokens]
                predicted = [units[token] if token in own else NO_UNIT for token in tokens]
                seen = [*before, *ids[window.start : window.end], *behind]
                values = (
                    seen,
                    [IGNORED] * len(before) + learned + [IGNORED] * len(behind),
                    [NO_UNIT] * len(before) + predicted + [NO_UNIT] * len(behind),
                    rows["row"][at],
                    rows["position"][at],
                    len(seen),
                )
                for name, value in zip(names, values, strict=True):
                    result[name].append(value)
        return result

    def collate(self, examples: list[dict[str, Any]], processor: Any) -> Batch:
        """Padded token ids with `labels` and `units`, padded alike."""
        longest = self.options.max_length if self.options.padding == "max_length" else None
        inputs = padded(examples, processor, self.options.padding, longest)
        return {**inputs, **self.collate_targets(examples)}

    def collate_targets(self, examples: list[dict[str, Any]]) -> Batch:
        """`labels`, (examples, tokens), `units`, (examples, tokens, 3), `row` and `weight`."""
        import torch

        longest = max(len(example["labels"]) for example in examples)
        length = self.options.max_length if self.options.padding == "max_length" else longest
        labels = torch.full((len(examples), length), IGNORED, dtype=torch.long)
        units = torch.full((len(examples), length, 3), -1, dtype=torch.long)
        for at, example in enumerate(examples):
            own = len(example["labels"])
            labels[at, :own] = torch.as_tensor(example["labels"], dtype=torch.long)
            units[at, :own] = torch.as_tensor(example["units"], dtype=torch.long)
        return {"labels": labels, "units": units, **base_batch(examples)}

    def count(self, batch: Batch) -> torch.Tensor:
        """Tokens that are learned, of the examples that count."""
        return ((batch["labels"] != IGNORED) & batch["weight"].gt(0)[:, None]).sum()

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """The model on its inputs; it sees neither labels nor units."""
        return model(**model_inputs(batch))

    def loss(self, outputs: Any, batch: Batch, loss: Loss | None) -> LossSum:
        """The registered loss of each learned token, times its example's weight."""
        if loss is None:
            raise ValueError("a task with labels needs a registered loss")
        learned = batch["labels"] != IGNORED
        sums = outputs["logits"].new_zeros(len(learned)).float()
        examples = learned.nonzero()[:, 0]
        sums = sums.index_add(0, examples, loss(outputs["logits"][learned], batch["labels"][learned]))
        each = sums / learned.sum(dim=1).clamp(min=1)
        return LossSum((sums * batch["weight"]).sum(), self.count(batch), each)

    def predict(self, model: nn.Module, outputs: Any, batch: Batch, processor: Any) -> list[np.ndarray]:
        """Of each example the units that are predicted in it, (units, 5); see `_entities`."""
        import torch

        probabilities, tags = outputs["logits"].float().softmax(dim=-1).max(dim=-1)
        units = batch["units"].double()
        whole = torch.cat([units, tags[..., None].double(), probabilities[..., None].double()], dim=-1).cpu()
        return [one[one[:, 0] >= 0].numpy() for one in whole]

    def merge(self, predictions: list[np.ndarray]) -> np.ndarray:
        """The windows of a row in one, in the order of its units."""
        import numpy as np

        joined = np.concatenate(predictions)
        return joined[np.argsort(joined[:, 0], kind="stable")]

    def references(self, rows: dict[str, list[Any]]) -> list[dict[str, Any]]:
        """Words and tags, or text and spans, of each row."""
        present = [role for role in self.columns if role in rows]
        return [dict(zip(present, values, strict=True)) for values in zip(*map(rows.get, present), strict=True)]

    def misfits(self, targets: Targets, splits: Collection[str]) -> list[Problem]:
        """None: every vocabulary of tags can be learned."""
        return []

    def evaluator(self, metrics: Sequence[str], targets: Targets) -> _entities.TokenEvaluator:
        """Of one split.

        Raises:
            ConfigurationError: metrics of entities, and the tags name none.
        """
        from tunebook.evaluation.metrics import Metrics

        if not any(split_tag(name)[0] == "B" for name in targets.names):
            wrong = [name for name in metrics if name.startswith("entity_")]
            message = "counts entities, and these tags are plain labels; take token_accuracy"
            if wrong:
                raise ConfigurationError([Problem(f"task.metrics={name!r}", message) for name in wrong])
        checked = Metrics(metrics, self.target_type, targets.names)
        return _entities.TokenEvaluator(
            checked, lambda prediction, reference: self._tags(prediction, reference, targets)[1:]
        )

    def record(
        self, prediction: np.ndarray, reference: dict[str, Any], targets: Targets, decision: Any = None
    ) -> dict[str, Any]:
        """Predicted and labelled entities with their places (words or characters), text and score; all tags."""
        whole, predicted, labelled = self._tags(prediction, reference, targets)
        return _entities.record(whole, predicted, labelled, self._source(reference))

    def panels(self, evaluated: Evaluated) -> list[Panel]:
        """Entities by type, kinds of errors, and the rows with the most errors."""
        records = []
        for prediction, reference in zip(evaluated.predictions, evaluated.references, strict=True):
            source = self._source(reference)
            shown = source if isinstance(source, str) else " ".join(source)
            records.append({**self.record(prediction, reference, evaluated.targets), "source": shown})
        return _entities.panels(evaluated, records)

    def _source(self, reference: dict[str, Any]) -> Any:
        return reference["tokens" if self.options.form == "words" else "text"]

    def _tags(
        self, prediction: np.ndarray, reference: dict[str, Any], targets: Targets
    ) -> tuple[np.ndarray, list[str], list[str] | None]:
        """The prediction of every unit of a row, its predicted tags and its labelled ones (None: there are none)."""
        names = targets.names
        words = self.options.form == "words"
        whole = _entities.whole_row(prediction, len(reference["tokens"]) if words else None)
        predicted = [names[int(tag)] for tag in whole[:, 3]]
        if words:
            tags = reference.get("tags")
            return whole, predicted, None if tags is None else [names[tag] for tag in tags]
        if reference.get("spans") is None:
            return whole, predicted, None
        policy = "drop" if self.options.misaligned == "drop" else "widen"
        return whole, predicted, _alignment.tags_of_spans(reference["spans"], whole[:, 1:3], policy)[0]
