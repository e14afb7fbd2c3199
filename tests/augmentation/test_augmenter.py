"""Augmentations against plain NumPy and SciPy, image by image, with the same random numbers."""

from collections.abc import Sequence
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from scipy.ndimage import shift as scipy_shift  # type: ignore[import-untyped]

from archbuilder.augmentation.augmenter import augmenter
from archbuilder.spec.augmentation import (
    Augmentation,
    ColourJitter,
    Cutout,
    Flip,
    Lighting,
    PadCrop,
    RandAugment,
    Shift,
)

Images = npt.NDArray[np.float32]


LABELS = tf.zeros((1, 10))


def hashed(value: int) -> int:
    value %= 2**32
    for _ in range(2):
        value = (value ^ value >> 16) * 0x45D9F3B % 2**32
    return value ^ value >> 16


def bits(seed: int, epoch: int, index: int, position: int, number: int) -> int:
    key = hashed(hashed(hashed(hashed(seed) + position) + epoch) + number)
    return hashed(hashed(index + key) + key)


def uniform(*where: int) -> float:
    return float(bits(*where) >> 8) / 2**24


def normal(seed: int, epoch: int, index: int, position: int, number: int) -> float:
    first, second = (uniform(seed, epoch, index, position, 2 * number + part) for part in (0, 1))
    return float((-2 * np.log(1 - first)) ** 0.5 * np.cos(2 * np.pi * second))


def pixels(count: int = 64, height: int = 8, width: int = 11, channels: int = 3) -> tuple[Any, npt.NDArray[np.int64]]:
    """Bytes, as colours need them."""
    rng = np.random.default_rng(2)
    dark = rng.integers(0, 256, (count, height, width, channels)) * rng.random((count, 1, 1, channels))
    return dark.astype(np.uint8), rng.permutation(10_000)[:count]


def batch(count: int = 64, height: int = 8, width: int = 11, channels: int = 3) -> tuple[Images, npt.NDArray[np.int64]]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(count, height, width, channels)).astype(np.float32), rng.permutation(10_000)[:count]


def augmented(steps: Sequence[Augmentation], images: Images, indices: Any, epoch: int = 3, seed: int = 7) -> Images:
    """Of images that normalisation leaves alone."""
    augment = tf.function(augmenter(steps, tf.identity, seed))
    result: Images = augment(images, LABELS, tf.constant(indices), tf.constant(epoch))[0].numpy()
    return result


@pytest.mark.parametrize(("fill", "mode"), [("nearest", "nearest"), ("zero", "grid-constant")])
def test_shift_is_scipys_as_in_image_data_generator(fill: Any, mode: str) -> None:
    images, indices = batch()
    shifted = augmented([Shift(fraction=0.3, fill=fill)], images, indices)
    for image, index, result in zip(images, indices, shifted, strict=True):
        down, right = ((uniform(7, 3, int(index), 0, number) * 2 - 1) * 0.3 for number in (0, 1))
        moves = (-down * image.shape[0], -right * image.shape[1], 0)
        np.testing.assert_allclose(result, scipy_shift(image, moves, order=1, mode=mode), atol=2e-5)


@pytest.mark.parametrize(("fill", "mode"), [("zero", "constant"), ("reflect", "reflect")])
def test_pad_crop_crops_the_padded_image(fill: Any, mode: Any) -> None:
    images, indices = batch()
    cropped = augmented([PadCrop(pad=3, fill=fill)], images, indices)
    places = set()
    for image, index, result in zip(images, indices, cropped, strict=True):
        top, left = (bits(7, 3, int(index), 0, number) * 7 >> 32 for number in (0, 1))
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode=mode)
        np.testing.assert_array_equal(result, padded[top : top + 8, left : left + 11])
        places.add((top, left))
    assert {top for top, _ in places} == set(range(7)) == {left for _, left in places}


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 1), ("vertical", 0)])
def test_flip_mirrors_half_of_the_images(direction: Any, axis: int) -> None:
    images, indices = batch(200)
    flipped = augmented([Flip(direction=direction)], images, indices)
    mirrored = [bits(7, 3, int(index), 0, 0) >> 31 == 1 for index in indices]
    expected = [np.flip(image, axis) if mirror else image for image, mirror in zip(images, mirrored, strict=True)]
    np.testing.assert_array_equal(flipped, expected)
    assert 70 < sum(mirrored) < 130


