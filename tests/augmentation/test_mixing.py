"""Mixed images and labels against plain NumPy, with the same random numbers."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats  # type: ignore[import-untyped]

from archbuilder.augmentation.augmenter import augmenter
from archbuilder.augmentation.random_numbers import StatelessRandom
from archbuilder.spec.augmentation import Augmentation, CutMix, MixUp
from tests.augmentation.test_augmenter import Images, batch, bits, uniform

CLASSES = 5


def mixed(step: Augmentation, images: Images, indices: Any) -> tuple[Images, Images]:
    augment = tf.function(augmenter([step], tf.identity, 7))
    result, shares = augment(images, one_hot(len(images)), tf.constant(indices), tf.constant(3))
    return result.numpy(), shares.numpy()


def one_hot(count: int) -> Images:
    return np.eye(CLASSES, dtype=np.float32)[np.arange(count) % CLASSES]


def beta(index: int, alpha: float) -> float:
    share = float(stats.beta.ppf(uniform(7, 3, index, 0, 0), alpha, alpha))
    return float(np.floor(share * 2**16)) / 2**16


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_blends_with_the_next_image(alpha: float) -> None:
    images, indices = batch()
    labels = one_hot(len(images))
    result, shares = mixed(MixUp(alpha=alpha), images, indices)
    kept = np.array([beta(int(index), alpha) for index in indices])
    expected = kept[:, None, None, None] * images + (1 - kept)[:, None, None, None] * np.roll(images, -1, 0)
    np.testing.assert_allclose(result, expected, atol=1e-4)
    np.testing.assert_allclose(shares, kept[:, None] * labels + (1 - kept)[:, None] * np.roll(labels, -1, 0), atol=3e-5)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)


def test_cutmix_replaces_a_rectangle_and_weighs_labels_by_area() -> None:
    images, indices = batch()
    labels = one_hot(len(images))
    result, shares = mixed(CutMix(alpha=0.7), images, indices)
    for number, (image, index) in enumerate(zip(images.copy(), indices, strict=True)):
        side = np.sqrt(1 - beta(int(index), 0.7))
        places = [bits(7, 3, int(index), 0, axis + 1) * size >> 32 for axis, size in enumerate((8, 11))]
        lengths = [int(side * 8), int(side * 11)]
        top, left = (place - length // 2 for place, length in zip(places, lengths, strict=True))
        inside = np.zeros((8, 11), bool)
        inside[max(top, 0) : max(top + lengths[0], 0), max(left, 0) : max(left + lengths[1], 0)] = True
        other = (number + 1) % len(images)
        image[inside] = images[other][inside]
        np.testing.assert_array_equal(result[number], image)
        expected = (1 - inside.mean()) * labels[number] + inside.mean() * labels[other]
        np.testing.assert_allclose(shares[number], expected, atol=1e-6)


@pytest.mark.parametrize("step", [MixUp(), CutMix()])
def test_a_batch_of_one_has_nothing_to_mix_with(step: Augmentation) -> None:
    images, indices = batch(1)
    result, shares = mixed(step, images, indices)
    np.testing.assert_allclose(result, images, atol=1e-6)
    np.testing.assert_allclose(shares, one_hot(1), atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_have_a_beta_distribution(alpha: float) -> None:
    drawn = StatelessRandom(tf.range(5000), tf.constant(0), 0, 0).beta(0, alpha).numpy()
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.std() == pytest.approx((8 * alpha + 4) ** -0.5, rel=0.03)
