"""Augmentations that move pixels about or take them out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from keras import ops

from archbuilder.aliases import Tensor
from archbuilder.augmentation.colour import for_each_image
from archbuilder.augmentation.engine import gathered
from archbuilder.augmentation.random_numbers import StatelessRandom

Fill = Literal["nearest", "zero", "reflect"]


def shift(images: Tensor, random: StatelessRandom, fraction: float, fill: Fill) -> Tensor:
    """Moves each image by up to `fraction` of its height and width, with bilinear interpolation.

    This is what `width_shift_range` and `height_shift_range` of Keras' ImageDataGenerator do. The pixels between which
    is interpolated are the same for a whole image, and so is their share.
    """
    _, height, width, _ = images.shape
    down = (random.uniform(0) * 2 - 1) * fraction * height
    right = (random.uniform(1) * 2 - 1) * fraction * width
    whole_down, whole_right = ops.floor(down), ops.floor(right)
    wider = _window(images, _places(whole_down, height + 1), _places(whole_right, width + 1), fill)
    share = for_each_image(right - whole_right)
    wider = wider[:, :, :-1] + share * (wider[:, :, 1:] - wider[:, :, :-1])
    share = for_each_image(down - whole_down)
    return wider[:, :-1] + share * (wider[:, 1:] - wider[:, :-1])


def pad_crop(images: Tensor, random: StatelessRandom, pad: int, fill: Fill) -> Tensor:
    """Crops the old size out of the image with `pad` pixels around it, at one of (2 pad + 1)^2 places."""
    _, height, width, _ = images.shape
    top, left = random.integer(0, 2 * pad + 1) - pad, random.integer(1, 2 * pad + 1) - pad
    return _window(images, _places(top, height), _places(left, width), fill)


def flip(images: Tensor, random: StatelessRandom, horizontal: bool) -> Tensor:
    """Mirrors an image with probability 1/2."""
    _, height, width, _ = images.shape
    size = width if horizontal else height
    mirrored = random.integer(0, 2)[:, None] == 1
    changed = ops.where(mirrored, np.arange(size - 1, -1, -1, dtype=np.int32), np.arange(size, dtype=np.int32))
    same = np.arange(height if horizontal else width, dtype=np.int32)[None, :]
    rows, columns = (same, changed) if horizontal else (changed, same)
    return _window(images, rows, columns, "nearest")


def cutout(images: Tensor, random: StatelessRandom, size: int) -> Tensor:
    """Sets a square to zero, whose middle is anywhere in the image."""
    return ops.where(rectangle(images, random, 0, size, size), 0.0, images)


def rectangle(
    images: Tensor, random: StatelessRandom, number: int, height: int | Tensor, width: int | Tensor
) -> Tensor:
    """Whether pixels (n, H, W, 1) lie in a rectangle of this size, or of sizes (n,), with its middle anywhere."""
    rows, columns = (
        _between(random.integer(number + axis, size) - length // 2, length, size)
        for axis, (length, size) in enumerate(zip((height, width), images.shape[1:3], strict=True))
    )
    return (rows[:, :, None] & columns[:, None, :])[..., None]


def _between(start: Tensor, length: int | Tensor, size: int) -> Tensor:
    """(n, size): whether a place is one of the `length` that begin at `start` (n,)."""
    behind = np.arange(size, dtype=np.int32) - start[:, None]
    return (behind >= 0) & (behind < ops.reshape(length, (-1, 1)))


def _window(images: Tensor, rows: Tensor, columns: Tensor, fill: Fill) -> Tensor:
    """The pixels where (n, R) rows and (n, S) columns meet: (n, R, S, C).

    What lies outside is the nearest pixel inside, the mirror image, or zero. One gather over all pixels of the batch
    costs less than one for each axis.
    """
    count, (height, width, channels) = ops.shape(images)[0], images.shape[1:]
    inner_rows, inner_columns = _inside(rows, height, fill), _inside(columns, width, fill)
    first = ops.arange(count)[:, None, None] * (height * width)
    picked = gathered(
        ops.reshape(images, [-1, channels]), first + inner_rows[:, :, None] * width + inner_columns[:, None, :]
    )
    if fill != "zero":
        return picked
    inside = (inner_rows == rows)[:, :, None] & (inner_columns == columns)[:, None, :]
    return picked * ops.cast(inside, images.dtype)[..., None]


def _inside(places: Tensor, size: int, fill: Fill) -> Tensor:
    if fill == "reflect":
        period = max(1, 2 * (size - 1))  # the border's pixels are not repeated
        places = ops.mod(places, period)
        return ops.minimum(places, period - places)
    return ops.clip(places, 0, size - 1)


def _places(start: Tensor, count: int) -> Tensor:
    """(n,) -> (n, count): `start` and the whole numbers after it."""
    return ops.cast(start, "int32")[:, None] + np.arange(count, dtype=np.int32)
