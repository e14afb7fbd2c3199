"""Normalisation against the same sums in plain NumPy."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from archbuilder.data.normalisation import Normaliser, fit
from archbuilder.spec.normalisation import ChannelMean, ChannelMeanStd, Channels, Normalisation, PixelMean, Unchanged
from archbuilder.spec.preprocessing import PREPROCESSING, Colours, Name


@pytest.fixture
def pixels() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (50, 4, 5, 3), dtype=np.uint8)


def test_pixel_mean_takes_off_the_mean_image(pixels: npt.NDArray[np.uint8]) -> None:
    scaled = pixels / 255.0
    result = fit(PixelMean(), [pixels[:20], pixels[20:]])(pixels).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, scaled - scaled.mean(axis=0), atol=1e-6)


def test_channel_mean_std_leaves_channels_of_mean_0_and_deviation_1(pixels: npt.NDArray[np.uint8]) -> None:
    pixels = pixels // np.array([1, 2, 5], dtype=np.uint8)
    scaled = pixels / 255.0
    result = fit(ChannelMeanStd(), [pixels[:1], pixels[1:]])(pixels).numpy()
    np.testing.assert_allclose(result, (scaled - scaled.mean((0, 1, 2))) / scaled.std((0, 1, 2)), atol=1e-5)


def test_none_is_pixels_over_255(pixels: npt.NDArray[np.uint8]) -> None:
    np.testing.assert_allclose(fit(Unchanged(), [pixels])(pixels).numpy(), pixels / 255.0, atol=1e-7)


def test_a_channel_that_never_changes_gives_zeros() -> None:
    pixels = np.full((3, 2, 2, 1), 7, dtype=np.uint8)
    np.testing.assert_allclose(fit(ChannelMeanStd(), [pixels[:1], pixels[1:]])(pixels).numpy(), 0, atol=1e-7)


def test_channel_mean_takes_off_the_mean_colour(pixels: npt.NDArray[np.uint8]) -> None:
    scaled = pixels / 255.0
    result = fit(ChannelMean(), [pixels[:20], pixels[20:]])(pixels).numpy()
    np.testing.assert_allclose(result, scaled - scaled.mean((0, 1, 2)), atol=1e-6)


def test_fixed_channels_need_no_images(pixels: npt.NDArray[np.uint8]) -> None:
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    result = fit(Channels(mean=mean, deviation=deviation), iter([]))(pixels).numpy()
    np.testing.assert_allclose(result, (pixels / 255.0 - mean) / deviation, atol=1e-5)


@pytest.mark.parametrize("name", PREPROCESSING)
def test_preprocessing_is_that_of_keras_applications(name: Name, pixels: npt.NDArray[np.uint8]) -> None:
    known = PREPROCESSING[name]
    normaliser = fit(known.normalise, [], known.colours)
    expected = keras.applications.imagenet_utils.preprocess_input(pixels.astype(np.float32), mode=name)
    np.testing.assert_allclose(normaliser(pixels).numpy(), expected, atol=2e-5)
    np.testing.assert_array_equal(normaliser.undone(normaliser(pixels).numpy()), pixels)


def test_means_of_images_stand_in_the_order_of_their_colours(pixels: npt.NDArray[np.uint8]) -> None:
    turned = pixels[..., ::-1]
    for how in (PixelMean(), ChannelMeanStd()):
        np.testing.assert_array_equal(fit(how, [pixels], "bgr")(pixels), fit(how, [turned])(turned))


@pytest.mark.parametrize("colours", ["rgb", "bgr"])
@pytest.mark.parametrize("how", [PixelMean(), ChannelMeanStd(), Unchanged()])
def test_what_is_loaded_is_what_was_saved(
    how: Normalisation, colours: Colours, pixels: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    normaliser = fit(how, [pixels], colours)
    normaliser.save(tmp_path / "normaliser.part")
    loaded = Normaliser.load(tmp_path / "normaliser.part")
    np.testing.assert_array_equal(loaded(pixels), normaliser(pixels))
