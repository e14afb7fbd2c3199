"""Files that may come from strangers: ordinary files only, and never more of them in memory than was agreed.

Sizes are what a file declares and are checked before anything is allocated. Every problem is a BadFileError, whose text
says what is wrong with the file but not which file it is: that is told by whoever asked for it.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

RATIO = 250
"""How many times its size an archive may unpack to. Zeros come to 1,030 times; drawings of data sets to about 120."""
FREE_BYTES = 2**26
"""What any archive may unpack to, however small it is."""
_LONGEST_READ = 2**24
"""Also how long the list of members of an archive may be."""
_CHUNK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, KeyError, OverflowError, OSError,
)  # fmt: skip


class BadFileError(Exception):
    """Why a file is not read: the end of a sentence that names it, such as "it is a folder"."""


def regular_file(path: Path, *, follow_links: bool = True) -> BinaryIO:
    """Opens an ordinary file; a FIFO or a device, which might never answer, is refused without waiting for it."""
    descriptor = open_ordinary(path, os.O_RDONLY, follow_links=follow_links)
    return _Measured(FileIO(descriptor))


class _Measured(BufferedReader):
    """A file that is never asked for more than it has: room is made for all that is asked for, be it 4 GiB of a PNG."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _CHUNK:
            size = min(size, max(0, path_size(self) - self.tell()))
        return super().read(size)


def open_ordinary(path: Path, flags: int, *, follow_links: bool) -> int:
    """The descriptor of an ordinary file; raises BadFileError for all that is none."""
    careful = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    nofollow = 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags | careful | nofollow, 0o666)
    except (OSError, ValueError) as error:
        raise BadFileError(_reason(error)) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise BadFileError("it is a folder" if stat.S_ISDIR(mode) else "it is no ordinary file")


def _reason(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "it is not there"
        case IsADirectoryError():
            return "it is a folder"
        case OSError(errno=errno.ELOOP):
            return "it is a link"
        case OSError(errno=errno.ENXIO):
            return "it is no ordinary file"
        case OSError():
            return (error.strerror or "the system refuses").lower()
    return "no file has such a name"


def bounded_bytes(path: Path, limit: int, *, follow_links: bool = True) -> bytes:
    """The content of an ordinary file of at most `limit` bytes."""
    with regular_file(path, follow_links=follow_links) as file:
        return bounded_content(file, limit)


def bounded_content(file: BinaryIO, limit: int) -> bytes:
    """What is left of an open file, at most `limit` bytes."""
    with _as_bad_file("it cannot be read"):
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadFileError(f"it is larger than {limit:,} bytes")
    return content


@dataclass(frozen=True)
class Archive:
    """A zip archive whose members, as it declares them, come to a bounded size; it is read, never unpacked to disk."""

    members: dict[str, zipfile.ZipInfo]
    _zip: zipfile.ZipFile

    def size(self, name: str) -> int:
        """How many bytes a member unpacks to."""
        return self._member(name).file_size

    def read(self, name: str, limit: int) -> bytes:
        """The content of a member of at most `limit` bytes."""
        content = bytearray(self.require_size(name, limit))
        with self.open(name) as file:
            fill(file, memoryview(content))
        return bytes(content)

    def require_size(self, name: str, limit: int) -> int:
        size = self.size(name)
        if size > limit:
            raise BadFileError(f"its {name} unpacks to {size:,} bytes; at most {limit:,} are read")
        return size

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A member as a stream; what its reading raises where it is damaged becomes BadFileError."""
        with _as_bad_file(f"its {name} is damaged"), self._zip.open(self._member(name)) as file:
            yield file  # type: ignore[misc]

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self.members:
            raise BadFileError(f"there is no {name} in it")
        member = self.members[name]
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            raise BadFileError(f"its {name} is packed in a way that is not read: deflated and stored ones are")
        return member


def fill(file: BinaryIO, into: memoryview) -> None:
    """Reads exactly as many bytes as there is room for."""
    at = 0
    while at < len(into):
        chunk = file.read(min(_CHUNK, len(into) - at))
        if not chunk:
            raise BadFileError("it ends too early")
        into[at : at + len(chunk)] = chunk
        at += len(chunk)


@contextmanager
def open_archive(path: Path, *, ratio: int = RATIO, follow_links: bool = True) -> Iterator[Archive]:
    """A zip archive (.npz, .keras, .pth) that unpacks to at most `ratio` times its size, or to 64 MiB."""
    with (
        regular_file(path, follow_links=follow_links) as plain,
        _Careful(FileIO(plain.fileno(), closefd=False)) as file,
    ):
        with _as_bad_file("it is no zip archive, or a damaged one"):
            archive = zipfile.ZipFile(file)
        with archive:
            members = archive.infolist()
            unpacked, limit = sum(member.file_size for member in members), allowance(path_size(file), ratio)
            if unpacked > limit:
                raise BadFileError(f"it would unpack to {unpacked:,} bytes, of which it stores next to nothing")
            yield Archive({member.filename: member for member in members}, archive)


def allowance(stored: int, ratio: int = RATIO) -> int:
    """How many bytes may come of so many that are stored."""
    return FREE_BYTES + ratio * stored


def path_size(file: BinaryIO) -> int:
    """How many bytes an open file has."""
    return os.fstat(file.fileno()).st_size


class _Careful(BufferedReader):
    """Bounds the one long read of `zipfile`: that of the list of members, whose length the archive declares."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = _LONGEST_READ + 1 if size is None or size < 0 else size
        content = super().read(min(wanted, _LONGEST_READ + 1))
        if len(content) > _LONGEST_READ:
            raise BadFileError("its list of members is too long")
        return content


@contextmanager
def _as_bad_file(reason: str) -> Iterator[None]:
    try:
        yield
    except _ZIP_ERRORS as error:
        raise BadFileError(reason) from error
