"""Writing a diagram as SVG, PNG, PDF or DOT, with the Graphviz that was installed along."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from graphviz import Digraph, ExecutableNotFound

from archbuilder.atomic_files import replace_file
from archbuilder.errors import MissingError, UsageError

FORMATS = ("svg", "png", "pdf", "dot")
RESOLUTION = "150"
"""The resolution of a PNG in dots per inch."""


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawn network, which a notebook shows."""

    digraph: Digraph
    name: str

    def __repr__(self) -> str:
        return f"<Picture of {self.name!r}>"

    @property
    def svg(self) -> str:
        """SVG to stand within HTML; raises MissingError without any Graphviz."""
        text = _content(self.digraph, "svg").decode()
        return text[text.index("<svg") :]

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Writes it in the format of the path's extension: svg, png, pdf or dot."""
        save(self.digraph, Path(path))
        return Path(path)


def save(digraph: Digraph, path: Path) -> None:
    """Writes a diagram in the format of the path's extension; the file is complete or not there at all.

    Raises UsageError for another format and MissingError without any Graphviz.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise UsageError(f"cannot draw '{path}': the file's extension says the format, one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise MissingError(f"cannot write '{path}': there is no folder '{path.parent}'")
    replace_file(path, lambda beside: beside.write_bytes(_content(digraph, kind)))


def _content(digraph: Digraph, kind: str) -> bytes:
    if kind == "dot":
        return str(digraph.source).encode()
    if kind == "png":
        digraph = digraph.copy()
        digraph.attr(dpi=RESOLUTION)
    try:
        from pygraphviz import AGraph
    except ImportError:
        return _drawn_by_executable(digraph, kind)
    with _quiet_stderr():
        data: bytes = AGraph(string=digraph.source).draw(format=kind, prog="dot")
    return data


def _drawn_by_executable(digraph: Digraph, kind: str) -> bytes:
    try:
        data: bytes = digraph.pipe(format=kind, quiet=True)
    except ExecutableNotFound:
        raise MissingError("drawing needs Graphviz: pip install pygraphviz") from None
    return data


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Graphviz and the font library under it write their remarks straight to file descriptor 2."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
