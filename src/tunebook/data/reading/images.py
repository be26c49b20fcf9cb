"""Finds images that PIL cannot read, in files or in bytes. Knows nothing of classes or splits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

MANY = 2000


def unreadable(files: Sequence[Path]) -> list[tuple[Path, str]]:
    """Each file that PIL cannot decode, with the reason; a progress bar from 2,000 files on."""
    from tqdm.auto import tqdm

    bar = tqdm(files, desc="Checking images", unit=" images", disable=len(files) <= MANY)
    return [(file, why) for file in bar if (why := why_not(file))]


def why_not(image: Path | bytes) -> str:
    """Why PIL cannot decode an image, every byte of it; empty where it can."""
    from PIL import Image, UnidentifiedImageError

    try:
        if not (len(image) if isinstance(image, bytes) else image.stat().st_size):
            return "empty file"
        with warnings.catch_warnings():
            # A decompression bomb is only warned of by default.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # What else PIL warns of, such as odd metadata, keeps no image from being read.
            warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
            with Image.open(_opened(image)) as found:
                found.verify()
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
    """Decode every byte, JPEG at an eighth of its size: `verify` alone lets through images that are cut short."""
    from PIL import Image

    with Image.open(_opened(image)) as found:
        if found.format != "PNG":  # whose checksums verify has compared
            found.draft("L", (1, 1))
            found.load()
