"""The formats of pictures, and how a file of one is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from archbuilder.atomic_files import replace_file
from archbuilder.errors import MissingError, UsageError

Format = Literal["svg", "png", "pdf", "dot", "mermaid"]
EXTENSIONS: dict[str, Format] = {
    "svg": "svg",
    "png": "png",
    "pdf": "pdf",
    "dot": "dot",
    "mmd": "mermaid",
    "mermaid": "mermaid",
}
TEXTS: tuple[Format, ...] = ("svg", "dot", "mermaid")
"""Those that need no Graphviz."""


def format_of(path: Path) -> Format:
    """The format that a path's extension says; raises UsageError for none."""
    extension = path.suffix.lower().removeprefix(".")
    if extension not in EXTENSIONS:
        raise UsageError(f"cannot draw '{path}': the file's extension says the format, one of {', '.join(EXTENSIONS)}")
    return EXTENSIONS[extension]


def write(path: Path, make: Callable[[], bytes]) -> Path:
    """Writes what is made; the file is complete or not there, also where making it needs more disk than there is."""
    if not path.parent.is_dir():
        raise MissingError(f"cannot write '{path}': there is no folder '{path.parent}'")
    replace_file(path, lambda beside: beside.write_bytes(make()))
    return path
