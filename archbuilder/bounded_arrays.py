"""Arrays of NumPy's archives (.npz), of plain numbers and text alone: a header is checked before its array is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbuilder.bounded_files import RATIO, Archive, BadFileError, fill, open_archive

_LONGEST_HEADER = 10_000
_KINDS = "biufSU"
"""Truth values, whole numbers, floating point numbers and text; no objects, whose reading can run code."""


@dataclass(frozen=True)
class Header:
    """What an archive declares of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    begin: int
    """Where in its member the values begin."""


@dataclass(frozen=True)
class Arrays:
    """The arrays of an archive by name."""

    archive: Archive

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name.removesuffix(".npy") for name in self.archive.members)

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self.archive.members

    def header(self, name: str) -> Header:
        """Shape and kind of an array that fills its member; nothing more is read."""
        member = f"{name}.npy"
        with self.archive.open(member) as file:
            header = _header(name, file.read(min(_LONGEST_HEADER, self.archive.size(member))))
        if prod(header.shape) * header.dtype.itemsize != self.archive.size(member) - header.begin:
            raise BadFileError(f"the array {name} in it is not as large as it says")
        return header

    def read(self, name: str) -> NDArray[Any]:
        """An array; ask for its `header` first where its size depends on a stranger."""
        header = self.header(name)
        values = np.empty(prod(header.shape), header.dtype)
        with self.archive.open(f"{name}.npy") as file:
            file.read(header.begin)
            if values.nbytes:
                fill(file, values.view(np.uint8).data)
        return values.reshape(header.shape, order="F" if header.is_fortran else "C")


@contextmanager
def open_arrays(path: Path, *, ratio: int = RATIO) -> Iterator[Arrays]:
    """The arrays of an `.npz` archive; raises BadFileError, as reading one of them does."""
    with open_archive(path, ratio=ratio) as archive:
        yield Arrays(archive)


@contextmanager
def open_own_arrays(path: Path) -> Iterator[Arrays]:
    """Those of a file that a run wrote: no link, and as large as what is in it, since it is not compressed."""
    with open_archive(path, ratio=1, follow_links=False) as archive:
        yield Arrays(archive)


def _header(name: str, content: bytes) -> Header:
    file = BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, is_fortran, dtype = read(file)
    except Exception as error:  # whatever a broken header makes NumPy raise
        raise BadFileError(f"{name} in it is no array") from error
    if dtype.kind not in _KINDS or min(shape, default=0) < 0:
        raise BadFileError(f"the array {name} in it is of {_named(dtype)}; plain numbers and text are read")
    return Header(shape, dtype, is_fortran, file.tell())


def _named(dtype: np.dtype[Any]) -> str:
    return "objects" if dtype.hasobject else str(dtype)
