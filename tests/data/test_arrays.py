"""NumPy archives: the forms that are taken, those that are refused with the right form, and those that would harm."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from archbuilder.data.count import count
from archbuilder.data.load import Dataset, Images, load_data, with_test
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.spec.data import Data, Npz

Array = npt.NDArray[Any]
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (12, 5, 4, 3), np.uint8)
LABELS = np.arange(12) % 3
KEYS = ("x_train", "y_train", "x_test", "y_test")


def write(
    path: Path, pixels: Array = PIXELS, labels: Array = LABELS, keys: tuple[str, ...] = KEYS, **more: Any
) -> Path:
    np.savez(path, **{**dict(zip(keys, [pixels, labels] * 2, strict=True)), **more})
    return path


def load(path: Path, shape: tuple[int, int, int] = (5, 4, 3), own_size: bool = False) -> Dataset:
    return load_data(Data.model_validate({"source": "npz"}), shape, path, own_size)


def images(path: Path, shape: tuple[int, int, int] = (5, 4, 3)) -> Array:
    """The test images, which stay in their order."""
    found = load(path, shape)
    assert isinstance(found.test, Images)
    assert found.test.pixels.dtype == np.uint8
    return found.test.pixels


@pytest.mark.parametrize("own_size", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_channels_that_stand_first_are_moved(own_size: bool, kind: Any, tmp_path: Path) -> None:
    last = (PIXELS * {np.uint8: 1.0, np.uint16: 257.0, np.float32: 1 / 255}[kind]).astype(kind)
    first = np.moveaxis(last, -1, 1)
    expected = load(write(tmp_path / "last.npz", last), own_size=own_size)
    assert load(write(tmp_path / "first.npz", first), own_size=own_size).fingerprint == expected.fingerprint


def test_channels_stand_last_wherever_that_fits(tmp_path: Path) -> None:
    square = RANDOM.integers(0, 256, (12, 3, 3, 3), np.uint8)
    np.testing.assert_array_equal(images(write(tmp_path / "a.npz", square), (3, 3, 3)), square)


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_any_number_of_channels_is_taken(channels: int, tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (12, 5, 4, channels), np.uint8)
    np.testing.assert_array_equal(images(write(tmp_path / "a.npz", pixels), (5, 4, channels)), pixels)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", ">f4"])
def test_floats_run_from_0_to_1(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", (PIXELS / 255).astype(kind))
    np.testing.assert_array_equal(images(path), PIXELS)
    assert load(path).notes == ("the images are floats, which are multiplied by 255 and rounded: white is 1",)


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
def test_16_bits_are_divided_by_257(kind: str, tmp_path: Path) -> None:
    deep = RANDOM.integers(0, 50_000, PIXELS.shape)
    path = write(tmp_path / "a.npz", deep.astype(kind))
    np.testing.assert_array_equal(images(path), np.round(deep / 257))
    assert load(path).notes == ("the images are whole numbers of 16 bits, which are divided by 257: white is 65,535",)


@pytest.mark.parametrize("labels", [
    LABELS[:, None], LABELS.astype(np.float32), LABELS.astype(np.uint8), np.eye(3)[LABELS], np.eye(3, dtype=bool)[LABELS],
    np.eye(3, dtype=np.int64)[LABELS], LABELS.astype(">i4"),
])  # fmt: skip
def test_labels_of_every_form_that_says_the_same(labels: Array, tmp_path: Path) -> None:
    found = load(write(tmp_path / "a.npz", labels=labels))
    np.testing.assert_array_equal(found.test.labels, LABELS)
    assert (found.classes, str(found.test.labels.dtype), found.notes) == (("0", "1", "2"), "int32", ())


def test_one_hot_rows_count_classes_that_have_no_image(tmp_path: Path) -> None:
    assert len(load(write(tmp_path / "a.npz", labels=np.eye(7)[LABELS])).classes) == 7


def test_the_names_of_medmnist_are_known_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    keys = ("train_images", "train_labels", "test_images", "test_labels")
    path = write(
        tmp_path / "m.npz", PIXELS[..., 0], LABELS[:, None], keys, val_images=PIXELS[..., 1], val_labels=LABELS
    )
    found = load(path, (5, 4, 1))
    assert found.validation is not None
    assert (len(found.validation), found.notes) == (12, ())
    held_out = {"source": "npz", "validation": {"holdout": 2}}
    found = load_data(Data.model_validate(held_out), (5, 4, 1), path)
    assert found.notes == (f"left out of {path}: val_images, val_labels",)
    assert count(Npz(), path) == len(found.train) == 12


@pytest.mark.parametrize("keys", [("x", "y"), ("images", "labels"), ("x_train", "y_train")])
def test_an_archive_without_a_test_set_gives_a_part_of_its_images(keys: tuple[str, str], tmp_path: Path) -> None:
    arrays: dict[str, Any] = dict(zip(keys, (PIXELS, LABELS), strict=True))
    np.savez(path := tmp_path / "a.npz", **arrays)
    settings = Data.model_validate({"source": "npz", "test": {"holdout": 0.25}})
    found = load_data(settings, (5, 4, 3), path)
    assert (len(found.train), len(found.test), count(Npz(), path)) == (12, 0, 12)
    parts = with_test(found, settings)
    assert (len(parts.train), len(parts.test)) == (9, 3)


@pytest.mark.faults
def test_labels_without_their_images_are_missed(tmp_path: Path) -> None:
    np.savez(path := tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS, y_test=LABELS)
    with pytest.raises(MissingError, match=r"has no x_test, but .*; there must be x_train, y_train, x_test, y_test$"):
        load(path)


@pytest.mark.parametrize("names", [["a", "b", "ü"], [b"a", b"b", "ü".encode()]])
def test_classes_are_named(names: list[Any], tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.npz", classes=np.array(names))).classes == ("a", "b", "ü")


@pytest.mark.faults
@pytest.mark.parametrize(("change", "message"), [
    ({"x_train": PIXELS.astype(np.int64)}, r"x_train is int64 of shape \(12, 5, 4, 3\); uint8 of shape \(n, H, W\) or"),
    ({"x_train": PIXELS > 9}, "x_train is bool of shape .*; uint8 of shape"),
    ({"x_train": PIXELS.astype(float)}, "x_train has floats from 0 to 255, whose black and white are not known; uint8"),
    ({"x_test": PIXELS / 255 - 0.5}, "x_test has floats from -0.5 to 0.5"),
    ({"x_test": PIXELS * np.nan}, "x_test has floats from nan to nan"),
    ({"x_train": PIXELS[0]}, "y_train is int64 of shape .*; 5 whole numbers are expected"),
    ({"x_train": PIXELS[0, 0]}, r"x_train is uint8 of shape \(4, 3\); uint8 of shape"),
    ({"x_train": np.uint8(3)}, "x_train is a single value; a list or an array is expected"),
    ({"x_train": PIXELS[:0], "y_train": LABELS[:0]}, "x_train is empty"),
    ({"x_test": PIXELS[:, :2]}, "the test images are 2x4x3, but the network takes 5x4x3"),
    ({"y_train": LABELS[:5]}, r"y_train is int64 of shape \(5,\); 12 whole numbers are expected"),
    ({"y_train": LABELS + 0.5}, "y_train is float64 .*; its numbers are not whole"),
    ({"y_train": np.where(LABELS, np.nan, 0)}, "its numbers are not whole"),
    ({"y_train": np.where(LABELS, np.inf, 0)}, "its numbers are not whole"),
    ({"y_train": np.array(["cat"] * 12)}, "y_train is text of shape .*; 12 whole numbers are expected"),
    ({"y_train": np.ones((12, 3), int)}, r"y_train is int64 of shape \(12, 3\); a row .* is taken where it is one-hot"),
    ({"y_train": np.zeros((12, 3), int)}, "is taken where it is one-hot"),
    ({"y_train": np.eye(3)[LABELS] * 0.9}, "is taken where it is one-hot"),
    ({"y_train": LABELS - 1}, "the labels in y_train go from -1 to 1; they count from 0, up to"),
    ({"y_test": LABELS + 1}, "the labels of the test images go from 1 to 3; with 3 classes they go from 0 to 2"),
    ({"classes": np.array(5)}, "classes is a single value; a list of names is expected, one for each class"),
    ({"classes": np.eye(3)}, "classes is float64 .*; a list of names is expected"),
    ({"classes": np.array(["a", "b"])}, "with 2 classes they go from 0 to 1"),
])  # fmt: skip
def test_other_forms_are_refused_with_the_right_one(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(str(tmp_path / 'a.npz'))}.*{message}"):
        load(write(tmp_path / "a.npz", **change))


@pytest.mark.faults
def test_what_is_missing_is_named_beside_what_is_there(tmp_path: Path) -> None:
    for keys, missing in (
        ("images", "x_train, y_train, x_test, y_test"),
        ("train_images", "train_labels, test_images"),
    ):
        arrays: dict[str, Any] = {keys: PIXELS}
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(MissingError, match=f"has no {missing}.*, but {keys}; there must be"):
            load(tmp_path / "a.npz")


def with_member(content: bytes, name: str = "x_train") -> Callable[[Path], object]:
    """An archive in which one member is something else."""

    def make(path: Path) -> None:
        arrays = dict(zip(KEYS, [PIXELS, LABELS] * 2, strict=True))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, array in arrays.items():
                np.save(file := io.BytesIO(), array)
                archive.writestr(f"{key}.npy", content if key == name else file.getvalue())

    return make


def declared(shape: str, kind: str = "|u1", more: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + more


def zeros(shape: tuple[int, ...]) -> Callable[[Path], object]:
    """As many zeros in one member more, written piece by piece."""

    def make(path: Path) -> None:
        write(path)
        packed = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9)
        with packed, packed.open("more.npy", "w") as member:
            member.write(declared(str(shape)))
            for _ in range(shape[0]):
                member.write(bytes(2**24))

    return make


def damaged(path: Path) -> None:
    with_member(declared("(12, 5, 4, 3)", more=RANDOM.bytes(720)))(path)
    content = bytearray(path.read_bytes())
    content[300:320] = bytes(20)
    path.write_bytes(content)


def lzma(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for key in KEYS:
            archive.writestr(f"{key}.npy", declared("(1,)", more=b"\0"))


HARMFUL: dict[str, Callable[[Path], object]] = {
    "a label of 2**31": lambda path: write(path, labels=LABELS * 2**30),
    "a label of 10**18": lambda path: write(path, labels=LABELS * 10**17),
    "a float label of 1e300": lambda path: write(path, labels=LABELS * 1e300),
    "members that are no arrays": with_member(b"x" * 99),
    "an empty member": with_member(b""),
    "an array of 2**60": with_member(declared("(1, 1073741824, 1073741824, 1)")),
    "an array of 2**90": with_member(declared("(1073741824, 1073741824, 1073741824)")),
    "an array of negative size": with_member(declared("(-1, 5, 4, 3)")),
    "a shape that is no shape": with_member(declared("{}")),
    "a deep shape": with_member(declared("(" * 80)),
    "objects": lambda path: write(path, x_train=np.array([{}], object)),
    "labels that are objects": lambda path: write(path, y_train=np.array([{}] * 12, object)),
    "a structure": lambda path: write(path, x_train=np.zeros(3, "u1,f4")),
    "256 MiB of zeros": zeros((16, 4096, 4096)),
    "damaged deflate": damaged,
    "lzma": lzma,
    "cut off": lambda path: path.write_bytes(write(path).read_bytes()[:-40]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"hello\n" * 99),
    "a fifo": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a class of 1 GiB": with_member(declared("(1,)", "<U268435456"), "y_train"),
}  # fmt: skip


@pytest.mark.faults
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_archive_is_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    HARMFUL[name](path)
    with pytest.raises(ArchbuilderError) as caught:
        load(path)
    assert caught.value.exit_code in (2, 4)
    assert re.fullmatch(rf"{re.escape(str(path))}[: ][^\n]+", str(caught.value))
    assert not re.search(r"numpy|allow_pickle|zlib|Error|0x", str(caught.value).replace("NumPy archive", ""))
    with suppress(ArchbuilderError):  # labels can be counted where images are harmful
        count(Npz(), path)
