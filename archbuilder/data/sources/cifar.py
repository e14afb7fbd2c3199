"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), in whichever layout they lie: batches, archive, .npz, or image folder."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

import numpy as np

from archbuilder.aliases import Array
from archbuilder.bounded_files import BadFileError, bounded_bytes, regular_file
from archbuilder.data.dataset import Dataset, Images, Parts
from archbuilder.data.sources import folder, npz
from archbuilder.data.sources.cifar_classes import CIFAR10_CLASSES, CIFAR100_CLASSES
from archbuilder.data.sources.download import DownloadError, download
from archbuilder.data.sources.unpickle import unpickle
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import printable

SHAPE = (32, 32, 3)
MAX_BATCH = 2**28
MAX_UNPACKED = 2**29
MAX_READ = 2**21
"""At once, of an archive: its headers are far shorter, and declare their own length."""


@dataclass(frozen=True)
class Cifar:
    """One of the two data sets: what its files are called and where it comes from."""

    name: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    labels: str
    classes: tuple[str, ...]
    sha256: str

    @property
    def url(self) -> str:
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test)

    def is_named_in(self, path: Path) -> bool:
        """Whether a file or folder is called after it; cifar100 is not called after cifar10."""
        number = self.name.removeprefix("cifar")
        return re.search(rf"cifar[-_]?{number}(?!\d)", path.name, re.IGNORECASE) is not None


CIFAR10 = Cifar(
    "cifar10", "cifar-10-batches-py", "cifar-10-python.tar.gz", tuple(f"data_batch_{n}" for n in range(1, 6)),
    "test_batch", "labels", CIFAR10_CLASSES, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)  # fmt: skip
CIFAR100 = Cifar(
    "cifar100", "cifar-100-python", "cifar-100-python.tar.gz", ("train",), "test", "fine_labels", CIFAR100_CLASSES,
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)  # fmt: skip

Reader = Callable[[Cifar, Path], Parts]


def load(cifar: Cifar, shape: tuple[int, ...], path: Path | None) -> Dataset:
    """The data set in whichever layout `path` holds it; without a path from Keras' cache, or downloaded to there."""
    origin, parts = _given(cifar, path) if path is not None else _cached(cifar)
    for part, images in (("training", parts.train), ("test", parts.test)):
        npz.require(origin, parts.train, images, len(cifar.classes), shape, part)
    return Dataset.of(cifar.name, cifar.classes, parts.train, parts.test, str(origin), parts.notes)


def cache_folder() -> Path:
    """The folder where Keras keeps its data sets."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def cached(cifar: Cifar) -> Path | None:
    """The place of the data set in the cache, if it is there; it is not read."""
    found = _located(cifar, cache_folder()) if cache_folder().is_dir() else None
    return found[0] if found else None


def _given(cifar: Cifar, path: Path) -> tuple[Path, Parts]:
    if not path.exists():
        raise MissingError(f"there is no {path}")
    found = _find(cifar, path)
    if found is None:
        raise MissingError(f"there is no {cifar.name} in {path}\n  hint: {_layouts(cifar)}")
    return found


def _cached(cifar: Cifar) -> tuple[Path, Parts]:
    cache = cache_folder()
    if (found := _find(cifar, cache)) is not None:
        return found
    archive = cache / cifar.archive
    try:
        download(cifar.url, archive, cifar.sha256)
    except DownloadError as error:
        raise MissingError(
            f"there is no {cifar.name} in {cache}, and it could not be downloaded: {error}\n"
            f"  hint: put {cifar.url} into {cache}, or say with --data where it lies; {_layouts(cifar)}"
        ) from error
    return archive, _read_archive(cifar, archive)


def _layouts(cifar: Cifar) -> str:
    return (
        f"it may be {cifar.folder}/, {cifar.archive}, a .npz with x_train, y_train, x_test and y_test, images under "
        "train/<class>/ and test/<class>/, or a folder with one of these in it"
    )


def _find(cifar: Cifar, path: Path) -> tuple[Path, Parts] | None:
    found = _located(cifar, path)
    return None if found is None else (found[0], found[1](cifar, found[0]))


def _located(cifar: Cifar, path: Path) -> tuple[Path, Reader] | None:
    """Looks at the path itself; then at what is in it and is called after the data set, or holds its classes."""
    for place in _places(cifar, path):
        for fits, read in LAYOUTS:
            if fits(cifar, place, place == path):
                return place, read
    return None


def _places(cifar: Cifar, path: Path) -> Iterator[Path]:
    """The folder of batches first, then the archive; Keras keeps the folder inside another of nearly the same name."""
    yield path
    if path.is_dir():
        yield path / f"{cifar.folder}-target" / cifar.folder
        yield from sorted(
            _children(path), key=lambda child: (child.name not in (cifar.folder, cifar.archive), child.name)
        )


def _children(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError as error:
        raise MissingError(f"{printable(str(path))} cannot be read: {error.strerror}") from error


def _has_batches(cifar: Cifar, place: Path, _: bool) -> bool:
    return (place / cifar.train[0]).is_file() and (place / cifar.test).is_file()


def _read_batches(cifar: Cifar, place: Path) -> Parts:
    return _parts(cifar, {name: _content(place / name) for name in cifar.files})


def _content(file: Path) -> bytes:
    try:
        return bounded_bytes(file, MAX_BATCH)
    except BadFileError as error:
        raise MissingError(f"{printable(str(file))} cannot be read: {error}") from error


def _is_archive(cifar: Cifar, place: Path, meant: bool) -> bool:
    if not place.is_file() or not (meant or cifar.is_named_in(place)):
        return False
    try:
        with regular_file(place) as file:
            return file.read(2) == b"\x1f\x8b"  # gzip
    except (BadFileError, OSError) as error:
        raise MissingError(f"{printable(str(place))} cannot be read: {error}") from error


def _read_archive(cifar: Cifar, place: Path) -> Parts:
    """Reads the batches out of the archive in memory; nothing is written."""
    shown = printable(str(place))
    try:
        with regular_file(place) as file, gzip.GzipFile(fileobj=file) as unpacked:
            stream = cast(IO[bytes], _Bounded(unpacked))
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                contents = dict(_members(cifar, archive))
    except BadFileError as error:
        raise MissingError(f"{shown} is not the archive of {cifar.name}: {error}") from error
    except Exception as error:  # whatever a broken archive makes tarfile raise
        raise MissingError(f"{shown} is damaged or cut off: it is no whole .tar.gz archive") from error
    if missing := [name for name in cifar.files if name not in contents]:
        raise MissingError(f"{shown} is not the archive of {cifar.name}: it holds no {', '.join(missing)}")
    return _parts(cifar, contents)


class _Bounded:
    """A stream that is never read far, nor much of it at once, whatever headers declare."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise BadFileError("it declares more than it can hold")
        self._require_near(self.tell() + size)
        return self._stream.read(size)

    def seek(self, place: int) -> int:
        self._require_near(place)
        return self._stream.seek(place)

    @staticmethod
    def _require_near(place: int) -> None:
        if place > MAX_UNPACKED:
            raise BadFileError(f"it unpacks to more than {MAX_UNPACKED:,} bytes")


