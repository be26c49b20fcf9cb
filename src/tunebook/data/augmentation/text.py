"""Texts with words left out, moved, mistyped, recased or replaced, and mixed in the model's embeddings.

Knows strings alone. The changes are those of EDA (Wei and Zou 2019) without its built-in thesaurus, and typing noise;
they are written out in `_words.py`, as no light library for them is maintained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from tunebook.data.augmentation import _synonyms, _words
from tunebook.data.augmentation._mixing import draw
from tunebook.data.augmentation.base import AugmentationOptions, Mix, Mixed, generator
from tunebook.data.row_key import RowKey
from tunebook.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from tunebook.config.schema import Config

ROLES = {"text", "text_pair"}


class Options(AugmentationOptions):
    """How texts are varied, in the order given here; probabilities are per word.

    Args:
        synonyms: path of a word list, one line a word: `word: synonym, another synonym`; None: none are replaced.
        synonym: probability of replacing a word that is in the list.
        deletion: of leaving a word out; a text never loses its last one.
        swap: of trading places with the next word.
        keyboard: of one letter replaced by its neighbour on the keyboard.
        layout: of the keyboard.
        case: of capitals, small letters, or the first letter's case changed.
        mixup: alpha of MixUp in the model's embeddings (Guo et al. 2019), e.g. 0.2; None: off.
        mix_probability: share of the rows that are mixed with another.
    """

    synonyms: str | None = Field(default=None, min_length=1)
    synonym: float = Field(default=0.1, ge=0, le=1)
    deletion: float = Field(default=0.0, ge=0, le=1)
    swap: float = Field(default=0.0, ge=0, le=1)
    keyboard: float = Field(default=0.0, ge=0, le=1)
    layout: Literal["qwerty", "qwertz", "azerty"] = "qwerty"
    case: float = Field(default=0.0, ge=0, le=1)
    mixup: float | None = Field(default=None, gt=0)
    mix_probability: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _synonyms_need_a_list(self) -> Options:
        if "synonym" in self.model_fields_set and self.synonym and self.synonyms is None:
            raise ValueError("synonym needs a word list; name it in augmentation.synonyms")
        return self


class Augmentation:
    """Texts of training rows.

    Raises:
        ConfigurationError: the word list cannot be used.
    """

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed
        self.known, wrong = _synonyms.read(options.synonyms) if options.synonyms is not None else ({}, [])
        if wrong:
            raise ConfigurationError(wrong)
        noise = (options.deletion, options.swap, options.keyboard, options.case, options.synonym if self.known else 0)
        self.varies = any(noise)
        self.mixes: Mixed | None = "embeddings" if options.mixup is not None and options.mix_probability else None
        self.active = self.varies or self.mixes is not None

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """Each text by its row's own numbers; the second text of a pair goes on with those of the first."""
        if not self.varies:
            return rows
        generators = [generator(key, self.seed) for key in keys]
        varied = dict(rows)
        for role in ("text", "text_pair"):
            if role in rows:
                varied[role] = [self._varied(*pair) for pair in zip(rows[role], generators, strict=True)]
        return varied

    def mix(self, keys: list[RowKey], rows: int) -> list[Mix | None]:
        """MixUp with any other training row."""
        mixup, probability = self.options.mixup, self.options.mix_probability
        return [draw(key, self.seed, rows, mixup, None, probability) for key in keys]

    def _varied(self, text: str | None, numbers: np.random.Generator) -> str | None:
        if text is None:
            return None
        options = self.options
        words, gaps = _words.split(text)
        if self.known:
            words = _words.synonyms(words, numbers, options.synonym, self.known)
        words, gaps = _words.delete(words, gaps, numbers, options.deletion)
        words = _words.swap(words, numbers, options.swap)
        words = _words.keyboard(words, numbers, options.keyboard, options.layout)
        words = _words.case(words, numbers, options.case)
        return _words.join(words, gaps)


def problems(config: Config) -> list[Problem]:
    """A list of synonyms that cannot be used."""
    file = config.augmentation.options.synonyms  # type: ignore[attr-defined]
    return _synonyms.read(file)[1] if file is not None else []
