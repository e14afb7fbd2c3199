"""Augmentations: what is done to training images at random, a batch at a time, inside the compiled training function.

They are written in the functions of Keras, which computes them by the engine that it has loaded.

Nothing here has a state: what is random follows from the seed, the epoch, the index of the image in the training set
and the place of the augmentation in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from keras import ops

from archbuilder.aliases import Tensor
from archbuilder.augmentation.colour import colour_jitter, lighting
from archbuilder.augmentation.geometry import cutout, flip, pad_crop, shift
from archbuilder.augmentation.mixing import cutmix, mixup
from archbuilder.augmentation.rand_augment import rand_augment
from archbuilder.augmentation.random_numbers import StatelessRandom
from archbuilder.spec.augmentation import (
    Augmentation,
    ColourJitter,
    Colours,
    CutMix,
    Cutout,
    Flip,
    Geometry,
    Lighting,
    Mixing,
    MixUp,
    PadCrop,
    RandAugment,
    Shift,
)
from archbuilder.spec.framing import Framing

Augmenter = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(n, H, W, C) uint8 pixels, (n, K) soft labels, (n,) indices in the training set, () epoch ->
(n, H, W, C) float32 normalised images, (n, K) soft labels."""


def augmenter(steps: Sequence[Augmentation], normalise: Callable[[Tensor], Tensor], seed: int) -> Augmenter:
    """All the augmentations of a spec, in their order, but for its framing: that comes before.

    Normalisation stands right behind the last step that changes colours, or before all of them.
    """
    coloured = max((number for number, step in enumerate(steps, 1) if isinstance(step, Colours)), default=0)

    def augment(pixels: Tensor, soft_labels: Tensor, indices: Tensor, epoch: Tensor) -> tuple[Tensor, Tensor]:
        images = ops.cast(pixels, "float32") if coloured else normalise(pixels)
        for number, step in enumerate(steps, 1):
            random = StatelessRandom(indices, epoch, seed, number - 1)
            if isinstance(step, Mixing):
                images, soft_labels = _mixed(step, images, soft_labels, random)
            elif not isinstance(step, Framing):
                images = _changed(step, images, random)
            if number == coloured:
                images = normalise(images)
        return images, soft_labels

    return augment


def _mixed(step: Mixing, images: Tensor, soft_labels: Tensor, random: StatelessRandom) -> tuple[Tensor, Tensor]:
    match step:
        case MixUp():
            return mixup(images, soft_labels, random, step.alpha)
        case CutMix():
            return cutmix(images, soft_labels, random, step.alpha)
        case _:
            assert_never(step)


def _changed(step: Colours | Geometry, images: Tensor, random: StatelessRandom) -> Tensor:
    match step:
        case ColourJitter():
            return colour_jitter(images, random, step)
        case RandAugment():
            return rand_augment(images, random, step)
        case Lighting():
            return lighting(images, random, step.deviation)
        case Shift():
            return shift(images, random, step.fraction, step.fill)
        case PadCrop():
            return pad_crop(images, random, step.pad, step.fill)
        case Flip():
            return flip(images, random, step.direction == "horizontal")
        case Cutout():
            return cutout(images, random, step.size)
        case _:
            assert_never(step)
