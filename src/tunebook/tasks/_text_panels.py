"""What the report shows of generated texts and of the loss of rows. Knows predictions and references, no task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tunebook.panels import Example, Histogram, Panel, Row, Table
from tunebook.tasks.base import Evaluated

if TYPE_CHECKING:
    import numpy as np

SHOWN = 5
RUN = 4
"""Words in a row that count as repeated where they come again."""


class TextReference(NamedTuple):
    """What a row asks for: the source, and the text that is wanted."""

    source: str
    text: str


class TextPrediction(NamedTuple):
    """What is recorded of an example.

    Args:
        loss: cross-entropy of its target tokens, summed.
        tokens: how many target tokens it has.
        correct: how many of them the model gets right, each after the true ones before it.
        inputs: how many tokens the model read.
        text: what the model generated; None: it generated nothing.
    """

    loss: float
    tokens: int
    correct: int
    inputs: int
    text: str | None = None


def text_panels(evaluated: Evaluated, cut: dict[str, int]) -> list[Panel]:
    """Lengths, faults, best and worst examples; without generated texts, the loss of rows.

    Args:
        evaluated: with `TextPrediction` and `TextReference`.
        cut: what may be cut, in words, to the number of rows.
    """
    import numpy as np

    texts = [one.text for one in evaluated.predictions]
    loss = _loss_panel(evaluated, cut)
    if not texts or any(text is None for text in texts):
        return [loss]
    references = [one.text for one in evaluated.references]
    scores = np.array([overlap(text, reference) for text, reference in zip(texts, references, strict=True)])
    order = scores.argsort(kind="stable")
    worst = [_example(evaluated, at, f"overlap {scores[at]:.2f}") for at in order[:SHOWN].tolist()]
    best = [_example(evaluated, at, f"overlap {scores[at]:.2f}") for at in order[::-1][:SHOWN].tolist()]
    words = {"prediction": _words(texts), "reference": _words(references)}
    note = "Examples are ordered by the words that prediction and reference share (F1), the worst first."
    lengths = _histogram("Lengths", words, "words")
    return [Panel("Generated texts", note, [_faults(evaluated)], [lengths], [*worst, *best]), loss]


def overlap(prediction: str, reference: str) -> float:
    """F1 of the words that two texts share, in [0, 1]."""
    ours, theirs = Counter(prediction.lower().split()), Counter(reference.lower().split())
    return 2 * (ours & theirs).total() / max(ours.total() + theirs.total(), 1)


def repeats(text: str) -> bool:
    """Whether a run of `RUN` words comes again."""
    words = text.split()
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    return len(set(runs)) < len(runs)


def _faults(evaluated: Evaluated) -> Table:
    pairs: list[tuple[TextPrediction, TextReference]] = list(
        zip(evaluated.predictions, evaluated.references, strict=True)
    )
    faults = {
        "empty": [not one.text for one, _ in pairs],
        "equal to the source": [one.text == reference.source.strip() for one, reference in pairs],
        f"repeat a run of {RUN} words": [repeats(one.text or "") for one, _ in pairs],
    }
    rows: list[list[str | int | float]] = [
        [name, sum(values), round(sum(values) / len(values), 4)] for name, values in faults.items()
    ]
    return Table("Faults of predictions", ["predictions that are or", "rows", "share"], rows)


def _loss_panel(evaluated: Evaluated, cut: dict[str, int]) -> Panel:
    import numpy as np

    losses = np.nan_to_num(evaluated.losses)
    order = losses.argsort(kind="stable")[::-1]
    examples = [_example(evaluated, at, f"loss {losses[at]:.2f} a token") for at in order[:SHOWN].tolist()]
    rows: list[list[str | int | float]] = [[name, count] for name, count in cut.items()]
    tables = [Table("Texts that may be cut", ["what", "rows"], rows)] if rows else []
    plot = _histogram("Loss of rows", {evaluated.split: losses}, "mean loss of a row's tokens")
    return Panel("Loss of rows", "The rows that the model finds hardest.", tables, [plot], examples)


def _histogram(title: str, series: dict[str, np.ndarray], axis: str) -> Histogram:
    import numpy as np

    edges = np.histogram_bin_edges(np.concatenate(list(series.values())), bins=20)
    shares = {name: (np.histogram(values, edges)[0] / max(len(values), 1)).tolist() for name, values in series.items()}
    return Histogram(title, edges.tolist(), shares, axis)


def _words(texts: Sequence[str | None]) -> np.ndarray:
    import numpy as np

    return np.array([len((text or "").split()) for text in texts], dtype=np.int64)


def _example(evaluated: Evaluated, at: int, title: str) -> Example:
    row = int(evaluated.rows[int(evaluated.positions[at])]["row"])
    prediction, reference = evaluated.predictions[at], evaluated.references[at]
    shown = {"source": reference.source, "reference": reference.text, "prediction": prediction.text}
    rows = [Row(evaluated.split, row, label, text) for label, text in shown.items() if text is not None]
    return Example(title, rows)
