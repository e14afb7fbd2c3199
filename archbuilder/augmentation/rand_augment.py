"""RandAugment: some of fourteen operations, drawn for each image anew, all of them at one magnitude (arXiv:1909.13719).

Strengths are those of torchvision, what is empty turns grey as in the authors' code. Pixels are from 0 to 255.
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from keras import ops

from archbuilder.aliases import Tensor
from archbuilder.augmentation.colour import as_grey, for_each_image
from archbuilder.augmentation.engine import by_choice, gathered, highest, lowest, projected
from archbuilder.augmentation.random_numbers import StatelessRandom
from archbuilder.spec.augmentation import RandAugment

GREY = 128.0
SHIFTED = 150 / 331
"""The largest shift: 150 pixels of the 331 of the authors' images."""


def rand_augment(images: Tensor, random: StatelessRandom, step: RandAugment) -> Tensor:
    images = _clipped(images)
    for turn in range(step.operations):
        choice = random.integer(2 * turn, len(OPERATIONS))
        signs = ops.cast(random.integer(2 * turn + 1, 2) * 2 - 1, "float32")
        images = by_choice(OPERATIONS, choice, images, signs * (step.magnitude / step.MOST))
    return images


def _identity(images: Tensor, levels: Tensor) -> Tensor:
    return images


def _auto_contrast(images: Tensor, levels: Tensor) -> Tensor:
    """Spreads each channel from black to white."""
    low, high = lowest(images), highest(images)
    return ops.where(high > low, (images - low) * ops.divide_no_nan(255.0, high - low), images)


def _equalize(images: Tensor, levels: Tensor) -> Tensor:
    """Makes the values of each channel equally frequent, by the table of Pillow's ImageOps."""
    count, (height, width, channels) = ops.shape(images)[0], images.shape[1:]
    owners = ops.arange(count * channels) * 256
    bins = ops.cast(ops.round(images), "int32") + ops.reshape(owners, (count, 1, 1, channels))
    flat = ops.reshape(bins, [-1])
    counts = ops.reshape(ops.segment_sum(ops.ones_like(flat), flat, count * channels * 256), (-1, 256))
    brightest = ops.reshape(highest(bins), (-1, 1))
    step = (height * width - gathered(ops.reshape(counts, [-1]), brightest)) // 255
    table = (ops.cumsum(counts, 1) - counts + step // 2) // ops.maximum(step, 1)
    table = ops.where(step > 0, ops.minimum(table, 255), np.arange(256, dtype=np.int32))
    return ops.cast(gathered(ops.reshape(table, [-1]), bins), "float32")


def _solarize(images: Tensor, levels: Tensor) -> Tensor:
    """Inverts what is bright."""
    return ops.where(images >= for_each_image(255 * (1 - ops.abs(levels))), 255 - images, images)


def _posterize(images: Tensor, levels: Tensor) -> Tensor:
    """Sets up to four of the eight bits to zero."""
    width = for_each_image(2 ** ops.round(4 * ops.abs(levels)))
    return ops.floor(ops.round(images) / width) * width


def _colour(images: Tensor, levels: Tensor) -> Tensor:
    return _enhanced(images, as_grey(images), levels)


def _contrast(images: Tensor, levels: Tensor) -> Tensor:
    return _enhanced(images, ops.mean(as_grey(images), (1, 2), keepdims=True), levels)


def _brightness(images: Tensor, levels: Tensor) -> Tensor:
    return _enhanced(images, 0.0, levels)


def _sharpness(images: Tensor, levels: Tensor) -> Tensor:
    """Away from, or towards, the mean of nine neighbours with the middle one counted five times; not at the border."""
    inner = np.zeros((*images.shape[1:3], 1), np.bool_)
    inner[1:-1, 1:-1] = True
    smooth = (9 * ops.average_pool(images, 3, 1, "same") + 4 * images) / 13
    return _enhanced(images, ops.where(inner, smooth, images), levels)


def _enhanced(images: Tensor, plain: Tensor, levels: Tensor) -> Tensor:
    factor = for_each_image(1 + 0.9 * levels)
    return _clipped(factor * images + (1 - factor) * plain)


def _clipped(images: Tensor) -> Tensor:
    return ops.clip(images, 0, 255)


def _rotate(images: Tensor, levels: Tensor) -> Tensor:
    """Rotates by up to 30 degrees about the middle."""
    _, height, width, _ = images.shape
    cosine, sine = ops.cos(levels * (pi / 6)), ops.sin(levels * (pi / 6))
    down, right = (height - 1) / 2, (width - 1) / 2
    to_right = (cosine, sine, right - cosine * right - sine * down)
    return _warped(images, to_right, (-sine, cosine, down + sine * right - cosine * down))


def _shear_x(images: Tensor, levels: Tensor) -> Tensor:
    return _warped(images, (1, 0.3 * levels, 0), (0, 1, 0))


def _shear_y(images: Tensor, levels: Tensor) -> Tensor:
    return _warped(images, (1, 0, 0), (0.3 * levels, 1, 0))


def _translate_x(images: Tensor, levels: Tensor) -> Tensor:
    return _warped(images, (1, 0, SHIFTED * images.shape[2] * levels), (0, 1, 0))


def _translate_y(images: Tensor, levels: Tensor) -> Tensor:
    return _warped(images, (1, 0, 0), (0, 1, SHIFTED * images.shape[1] * levels))


def _warped(images: Tensor, right: tuple[Any, Any, Any], down: tuple[Any, Any, Any]) -> Tensor:
    """Takes the pixel at (x, y) from `right` and `down`, each (a, b, c) of a x + b y + c, bilinearly."""
    zeros = ops.zeros_like(images[:, 0, 0, 0])
    return projected(images, ops.stack([zeros + value for value in (*right, *down, 0, 0)], -1), GREY)


OPERATIONS = (
    _identity, _auto_contrast, _equalize, _rotate, _solarize, _colour, _posterize, _contrast, _brightness, _sharpness,
    _shear_x, _shear_y, _translate_x, _translate_y,
)  # fmt: skip
"""The operations of the paper, section 4, in its order."""
