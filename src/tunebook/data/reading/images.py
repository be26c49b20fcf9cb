"""Finds image files that PIL cannot read. Knows nothing of classes or splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

MANY = 2000


def unreadable(files: Sequence[Path]) -> list[tuple[Path, str]]:
    """Each file that PIL cannot decode, with the reason; a progress bar from 2,000 files on."""
    from tqdm.auto import tqdm

    bar = tqdm(files, desc="Checking images", unit=" images", disable=len(files) <= MANY)
    return [(file, why) for file in bar if (why := _why_not(file))]


def _why_not(file: Path) -> str:
    from PIL import Image, UnidentifiedImageError

    if not file.stat().st_size:
        return "empty file"
    try:
        with warnings.catch_warnings():
            # A decompression bomb is only warned of by default.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                image.verify()
            _decode_small(file)
    except UnidentifiedImageError:
        return "no known image format"
    # PIL's decoders raise many kinds of exceptions on damaged files; each means the same here.
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _decode_small(file: Path) -> None:
    """Decode every byte, JPEG at an eighth of its size: `verify` alone lets through images that are cut short."""
    from PIL import Image

    with Image.open(file) as image:
        if image.format != "PNG":  # whose checksums verify has compared
            image.draft("L", (1, 1))
            image.load()
