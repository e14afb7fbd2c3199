"""Image folders: PNG and JPEG files under `train/<class>/` and `test/<class>/`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archbuilder.errors import MissingError, UsageError
from archbuilder.training.data_images import Dataset, Images, Pixels, Shape

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_PIXELS = 50_000_000
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def load(path: Path, input_shape: Shape) -> Dataset:
    """The data set of a folder; classes are the names of its folders, sorted, and images are resized to the input."""
    folder = locate(path)
    classes = class_names(folder)
    train, test = (read(folder / part, classes, input_shape) for part in ("train", "test"))
    return Dataset.of(folder.resolve().name, classes, train, test, str(folder))


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


def read(folder: Path, classes: Sequence[str], input_shape: Shape, resize: bool = True) -> Images:
    """All images below `folder`, class by class and by name; raises MissingError at the first that cannot be read."""
    files = [(file, label) for label, name in enumerate(classes) for file in _files(folder / name)]
    pixels = np.empty((len(files), *input_shape), np.uint8)
    for index, (file, _) in enumerate(files):
        pixels[index] = read_image(file, input_shape, resize)
    return Images(pixels, np.array([label for _, label in files], np.int32))


def read_image(file: Path, input_shape: Shape, resize: bool = True) -> Pixels:
    """The (H, W, C) pixels of a PNG or JPEG file, upright, resized (bilinear) unless that is not wanted.

    Raises MissingError where it cannot be read, UsageError where its size is wrong.
    """
    from PIL import Image

    height, width, channels = input_shape
    if channels not in MODES:
        raise UsageError(f"image files have 1, 3 or 4 channels, but the network takes {channels}")
    try:
        image = _decoded(file, MODES[channels])
    except MissingError:
        raise
    except Exception as error:  # whatever a broken file makes Pillow raise
        raise MissingError(f"{file} cannot be read as a PNG or JPEG image: {error}") from error
    if image.size != (width, height):
        if not resize:
            raise UsageError(f"{file} has {image.height}x{image.width} pixels, but {height}x{width} are expected")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(input_shape)


def _decoded(file: Path, mode: str) -> Image.Image:
    """Refuses what is too large before it is decoded."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise MissingError(f"{file} has {opened.width}x{opened.height} pixels; at most {MAX_PIXELS:,} are read")
            image = opened.convert("RGBA") if opened.mode == "P" else opened
            ImageOps.exif_transpose(image, in_place=True)
            return image.convert(mode)


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in _children(path) if child.is_dir())


def _files(path: Path) -> list[Path]:
    files = sorted(child for child in _children(path) if child.suffix.lower() in SUFFIXES)
    if not files:
        raise MissingError(f"there are no images ({', '.join(SUFFIXES)}) in {path}")
    return files


def _children(path: Path) -> list[Path]:
    try:
        return [child for child in path.iterdir() if not child.name.startswith(".")]
    except OSError as error:
        raise MissingError(f"{path} cannot be read: {error.strerror}") from error
