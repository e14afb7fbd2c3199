"""Image folders: what is taken, what is left out and named, and what is said where something else is there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archbuilder.data.count import count, learned_from
from archbuilder.data.load import Dataset, alike, load_data, parted, with_test
from archbuilder.errors import MissingError
from archbuilder.spec.data import Data, ImageFolder

SHAPE = (6, 6, 3)
RANDOM = np.random.default_rng(0)


def photo(path: Path, kind: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (*SHAPE[:2], 3), np.uint8)).save(path, kind)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            photo(tmp_path / "pets" / part / name / "0.png")
    return tmp_path / "pets"


def settings(**others: object) -> Data:
    return Data.model_validate({"source": "image_folder", **others})


def load(folder: Path, streamed: bool = False, **others: object) -> Dataset:
    return load_data(settings(**others), SHAPE, folder, streamed)


def sizes(found: Dataset) -> tuple[int, int | None, int]:
    """The images to learn from, for validation and of the test."""
    return len(found.train), None if found.validation is None else len(found.validation), len(found.test)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("name", "kind"), [
    ("a.bmp", "BMP"), ("a.webp", "WEBP"), ("a.gif", "GIF"), ("a.tif", "TIFF"), ("a.tiff", "TIFF"), ("a.jfif", "JPEG"),
    ("a.ppm", "PPM"), ("A.PNG", "PNG"), ("A.Jpeg", "JPEG"), ("sub/a.png", "PNG"), ("sub/sub.sub/a.jpg", "JPEG"),
    ("jpeg.png", "JPEG"), ("without_suffix", "PNG"), ("n01440764_10026.dat", "JPEG"), ("кошка ü.png", "PNG"),
])  # fmt: skip
def test_images_are_taken_by_their_content(name: str, kind: str, streamed: bool, pets: Path) -> None:
    photo(pets / "train" / "dog" / name, kind)
    found = load(pets, streamed)
    assert (sorted(found.train.labels), found.notes) == ([0, 1, 1], ())
    assert count(ImageFolder(), pets) == 3


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("left", "named"), [
    ("train/dog/notes.txt", "train/dog/notes.txt"), ("train/dog/._0.png", "train/dog/._0.png"),
    ("test/cat/sub/Thumbs.db", "test/cat/sub/Thumbs.db"), ("train/dog/a.svg", "train/dog/a.svg"),
    ("train/dog/.ipynb_checkpoints/0.png", "train/dog/.ipynb_checkpoints/"), ("train/lost.png", "train/lost.png"),
    ("train/.DS_Store", "train/.DS_Store"), ("other/cat/0.png", "other/"), ("labels.csv", "labels.csv"),
    ("train/dog/x\ny.txt", "train/dog/x?y.txt"),
])  # fmt: skip
def test_all_else_is_counted_and_named(left: str, named: str, streamed: bool, pets: Path) -> None:
    (pets / left).parent.mkdir(parents=True, exist_ok=True)
    (pets / left).write_bytes(b"x")
    found = load(pets, streamed)
    assert found.notes == (f"left out 1 that are no images of a class: {named}",)
    assert len(found.train) == 2


def test_of_many_files_ten_are_named(pets: Path) -> None:
    for number in range(12):
        (pets / "train" / "dog" / f"{number:02}.txt").write_bytes(b"x")
    [note] = load(pets).notes
    assert note.startswith("left out 12 that")
    assert note.endswith("train/dog/09.txt, and 2 more")


@pytest.mark.faults
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("bad", [1, 2, 10, 13])
def test_all_unreadable_images_are_named_at_once(bad: int, streamed: bool, pets: Path) -> None:
    for number in range(bad):
        file = photo(pets / ("train", "test")[number % 2] / "dog" / f"bad{number}.png")
        file.write_bytes(file.read_bytes()[: 60 * (number % 3)])
    with pytest.raises(MissingError) as caught:
        load(pets, streamed)
    lines = str(caught.value).splitlines()
    assert caught.value.exit_code == 4
    assert lines[-1].startswith("  hint: mend what is named, or take it out of the data set; `on_unreadable: skip`")
    assert sum("dog/bad" in line for line in lines) == bad
    assert bad == 1 or lines[0] == f"{bad} of {4 + bad} images cannot be read:"


@pytest.mark.faults
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("make", "message"), [
    (os.mkfifo, "it is no ordinary file"),
    (lambda path: path.symlink_to("/dev/zero"), "it is no ordinary file"),
    (lambda path: path.symlink_to(path), "x.png cannot be read"),
    (lambda path: path.symlink_to("nowhere"), "it is not there"),
    (lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0"), "is no image of a kind that is read"),
])  # fmt: skip
def test_what_is_called_like_an_image_and_is_none_is_told(
    make: Callable[[Path], object], message: str, streamed: bool, pets: Path
) -> None:
    make(pets / "train" / "dog" / "x.png")
    with pytest.raises(MissingError, match=message):
        load(pets, streamed)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["fifo", "loop"])
def test_what_is_not_called_like_an_image_is_left_out_unopened(kind: str, pets: Path) -> None:
    place = pets / "train" / "dog" / "x"
    os.mkfifo(place) if kind == "fifo" else place.symlink_to(pets / "train" / "dog")
    suffix = "" if kind == "fifo" else "/"
    assert load(pets).notes == (f"left out 1 that are no images of a class: train/dog/x{suffix}",)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
@pytest.mark.parametrize("streamed", [False, True])
def test_names_that_are_no_text_are_data_as_well(streamed: bool, pets: Path) -> None:
    for part in ("train", "test"):
        name = os.fsdecode(b"\xff\x1b")
        photo(pets / part / name / os.fsdecode(b"\xfe.png"))
    (pets / "train" / name / os.fsdecode(b"\xfe.txt")).write_bytes(b"")
    found = load(pets, streamed)
    assert len(found.train) == 3
    assert found.notes == ("left out 1 that are no images of a class: train/??/?.txt",)


def test_16_bits_are_told_once(pets: Path) -> None:
    for part in ("train", "test"):
        Image.fromarray(np.full((6, 6), 9_000, np.uint16)).save(pets / part / "dog" / "deep.png")
    for streamed in (False, True):
        [note] = load(pets, streamed).notes
        assert note.startswith("2 of 6 images have 16 bits a channel, which are divided by 257")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("parts", "expected", "notes"), [
    (("train", "test"), (2, None, 2), ()), (("train", "val", "test"), (2, 2, 2), ()),
    (("Training", "Testing"), (2, None, 2), ()), (("train", "valid", "test"), (2, 2, 2), ()),
    (("train", "val"), (2, None, 2), ("val/ is the test set, since there is no test/",)),
    (("train", "Validation"), (2, None, 2), ("Validation/ is the test set, since there is no test/",)),
    (("train",), (2, None, 0), ()), (("",), (2, None, 0), ()), (("inner",), (2, None, 0), ()),
    (("inner/train", "inner/test"), (2, None, 2), ()),
])  # fmt: skip
def test_folders_in_every_usual_layout(
    parts: tuple[str, ...], expected: object, notes: object, streamed: bool, tmp_path: Path
) -> None:
    for part in parts:
        for name in ("cat", "dog"):
            photo(tmp_path / "pets" / part / name / "0.png")
    found = load(tmp_path / "pets", streamed)
    assert (found.classes, sizes(found), found.notes) == (("cat", "dog"), expected, notes)
    assert count(ImageFolder(), tmp_path / "pets") == 2


def test_what_the_spec_says_of_the_parts_goes_before_what_is_there(pets: Path) -> None:
    (pets / "test").rename(pets / "val")
    assert sizes(load(pets, test={"holdout": 1})) == (2, 2, 0)
    found = load(pets, test={"holdout": 1}, validation={"holdout": 1})
    assert (sizes(found), found.notes) == ((2, None, 0), ("left out 1 that are no images of a class: val/",))
    assert learned_from(settings(test={"holdout": 1}), pets) == 1


def test_a_flat_folder_gives_a_part_of_each_class_for_testing(tmp_path: Path) -> None:
    for number in range(20):
        photo(tmp_path / ("cat", "dog")[number >= 10] / f"{number}.png")
    (tmp_path / "empty").mkdir()
    chosen = settings(test={"holdout": 0.2}, validation={"holdout": 0.25})
    found = load_data(chosen, SHAPE, tmp_path)
    assert found.notes == ("left out 1 that are no images of a class: empty/",)
    apart = with_test(found, chosen)
    assert np.bincount(apart.test.labels).tolist() == [2, 2]
    train, validation = parted(apart, chosen, seed=1)
    assert (len(train), np.bincount(validation.labels).tolist()) == (12, [2, 2])
    assert learned_from(chosen, tmp_path) == 12
    again = with_test(load_data(chosen, SHAPE, tmp_path), chosen)
    assert again.test.digests() == apart.test.digests()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("bad", [1, 2])
def test_unreadable_images_are_left_out_up_to_a_share(bad: int, streamed: bool, pets: Path) -> None:
    for number in range(bad):
        (pets / "train" / "dog" / f"bad{number}.png").write_bytes(b"")
    skip = {"skip": 0.25}
    if bad == 2:
        with pytest.raises(MissingError, match=r"2 of 6 images cannot be read:(.|\n)*leaves out 25.00 % at most"):
            load(pets, streamed, on_unreadable=skip)
        return
    found = load(pets, streamed, on_unreadable=skip)
    assert sizes(found) == (2, None, 2)
    [note] = found.notes
    assert note.startswith("left out 1 of 5 images that cannot be read: ")
    assert note.endswith("bad0.png is empty")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_class_of_unreadable_images_is_told(streamed: bool, pets: Path) -> None:
    (pets / "train" / "dog" / "0.png").write_bytes(b"")
    with pytest.raises(MissingError, match="none of the images to learn 'dog' from can be read"):
        load(pets, streamed, on_unreadable={"skip": 0.5})


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "again"])
def test_images_that_are_learned_from_and_judge_are_told(kind: str, streamed: bool, pets: Path) -> None:
    assert alike(load(pets, streamed).train, load(pets, streamed).test) == []
    if kind == "again":
        with Image.open(pets / "train" / "dog" / "0.png") as image:
            image.save(pets / "test" / "cat" / "copy.bmp")
        told = "test/cat/copy.bmp is train/dog/0.png"
    else:
        shutil.copy(photo(pets / "train" / "cat" / "x", kind), pets / "test" / "cat" / "y")
        told = "test/cat/y is train/cat/x"
    found = load(pets, streamed)
    [note] = alike(found.train, found.test)
    assert note == f"1 of 3 test images stands among the training images as well, pixel by pixel: {told}"


@pytest.mark.faults
@pytest.mark.parametrize(("names", "message"), [
    (("train/cat", "train/dog", "test/cat"), "there is no .*test/dog: each class has a folder in train and in test"),
    (("train/cat", "val/cat", "valid/cat"), "val/ and valid/ in .* would both be the val part: leave one"),
    (("train/cat", "Train/cat"), "Train/ and train/ in"), ((), "there are no folders of classes with images"),
])  # fmt: skip
def test_what_is_no_image_folder_is_told(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    for name in names:
        photo(tmp_path / name / "0.png")
    with pytest.raises(MissingError, match=message):
        load(tmp_path)


@pytest.mark.faults
def test_names_in_errors_are_printable(tmp_path: Path) -> None:
    for name in ("a\x1b[2Jb", "c"):
        photo(tmp_path / name / "train" / "x" / "0.png")
        photo(tmp_path / name / "test" / "x" / "0.png")
    with pytest.raises(MissingError, match=r"several image folders in .* \(a\?\[2Jb, c\): name one"):
        load(tmp_path)
