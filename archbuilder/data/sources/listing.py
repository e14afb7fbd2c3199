"""Which files of a folder are images: told by their names and by how they begin, without decoding any."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archbuilder.bounded_files import BadFileError, regular_file
from archbuilder.data.decoding import LONGEST_BEGINNING, begins_as_image
from archbuilder.errors import MissingError
from archbuilder.formatting import first_ten, printable

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".pfm",
)  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """The images below a folder, and all else there, by their paths from it on; each sorted."""

    images: tuple[str, ...]
    others: tuple[str, ...]
    """Folders among them end in `/`; nothing in those was looked at."""


def list_images(folder: Path) -> Listing:
    """Images in a folder and in its sub-folders; whatever is called like an image counts as one.

    Hidden files and folders are no images, nor is a folder that a link leads to once more.
    """
    images, others = list[str](), list[str]()
    for place, is_image in _walk(folder):
        (images if is_image else others).append(place)
    return Listing(tuple(sorted(images)), tuple(sorted(others)))


def children(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; raises MissingError where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise MissingError(f"{printable(str(folder))} cannot be read: {error.strerror}") from error


def only_file(path: Path, kind: str, is_one: Callable[[Path], bool]) -> Path:
    """A file, or the only one of a kind in a folder; raises MissingError where there is none, or more than one."""
    shown = printable(str(path))
    if not path.is_dir():
        if not path.exists():
            raise MissingError(f"there is no {shown}")
        return path
    files = [file for entry in children(path) if is_one(file := path / entry.name)]
    if len(files) != 1:
        many = f"are several {kind} files in {shown}: name one of them" if files else f"is no {kind} file in {shown}"
        raise MissingError(f"there {many}")
    return files[0]


def sub_folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, but for hidden ones."""
    return [entry.name for entry in children(folder) if not entry.name.startswith(".") and is_folder(entry)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Links to folders count; one that leads nowhere, or to itself, does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def left_out(names: Sequence[str]) -> list[str]:
    """A note that names what was not taken, if there is anything."""
    return [f"left out {len(names):,} that are no images of a class: {first_ten(names)}"] if names else []


def _walk(folder: Path) -> Iterator[tuple[str, bool]]:
    """The path from the folder on of each image, and of everything else, with whether it is one."""
    waiting, seen = [""], {_identity(folder)}
    while waiting:
        prefix = waiting.pop()
        for entry in children(folder / prefix):
            place = prefix + entry.name
            if not is_folder(entry):
                yield place, _is_image(entry)
            elif entry.name.startswith(".") or (identity := _identity(Path(entry.path))) in seen:
                yield f"{place}/", False
            else:
                seen.add(identity)
                waiting.append(f"{place}/")


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_image(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    return os.path.splitext(entry.name)[1].lower() in SUFFIXES or _begins_as_image(Path(entry.path))


def _begins_as_image(path: Path) -> bool:
    try:
        with regular_file(path) as file:
            return begins_as_image(file.read(LONGEST_BEGINNING))
    except (BadFileError, OSError):
        return False
