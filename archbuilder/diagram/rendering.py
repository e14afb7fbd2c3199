"""What Graphviz makes of a graph in the DOT language, with the Graphviz that was installed along."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from graphviz import Digraph, ExecutableNotFound

from archbuilder.errors import MissingError


def rendered(digraph: Digraph, kind: str) -> bytes:
    """A graph in one of Graphviz' formats; raises MissingError without any Graphviz."""
    try:
        from pygraphviz import AGraph
    except ImportError:
        return _by_executable(digraph, kind)
    with _quiet_stderr():
        data: bytes = AGraph(string=digraph.source).draw(format=kind, prog="dot")
    return data


def _by_executable(digraph: Digraph, kind: str) -> bytes:
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
