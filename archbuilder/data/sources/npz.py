"""NumPy archives with x_train, y_train, x_test and y_test, as Keras writes its data sets."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array
from archbuilder.data.dataset import Dataset, Images, Labels, Pixels
from archbuilder.errors import MissingError, UsageError
from archbuilder.graph.ops import show

Arrays = dict[str, Array]
KEYS = ("x_train", "y_train", "x_test", "y_test")
MAX_BYTES = 2**36


def load(path: Path, shape: tuple[int, ...]) -> Dataset:
    """The data set of an archive, or of the only archive in a folder; classes are named in `classes`, or numbered."""
    file = _file(path)
    arrays = _arrays(file)
    train, test = images(arrays, "train", file), images(arrays, "test", file)
    count = int(train.labels.max()) + 1
    names = [str(name) for name in arrays["classes"]] if "classes" in arrays else [str(n) for n in range(count)]
    require(file, train, test, len(names), shape)
    return Dataset.of(file.stem, names, train, test, str(file))


def read(file: Path) -> tuple[Images, Images]:
    """The training and the test images of an archive."""
    arrays = _arrays(file)
    return images(arrays, "train", file), images(arrays, "test", file)


def require(origin: Path, train: Images, test: Images, classes: int, shape: tuple[int, ...]) -> None:
    """Raises UsageError unless labels lie below the number of classes and images have the input's shape.

    Of images at their own size, `shape` is no more than the input's channels.
    """
    for part, found in (("training", train), ("test", test)):
        if len(found) and not (found.labels.min() >= 0 and found.labels.max() < classes):
            highest, lowest = found.labels.max(), found.labels.min()
            raise UsageError(
                f"{origin}: the labels of the {part} images go from {lowest} to {highest}; with {classes} classes they "
                f"go from 0 to {classes - 1}"
            )
        if found.pixels.shape[-len(shape) :] != shape:
            found_shape, needed = show(found.pixels.shape[1:]), show(shape) + " channels" * (len(shape) == 1)
            raise UsageError(f"{origin}: the {part} images are {found_shape}, but the network takes {needed}")


def _file(path: Path) -> Path:
    if not path.is_dir():
        if not path.exists():
            raise MissingError(f"there is no {path}")
        return path
    files = sorted(path.glob("*.npz"))
    if len(files) != 1:
        many = f"several .npz files in {path}: name one of them" if files else f"no .npz file in {path}"
        raise MissingError(f"there are {many}" if files else f"there is {many}")
    return files[0]


def _arrays(file: Path) -> Arrays:
    """Raises MissingError where the file is no such archive; pickled objects are refused, not read."""
    try:
        if not zipfile.is_zipfile(file):
            raise MissingError(f"{file} is not a NumPy archive (.npz)")
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise MissingError(f"{file} would unpack to {size:,} bytes; at most {MAX_BYTES:,} are read")
        with np.load(file, allow_pickle=False) as archive:
            if missing := [key for key in KEYS if key not in archive]:
                raise MissingError(f"{file} has no {', '.join(missing)}; there must be {', '.join(KEYS)}")
            return {key: archive[key] for key in (*KEYS, "classes") if key in archive}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError) as error:
        raise MissingError(f"{file} cannot be read: {error}") from error


def images(arrays: Arrays, part: str, file: Path) -> Images:
    """Raises UsageError unless images are (n, H, W) or (n, H, W, C) of uint8 and labels n whole numbers."""
    pixels, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        facts = f"{pixels.dtype} of shape {pixels.shape}"
        raise UsageError(f"{file}: x_{part} is {facts}; uint8 of shape (n, H, W) or (n, H, W, C) is expected")
    if labels.dtype.kind not in "iu" or labels.shape not in ((len(pixels),), (len(pixels), 1)):
        facts = f"{labels.dtype} of shape {labels.shape}"
        raise UsageError(f"{file}: y_{part} is {facts}; {len(pixels)} whole numbers are expected")
    if not len(pixels):
        raise UsageError(f"{file}: x_{part} is empty")
    return Images(_with_channels(pixels), _as_labels(labels))


def _with_channels(pixels: Array) -> Pixels:
    return pixels[..., None] if pixels.ndim == 3 else pixels


def _as_labels(labels: Array) -> Labels:
    """A label that int32 cannot hold becomes -1, which is no class."""
    flat = labels.reshape(-1)
    return np.where((flat >= 0) & (flat < 2**31), flat, -1).astype(np.int32)
