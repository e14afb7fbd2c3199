"""Image files of a data set: listed by its source, then read into memory, or left as files and only checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from archbuilder.data.dataset import Dataset, Images, Indices, Labels, Parts, Shape
from archbuilder.data.decoding import check, decode, decode_with_bits
from archbuilder.data.framing import frame
from archbuilder.data.reading import Reading, Seen, read_all, settle
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import printable
from archbuilder.machine import hardware
from archbuilder.spec.data import LabelKind, Refuse, Unreadable
from archbuilder.spec.framing import Resize

if TYPE_CHECKING:
    from PIL import Image

Part = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Files that are decoded whenever they are looked at."""

    folder: Path
    names: tuple[str, ...]
    """The paths of the files within the folder."""
    labels: Labels
    mode: str
    are_classes_in_names: bool = True
    """Whether the path of a file tells its class, too."""
    seen: tuple[bytes, ...] = ()
    """A digest of the pixels of each, once they were looked at."""

    @property
    def extent(self) -> str:
        return f"{len(self)} files"

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: Indices) -> ImageFiles:
        names, seen = (tuple(row[index] for index in indices) if row else () for row in (self.names, self.seen))
        return replace(self, names=names, labels=self.labels[indices], seen=seen)

    def digests(self) -> list[bytes]:
        """A digest of the name and length of each file: reading a million files would take longer than an epoch."""
        told = [os.fsencode(f"{name} {(self.folder / name).stat().st_size}") for name in self.names]
        if self.are_classes_in_names:
            return [sha256(file).digest() for file in told]
        labels = self.labels.astype("<i4" if self.labels.ndim == 1 else "<f4")
        return [sha256(label.tobytes() + file).digest() for label, file in zip(labels, told, strict=True)]

    def sums(self) -> Sequence[bytes]:
        return self.seen

    def name(self, index: int) -> str:
        return self.names[index]

    def image(self, index: int) -> Image.Image:
        return decode(self.folder / self.names[index], self.mode)

    def checked(self) -> tuple[ImageFiles, Reading]:
        """Those that can be decoded, of which none is kept."""
        reading = read_all(lambda name: Seen(*check(self.folder / name)), self.names)
        return replace(self.take(reading.good), seen=reading.sums), reading

    def in_memory(self, shape: Shape, resize: bool = True) -> tuple[Images, Reading]:
        """(n, H, W, C) pixels of those that can be read, resized (bilinear) unless that is not wanted.

        Raises UsageError where the size of one is wrong.
        """
        pixels = np.empty((len(self), *shape), np.uint8)

        def read(index: int) -> Seen:
            file = self.folder / self.names[index]
            image, bits = decode_with_bits(file, self.mode)
            if not resize and image.size != (shape[1], shape[0]):
                size, expected = f"{image.height}x{image.width}", f"{shape[0]}x{shape[1]}"
                raise UsageError(f"{printable(str(file))} has {size} pixels, but {expected} are expected")
            pixels[index] = frame(image, (Resize(),), shape[:2])
            return Seen(bits, b"")

        reading = read_all(read, range(len(self)))
        return _kept(Images(pixels, self.labels, self.names), reading), reading


def _kept(images: Images, reading: Reading) -> Images:
    """The images that were read; where all were, they are not copied."""
    return images.take(reading.good) if reading.problems else images


@dataclass(frozen=True, eq=False)
class Listing:
    """A data set of files before any of them is read."""

    name: str
    origin: str
    classes: tuple[str, ...]
    """The names of the classes, or of the columns of flags and numbers."""
    parts: Mapping[Part, ImageFiles]
    """`train`, and the other parts that there are."""
    notes: tuple[str, ...] = ()
    """What was not taken, and what else a person should know."""
    labels: LabelKind = "classes"

    @cached_property
    def images(self) -> int:
        return sum(map(len, self.parts.values()))

    def read(self, input_shape: Shape, own_size: bool, unreadable: Unreadable) -> Dataset:
        """The data set; raises MissingError that names the images that cannot be read.

        Images are resized to the input, unless they are wanted at their own size or are more than memory holds well:
        then they stay files.
        """
        memory, needed = hardware.memory(), self.images * prod(input_shape)
        are_files = own_size or (memory is not None and needed > memory / 4)
        read = {
            part: files.checked() if are_files else files.in_memory(input_shape) for part, files in self.parts.items()
        }
        notes = (*self.notes, *settle([reading for _, reading in read.values()], unreadable))
        train, test, validation = (read[part][0] if part in read else None for part in ("train", "test", "val"))
        assert train is not None
        self._require_each_class(train.labels)
        empty = train.take(np.zeros(0, np.int64))
        found = Dataset.of(self.name, self.classes, train, test or empty, self.origin, notes, validation)
        return replace(found, labels=self.labels)

    def _require_each_class(self, labels: Labels) -> None:
        """None of the images of a class that cannot be read may be its last one."""
        if labels.ndim > 1:
            return
        for name in set(self.classes) - {self.classes[label] for label in np.unique(labels)}:
            raise MissingError(f"none of the images to learn '{printable(name)}' from can be read, in {self.origin}")


def parts_in_memory(train: ImageFiles, test: ImageFiles, shape: Shape, notes: Sequence[str]) -> Parts:
    """(H, W, C) pixels of all images, of which each has this size; raises MissingError that names unreadable ones."""
    (images, reading), (test_images, test_reading) = (part.in_memory(shape, resize=False) for part in (train, test))
    return Parts(images, test_images, (*notes, *settle((reading, test_reading), Refuse())))
