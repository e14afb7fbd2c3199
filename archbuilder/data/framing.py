"""Framing: an image at its own size becomes one, or several, of the input's size.

It is done in Pillow, so that files look the same in training, testing and prediction: turned upright as their Exif data
says, and resized with a bilinear filter that is as wide as what falls together (which torchvision does, too).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log, sqrt
from typing import TYPE_CHECKING, assert_never

import numpy as np

from archbuilder.data.dataset import Pixels
from archbuilder.errors import UsageError
from archbuilder.spec import framing

if TYPE_CHECKING:
    from PIL import Image

Size = tuple[int, int]
"""Height and width."""
MAX_RESIZED = 200_000_000
TRIES = 10
BILINEAR = 2  # Image.Resampling.BILINEAR


class ImageRandom:
    """The random numbers of one framing step for one image: those of `StatelessRandom`, in Python's integers."""

    def __init__(self, seed: int, position: int, epoch: int, index: int) -> None:
        self._key = _hash(_hash(_hash(seed) + position) + epoch)
        self._index = index

    def uniform(self, number: int, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * (self._bits(number) >> 8) * 2.0**-24

    def integer(self, number: int, below: int) -> int:
        return self._bits(number) * below >> 32

    def _bits(self, number: int) -> int:
        key = _hash(self._key + number)
        return _hash(_hash(self._index + key) + key)


def _hash(value: int) -> int:
    value &= 2**32 - 1
    for _ in range(2):
        value = (value ^ value >> 16) * 0x45D9F3B & 2**32 - 1
    return value ^ value >> 16


def _no_chance(position: int) -> ImageRandom:
    return ImageRandom(0, position, 0, 0)


def crops(steps: Sequence[framing.AnyFraming]) -> int:
    """The number of images that an image becomes."""
    return 10 if any(isinstance(step, framing.TenCrop) for step in steps) else 1


def frame(
    image: Image.Image,
    steps: Sequence[framing.AnyFraming],
    size: Size,
    random_at: Callable[[int], ImageRandom] = _no_chance,
) -> Pixels:
    """(H, W, C), or (crops, H, W, C); `random_at` gives the random numbers of the step at a position."""
    for position, step in enumerate(steps):
        if isinstance(step, framing.TenCrop):
            return np.stack([_pixels(crop) for crop in _ten_crops(image, size)])
        image = _apply(step, image, size, random_at(position))
    return _pixels(image)


def _apply(step: framing.Framing, image: Image.Image, size: Size, random: ImageRandom) -> Image.Image:
    match step:
        case framing.Resize():
            return _resized(image, _target(step, image, size, random))
        case framing.RandomCrop():
            spare_down, spare_right = image.height - size[0], image.width - size[1]
            return _crop(image, random.integer(0, spare_down + 1), random.integer(1, spare_right + 1), size)
        case framing.CentreCrop():
            return _crop(image, *_centre(image, size), size)
        case framing.RandomResizedCrop():
            top, left, height, width = _random_part(image, step.scale, step.ratio, random)
            return _resized(_crop(image, top, left, (height, width)), size)
        case _:
            assert_never(step)


def _target(step: framing.Resize, image: Image.Image, size: Size, random: ImageRandom) -> Size:
    if step.sides is None:
        return size
    least, most = step.sides
    short = least + random.integer(0, most - least + 1)
    long = int(short * max(image.size) / min(image.size))
    if short * long > MAX_RESIZED:
        image_and_side = f"an image of {image.width}x{image.height} pixels to a shorter side of {short:,}"
        raise UsageError(f"`resize` cannot bring {image_and_side}: that would be more than {MAX_RESIZED:,} pixels")
    return (long, short) if image.height > image.width else (short, long)


def _random_part(
    image: Image.Image, scale: tuple[float, float], ratio: tuple[float, float], random: ImageRandom
) -> tuple[int, int, int, int]:
    """Top, left, height, width; after ten tries that do not fit, those of the largest middle part that fits."""
    for first in range(0, 4 * TRIES, 4):
        area = random.uniform(first, *scale) * image.width * image.height
        shape = exp(random.uniform(first + 1, log(ratio[0]), log(ratio[1])))
        height, width = round(sqrt(area / shape)), round(sqrt(area * shape))
        if 0 < height <= image.height and 0 < width <= image.width:
            top = random.integer(first + 2, image.height - height + 1)
            return top, random.integer(first + 3, image.width - width + 1), height, width
    shape = min(max(image.width / image.height, ratio[0]), ratio[1])
    height, width = min(image.height, round(image.width / shape)), min(image.width, round(image.height * shape))
    return (image.height - height) // 2, (image.width - width) // 2, height, width


def _ten_crops(image: Image.Image, size: Size) -> list[Image.Image]:
    """Corners and middle, then the same of the mirror image of each."""
    from PIL import ImageOps

    bottom, right = image.height - size[0], image.width - size[1]
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right), _centre(image, size)]
    five = [_crop(image, *place, size) for place in places]
    return five + [ImageOps.mirror(crop) for crop in five]


def _centre(image: Image.Image, size: Size) -> Size:
    return round((image.height - size[0]) / 2), round((image.width - size[1]) / 2)


def _crop(image: Image.Image, top: int, left: int, size: Size) -> Image.Image:
    return image.crop((left, top, left + size[1], top + size[0]))


def _resized(image: Image.Image, size: Size) -> Image.Image:
    height, width = size
    return image if image.size == (width, height) else image.resize((width, height), BILINEAR)


def _pixels(image: Image.Image) -> Pixels:
    pixels = np.asarray(image, np.uint8)
    return pixels if pixels.ndim == 3 else pixels[..., None]