def _members(cifar: Cifar, archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        name = PurePosixPath(member.name).name
        if member.isreg() and name in cifar.files and (file := archive.extractfile(member)) is not None:
            if member.size > MAX_BATCH:
                raise BadFileError(f"its {name} is larger than {MAX_BATCH:,} bytes")
            yield name, b"".join(iter(lambda: file.read(MAX_READ // 2), b""))


def _is_npz(cifar: Cifar, place: Path, meant: bool) -> bool:
    return place.suffix == ".npz" and place.is_file() and (meant or cifar.is_named_in(place))


def _read_npz(_: Cifar, place: Path) -> Parts:
    return npz.read(place, SHAPE)


def _is_image_folder(cifar: Cifar, place: Path, meant: bool) -> bool:
    if not all((place / part).is_dir() for part in ("train", "test")):
        return False
    return meant or {child.name for child in _children(place / "train") if child.is_dir()} == set(cifar.classes)


def _read_image_folder(cifar: Cifar, place: Path) -> Parts:
    """Labels count the classes in their official order."""
    if set(folder.class_names(place, ("train", "test"))) != set(cifar.classes):
        raise UsageError(f"the folders in {place / 'train'} are not the classes of {cifar.name}")
    return folder.read_parts(place, cifar.classes, SHAPE)


LAYOUTS: tuple[tuple[Callable[[Cifar, Path, bool], bool], Reader], ...] = (
    (_has_batches, _read_batches),
    (_is_archive, _read_archive),
    (_is_npz, _read_npz),
    (_is_image_folder, _read_image_folder),
)


def _parts(cifar: Cifar, contents: Mapping[str, bytes]) -> Parts:
    train = [_batch(cifar, name, contents[name]) for name in cifar.train]
    pixels, labels = zip(*((batch.pixels, batch.labels) for batch in train), strict=True)
    return Parts(
        Images(np.concatenate(pixels), np.concatenate(labels)), _batch(cifar, cifar.test, contents[cifar.test])
    )


def _batch(cifar: Cifar, name: str, content: bytes) -> Images:
    """One batch; its rows hold all red values of an image, then the green, then the blue."""
    try:
        fields = unpickle(content)
        if missing := [key for key in ("data", cifar.labels) if key not in fields]:
            raise ValueError(f"it holds no '{missing[0]}'")
        labels = _labels(fields[cifar.labels])
        return Images(np.ascontiguousarray(_pixels(fields["data"], len(labels))), labels)
    except ValueError as error:
        raise MissingError(f"{name} is not a batch of {cifar.name}: {error}") from error


def _labels(labels: object) -> Array:
    """Raises ValueError unless they are whole numbers of int32: a list of them, or an array."""
    found = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not isinstance(found, list) or not all(type(label) is int and 0 <= label < 2**31 for label in found):
        raise ValueError("its labels are something else than whole numbers from 0 on")
    return np.array(found, np.int32)


def _pixels(rows: object, images: int) -> Array:
    """(n, H, W, C)."""
    height, width, channels = SHAPE
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape != (images, height * width * channels):
        raise ValueError("its images are something else than a row of 3,072 bytes for each label")
    return rows.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
