"""Augmentations that mix each image and its label with those of the next image of the batch (the last with the first).

A batch follows from the seed and the epoch, and so does what is mixed.
"""

from __future__ import annotations

from keras import ops

from archbuilder.aliases import Tensor
from archbuilder.augmentation.geometry import rectangle
from archbuilder.augmentation.random_numbers import StatelessRandom


def mixup(images: Tensor, soft_labels: Tensor, random: StatelessRandom, alpha: float) -> tuple[Tensor, Tensor]:
    """Blends, in a proportion that each image draws for itself."""
    kept = random.beta(0, alpha)
    return _blended(images, kept[:, None, None, None]), _blended(soft_labels, kept[:, None])


def cutmix(images: Tensor, soft_labels: Tensor, random: StatelessRandom, alpha: float) -> tuple[Tensor, Tensor]:
    """Puts a rectangle of the next image in; the label's share is what is left of the image's area."""
    _, height, width, _ = images.shape
    side = ops.sqrt(1 - random.beta(0, alpha))
    replaced = rectangle(images, random, 1, ops.cast(side * height, "int32"), ops.cast(side * width, "int32"))
    kept = 1 - ops.mean(ops.cast(replaced, "float32"), (1, 2))
    return ops.where(replaced, _next(images), images), _blended(soft_labels, kept)


def _blended(values: Tensor, kept: Tensor) -> Tensor:
    return kept * values + (1 - kept) * _next(values)


def _next(values: Tensor) -> Tensor:
    return ops.roll(values, -1, 0)
