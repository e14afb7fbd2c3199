"""The handwritten digits that come with scikit-learn: 1,797 real images of 8x8 in 17 grey values."""

from __future__ import annotations

import numpy as np

from archbuilder.data.dataset import Dataset, Images, Pixels, Shape

EVERY = 5
"""Every fifth image of each digit is for testing, beginning with the first: 363 of 1,797."""


SIDE = 8


def load(shape: Shape) -> Dataset:
    """The digits in a size (bilinear) and with so many channels (all equal)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = _enlarged(np.round(digits.images * (255 / 16)).astype(np.uint8), shape)
    images = Images(pixels, digits.target.astype(np.int32))
    test = np.zeros(len(images), np.bool_)
    for digit in range(10):
        test[np.flatnonzero(images.labels == digit)[::EVERY]] = True
    train = images.take(np.flatnonzero(~test))
    classes = [str(digit) for digit in range(10)]
    return Dataset.of("digits", classes, train, images.take(np.flatnonzero(test)), "scikit-learn")


def _enlarged(digits: Pixels, input_shape: Shape) -> Pixels:
    """(n, 8, 8) -> (n, H, W, C)."""
    from PIL import Image

    height, width, channels = input_shape
    sized = [Image.fromarray(digit).resize((width, height), Image.Resampling.BILINEAR) for digit in digits]
    return np.repeat(np.stack([np.asarray(image) for image in sized])[..., None], channels, axis=-1)