@pytest.mark.parametrize("size", [3, 4, 40])
def test_cutout_clears_a_square_that_may_reach_over_the_border(size: int) -> None:
    images, indices = batch()
    middles = set()
    for image, index, result in zip(images, indices, augmented([Cutout(size=size)], images, indices), strict=True):
        down, right = (bits(7, 3, int(index), 0, number) * side >> 32 for number, side in ((0, 8), (1, 11)))
        top, left = down - size // 2, right - size // 2
        image[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        np.testing.assert_array_equal(result, image)
        middles.add((down, right))
    assert {down for down, _ in middles} == set(range(8))


def blended(image: Any, other: Any, factor: float) -> Any:
    return factor * image + (1 - factor) * other


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_jitter_blends_in_any_order(channels: int) -> None:
    images, indices = pixels(channels=channels)
    jittered = augmented([ColourJitter(brightness=0.2, contrast=0.7, saturation=0.5)], images, indices)
    for image, index, result in zip(images.astype(float), indices, jittered, strict=True):
        factors = [1 + (uniform(7, 3, int(index), 0, number) * 2 - 1) * x for number, x in enumerate((0.2, 0.7, 0.5))]
        for order in permutations(range(3)):
            expected = image
            for number in order:
                grey = np.dot(expected, (0.299, 0.587, 0.114))[..., None] if channels == 3 else expected
                expected = blended(expected, [0, grey.mean(), grey][number], factors[number])
            np.testing.assert_allclose(result, expected, atol=1e-3)


def test_lighting_adds_principal_components() -> None:
    images, indices = pixels(400)
    values = np.array([0.2175, 0.0188, 0.0045])
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    lit = augmented([Lighting(deviation=0.5)], images, indices)
    multiples = np.array([[normal(7, 3, int(index), 0, number) for number in range(3)] for index in indices])
    for image, result, chosen in zip(images, lit, multiples, strict=True):
        np.testing.assert_allclose(result, image + 255 * vectors @ (0.5 * chosen * values), atol=1e-3)
    assert abs(multiples.mean(0)).max() < 0.15
    assert abs(multiples.std(0) - 1).max() < 0.1
    assert abs(np.corrcoef(multiples.T) - np.eye(3)).max() < 0.15


def test_normalisation_follows_the_last_colours() -> None:
    """What is padded before it is black, what is padded behind it is the mean."""
    images, labels = np.full((1, 4, 4, 3), 255, np.uint8), tf.constant([[0.0, 1.0]])
    cases: list[tuple[list[Augmentation], int]] = [
        ([PadCrop(pad=64), Lighting()], -100), ([Lighting(), PadCrop(pad=64)], 0),
    ]  # fmt: skip
    for steps, padded in cases:
        result, same = augmenter(steps, lambda image: image - 100, 0)(images, labels, tf.constant([1]), tf.constant(0))
        assert abs(float(result[0, 0, 0, 0]) - padded) < 60
        np.testing.assert_array_equal(same, labels)


RECIPE: list[Augmentation] = [
    ColourJitter(), Lighting(), RandAugment(), Shift(), PadCrop(fill="reflect"), Flip(), Cutout(size=3),
]  # fmt: skip


@cache
def made_by_all() -> Any:
    """The batch after the whole recipe, which takes seconds to compile."""
    return augmented(RECIPE, *batch())


def test_an_image_does_not_depend_on_its_batch() -> None:
    images, indices = batch()
    order = np.random.default_rng(2).permutation(len(images))
    alone = augmented(RECIPE, images[order][:10], indices[order][:10])
    np.testing.assert_allclose(alone, made_by_all()[order][:10], atol=1e-5)


@pytest.mark.parametrize("changed", [{"epoch": 4}, {"seed": 8}])
def test_another_epoch_or_seed_gives_other_images(changed: dict[str, int]) -> None:
    images, indices = batch()
    differs = (made_by_all() != augmented(RECIPE, images, indices, **changed)).any((1, 2, 3))
    assert differs.mean() > 0.9


def test_no_augmentation_leaves_images_alone() -> None:
    images, indices = batch()
    np.testing.assert_array_equal(augmented([], images, indices), images)


def test_random_numbers_are_uniform_and_know_nothing_of_each_other() -> None:
    """Over images, epochs, numbers and positions: 8 columns of 4,000, whose correlations have a deviation of 0.016."""
    columns = np.array([
        [uniform(0, epoch, index, position, number) for index in range(4000)]
        for epoch in (0, 1) for position in (0, 1) for number in (0, 1)
    ])  # fmt: skip
    assert abs(columns.mean(axis=1) - 0.5).max() < 0.02
    assert abs(columns.std(axis=1) - 12**-0.5).max() < 0.01
    assert abs(np.corrcoef(columns) - np.eye(8)).max() < 0.06
    neighbours = [np.corrcoef(column[1:], column[:-1])[0, 1] for column in columns]
    assert max(map(abs, neighbours)) < 0.06
