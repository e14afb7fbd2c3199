"""Framing against the same in plain NumPy and Pillow, and training on images that are streamed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from archbuilder.augmentation.random_numbers import StatelessRandom
from archbuilder.data.dataset import Images
from archbuilder.data.framing import ImageRandom, frame
from archbuilder.data.stream import Stream
from archbuilder.errors import MissingError, StoppedError
from archbuilder.spec import Spec, load
from archbuilder.spec.framing import AnyFraming, CentreCrop, RandomCrop, RandomResizedCrop, Resize, TenCrop
from archbuilder.training import loop
from archbuilder.training.evaluation import evaluate
from archbuilder.training.prediction import predict
from archbuilder.training.run.folder import Run
from archbuilder.training.setup import prepare
from archbuilder.training.start import Start
from tests.conftest import TINY
from tests.training.runs import Notes, assert_same

SIZE = (6, 8)


def photo(width: int = 23, height: int = 17, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def framed(image: Image.Image, *steps: AnyFraming, index: int = 0, epoch: int = 0) -> Any:
    return frame(image, steps, SIZE, lambda position: ImageRandom(3, position, epoch, index))


def place_in(whole: Any, part: Any) -> list[tuple[int, int]]:
    """Where a part stands in a picture."""
    (height, width), (rows, columns) = part.shape[:2], whole.shape[:2]
    return [
        (top, left) for top in range(rows - height + 1) for left in range(columns - width + 1)
        if np.array_equal(whole[top : top + height, left : left + width], part)
    ]  # fmt: skip


def test_random_numbers_are_those_of_augmentations_in_the_compiled_step() -> None:
    indices, epoch = [0, 7, 123_456, 1_281_166], 89
    random = StatelessRandom(tf.constant(indices), tf.constant(epoch), seed=5, position=2)
    for number in range(3):
        singly = [ImageRandom(5, 2, epoch, index) for index in indices]
        np.testing.assert_array_equal(
            random.uniform(number), np.array([one.uniform(number) for one in singly], np.float32)
        )
        np.testing.assert_array_equal(random.integer(number, 225), [one.integer(number, 225) for one in singly])


def test_whole_image_comes_to_the_input() -> None:
    expected = photo().resize((8, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(framed(photo(), Resize()), np.asarray(expected))


@pytest.mark.parametrize(("size", "resized"), [((23, 17), (13, 10)), ((17, 23), (10, 13)), ((10, 10), (10, 10))])
def test_centre_crop_of_the_resized_image(size: tuple[int, int], resized: tuple[int, int]) -> None:
    whole = np.asarray(photo(*size).resize(resized, Image.Resampling.BILINEAR))
    top, left = round((resized[1] - 6) / 2), round((resized[0] - 8) / 2)
    expected = whole[top : top + 6, left : left + 8]
    np.testing.assert_array_equal(framed(photo(*size), Resize(shorter_side=10), CentreCrop()), expected)


def test_random_crop_takes_every_place_of_every_scale() -> None:
    steps, sides = (Resize(shorter_side=(8, 10)), RandomCrop()), (8, 9, 10)
    wholes = [np.asarray(photo().resize((int(side * 23 / 17), side), Image.Resampling.BILINEAR)) for side in sides]
    found = set()
    for index in range(400):
        crop = framed(photo(), *steps, index=index)
        [(side, place)] = [
            (side, place) for side, whole in zip(sides, wholes, strict=True) for place in place_in(whole, crop)
        ]
        found.add((side, *place))
    assert found == {(side, *place) for side, whole in zip(sides, wholes, strict=True)
                     for place in np.ndindex(whole.shape[0] - 5, whole.shape[1] - 7)}  # fmt: skip


def test_random_resized_crop_has_the_areas_and_ratios_that_are_asked_for() -> None:
    """Where an image says of each pixel where it stands, the middle half of a crop tells what was cropped."""
    rows, columns = np.mgrid[0:200, 0:200]
    image = Image.fromarray(np.stack([rows, columns, 0 * rows], -1).astype(np.uint8))
    areas, ratios = [], []
    for index in range(300):
        crop = framed(image, RandomResizedCrop(), index=index).astype(float)
        height, width = (crop[4, 0, 0] - crop[1, 0, 0]) * 6 / 3, (crop[0, 6, 1] - crop[0, 1, 1]) * 8 / 5
        areas.append(height * width / 200**2)
        ratios.append(width / height)
    assert 0.05 < min(areas) < 0.12
    assert 0.85 < max(areas) < 1.1
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)  # a little below, for the largest do not fit
    assert 0.7 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 1.42
    assert np.mean(np.log(ratios)) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(("size", "part"), [((40, 4), (17, 0, 22, 4)), ((4, 40), (0, 17, 4, 22))])
def test_random_resized_crop_of_an_image_that_nothing_fits_in(
    size: tuple[int, int], part: tuple[int, int, int, int]
) -> None:
    expected = photo(*size).crop(part).resize((8, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(framed(photo(*size), RandomResizedCrop(scale=(1, 1))), np.asarray(expected))


def test_ten_crops_are_corners_and_middle_and_their_mirror_images() -> None:
    whole = photo().resize((13, 10), Image.Resampling.BILINEAR)
    boxes = [(0, 0), (5, 0), (0, 4), (5, 4), (2, 2)]
    five = [whole.crop((left, top, left + 8, top + 6)) for left, top in boxes]
    expected = [np.asarray(crop) for crop in (*five, *map(ImageOps.mirror, five))]
    np.testing.assert_array_equal(framed(photo(), Resize(shorter_side=10), TenCrop()), expected)


def test_a_stream_is_a_function_of_seed_epoch_and_index() -> None:
    images = Images(np.stack([np.asarray(photo(seed=seed)) for seed in range(9)]), np.zeros(9, np.int32))
    stream = Stream(images, (Resize(shorter_side=(8, 12)), RandomCrop()), (*SIZE, 3), seed=3)
    batches = [np.array([7, 2, 5]), np.array([1, 0]), np.array([8]), np.array([3, 4, 6])]
    first, again, later = (list(stream.read(batches, epoch)) for epoch in (1, 1, 2))
    for batch, one, same, other in zip(batches, first, again, later, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
        for index, image in zip(batch, one, strict=True):
            np.testing.assert_array_equal(image, framed(photo(seed=index), *stream.steps, index=index, epoch=1))
    np.testing.assert_array_equal(next(stream.read(batches[2:], 1)), first[2])


RECIPE = """\
  augment: [{resize: {shorter_side: [9, 12]}}, random_crop, flip]
  testing: [{resize: {shorter_side: 10}}, ten_crop]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEG files of several sizes; a class is told by where it is bright."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for label in range(10):
            (folder / part / str(label)).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 120, (20, 14 + number, 3), np.uint8)
                pixels[2 * label : 2 * label + 2] += 120
                Image.fromarray(pixels).save(folder / part / str(label) / f"{number}.jpg")
    return folder


