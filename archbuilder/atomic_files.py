"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from archbuilder.errors import ArchbuilderError

UNFINISHED = ".writing-"
"""The beginning of the name of a file or folder that is still being written."""


def replace_output(path: Path, write: Callable[[Path], object]) -> None:
    """Replaces a file that other processes may write at the same time; otherwise like `replace_file`."""
    replace_file(path, write, mark=f"{os.getpid()}-")


def replace_file(path: Path, write: Callable[[Path], object], mark: str = "") -> None:
    """Lets `write` fill a hidden file of the same ending beside `path`, which takes its place once it is on disk."""
    beside = path.with_name(f"{UNFINISHED}{mark}{path.name}")
    with as_archbuilder_error(path):
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
    folder = target.with_name(UNFINISHED + target.name)
    with as_archbuilder_error(target):
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
            for path in (*folder.iterdir(), folder):
                _sync(path)
            shutil.rmtree(target, ignore_errors=True)
            folder.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        _sync(target.parent)


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
