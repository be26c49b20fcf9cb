"""Entities of rows: from predicted tags to metrics, records, kinds of errors and panels. Knows tags, no model.

A prediction is an array (units, 5), float64: unit, start, end, id of the tag, its probability. A unit is a word of a
list of words (start and end then count words) or a token of a text (they count characters).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunebook.data.labels.tag_schemes import entities
from tunebook.panels import Example, Panel, Row, Table

if TYPE_CHECKING:
    import numpy as np

    from tunebook.evaluation.metrics import Metrics
    from tunebook.tasks.base import Evaluated

Found = tuple[str, int, int]
"""An entity by its type, start and end."""
KINDS = ("right", "wrong type", "wrong boundary", "wrong type and boundary", "missed", "invented")
SHOWN = 20


def whole_row(prediction: np.ndarray, units: int | None) -> np.ndarray:
    """A prediction with a line for each unit of its row; words without any token are outside, for certain."""
    import numpy as np

    if units is None or len(prediction) == units:
        return prediction
    result = np.zeros((units, 5))
    result[:, 0] = result[:, 1] = np.arange(units)
    result[:, 2], result[:, 4] = result[:, 1] + 1, 1.0
    result[prediction[:, 0].astype(np.int64)] = prediction
    return result


def found(tags: Sequence[str], offsets: Any) -> list[Found]:
    """The entities of a row, in words or characters."""
    return [(one.type, int(offsets[one.start][0]), int(offsets[one.end - 1][1])) for one in entities(tags)]


def error_kinds(labelled: Sequence[Found], predicted: Sequence[Found]) -> Counter[str]:
    """How many labelled entities are right, wrong in what, or missed, and how many predicted ones are invented.

    An entity is compared with those that it overlaps, the best first: same borders, then same type.
    """
    counts: Counter[str] = Counter()
    for one in labelled:
        near = [other for other in predicted if _overlap(one, other)]
        if one in near:
            counts["right"] += 1
        elif any(other[1:] == one[1:] for other in near):
            counts["wrong type"] += 1
        elif any(other[0] == one[0] for other in near):
            counts["wrong boundary"] += 1
        else:
            counts["wrong type and boundary" if near else "missed"] += 1
    counts["invented"] += sum(not any(_overlap(one, other) for one in labelled) for other in predicted)
    return counts


def _overlap(one: Found, other: Found) -> bool:
    return max(one[1], other[1]) < min(one[2], other[2])


class TokenEvaluator:
    """Gathers tags row by row; see `tunebook.tasks.base.Evaluator`.

    Args:
        metrics: of token labels.
        tags_of: (prediction, reference) -> a row's predicted and labelled tags.
    """

    def __init__(self, metrics: Metrics, tags_of: Any) -> None:
        self.metrics, self.tags_of = metrics, tags_of
        self.predicted: list[list[str]] = []
        self.labelled: list[list[str]] = []

    def update(self, predictions: Sequence[Any], references: Sequence[Any]) -> None:
        """Add a batch of rows."""
        for prediction, reference in zip(predictions, references, strict=True):
            predicted, labelled = self.tags_of(prediction, reference)
            self.predicted.append(predicted)
            self.labelled.append(labelled)

    def compute(self, decision: Any = None) -> dict[str, float]:
        """Every metric over all rows."""
        return self.metrics.compute(self.predicted, self.labelled)

    def row_scores(self, decision: Any = None) -> dict[str, Any]:
        """None: these metrics count entities and tokens, and are no means over rows."""
        return {}


def record(
    prediction: np.ndarray, predicted: list[str], labelled: list[str] | None, source: str | Sequence[str]
) -> dict[str, Any]:
    """Predicted and labelled entities of a row, its tags, and whether they are all right.

    Args:
        prediction: of the whole row.
        predicted: its tags.
        labelled: tags; None: the row has none.
        source: its text, or its words.
    """
    offsets = prediction[:, 1:3]
    shown = [
        {**entity, "score": float(prediction[one.start : one.end, 4].mean())}
        for one, entity in zip(entities(predicted), _shown(found(predicted, offsets), source), strict=True)
    ]
    if labelled is None:
        return {"entities": shown, "tags": predicted}
    wanted = _shown(found(labelled, offsets), source)
    right = predicted == labelled if not (shown or wanted) else found(predicted, offsets) == found(labelled, offsets)
    return {"label_entities": wanted, "entities": shown, "correct": right, "label_tags": labelled, "tags": predicted}


def _shown(entities_of_row: Sequence[Found], source: str | Sequence[str]) -> list[dict[str, Any]]:
    def text(start: int, end: int) -> str:
        return source[start:end] if isinstance(source, str) else " ".join(source[start:end])

    return [
        {"type": type_, "start": start, "end": end, "text": text(start, end)} for type_, start, end in entities_of_row
    ]


def panels(evaluated: Evaluated, records: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Entities by type, kinds of errors, and the rows with the most errors.

    Args:
        evaluated: the split.
        records: of its rows, as `record` gives them.
    """
    by_type: dict[str, Counter[str]] = {}
    kinds: Counter[str] = Counter()
    errors = []
    for row in records:
        labelled, predicted = ([_found(one) for one in row[name]] for name in ("label_entities", "entities"))
        for name, one in [("support", one) for one in labelled] + [("predicted", one) for one in predicted]:
            by_type.setdefault(one[0], Counter())[name] += 1
        for one in set(labelled) & set(predicted):
            by_type[one[0]]["right"] += 1
        counts = error_kinds(labelled, predicted)
        kinds += counts
        errors.append(counts.total() - counts["right"])
    worst = sorted((at for at, count in enumerate(errors) if count), key=lambda at: (-errors[at], at))[:SHOWN]
    numbers = evaluated.rows["row"]
    rows = [_row(evaluated.split, int(numbers[int(evaluated.positions[at])]), records[at]) for at in worst]
    table = Table(
        "", ["type", "precision", "recall", "F1", "support"], [_figures(*item) for item in sorted(by_type.items())]
    )
    errors_table = Table("Errors", ["kind", "entities"], [[kind, kinds[kind]] for kind in KINDS])
    examples = [Example("most errors", [row]) for row in rows]
    return [Panel("Entities", "An entity is right in type, start and end.", [table, errors_table], [], examples)]


def _found(entity: Mapping[str, Any]) -> Found:
    return entity["type"], entity["start"], entity["end"]


def _figures(type_: str, counts: Counter[str]) -> list[str | int | float]:
    right = counts["right"]
    precision, recall = right / max(counts["predicted"], 1), right / max(counts["support"], 1)
    f1 = 2 * right / max(counts["predicted"] + counts["support"], 1)
    return [type_, round(precision, 3), round(recall, 3), round(f1, 3), counts["support"]]


def _row(split: str, number: int, record_of_row: Mapping[str, Any]) -> Row:
    def words(name: str) -> str:
        return "; ".join(f"{one['text']} ({one['type']})" for one in record_of_row[name]) or "none"

    text = f"{record_of_row['source']}\npredicted: {words('entities')}"
    return Row(split, number, words("label_entities"), text)
