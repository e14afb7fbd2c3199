"""Image folders: what is taken, what is left out and named, and what is said where something else is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archbuilder.data.count import count
from archbuilder.data.load import Dataset, load_data
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


def load(folder: Path, streamed: bool = False) -> Dataset:
    return load_data(Data.model_validate({"source": "image_folder"}), SHAPE, folder, streamed)


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
    ("train/.DS_Store", "train/.DS_Store"), ("val/cat/0.png", "val/"), ("labels.csv", "labels.csv"),
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
    assert lines[-1] == "  hint: mend what is named, or take it out of the data set"
    assert sum("dog/bad" in line for line in lines) == min(bad, 10)
    assert ("  and 3 more" in lines) == (bad == 13)
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


def moved(**names: str) -> Callable[[Path], None]:
    def move(folder: Path) -> None:
        for old, new in names.items():
            (folder / old).rename(folder / new)

    return move


def flat(folder: Path) -> None:
    (folder / "train" / "cat").rename(folder / "cat")
    (folder / "train" / "dog").rename(folder / "dog")
    for part in ("train", "test"):
        (folder / part).rename(folder.parent / part)


@pytest.mark.faults
@pytest.mark.parametrize(("change", "message"), [
    (flat, r"there is no .*pets/train and no .*pets/test: .*\n  hint: move a part of cat, dog into train/<class>/, and"),
    (moved(test="val"), r"there is no .*pets/test: .*\n  hint: if val/ is meant, call it test/$"),
    (moved(test="Valid"), "hint: if Valid/ is meant, call it test/$"),
    (moved(test="validation"), "hint: if validation/ is meant, call it test/$"),
    (moved(test="Test"), "hint: if Test/ is meant, call it test/$"),
    (moved(train="training"), "there is no .*pets/train: .*\n  hint: if training/ is meant, call it train/$"),
    (moved(train="Train", test="Val"), "hint: if Train/ is meant, call it train/ and if Val/ is meant, call it test/$"),
    (moved(train="images", test="other"), r"hint: move a part of images, other into"),
])  # fmt: skip
def test_another_layout_is_refused_with_what_would_help(
    change: Callable[[Path], None], message: str, pets: Path
) -> None:
    change(pets)
    with pytest.raises(MissingError, match=message):
        load(pets)


@pytest.mark.faults
def test_names_in_errors_are_printable(tmp_path: Path) -> None:
    for name in ("a\x1b[2Jb", "c"):
        photo(tmp_path / name / "train" / "x" / "0.png")
        photo(tmp_path / name / "test" / "x" / "0.png")
    with pytest.raises(MissingError, match=r"several image folders in .* \(a\?\[2Jb, c\): name one"):
        load(tmp_path)
