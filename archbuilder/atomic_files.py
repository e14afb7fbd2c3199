"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from archbuilder.bounded_files import BadFileError, open_ordinary
from archbuilder.errors import ArchbuilderError

UNFINISHED = ".writing-"
"""The beginning of the name of a file or folder that is still being written."""


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a hidden file of the same ending beside `path`, which takes its place once it is on disk.

    Its name is random and was free: nobody can have put a link there before, and several processes may write the same
    file at the same time.
    """
    beside = _beside(path)
    with as_archbuilder_error(path):
        _create(beside)
        try:
            write(beside)
            _sync(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        _sync(path.parent)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A hidden folder to write into, which takes its name when everything in it is on disk."""
    folder = _beside(target)
    with as_archbuilder_error(target):
        target.parent.mkdir(exist_ok=True)
        folder.mkdir()
        try:
            yield folder
            for path in (*folder.iterdir(), folder):
                _sync(path)
            remove(target)
            folder.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        _sync(target.parent)


@contextmanager
def whole_entries(targets: Sequence[Path]) -> Iterator[Path]:
    """A hidden folder to write files and folders into, beside their places, which they take when all are on disk.

    The first of them comes last: where it is, the others are.
    """
    folder = _beside(targets[0])
    with as_archbuilder_error(targets[0]):
        targets[0].parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        try:
            yield folder
            for path in (*folder.rglob("*"), folder):
                _sync(path)
            for target in reversed(targets):
                if target.is_dir():
                    remove(target)
                (folder / target.name).replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        _sync(targets[0].parent)


def remove(path: Path) -> None:
    """Removes a file, a folder, or a link but not what it leads to; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def append_line(path: Path, line: str) -> None:
    """Adds a line to a text file and waits until it is on disk; raises ArchbuilderError where the path is a link."""
    with as_archbuilder_error(path):
        try:
            descriptor = open_ordinary(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, follow_links=False)
        except BadFileError as error:
            raise ArchbuilderError(f"cannot write {path}: {error}") from error
        with os.fdopen(descriptor, "ab") as file:
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f"{UNFINISHED}{token_hex(8)}-{path.name}")


def _create(path: Path) -> None:
    """Makes an empty file where there is nothing at all, not even a link that leads nowhere."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(path, flags, 0o666))


@contextmanager
def as_archbuilder_error(path: Path | str) -> Iterator[None]:
    """Turns an OSError, such as that of a full disk, into an ArchbuilderError that names the path."""
    try:
        yield
    except OSError as error:
        raise ArchbuilderError(f"cannot write {path}: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows writes folders through by itself, and does not open them
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
