"""A contact sheet shows the very images that training learns from."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from archbuilder.augmentation.augmenter import augmenter
from archbuilder.cli.augment import command
from archbuilder.errors import SpecError, UsageError
from archbuilder.spec import load
from archbuilder.training.contact_sheet import draw, learned_from
from archbuilder.training.setup import Setup, prepare

MIXED = "training.augment=[rand_augment, {pad_crop: {pad: 1}}, mixup, cutmix]"


def learned_in_training(setup: Setup, epoch: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """What each training image becomes in whole batches."""
    augment = augmenter(setup.training.augment, setup.feed.fit_normaliser(), setup.training.seed)
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    pixels = setup.feed.pixels(setup.train)
    assert isinstance(pixels, np.ndarray)
    for batch in setup.feed.batches(epoch):
        labels = tf.one_hot(setup.train.labels[batch], 10)
        images, shares = augment(tf.constant(pixels[batch]), labels, tf.constant(batch), tf.constant(epoch))
        found.update(zip(batch.tolist(), zip(images.numpy(), shares.numpy(), strict=True), strict=True))
    return found


def test_the_images_are_those_of_training(tiny: Path) -> None:
    setup = prepare(load(tiny, [MIXED]), None)
    normaliser, last = (
        setup.feed.fit_normaliser(),
        setup.feed.batches(2)[3][-1],
    )  # the last one of a batch is mixed with its first
    chosen = np.array([5, last, 900], np.int32)
    epoch, expected = learned_from(setup, normaliser, chosen, 2), learned_in_training(setup, 2)
    for pixels, soft_label, index in zip(epoch.pixels, epoch.soft_labels, chosen.tolist(), strict=True):
        image, label = expected[index]
        np.testing.assert_allclose(pixels, normaliser.undone(image), atol=1)
        np.testing.assert_allclose(soft_label, label, atol=1e-5)
    assert ((epoch.soft_labels > 0).sum(1) > 1).any()


@pytest.mark.parametrize("steps", ["[]", "[mixup]", "[random_resized_crop, flip]"])
def test_a_sheet_has_a_row_for_each_image_and_a_column_for_each_epoch(steps: str, tiny: Path) -> None:
    setup = prepare(load(tiny, [f"training.augment={steps}"]), None)
    one, more = draw(setup, 1, 1), draw(setup, 3, 4)
    across, down = 96 + 6, 96 + 6 + 14 * (2 if "mixup" in steps else 1)
    assert more.size == (one.width + 3 * across, one.height + 2 * down)
    stored = np.asarray(one)[20 : 20 + 96, 6 : 6 + 96]
    np.testing.assert_array_equal(stored[::12, ::12, 0], np.asarray(setup.train.image(0)))


def test_the_command_writes_a_picture_or_says_why_not(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    result = CliRunner().invoke(command, [str(tiny), "--images", "2", "--epochs", "2", "-o", str(path)])
    assert (result.exit_code, result.output.strip()) == (0, str(path))
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
    with pytest.raises(UsageError, match=r"a picture is named \.png, \.jpg or \.webp, not 'sheet\.pdf'"):
        CliRunner().invoke(command, [str(tiny), "-o", "sheet.pdf"], catch_exceptions=False)
    with pytest.raises(SpecError, match="does not say how it is trained"):
        CliRunner().invoke(command, ["resnet20_v1", "--set", "training=null"], catch_exceptions=False)
