"""Simple features of texts and images that separate one split from another. Knows no labels and no model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tunebook.data.audit.check_result import quoted
from tunebook.data.audit.context import AuditContext

LEAST_ROWS = 3
TEXT_STRENGTH, IMAGE_STRENGTH = 1.0, 0.01


@dataclass(frozen=True)
class Features:
    """Features of rows of two splits, one below the other.

    Args:
        matrix: what the classifier sees, (rows, features).
        names: of the features.
        values: what the page shows, averaged over rows: 0/1, shares or plain numbers, (rows, features).
        shares: whether a feature's average is a share of rows or signs, (features,).
        groups: number of each row's content; equal for equal rows, (rows,).
        strength: inverse regularisation that suits them.
    """

    matrix: Any
    names: list[str]
    values: Any
    shares: np.ndarray
    groups: np.ndarray
    strength: float


def of_texts(context: AuditContext, parts: list[tuple[str, np.ndarray]]) -> Features:
    """TF-IDF of the words that are in three rows or more, and the style: length, capitals, digits, signs.

    `parts` are two splits, each with positions among `AuditContext.text_rows`.
    """
    from scipy.sparse import csr_matrix, hstack, vstack
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import StandardScaler

    words = vstack([context.words.rows[split][at] for split, at in parts]).tocsr()
    frequent = np.flatnonzero(np.asarray(words.sum(axis=0)).ravel() >= LEAST_ROWS)
    words = words[:, frequent]
    texts = [text for split, at in parts for text in np.asarray(context.texts(split), dtype=object)[at]]
    names, values, shares = style(texts)
    # Shrunk so that the style of a row weighs about as much as its words, whose vector has length 1.
    scaled = StandardScaler().fit_transform(values) / np.sqrt(len(names))
    matrix = words if not len(frequent) else TfidfTransformer(sublinear_tf=True).fit_transform(words)
    keys: dict[str, int] = {}
    groups = [keys.setdefault(" ".join(text.lower().split()), len(keys)) for text in texts]
    return Features(
        matrix=hstack([matrix, csr_matrix(scaled)]).tocsr(),
        names=[quoted(name) for name in context.words.names[frequent]] + names,
        values=hstack([words, csr_matrix(values)]).tocsr(),
        shares=np.concatenate([np.ones(len(frequent), dtype=bool), shares]),
        groups=np.asarray(groups),
        strength=TEXT_STRENGTH,
    )


def style(texts: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, values (rows, 7) and which of them are shares: how texts are written, whatever they say."""
    signs = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    sizes = np.asarray([len(text) for text in texts])
    ends = np.cumsum(sizes)

    def share(which: np.ndarray) -> np.ndarray:
        running = np.concatenate([[0], np.cumsum(which)])
        return (running[ends] - running[ends - sizes]) / np.maximum(sizes, 1)

    capital, small = (signs >= 65) & (signs <= 90), (signs >= 97) & (signs <= 122)
    digit, foreign, blank = (signs >= 48) & (signs <= 57), signs > 126, signs <= 32
    columns = {
        "length in signs": sizes,
        "capital letters": share(capital),
        "digits": share(digit),
        "punctuation": share(~(capital | small | digit | foreign | blank)),
        "signs beyond ASCII": share(foreign),
        "white space": share(blank),
        "ends with a full stop": np.asarray([text.rstrip().endswith((".", "!", "?", "。")) for text in texts]),
    }
    shares = np.asarray([name != "length in signs" for name in columns])
    return list(columns), np.stack([np.asarray(part, dtype=np.float64) for part in columns.values()], axis=1), shares


def of_images(context: AuditContext, parts: list[tuple[str, np.ndarray]]) -> Features:
    """Pixels of 8 x 8 thumbnails, size, mode and file format; see `of_texts`. Positions are those among thumbnails."""
    from sklearn.preprocessing import StandardScaler

    thumbnails = [(context.images(split), at) for split, at in parts]
    pixels = np.concatenate([one.pixels[at] for one, at in thumbnails])
    sizes = np.concatenate([one.sizes[at] for one, at in thumbnails])
    kinds = [(f"mode {one.modes[at]}", f"format {one.formats[at]}") for one, ats in thumbnails for at in ats.tolist()]
    named = sorted({kind for both in kinds for kind in both})
    has = np.asarray([[kind in both for kind in named] for both in kinds], dtype=np.float64)
    height, width = pixels.shape[1:3]
    colours = ("red", "green", "blue")
    spots = [
        f"{colour} at column {x}, row {y} of 8"
        for y, x, colour in product(range(1, height + 1), range(1, width + 1), colours)
    ]
    values = np.hstack([sizes, has, pixels.reshape(len(pixels), -1)])
    _, groups = np.unique(pixels.reshape(len(pixels), -1), axis=0, return_inverse=True)
    return Features(
        matrix=StandardScaler().fit_transform(np.hstack([np.log(sizes), has, pixels.reshape(len(pixels), -1)])),
        names=["width", "height", *named, *spots],
        values=values,
        shares=np.asarray([False, False, *([True] * (len(named) + len(spots)))]),
        groups=groups.ravel(),
        strength=IMAGE_STRENGTH,
    )
