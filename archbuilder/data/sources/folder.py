"""Image folders: PNG and JPEG files under `train/<class>/` and `test/<class>/`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archbuilder.data.dataset import Dataset, Images, Indices, Labels, Shape
from archbuilder.data.decoding import check_header, decode, mode_of
from archbuilder.data.framing import frame
from archbuilder.errors import MissingError, UsageError
from archbuilder.machine import hardware
from archbuilder.spec.framing import Resize

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """PNG and JPEG files that are decoded whenever they are looked at."""

    folder: Path
    names: tuple[str, ...]
    """The paths of the files within the folder."""
    labels: Labels
    mode: str

    @property
    def extent(self) -> str:
        return f"{len(self)} files"

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: Indices) -> ImageFiles:
        return replace(self, names=tuple(self.names[index] for index in indices), labels=self.labels[indices])

    def digests(self) -> list[bytes]:
        """A digest of the name and length of each file: reading a million files would take longer than an epoch."""
        return [sha256(f"{name} {(self.folder / name).stat().st_size}".encode()).digest() for name in self.names]

    def image(self, index: int) -> Image.Image:
        return decode(self.folder / self.names[index], self.mode)

    def check(self) -> None:
        """Reads the header of each; raises MissingError at the first that cannot be read or is too large."""
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(lambda name: check_header(self.folder / name), self.names):
                pass


def load(path: Path, input_shape: Shape, own_size: bool = False) -> Dataset:
    """The data set of a folder; classes are the names of its folders, sorted.

    Images are read, and resized to the input, unless they are wanted at their own size or are more than memory holds
    well: then they stay files.
    """
    folder = locate(path)
    name, classes, mode = folder.resolve().name, class_names(folder), mode_of(input_shape)
    train, test = (files(folder, part, classes, mode) for part in ("train", "test"))
    memory, needed = hardware.memory(), (len(train) + len(test)) * prod(input_shape)
    if own_size or (memory is not None and needed > memory / 4):
        train.check()
        test.check()
        return Dataset.of(name, classes, train, test, str(folder))
    return Dataset.of(name, classes, in_memory(train, input_shape), in_memory(test, input_shape), str(folder))


def is_image_folder(path: Path) -> bool:
    return (path / "train").is_dir() and (path / "test").is_dir()


def locate(path: Path) -> Path:
    """The folder itself, or the only image folder in it; raises MissingError naming what is not there."""
    if not path.is_dir():
        raise MissingError(f"{path} is not a folder" if path.exists() else f"there is no {path}")
    if (path / "train").is_dir() or (path / "test").is_dir():
        for part in ("train", "test"):
            if not (path / part).is_dir():
                raise MissingError(f"there is no {path / part}: an image folder has train/<class>/ and test/<class>/")
        return path
    inside = [child for child in _folders(path) if is_image_folder(child)]
    if len(inside) == 1:
        return inside[0]
    names = ", ".join(child.name for child in inside)
    problem = f"several image folders in {path} ({names}): name one" if inside else f"no image folder at {path}"
    raise MissingError(f"there {'are' if inside else 'is'} {problem}; it has train/<class>/ and test/<class>/")


def class_names(folder: Path) -> list[str]:
    """The names of the classes, which are the same in both parts."""
    train, test = ([child.name for child in _folders(folder / part)] for part in ("train", "test"))
    if not train:
        raise MissingError(f"there are no folders of classes in {folder / 'train'}")
    for name in sorted({*train, *test}):
        if name not in train or name not in test:
            part = "train" if name not in train else "test"
            raise MissingError(f"there is no {folder / part / name}: each class has a folder in train and in test")
    return train


def files(folder: Path, part: str, classes: Sequence[str], mode: str) -> ImageFiles:
    """The images of a part of a folder, class by class and by name."""
    by_class = [[f"{part}/{name}/{file}" for file in _files(folder / part / name)] for name in classes]
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(names) for names in by_class])
    return ImageFiles(folder, tuple(name for names in by_class for name in names), labels, mode)


def in_memory(images: ImageFiles, shape: Shape, resize: bool = True) -> Images:
    """(H, W, C) pixels of all images, resized (bilinear) unless that is not wanted.

    Raises MissingError at the first that cannot be read, UsageError where its size is wrong.
    """
    pixels = np.empty((len(images), *shape), np.uint8)
    for index, name in enumerate(images.names):
        image = images.image(index)
        if not resize and image.size != (shape[1], shape[0]):
            size, expected = f"{image.height}x{image.width}", f"{shape[0]}x{shape[1]}"
            raise UsageError(f"{images.folder / name} has {size} pixels, but {expected} are expected")
        pixels[index] = frame(image, (Resize(),), shape[:2])
    return Images(pixels, images.labels)


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in _children(path) if child.is_dir())


def _files(path: Path) -> list[str]:
    files = sorted(child.name for child in _children(path) if child.suffix.lower() in SUFFIXES)
    if not files:
        raise MissingError(f"there are no images ({', '.join(SUFFIXES)}) in {path}")
    return files


def _children(path: Path) -> list[Path]:
    try:
        return [child for child in path.iterdir() if not child.name.startswith(".")]
    except OSError as error:
        raise MissingError(f"{path} cannot be read: {error.strerror}") from error
