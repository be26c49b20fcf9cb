"""Finds images that PIL cannot read, in files or in bytes. Knows nothing of classes or splits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from tunebook.errors import Problem

MANY = 2000
SHOWN = 20


def progress_bar(images: int) -> Any:
    """Of checked images; hidden up to 2,000 of them."""
    from tqdm.auto import tqdm

    return tqdm(total=images, desc="Checking images", unit=" images", disable=images <= MANY or None)


def why_unreadable(image: Path | bytes) -> str:
    """Why PIL cannot decode an image, every byte of it, as the words of a problem; empty where it can."""
    reason = _decoding_error(image)
    return f"is not a readable image: {reason}" if reason else ""


def first_problems(problems: Sequence[Problem], unreadable: int, images: int) -> list[Problem]:
    """The first 20 of the problems, and where there are more, how many of all images cannot be read."""
    left = len(problems) - SHOWN
    if left <= 0:
        return list(problems)
    message = f"and {left} more; {unreadable} of {images} images cannot be read"
    return [*problems[:SHOWN], Problem("…", message, problems[0].place.partition(", row ")[0])]


def _decoding_error(image: Path | bytes) -> str:
    try:
        if not (len(image) if isinstance(image, bytes) else image.stat().st_size):
            return "empty file"
        with warnings.catch_warnings():
            # A decompression bomb is only warned of by default.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # What else PIL warns of, such as odd metadata, makes no image unreadable.
            warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
            with Image.open(_opened(image)) as opened:
                opened.verify()
            _decode_small(image)
    except UnidentifiedImageError:
        return "no known image format"
    except PermissionError as error:
        return str(error.strerror)
    # PIL's decoders raise many kinds of exceptions on damaged files; each means the same here.
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _opened(image: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(image) if isinstance(image, bytes) else image


def _decode_small(image: Path | bytes) -> None:
    """Decode every byte, JPEG at an eighth of its size: `verify` alone accepts images that are cut short."""
    with Image.open(_opened(image)) as opened:
        if opened.format != "PNG":  # whose checksums verify has compared
            opened.draft("L", (1, 1))
            opened.load()
