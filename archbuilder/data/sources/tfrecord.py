"""TFRecord files of `tf.train.Example` with `image/encoded` and `image/class/label`, the usual form of ImageNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from archbuilder.data.dataset import Dataset, Shape, numbered
from archbuilder.data.decoding import mode_of
from archbuilder.data.sources.encoded import EncodedImages, readable
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import printable
from archbuilder.spec.data import Unreadable

IMAGE, LABEL = "image/encoded", "image/class/label"
MAX_BYTES = 2**28


def load(path: Path, input_shape: Shape, unreadable: Unreadable) -> Dataset:
    """The data set of a folder with `train-*` and `test-*` or `validation-*`; classes are called by their labels."""
    mode, shown = mode_of(input_shape), printable(str(path))
    train, test = (_read(path, names, mode) for names in (("train",), ("test", "validation")))
    train, test, notes = readable(train, test, unreadable)
    first, last = int(train.labels.min()), int(train.labels.max())
    if first not in (0, 1) or test.labels.min() < first or test.labels.max() > last:
        raise UsageError(
            f"{shown}: the labels of the training images go from {first} to {last}, those of the test images from "
            f"{test.labels.min()} to {test.labels.max()}; they count from 0 or from 1"
        )
    train, test = (replace(part, labels=part.labels - part.labels.dtype.type(first)) for part in (train, test))
    classes = numbered(range(first, last + 1), shown)
    return Dataset.of(path.resolve().name, classes, train, test, str(path), notes)


@dataclass(frozen=True, eq=False)
class Shards:
    """The records of some files; where each begins is known once all have been read."""

    files: Sequence[Path]
    records: list[tuple[Path, int, int]] = field(default_factory=list)
    """File, place of the first byte, and length of each."""

    def read(self, place: int) -> bytes:
        file, start, length = self.records[place]
        with file.open("rb") as opened:
            opened.seek(start)
            return _parsed(opened.read(length), self.name(place))[0]

    def name(self, place: int) -> str:
        file, start, _ = self.records[place] if place < len(self.records) else (self.files[0], 0, 0)
        return f"{printable(str(file))} (the record at byte {start:,})"

    def read_all(self) -> Iterator[tuple[bytes, int]]:
        """Each image and its label, in their order."""
        for file in self.files:
            with file.open("rb") as opened:
                while header := opened.read(12):  # the length and its checksum; another follows the content
                    length, start = int.from_bytes(header[:8], "little"), opened.tell()
                    content = opened.read(length) if length <= MAX_BYTES else b""
                    if len(header) < 12 or len(content) != length or len(opened.read(4)) != 4:
                        raise MissingError(f"{printable(str(file))} is cut off or damaged at byte {start:,}")
                    self.records.append((file, start, length))
                    yield _parsed(content, self.name(len(self.records) - 1))


def _read(path: Path, names: Sequence[str], mode: str) -> EncodedImages:
    for name in names:
        if files := sorted(file for file in path.glob(f"{name}-*") if file.is_file()):
            shards = Shards(files)
            return EncodedImages.of(shards, shards.read_all(), mode)
    expected = " or ".join(f"{name}-*" for name in names)
    shown = printable(str(path))
    raise MissingError(f"there are no files {expected} in {shown}" if path.is_dir() else f"{shown} is not a folder")


def _parsed(content: bytes, name: str) -> tuple[bytes, int]:
    import tensorflow as tf  # for this alone: other data is read without it

    try:
        features = tf.train.Example.FromString(content).features.feature
        [image], [label] = features[IMAGE].bytes_list.value, features[LABEL].int64_list.value
    except Exception as error:  # the exception of protobuf is in no module that is ours to import
        raise MissingError(f"{name} is no tf.train.Example with one {IMAGE} and one {LABEL}") from error
    return image, label if 0 <= label < 2**31 else -1
