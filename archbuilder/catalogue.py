"""The bundled specs and what each costs."""

from __future__ import annotations

from dataclasses import dataclass

from archbuilder.graph.analysis import depth
from archbuilder.graph.expand import expand
from archbuilder.spec import bundled, load


@dataclass(frozen=True)
class Entry:
    """One bundled spec."""

    name: str
    summary: str
    depth: int
    trainable: int
    total: int
    macs: int

    def to_json(self) -> dict[str, object]:
        parameters = {"trainable": self.trainable, "total": self.total}
        return {"name": self.name, "summary": self.summary, "depth": self.depth, "parameters": parameters,
                "macs": self.macs}  # fmt: skip


def catalogue() -> list[Entry]:
    """All bundled specs, in order."""
    return [_entry(name) for name in bundled()]


def _entry(name: str) -> Entry:
    spec = load(name)
    graph = expand(spec)
    return Entry(name, spec.network.summary, depth(graph), graph.trainable, graph.parameters, graph.macs)


def render(entries: list[Entry]) -> None:
    """Prints the specs as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("spec", no_wrap=True)
    for heading in ("depth", "trainable", "total", "multiply-adds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("summary", overflow="ellipsis", no_wrap=True)
    for entry in entries:
        counts = (f"{entry.depth}", f"{entry.trainable:,}", f"{entry.total:,}", f"{entry.macs / 1e6:,.1f} M")
        table.add_row(entry.name, *counts, entry.summary)
    Console(width=None if Console().is_terminal else 160).print(table)
