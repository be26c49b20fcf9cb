"""The handwritten digits that scikit-learn carries, as images. Needs no download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunebook.data.sources.base import LoadContext, SourceOptions

if TYPE_CHECKING:
    from datasets import DatasetDict


class Options(SourceOptions):
    """The digits have no settings: 1,797 grey images of 8 by 8 pixels, to be split by `dataset.split`."""


def place(options: Options, split: str) -> str:
    """The data set's name."""
    return "scikit-learn's digits"


def load(options: Options, context: LoadContext) -> DatasetDict:
    """One split, train, with the columns image (PIL mode L, 0 to 255) and label ('0' to '9').

    Source: UCI Optical Recognition of Handwritten Digits, test part (Alpaydin and Kaynak 1998).
    """
    from datasets import Dataset, DatasetDict, Features, Image, Value
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype("uint8")  # of 0 to 16
    # Portable grey maps have no compression, so their bytes, and the fingerprint, depend on no library version.
    images = [{"bytes": b"P5 8 8 255\n" + image.tobytes(), "path": None} for image in pixels]
    labels = [str(label) for label in digits.target]
    features = Features({"image": Image(), "label": Value("string")})
    return DatasetDict({"train": Dataset.from_dict({"image": images, "label": labels}, features=features)})
