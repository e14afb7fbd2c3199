"""Image folders: files under `train/<class>/` and `test/<class>/`, and in folders below those."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archbuilder.data.dataset import Dataset, Images, Indices, Labels, Parts, Pixels, Shape
from archbuilder.data.decoding import TAKEN, check, decode, decode_with_bits, mode_of
from archbuilder.data.framing import frame
from archbuilder.data.reading import Tally, read_all
from archbuilder.data.sources.listing import children, is_folder, left_out, list_images, sub_folders
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import first_ten, printable
from archbuilder.machine import hardware
from archbuilder.spec.framing import Resize

if TYPE_CHECKING:
    from PIL import Image

PARTS = ("train", "test")
OTHER_NAMES = {
    "train": ("training",),
    "test": ("testing", "val", "valid", "validation", "eval", "dev"),
}
"""What the parts are also called elsewhere, in small letters."""
FORM = "an image folder has train/<class>/ and test/<class>/"


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Files that are decoded whenever they are looked at."""

    folder: Path
    names: tuple[str, ...]
    """The paths of the files within the folder."""
    labels: Labels
    mode: str
    others: tuple[str, ...] = ()
    """What lies in the same folders and is no image."""

    @property
    def extent(self) -> str:
        return f"{len(self)} files"

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: Indices) -> ImageFiles:
        return replace(self, names=tuple(self.names[index] for index in indices), labels=self.labels[indices])

    def digests(self) -> list[bytes]:
        """A digest of the name and length of each file: reading a million files would take longer than an epoch."""
        return [sha256(os.fsencode(f"{name} {(self.folder / name).stat().st_size}")).digest() for name in self.names]

    def image(self, index: int) -> Image.Image:
        return decode(self.folder / self.names[index], self.mode)

    def check(self) -> Tally:
        """Decodes each, and keeps none."""
        return read_all(lambda name: check(self.folder / name), self.names)


def load(path: Path, input_shape: Shape, own_size: bool = False) -> Dataset:
    """The data set of a folder; classes are the names of its folders, sorted.

    Images are read, and resized to the input, unless they are wanted at their own size or are more than memory holds
    well: then they stay files.
    """
    folder = locate(path)
    name, classes, mode = folder.resolve().name, class_names(folder), mode_of(input_shape)
    train, test = (files(folder, part, classes, mode) for part in PARTS)
    memory, needed = hardware.memory(), (len(train) + len(test)) * prod(input_shape)
    if own_size or (memory is not None and needed > memory / 4):
        notes = _notes(train, test, train.check() + test.check())
        return Dataset.of(name, classes, train, test, str(folder), notes)
    parts = in_memory(train, test, input_shape)
    return Dataset.of(name, classes, parts.train, parts.test, str(folder), parts.notes)


def is_image_folder(path: Path) -> bool:
    return all((path / part).is_dir() for part in PARTS)


def locate(path: Path) -> Path:
    """The folder itself, or the only image folder in it; raises MissingError naming what is not there."""
    shown = printable(str(path))
    if not path.is_dir():
        raise MissingError(f"{shown} is not a folder" if path.exists() else f"there is no {shown}")
    if is_image_folder(path):
        return path
    inside = [name for name in sub_folders(path) if is_image_folder(path / name)]
    if len(inside) == 1:
        return path / inside[0]
    if inside:
        raise MissingError(f"there are several image folders in {shown} ({first_ten(inside)}): name one")
    raise _no_image_folder(path)


def _no_image_folder(path: Path) -> MissingError:
    """What is missing, and what is there that may have been meant."""
    shown, there = printable(str(path)), sub_folders(path)
    missing = [part for part in PARTS if part not in there]
    absent = " and no ".join(str(Path(shown, part)) for part in missing)
    meant = {part: [name for name in there if name.lower() in (part, *OTHER_NAMES[part])] for part in missing}
    hints = [f"if {printable(names[0])}/ is meant, call it {part}/" for part, names in meant.items() if names]
    if len(missing) == 2 and not hints and (classes := [name for name in there if list_images(path / name).images]):
        hints = [f"move a part of {first_ten(classes)} into train/<class>/, and the rest into test/<class>/"]
    hint = f"\n  hint: {' and '.join(hints)}" if hints else ""
    return MissingError(f"there is no {absent}: {FORM}{hint}")


def class_names(folder: Path) -> list[str]:
    """The names of the classes, which are the same in both parts."""
    train, test = (sub_folders(folder / part) for part in PARTS)
    if not train:
        raise MissingError(f"there are no folders of classes in {printable(str(folder / 'train'))}: {FORM}")
    for name in sorted({*train, *test}):
        if name not in train or name not in test:
            absent = printable(str(folder / ("train" if name not in train else "test") / name))
            raise MissingError(f"there is no {absent}: each class has a folder in train and in test")
    return train


def files(folder: Path, part: str, classes: Sequence[str], mode: str) -> ImageFiles:
    """The images of a part of a folder, class by class and by name; raises MissingError where a class has none."""
    names, counts, others = list[str](), list[int](), _beside(folder / part, classes, f"{part}/")
    for name in classes:
        listing = list_images(folder / part / name)
        if not listing.images:
            raise MissingError(f"there are no images ({TAKEN}) in {printable(str(folder / part / name))}")
        names += [f"{part}/{name}/{image}" for image in listing.images]
        others += [f"{part}/{name}/{other}" for other in listing.others]
        counts.append(len(listing.images))
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), counts)
    return ImageFiles(folder, tuple(names), labels, mode, tuple(others))


def in_memory(train: ImageFiles, test: ImageFiles, shape: Shape, resize: bool = True) -> Parts:
    """(H, W, C) pixels of all images, resized (bilinear) unless that is not wanted.

    Raises MissingError that names those that cannot be read, UsageError where the size of one is wrong.
    """
    (pixels, tally), (test_pixels, test_tally) = (_pixels(images, shape, resize) for images in (train, test))
    notes = _notes(train, test, tally + test_tally)
    return Parts(Images(pixels, train.labels), Images(test_pixels, test.labels), notes)


def _pixels(images: ImageFiles, shape: Shape, resize: bool) -> tuple[Pixels, Tally]:
    pixels = np.empty((len(images), *shape), np.uint8)

    def read(index: int) -> int:
        file = images.folder / images.names[index]
        image, bits = decode_with_bits(file, images.mode)
        if not resize and image.size != (shape[1], shape[0]):
            size, expected = f"{image.height}x{image.width}", f"{shape[0]}x{shape[1]}"
            raise UsageError(f"{printable(str(file))} has {size} pixels, but {expected} are expected")
        pixels[index] = frame(image, (Resize(),), shape[:2])
        return bits

    return pixels, read_all(read, range(len(images)))


def _notes(train: ImageFiles, test: ImageFiles, tally: Tally) -> tuple[str, ...]:
    """What to say of images that were read; raises MissingError where some could not be."""
    tally.require_readable()
    others = [*_beside(train.folder, PARTS), *train.others, *test.others]
    return (*left_out(others), *tally.notes())


def _beside(folder: Path, names: Collection[str], prefix: str = "") -> list[str]:
    """What is in a folder beside the folders of such names."""
    entries = [(entry.name, is_folder(entry)) for entry in children(folder)]
    return [f"{prefix}{name}{'/' * folds}" for name, folds in entries if name not in names or not folds]
