"""Images flipped, turned, cropped, recoloured, by RandAugment, and mixed. Knows PIL images and kornia alone.

kornia works on tensors and needs no torchvision. It uses torch's global generator, which is therefore set
from the row's own numbers for each image and put back afterwards.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from tunebook.config.options import Options as Group
from tunebook.data.augmentation._mixing import draw
from tunebook.data.augmentation.base import AugmentationOptions, Mix, Mixed, generator
from tunebook.data.row_key import RowKey
from tunebook.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from tunebook.config.schema import Config

ROLES = {"image"}


class RandAugment(Group):
    """RandAugment (Cubuk et al. 2020).

    Args:
        n: operations on each image, of 15.
        m: how strong, below 30.
    """

    n: int = Field(default=2, ge=1, le=15)
    m: int = Field(default=9, ge=1, le=29)


class Options(AugmentationOptions):
    """How images are varied, in the order given here. What is turned or shifted in from outside is black.

    Args:
        crop_scale: a part of at least this share of the area, brought back to the image's size; None: no such crop.
        crop_padding: the image is shifted by at most this share of its side; None: it is not.
        horizontal_flip: probability of swapping left and right.
        vertical_flip: probability of swapping top and bottom.
        rotation: by at most so many degrees to either side.
        brightness: at most this share more or less.
        contrast: likewise.
        saturation: likewise; grey images stay as they are.
        hue: turned by at most this share of the colour circle; grey images stay as they are.
        randaugment: `{n, m}`; None: not applied.
        mixup: alpha of MixUp (Zhang et al. 2018), e.g. 0.2; None: off.
        cutmix: alpha of CutMix (Yun et al. 2019), e.g. 1.0; None: off. With both, each has half of the mixed rows.
        mix_probability: share of the rows that are mixed with another.
    """

    crop_scale: float | None = Field(default=None, gt=0, le=1)
    crop_padding: float | None = Field(default=None, gt=0, le=0.5)
    horizontal_flip: float = Field(default=0.0, ge=0, le=1)
    vertical_flip: float = Field(default=0.0, ge=0, le=1)
    rotation: float = Field(default=0.0, ge=0, le=180)
    brightness: float = Field(default=0.0, ge=0, le=1)
    contrast: float = Field(default=0.0, ge=0, le=1)
    saturation: float = Field(default=0.0, ge=0, le=1)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    randaugment: RandAugment | None = None
    mixup: float | None = Field(default=None, gt=0)
    cutmix: float | None = Field(default=None, gt=0)
    mix_probability: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _one_crop(self) -> Options:
        if self.crop_scale is not None and self.crop_padding is not None:
            raise ValueError("crop_scale and crop_padding are two ways to crop; set one of them to null")
        return self

    @property
    def varies(self) -> bool:
        """Whether an image is changed by itself."""
        return bool(self.model_dump(exclude={"mixup", "cutmix", "mix_probability"}, exclude_defaults=True))


def missing(options: Options) -> list[Problem]:
    """Whether kornia is there, where it is needed."""
    if not options.varies or importlib.util.find_spec("kornia") is not None:
        return []
    return [Problem("augmentation.method", "image needs the package kornia: pip install 'tunebook[images]'")]


class Augmentation:
    """Images of training rows.

    Raises:
        ConfigurationError: kornia is not installed.
    """

    def __init__(self, options: Options, seed: int) -> None:
        if problems := missing(options):
            raise ConfigurationError(problems)
        self.options, self.seed = options, seed
        mixing = options.mix_probability > 0 and (options.mixup is not None or options.cutmix is not None)
        self.mixes: Mixed | None = "pixels" if mixing else None
        self.active = options.varies or mixing

    def apply(self, rows: dict[str, list[Any]], keys: list[RowKey]) -> dict[str, list[Any]]:
        """Each image by its own numbers; grey ones stay grey, others become RGB."""
        if not self.options.varies:
            return rows
        images = [self._varied(image, key) for image, key in zip(rows["image"], keys, strict=True)]
        return {**rows, "image": images}

    def mix(self, keys: list[RowKey], rows: int) -> list[Mix | None]:
        """MixUp or CutMix with any other training row."""
        options = self.options
        return [draw(key, self.seed, rows, options.mixup, options.cutmix, options.mix_probability) for key in keys]

    def _varied(self, image: Image, key: RowKey) -> Image:
        import torch

        seed = int(generator(key, self.seed).integers(2**63))
        own = torch.random.get_rng_state()
        try:
            # Not torch.manual_seed, which would seed the GPU's generator, and with it dropout, as well.
            torch.default_generator.manual_seed(seed)
            pixels = to_tensor(image)
            for operation in _operations(self.options, *pixels.shape[-2:]):
                pixels = operation(pixels)
        finally:
            torch.random.set_rng_state(own)
        return to_image(pixels, grey=is_grey(image))


def is_grey(image: Image) -> bool:
    """Whether an image has one channel."""
    return image.mode in {"1", "L", "LA"}


def to_tensor(image: Image) -> torch.Tensor:
    """An image as (1, 3, height, width) in [0, 1]; a grey one in three equal channels, which colour leaves equal."""
    import numpy as np
    import torch

    pixels = np.asarray(image.convert("L").convert("RGB") if is_grey(image) else image.convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def to_image(pixels: torch.Tensor, grey: bool) -> Image:
    """The image of (1, 3, height, width) in [0, 1], in RGB or grey."""
    from PIL import Image

    bytes_ = (pixels[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(bytes_[:, :, 0].copy() if grey else bytes_)


@lru_cache(maxsize=64)
def _operations(options: Options, height: int, width: int) -> list[Any]:
    """kornia's operations for one size of image; building them costs more than applying them."""
    import kornia.augmentation as kornia
    from kornia.augmentation.auto import RandAugment as KorniaRandAugment

    operations: list[Any] = []
    if options.crop_scale is not None:
        operations.append(kornia.RandomResizedCrop((height, width), scale=(options.crop_scale, 1.0)))
    if options.crop_padding is not None:
        padding = (max(1, round(options.crop_padding * width)), max(1, round(options.crop_padding * height)))
        operations.append(kornia.RandomCrop((height, width), padding=(padding[0], padding[1], padding[0], padding[1])))
    if options.horizontal_flip:
        operations.append(kornia.RandomHorizontalFlip(p=options.horizontal_flip))
    if options.vertical_flip:
        operations.append(kornia.RandomVerticalFlip(p=options.vertical_flip))
    if options.rotation:
        operations.append(kornia.RandomRotation(options.rotation, p=1.0))
    if any((options.brightness, options.contrast, options.saturation, options.hue)):
        operations.append(kornia.ColorJiggle(options.brightness, options.contrast, options.saturation, options.hue))
    if options.randaugment is not None:
        operations.append(KorniaRandAugment(options.randaugment.n, options.randaugment.m))
    return operations


def problems(config: Config) -> list[Problem]:
    """A package that is not installed."""
    return missing(config.augmentation.options)  # type: ignore[arg-type]
