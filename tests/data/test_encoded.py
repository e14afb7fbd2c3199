"""Data sets whose images lie encoded in other files: TFRecord, and TensorFlow Datasets in a stand-in for the package."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archbuilder.data.load import Dataset, load_data
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.spec.data import Data


def encoded(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7 + seed % 3, 3), np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def pixels(image: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(image)))


def write(path: Path, labels: Sequence[int], seed: int = 0, key: str = "image/encoded", cut: int | None = None) -> Path:
    """Records, whose images lack so many bytes as `cut` says."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, label in enumerate(labels):
            image = tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[encoded(seed + number)[: -cut if cut else None]])
            )
            number_of_class = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
            features = tf.train.Features(feature={key: image, "image/class/label": number_of_class})
            writer.write(tf.train.Example(features=features).SerializeToString())
    return path


def load(source: Any, path: Path | None = None) -> Dataset:
    return load_data(Data.model_validate({"source": source}), (4, 4, 3), path)


def test_records_of_several_files_with_labels_from_1(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002", [1, 3])
    write(tmp_path / "train-00001-of-00002", [2, 1, 3], seed=2)
    write(tmp_path / "validation-00000-of-00001", [3, 1], seed=5)
    found = load("tfrecord", tmp_path)
    assert found.classes == ("1", "2", "3")
    expected = {encoded(seed): label for seed, label in enumerate([0, 2, 1, 0, 2])}
    assert len(found.train) == 5
    for index, label in enumerate(found.train.labels):
        [image] = [image for image in expected if np.array_equal(pixels(image), np.asarray(found.train.image(index)))]
        assert label == expected[image]
    np.testing.assert_array_equal(found.test.labels, [2, 0])
    np.testing.assert_array_equal(found.test.take(np.array([1])).image(0), pixels(encoded(6)))


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda folder: (folder / "test-0").unlink(), r"there are no files test-\* or validation-\* in"),
    (lambda folder: write(folder / "test-0", [0, 2]), "from 0 to 1, those of the test images from 0 to 2"),
    (lambda folder: write(folder / "train-0", [2, 3]), "they count from 0 or from 1"),
    (lambda folder: write(folder / "train-0", [0], key="image"), r"record at byte 12\) is no tf.train.Example with one"),
    (lambda folder: (folder / "train-0").write_bytes((folder / "train-0").read_bytes()[:-9]), "train-0 is cut off"),
    (lambda folder: (folder / "train-0").write_bytes(b"\xff" * 40), "train-0 is cut off or damaged at byte 12"),
    (lambda folder: write(folder / "train-0", [0, 2**31 - 1]), "the largest label is 2,147,483,647; at most 1,000,000"),
    (lambda folder: write(folder / "train-0", [0, 2**40]), "they count from 0 or from 1"),
    (lambda folder: write(folder / "train-0", [0, 1, 0], cut=40), r"3 of 5 images cannot be read:\n  .*byte 12\) is cut off"),
])  # fmt: skip
def test_what_is_wrong_with_records_is_said(spoil: Any, message: str, tmp_path: Path) -> None:
    write(tmp_path / "train-0", [0, 1])
    write(tmp_path / "test-0", [0, 1])
    spoil(tmp_path)
    with pytest.raises(ArchbuilderError, match=message):
        load("tfrecord", tmp_path)


class Builder:
    """What archbuilder uses of a builder of TensorFlow Datasets."""

    data_dir = "/data/birds"
    info = SimpleNamespace(features={"image": None, "label": SimpleNamespace(names=["wren", "owl"])},
                           splits=("train", "validation"))  # fmt: skip

    def download_and_prepare(self) -> None: ...

    def as_data_source(self, split: str, decoders: dict[str, Any]) -> list[dict[str, Any]]:
        assert decoders == {"image": "skipped"}
        first, count = {"train": (0, 4), "validation": (4, 2)}[split]
        return [{"image": encoded(seed), "label": seed % 2} for seed in range(first, first + count)]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    def builder(name: str, data_dir: str | None, file_format: str) -> Builder:
        if name != "birds":
            raise ValueError(f"{name} is not registered")
        return Builder()

    decode = SimpleNamespace(SkipDecoding=lambda: "skipped")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", SimpleNamespace(builder=builder, decode=decode))


@pytest.mark.usefixtures("package")
def test_a_data_set_by_name() -> None:
    found = load({"tfds": {"name": "birds"}})
    assert (found.classes, found.origin) == (("wren", "owl"), "TensorFlow Datasets in /data/birds")
    assert sorted(found.train.labels) == [0, 0, 1, 1]
    np.testing.assert_array_equal(found.test.image(1), pixels(encoded(5)))
    with pytest.raises(MissingError, match="cannot give 'bees': bees is not registered"):
        load({"tfds": {"name": "bees"}})


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(MissingError, match=r"not installed: pip install 'archbuilder\[tfds\]'") as error:
        load({"tfds": {"name": "birds"}})
    assert error.value.exit_code == 4
    assert not isinstance(error.value, UsageError)
