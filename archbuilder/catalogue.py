"""The bundled specs and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from archbuilder.aliases import Json
from archbuilder.disk_cache import rows, shipped
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import aligned, wrapped
from archbuilder.graph.analysis import depth
from archbuilder.spec import bundled, load
from archbuilder.spec.network import Figure

KEPT = "catalogue.kept"


@dataclass(frozen=True)
class Entry:
    """One bundled spec."""

    name: str
    summary: str
    source: str
    depth: int
    trainable: int
    total: int
    macs: int
    published: tuple[Figure, ...]

    def to_json(self) -> Json:
        parameters = {"trainable": self.trainable, "total": self.total}
        about = {"name": self.name, "summary": self.summary, "source": self.source}
        published = [figure.model_dump(exclude_none=True) for figure in self.published]
        return {**about, "depth": self.depth, "parameters": parameters, "macs": self.macs, "published": published}


@cache
def catalogue() -> tuple[Entry, ...]:
    """All bundled specs, in order, with what they come to, which ships with the package."""
    return shipped(KEPT, make_catalogue, rows(Entry))


def make_catalogue() -> tuple[Entry, ...]:
    return tuple(_entry(name) for name in bundled())


def _entry(name: str) -> Entry:
    spec = load(name)
    graph = expand(spec)
    network, counts = spec.network, (graph.trainable, graph.parameters, graph.macs)
    return Entry(name, network.summary, network.source, depth(graph), *counts, network.published)


HEADINGS = ("spec", "depth", "trainable", "total", "multiply-adds", "error %", "summary")
NUMBERS = ((0, 1, 2, 3, 4, 5), (0, 1, 2, 4, 5), (0, 1, 2, 4))
"""The columns before the summary: all, and fewer for narrow terminals."""
SHORTEST_SUMMARY = 30


def render(entries: Sequence[Entry], width: int | None = None) -> str:
    """The specs as a table, in lines of at most `width` columns: columns that have no room are left out, numbers whole.

    Where there is no room for the counts behind the names, they stand below them.
    """
    rows = [HEADINGS, *map(_row, entries)]
    if width is None:
        return _ruled(aligned(rows, range(1, 6)))
    tables = [[tuple(row[index] for index in columns) for row in rows] for columns in NUMBERS]
    room = [width - max(map(len, aligned(table))) for table in tables]
    for table, left in zip(tables, room, strict=True):
        if (length := left - 2) >= SHORTEST_SUMMARY:
            whole = [(*some, wrapped("", row[-1], length)) for some, row in zip(table, rows, strict=True)]
            return _ruled(aligned(whole, range(1, len(table[0]))))
    for table, left in zip(tables, room, strict=True):
        if left >= 0:
            return _ruled(aligned(table, range(1, len(table[0]))))
    below = aligned([row[1:] for row in tables[-1]], range(3))
    return _ruled([line for row, counts in zip(rows, below, strict=True) for line in (row[0], f"  {counts}")], head=2)


def _ruled(lines: list[str], head: int = 1) -> str:
    rule = "-" * max(map(len, lines))
    return "\n".join([*lines[:head], rule, *lines[head:]])


def _row(entry: Entry) -> tuple[str, ...]:
    return entry.name, *_counts(entry), "\n".join(figure.value for figure in entry.published), entry.summary


def _counts(entry: Entry) -> tuple[str, ...]:
    return (f"{entry.depth}", f"{entry.trainable:,}", f"{entry.total:,}", f"{entry.macs / 1e6:,.1f} M")
