"""What the audit keeps of images: size, mode, format and a small copy in numbers. Decodes one image at a time."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Image
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from datasets import Dataset

SIDE = 8
SHOWN_PIXELS = 128
_FEW = 200


@dataclass(frozen=True)
class Thumbnails:
    """Some images of a split.

    Args:
        at: their positions in the split, (images,).
        sizes: width and height, (images, 2).
        modes: PIL's, such as RGB or L.
        formats: of the files, such as JPEG; "none" where an image came from no file.
        pixels: 8 x 8 pixels of red, green and blue in [0, 1], (images, 8, 8, 3), float32.
    """

    at: np.ndarray
    sizes: np.ndarray
    modes: list[str]
    formats: list[str]
    pixels: np.ndarray


def of(split: Dataset, role: str, at: np.ndarray, name: str) -> Thumbnails:
    """The images of the column `role` at some positions; `name` of the split is for the progress bar."""
    import PIL.Image

    files = split.select_columns([role]).cast_column(role, Image(decode=False)).select(at)
    sizes, modes, formats, pixels = [], [], [], []
    bar = tqdm(files, desc=f"Images of {name}", leave=False, disable=len(at) <= _FEW or None)
    for row in bar:
        content = row[role]
        with PIL.Image.open(io.BytesIO(content["bytes"]) if content["bytes"] else content["path"]) as image:
            sizes.append(image.size)
            modes.append(image.mode)
            formats.append(image.format or "none")
            # A JPEG decoder can shrink while it reads, which spares most of its work.
            image.draft("RGB", (8 * SIDE, 8 * SIDE))
            small = image.convert("RGB").resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
        pixels.append(np.asarray(small, dtype=np.float32) / 255)
    return Thumbnails(at, np.asarray(sizes), modes, formats, np.asarray(pixels))


def small(image: Any) -> Any:
    """A copy of at most 128 pixels a side."""
    copy = image.copy()
    copy.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
    return copy