Load = Callable[..., Spec]


@pytest.fixture(scope="module")
def load_spec(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """The spec of a small network on that folder, after some edits."""
    path = tmp_path_factory.mktemp("specs") / "framed.yaml"
    recipe = TINY.replace("  augment: [{pad_crop: {pad: 1}}]\n", RECIPE).replace("[8, 8, 1]", "[8, 8, 3]")
    path.write_text(recipe.replace("batch_size: 128", "batch_size: 32"))
    source = f"training.data.source={{image_folder: {{path: {folder}}}}}"
    return lambda *edits: load(path, [source, "training.stop.epochs=2", *edits])


@pytest.fixture(scope="module")
def spec(load_spec: Load) -> Spec:
    return load_spec()


@pytest.fixture(scope="module")
def whole(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return loop.train(spec, Start(out=tmp_path_factory.mktemp("runs") / "whole"))


def test_a_streamed_run_that_was_stopped_within_an_epoch_ends_with_the_same_bits(
    spec: Spec, whole: Run, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        loop.train(spec, Start(out=tmp_path), reporter=Notes(2, lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert Run.open(tmp_path).checkpoints(3).paths()[-1].name == "iteration-00000005"  # of 4 an epoch
    assert_same(loop.resume(tmp_path), whole)


def test_testing_takes_the_mean_of_ten_crops(whole: Run, folder: Path) -> None:
    assert whole.result is not None
    measured = evaluate([whole])["test"]
    assert measured["loss"] == pytest.approx(whole.result["best"]["test_loss"], rel=1e-6)
    file = folder / "test" / "3" / "0.jpg"
    image = Image.open(file).resize((10, int(10 * 20 / 14)), Image.Resampling.BILINEAR)
    boxes = [(0, 0), (2, 0), (0, 6), (2, 6), (1, 3)]
    five = [image.crop((left, top, left + 8, top + 8)) for left, top in boxes]
    crops = np.stack([np.asarray(crop) for crop in (*five, *map(ImageOps.mirror, five))])
    shares = np.asarray(whole.model("best")(whole.normaliser(crops), training=False)).mean(0)
    [prediction] = predict(whole, [file], top=10)
    assert {one.name: one.probability for one in prediction.classes} == pytest.approx(
        dict(zip(whole.classes, shares, strict=True)), rel=1e-4
    )


def test_after_an_epoch_one_crop_is_taken(spec: Spec) -> None:
    setup = prepare(spec, None)
    for quick, shape in ((True, (12, 8, 8, 3)), (False, (3, 10, 8, 8, 3))):
        pixels = setup.feed.pixels(setup.validation, quick)
        assert isinstance(pixels, Stream)
        assert next(iter(pixels.batches(30))).shape == shape


def test_an_unreadable_image_is_named_before_anything_is_trained(spec: Spec, folder: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in range(10):
            (tmp_path / "data" / part / str(label)).mkdir(parents=True)
            photo().save(tmp_path / "data" / part / str(label) / "0.jpg")
    (tmp_path / "data" / "test" / "4" / "1.jpg").write_bytes(b"no image")
    with pytest.raises(MissingError, match=r"4/1.jpg is no image of a kind that is read"):
        loop.train(spec, Start(data=tmp_path / "data", out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_memory_does_not_hold_is_streamed(load_spec: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_spec("training.augment=[flip]", "training.testing=[]")
    resident = prepare(spec, None)
    monkeypatch.setattr("archbuilder.machine.hardware.memory", lambda: 10_000)
    streamed = prepare(spec, None)
    in_memory, stream = (setup.feed.pixels(setup.data.test) for setup in (resident, streamed))
    assert isinstance(stream, Stream)
    np.testing.assert_array_equal(np.concatenate(list(stream.batches(7))), in_memory)


def test_data_sets_in_memory_are_framed_alike(load_spec: Load) -> None:
    setup = prepare(load_spec("training.data.source=digits", "input=[8, 8, 1]"), None)
    batch = setup.feed.batches(0)[0]
    [(indices, pixels), *_] = setup.feed.read([batch], epoch=0)
    np.testing.assert_array_equal(indices, batch)
    random = [ImageRandom(0, position, 0, int(batch[0])) for position in range(2)]
    expected = frame(setup.train.image(int(batch[0])), setup.training.training_frame, (8, 8), random.__getitem__)
    np.testing.assert_array_equal(pixels[0], expected)
