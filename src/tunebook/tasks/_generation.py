"""What tasks share whose model writes text: settings of generation, the evaluator and the panels. Knows no one task."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunebook.config.options import Options
from tunebook.errors import ConfigurationError, Problem
from tunebook.tasks._text_panels import TextPrediction, TextReference

if TYPE_CHECKING:
    import numpy as np
    import torch

    from tunebook.data.labels.base import Targets

NO_TEXT_NEEDED = frozenset({"perplexity", "token_accuracy"})
"""Metrics that need no generated text."""
TOKEN_ACCURACY = "token_accuracy"
SAMPLED = ("temperature", "top_k", "top_p")
OF_BEAMS: tuple[str, ...] = ("length_penalty", "early_stopping")


class GenerationOptions(Options):
    """How text is generated, at evaluation and by the finished model; None: as the model's own configuration says.

    Args:
        max_new_tokens: at most so many tokens.
        min_new_tokens: at least so many tokens.
        num_beams: of beam search; 1: greedy.
        length_penalty: of beams; above 0 favours long texts.
        early_stopping: of beam search: stop once there are `num_beams` whole texts.
        no_repeat_ngram_size: no run of so many tokens comes back.
        repetition_penalty: above 1 makes tokens that came before less likely.
        do_sample: at evaluation only where it is true, and then with one seed for each batch.
        temperature: of sampling.
        top_k: of sampling: among the likeliest tokens.
        top_p: of sampling: among the likeliest tokens with so much probability together.
    """

    max_new_tokens: int | None = Field(default=None, ge=1)
    min_new_tokens: int | None = Field(default=None, ge=1)
    num_beams: int | None = Field(default=None, ge=1)
    length_penalty: float | None = None
    early_stopping: bool | Literal["never"] | None = None
    no_repeat_ngram_size: int | None = Field(default=None, ge=1)
    repetition_penalty: float | None = Field(default=None, gt=0)
    do_sample: bool | None = None
    temperature: float | None = Field(default=None, gt=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)


def metric_problems(metrics: Iterable[str], generates: bool, key: str) -> list[Problem]:
    """Metrics that need generated text where none is generated.

    Args:
        metrics: names, as the recipe has them.
        generates: whether text is generated at evaluation.
        key: of the setting that turns it on.
    """
    message = f"needs generated text: set {key}=true, or choose among {', '.join(sorted(NO_TEXT_NEEDED))}"
    lacking = [] if generates else [name for name in metrics if name not in NO_TEXT_NEEDED]
    return [Problem(f"task.metrics={name!r}", message) for name in lacking]


def set_generation(model: Any, processor: Any, stated: Mapping[str, Any]) -> None:
    """Puts settings into the model's generation configuration, which is saved with it.

    Args:
        model: that generates.
        processor: its tokenizer.
        stated: names of `GenerationConfig` to values; None: as the model has it.

    Raises:
        ConfigurationError: they contradict one another.
    """
    settings = copy.deepcopy(model.generation_config)
    given = {name: value for name, value in stated.items() if value is not None}
    # What a checkpoint says for beams or for sampling means nothing once the recipe turns them off.
    dropped = OF_BEAMS if given.get("num_beams") == 1 else ()
    dropped += SAMPLED if given.get("do_sample") is False else ()
    for name, value in {**dict.fromkeys(dropped), **given}.items():
        setattr(settings, name, value)
    if "max_new_tokens" in given:
        settings.max_length = None
    if settings.pad_token_id is None:
        settings.pad_token_id = processor.pad_token_id
    try:
        settings.validate(strict=True)
    except ValueError as error:
        raise ConfigurationError(Problem("task.generation", " ".join(str(error).split()))) from None
    model.generation_config = settings


def generated_texts(
    model: Any, inputs: Mapping[str, torch.Tensor], processor: Any, options: GenerationOptions, most: int
) -> list[str]:
    """One text for each example, the same in any batch; greedy or by beams unless `options.do_sample`.

    Args:
        model: without wrappers, in eval mode.
        inputs: `input_ids` and `attention_mask`; of a decoder padded on the left.
        processor: its tokenizer.
        options: of the recipe.
        most: tokens where `options.max_new_tokens` is None.
    """
    import torch

    settings = {"do_sample": bool(options.do_sample), "max_new_tokens": options.max_new_tokens or most}
    with torch.random.fork_rng(enabled=settings["do_sample"]):  # training goes on with its own random numbers
        if settings["do_sample"]:
            torch.manual_seed(0)
        tokens = model.generate(**inputs, **settings)
    prompt = 0 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return [text.strip() for text in processor.batch_decode(tokens[:, prompt:], skip_special_tokens=True)]


class TextEvaluator:
    """Gathers `TextPrediction` and `TextReference`; see `tunebook.tasks.base.Evaluator`.

    Args:
        metrics: names, as the recipe has them.

    Raises:
        ConfigurationError: a metric does not score texts.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        from tunebook.evaluation.metrics import Metrics

        self.names = list(metrics)
        self.metrics = Metrics([name for name in self.names if name != TOKEN_ACCURACY], "token_ids")
        self.predictions: list[TextPrediction] = []
        self.references: list[str] = []

    def update(self, predictions: Sequence[TextPrediction], references: Sequence[TextReference]) -> None:
        """Add a batch of rows."""
        self.predictions += predictions
        self.references += [reference.text for reference in references]

    def compute(self, decision: Any = None) -> dict[str, float]:
        """Every metric by its name; perplexity and accuracy over all target tokens."""
        tokens = max(sum(one.tokens for one in self.predictions), 1)
        loss = sum(one.loss for one in self.predictions) / tokens
        texts = [one.text or "" for one in self.predictions]
        figures = self.metrics.compute(texts, self.references, loss=loss)
        figures[TOKEN_ACCURACY] = sum(one.correct for one in self.predictions) / tokens
        return {name: figures[name] for name in self.names}

    def row_scores(self, decision: Any = None) -> dict[str, np.ndarray]:
        """ROUGE of each row, (rows,), float64."""
        import numpy as np

        from tunebook.evaluation.metrics import Metrics

        names = [name for name in self.names if name.startswith("rouge")]
        metrics = Metrics(names, "token_ids")
        pairs = zip(self.predictions, self.references, strict=True)
        rows = [metrics.compute([one.text or ""], [reference]) for one, reference in pairs] if names else []
        return {name: np.array([row[name] for row in rows]) for name in names}


class TextOutputs:
    """What a task (`tunebook.tasks.base.Task`) is that learns tokens and may write text; one row is one example."""

    labels = None
    target_type = "token_ids"
    default_loss = "cross_entropy"
    problem_type: str | None = None
    lazy = False

    def merge(self, predictions: list[Any]) -> Any:
        """A row is one example."""
        return predictions[0]

    def misfits(self, targets: Targets, splits: Collection[str]) -> list[Problem]:
        """Nothing."""
        return []

    def evaluator(self, metrics: Sequence[str], targets: Targets) -> TextEvaluator:
        """Of one split."""
        return TextEvaluator(metrics)

    def record(
        self, prediction: TextPrediction, reference: TextReference, targets: Targets, decision: Any = None
    ) -> dict[str, Any]:
        """Source, reference and, where there is one, the generated text; perplexity and accuracy of its tokens."""
        tokens = max(prediction.tokens, 1)
        record = {"source": reference.source, "reference": reference.text}
        record |= {} if prediction.text is None else {"prediction": prediction.text}
        perplexity = math.exp(min(prediction.loss / tokens, 700))
        return {**record, "perplexity": perplexity, "token_accuracy": prediction.correct / tokens}
