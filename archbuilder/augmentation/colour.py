"""Augmentations of colours: they work on pixels from 0 to 255, before normalisation."""

from __future__ import annotations

import numpy as np
from keras import ops

from archbuilder.aliases import Tensor
from archbuilder.augmentation.random_numbers import StatelessRandom
from archbuilder.spec.augmentation import ColourJitter

LUMA = (0.299, 0.587, 0.114)
"""The shares of red, green and blue in a grey value (ITU-R BT.601), as in Pillow and fb.resnet.torch."""
COMPONENTS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)  # fmt: skip
"""The principal components of ImageNet's pixels/255, in columns, and how much they vary (fb.resnet.torch)."""
STRENGTHS = (0.2175, 0.0188, 0.0045)


def colour_jitter(images: Tensor, random: StatelessRandom, step: ColourJitter) -> Tensor:
    """Blends with black, with the mean grey value, and with the grey image, as fb.resnet.torch does.

    There, the three come in random order. As nothing is clipped and the shares of grey add up to 1, they commute: any
    order gives what is computed here.
    """
    brightness, contrast, saturation = (
        for_each_image(1 + (random.uniform(number) * 2 - 1) * strength)
        for number, strength in enumerate((step.brightness, step.contrast, step.saturation))
    )
    grey = as_grey(images)
    mean = ops.mean(grey, (1, 2), keepdims=True)
    return brightness * (contrast * (saturation * images + (1 - saturation) * grey) + (1 - contrast) * mean)


def lighting(images: Tensor, random: StatelessRandom, deviation: float) -> Tensor:
    """Adds a random multiple of each principal component of ImageNet's colours (Krizhevsky et al. 2012)."""
    shares = ops.stack([random.normal(number) for number in range(3)], -1) * (255 * deviation)
    colours = ops.matmul(shares * np.array(STRENGTHS, np.float32), np.array(COMPONENTS, np.float32).T)
    return images + colours[:, None, None, :]


def as_grey(images: Tensor) -> Tensor:
    """(n, H, W, C) -> (n, H, W, 1); an image of one channel is grey already."""
    return images if images.shape[-1] == 1 else ops.sum(images * np.array(LUMA, np.float32), -1, keepdims=True)


def for_each_image(values: Tensor) -> Tensor:
    """(n,) -> (n, 1, 1, 1)."""
    return values[:, None, None, None]
