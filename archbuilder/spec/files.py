"""Where the text of a spec lies, and the files beside it that it may extend."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from archbuilder import bounds
from archbuilder.errors import Diagnostic, MissingError, SpecError

MOST_BYTES = 4 * bounds.CHARACTERS


class OutOfReachError(Exception):
    """Why a spec cannot extend a file, and the folder on disk that was searched for it in vain."""

    def __init__(self, why: str, folder: Path | None = None) -> None:
        super().__init__(why)
        self.folder = folder


class SpecFile(Protocol):
    """The file of a spec, on disk or elsewhere."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def key(self) -> Hashable:
        """What no other file has."""

    def text(self) -> str:
        """Raises SpecError where it is not UTF-8, MissingError where it cannot be read."""

    def beside(self, name: str) -> SpecFile:
        """A file in the same folder or below; raises OutOfReachError where it is not there, or somewhere else."""


@dataclass(frozen=True)
class DiskFile:
    """A file on disk."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @cached_property
    def key(self) -> Hashable:
        facts = self.path.stat()
        return (facts.st_dev, facts.st_ino)

    def text(self) -> str:
        return text_of(self.path)

    def beside(self, name: str) -> DiskFile:
        return beside(self.path.parent, name)


def beside(folder: Path, name: str) -> DiskFile:
    """A file in a folder or below; raises OutOfReachError where it is not there, or somewhere else."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OutOfReachError("a spec extends bundled specs, or files in its own folder or below")
    if not path.is_file():
        raise OutOfReachError(f"there is no file {name} beside this spec", folder)
    return DiskFile(path)


def text_of(path: Path) -> str:
    """The text of a spec's file; raises SpecError where it is not UTF-8, MissingError where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise MissingError(f"{path} cannot be read: {error.strerror}") from None
    return decoded(content, str(path))


def decoded(content: bytes, name: str) -> str:
    """The content of a spec's file as text; raises SpecError where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SpecError([Diagnostic("bad-character", f"{name}, line {line}: this is not UTF-8 text")]) from None
