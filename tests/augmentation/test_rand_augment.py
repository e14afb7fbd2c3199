"""RandAugment's operations against plain NumPy, SciPy and Pillow, and its choice of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from scipy.ndimage import affine_transform  # type: ignore[import-untyped]

from archbuilder.augmentation.rand_augment import OPERATIONS
from archbuilder.spec.augmentation import RandAugment
from tests.augmentation.test_augmenter import augmented, bits, blended, pixels

SIZE = 24


def grey(image: Any) -> Any:
    return image @ (0.299, 0.587, 0.114) if image.shape[-1] == 3 else image[..., 0]


def by_pillow(change: Callable[[Image.Image], Image.Image]) -> Callable[[Any, float], Any]:
    def changed(image: Any, level: float) -> Any:
        channels = [
            np.asarray(change(Image.fromarray(channel)))
            for channel in np.moveaxis(image.round().astype(np.uint8), -1, 0)
        ]
        return np.stack(channels, -1)

    return changed


def enhanced(plain: Callable[[Any], Any]) -> Callable[[Any, float], Any]:
    return lambda image, level: np.clip(blended(image, plain(image), 1 + 0.9 * level), 0, 255)


def warped(matrix: Callable[[float], Any], offset: Callable[[float, Any], Any]) -> Callable[[Any, float], Any]:
    """`matrix` and `offset` give the row and the column that a pixel comes from."""

    def changed(image: Any, level: float) -> Any:
        there, by = np.array(matrix(level)), offset(level, np.array(matrix(level)))
        channels = np.moveaxis(image, -1, 0)
        moved = [affine_transform(one, there, by, order=1, mode="grid-constant", cval=128) for one in channels]
        return np.stack(moved, -1)

    return changed


def turn(level: float) -> list[list[float]]:
    cosine, sine = np.cos(level * np.pi / 6), np.sin(level * np.pi / 6)
    return [[cosine, -sine], [sine, cosine]]


def about_the_middle(level: float, matrix: Any) -> Any:
    middle = np.array([(SIZE - 1) / 2, (SIZE - 1) / 2])
    return middle - matrix @ middle


def smooth(image: Any) -> Any:
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    result = image.copy()
    for down in range(1, SIZE - 1):
        for right in range(1, SIZE - 1):
            result[down, right] = np.tensordot(kernel, image[down - 1 : down + 2, right - 1 : right + 2], 2)
    return result


REFERENCES: dict[str, Callable[[Any, float], Any]] = {
    "identity": lambda image, level: image,
    "auto_contrast": by_pillow(ImageOps.autocontrast),
    "equalize": by_pillow(ImageOps.equalize),
    "rotate": warped(turn, about_the_middle),
    "solarize": lambda image, level: np.where(image >= 255 * (1 - abs(level)), 255 - image, image),
    "colour": enhanced(lambda image: grey(image)[..., None]),
    "posterize": by_pillow(lambda image: ImageOps.posterize(image, 6)),
    "contrast": enhanced(lambda image: grey(image).mean()),
    "brightness": enhanced(lambda image: 0 * image),
    "sharpness": enhanced(smooth),
    "shear_x": warped(lambda level: [[1, 0], [0.3 * level, 1]], lambda level, _: [0, 0]),
    "shear_y": warped(lambda level: [[1, 0.3 * level], [0, 1]], lambda level, _: [0, 0]),
    "translate_x": warped(lambda _: np.eye(2), lambda level, _: [0, level * SIZE * 150 / 331]),
    "translate_y": warped(lambda _: np.eye(2), lambda level, _: [level * SIZE * 150 / 331, 0]),
}
LEVEL = 0.5


def test_the_operations_are_those_of_the_paper() -> None:
    assert [operation.__name__.strip("_") for operation in OPERATIONS] == list(REFERENCES)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("number", range(14), ids=list(REFERENCES))
def test_an_operation_against_a_plain_version(number: int, channels: int) -> None:
    images, _ = pixels(6, SIZE, SIZE, channels)
    images[0] = 77  # an image of one value
    levels = np.array([LEVEL, -LEVEL] * 3, np.float32)
    results = OPERATIONS[number](tf.constant(images, tf.float32), levels).numpy()
    name = list(REFERENCES)[number]
    tolerance = 1.01 if name == "auto_contrast" else 2e-3  # Pillow rounds down
    for image, level, result in zip(images.astype(float), levels, results, strict=True):
        np.testing.assert_allclose(result, REFERENCES[name](image, float(level)), atol=tolerance)


def test_each_image_has_its_own_operations_in_their_order() -> None:
    images, indices = pixels(40, SIZE, SIZE)
    chosen = []
    results = augmented([RandAugment(operations=2, magnitude=15)], images, indices)
    for image, index, result in zip(images, indices, results, strict=True):
        expected = tf.constant(image[None], tf.float32)
        for turn in (0, 2):
            number, sign = bits(7, 3, int(index), 0, turn) * 14 >> 32, bits(7, 3, int(index), 0, turn + 1) >> 31
            expected = OPERATIONS[number](expected, tf.constant([[-LEVEL, LEVEL][sign]]))
            chosen.append(number)
        np.testing.assert_allclose(result, expected[0], atol=1.01)  # equalize may round the other way
    assert set(chosen) == set(range(14))


def test_a_whole_batch_may_miss_operations() -> None:
    images, indices = pixels(1, SIZE, SIZE)
    assert augmented([RandAugment(operations=14)], images, indices).shape == images.shape
