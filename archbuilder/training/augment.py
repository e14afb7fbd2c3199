"""Augmentations: what is done to training images at random, a batch at a time, inside the compiled training function.

Nothing here has a state. A random number is a hash of the seed, the epoch, the index of the image in the training set
and the place of the augmentation in the list, so that a resumed run sees the very images that it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, assert_never

import tensorflow as tf

from archbuilder.spec.augmentation import Augmentation, Flip, PadCrop, Shift
from archbuilder.spec.framing import Framing

Tensor = Any
Augmenter = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(n, H, W, C) float32 images, (n,) indices of theirs in the training set, () epoch -> (n, H, W, C) float32."""


def augmenter(steps: Sequence[Augmentation], seed: int) -> Augmenter:
    """All the augmentations of a spec, in their order, but for its framing: that comes before."""

    def augment(images: Tensor, indices: Tensor, epoch: Tensor) -> Tensor:
        for position, step in enumerate(steps):
            if not isinstance(step, Framing):
                images = _apply(step, images, Draws(indices, epoch, seed, position))
        return images

    return augment


def _apply(step: Shift | PadCrop | Flip, images: Tensor, draws: Draws) -> Tensor:
    match step:
        case Shift():
            return _shift(images, draws, step.fraction, step.fill == "zero")
        case PadCrop():
            return _pad_crop(images, draws, step.pad)
        case Flip():
            return _flip(images, draws, step.direction == "horizontal")
        case _:
            assert_never(step)


def _shift(images: Tensor, draws: Draws, fraction: float, zero: bool) -> Tensor:
    """Moves each image by up to `fraction` of its height and width, with bilinear interpolation.

    This is what `width_shift_range` and `height_shift_range` of Keras' ImageDataGenerator do. The pixels between which
    is interpolated are the same for a whole image, and so is their share.
    """
    _, height, width, _ = images.shape
    down = (draws.uniform(0) * 2 - 1) * fraction * height
    right = (draws.uniform(1) * 2 - 1) * fraction * width
    whole_down, whole_right = tf.floor(down), tf.floor(right)
    wider = _window(images, _places(whole_down, height + 1), _places(whole_right, width + 1), zero)
    share = _for_each_image(right - whole_right)
    wider = wider[:, :, :-1] + share * (wider[:, :, 1:] - wider[:, :, :-1])
    share = _for_each_image(down - whole_down)
    return wider[:, :-1] + share * (wider[:, 1:] - wider[:, :-1])


def _pad_crop(images: Tensor, draws: Draws, pad: int) -> Tensor:
    """Crops the old size out of the image with `pad` zeros around it, at one of (2 pad + 1)^2 places."""
    _, height, width, _ = images.shape
    top, left = draws.integer(0, 2 * pad + 1) - pad, draws.integer(1, 2 * pad + 1) - pad
    return _window(images, _places(top, height), _places(left, width), zero=True)


def _flip(images: Tensor, draws: Draws, horizontal: bool) -> Tensor:
    """Mirrors an image with probability 1/2."""
    _, height, width, _ = images.shape
    size = width if horizontal else height
    mirrored = draws.integer(0, 2)[:, None] == 1
    changed = tf.where(mirrored, tf.range(size - 1, -1, -1), tf.range(size))
    same = tf.range(height if horizontal else width)[None, :]
    return _window(images, *((same, changed) if horizontal else (changed, same)), zero=False)


def _window(images: Tensor, rows: Tensor, columns: Tensor, zero: bool) -> Tensor:
    """The pixels where (n, R) rows and (n, S) columns meet: (n, R, S, C).

    What lies outside is the nearest pixel inside, or zero. One gather over all pixels of the batch costs less than one
    for each axis.
    """
    count, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    inner_rows, inner_columns = tf.clip_by_value(rows, 0, height - 1), tf.clip_by_value(columns, 0, width - 1)
    first = tf.range(count)[:, None, None] * (height * width)
    picked = tf.gather(
        tf.reshape(images, [-1, channels]), first + inner_rows[:, :, None] * width + inner_columns[:, None, :]
    )
    if not zero:
        return picked
    inside = (inner_rows == rows)[:, :, None] & (inner_columns == columns)[:, None, :]
    return picked * tf.cast(inside, images.dtype)[..., None]


def _places(start: Tensor, count: int) -> Tensor:
    """(n,) -> (n, count): `start` and the whole numbers after it."""
    return tf.cast(start, tf.int32)[:, None] + tf.range(count)


def _for_each_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class Draws:
    """The random numbers of one augmentation for the images of a batch; `number` tells several of an image apart."""

    def __init__(self, indices: Tensor, epoch: Tensor, seed: int, position: int) -> None:
        self._indices = tf.cast(indices, tf.int64)
        self._key = _hash(_hash(_hash(tf.constant(seed, tf.int64)) + position) + tf.cast(epoch, tf.int64))

    def uniform(self, number: int) -> Tensor:
        """(n,) float32, at least 0 and less than 1."""
        return tf.cast(self._bits(number) // 2**8, tf.float32) * 2.0**-24

    def integer(self, number: int, below: int) -> Tensor:
        """(n,) int32, at least 0 and less than `below`, which is far below 2^32."""
        return tf.cast(self._bits(number) * below // 2**32, tf.int32)

    def _bits(self, number: int) -> Tensor:
        """(n,) int64, uniform in 32 bits."""
        key = _hash(self._key + number)
        return _hash(_hash(self._indices + key) + key)


def _hash(values: Tensor) -> Tensor:
    """Mixes the lower 32 bits of int64 values (Mueller's integer hash); no product leaves 63 bits."""
    mask, factor = 2**32 - 1, 0x45D9F3B
    values = tf.bitwise.bitwise_and(values, mask)
    for _ in range(2):
        values = tf.bitwise.bitwise_xor(values, tf.bitwise.right_shift(values, 16))
        values = tf.bitwise.bitwise_and(values * factor, mask)
    return tf.bitwise.bitwise_xor(values, tf.bitwise.right_shift(values, 16))
