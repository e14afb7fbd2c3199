"""What a fuzzer tries: files, and a command that reads them; the same number always gives the same case."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Link:
    """A symbolic link to a path."""

    to: str


@dataclass(frozen=True)
class Fifo:
    """A pipe that nobody writes into."""


Content = bytes | Link | Fifo


@dataclass(frozen=True)
class Case:
    """Files by their paths, and the command that is given in their folder."""

    files: Mapping[str, Content]
    command: tuple[str, ...]
    """A command line of archbuilder, or the name of one of `commands.READERS` with its arguments."""

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            match content:
                case bytes():
                    path.write_bytes(content)
                case Link(to):
                    path.symlink_to(to)
                case Fifo():
                    os.mkfifo(path)


@dataclass(frozen=True)
class Kind:
    """A kind of input: what makes the case of a random state."""

    mutate: Callable[[Random], Case]
    needs_keras: bool = False


def chance(kind: str, seed: int) -> Random:
    """The random numbers of one case."""
    return Random(f"{kind} {seed}")
