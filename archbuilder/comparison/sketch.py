"""The sketch of a network: as much of it as tells which others may be near."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from archbuilder.disk_cache import rows, shipped
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape
from archbuilder.graph.words import node_words
from archbuilder.spec import bundled, load

KEPT = "sketches.kept"
Kind = tuple[str, int]
"""A layer in a few words without its width, and the channels that it returns."""


@dataclass(frozen=True)
class Sketch:
    """The size of the images, the costs, and how often the network has each kind of layer, whatever the size."""

    name: str
    input: Shape
    trainable: int
    macs: int
    layers: tuple[tuple[Kind, int], ...]

    @cached_property
    def counts(self) -> Counter[Kind]:
        return Counter(dict(self.layers))

    @cached_property
    def counts_without_widths(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (kind, _), count in self.layers:
            found[kind] += count
        return found

    def distance(self, other: Sketch) -> float:
        """The share of layers that have no counterpart, from 0 to 1."""
        return _distance(self.counts, other.counts)

    def distance_without_widths(self, other: Sketch) -> float:
        """The share of layers that have no counterpart of whatever width, from 0 to 1."""
        return _distance(self.counts_without_widths, other.counts_without_widths)


def _distance(mine: Counter[Any], theirs: Counter[Any]) -> float:
    unpaired = (mine - theirs).total() + (theirs - mine).total()
    return unpaired / (mine.total() + theirs.total())


def sketch(graph: Graph) -> Sketch:
    kinds = Counter((_without_width(node), node.shape[-1]) for node in graph.nodes)
    return Sketch(graph.name, graph.input.shape, graph.trainable, graph.macs, tuple(kinds.items()))


def _without_width(node: Node) -> str:
    match node.op:
        case ops.Conv():
            return node_words(replace(node, op=replace(node.op, filters=0)))
        case ops.Dense():
            return node_words(replace(node, op=replace(node.op, units=0)))
        case ops.PadChannels():
            return node_words(replace(node, op=replace(node.op, channels=0)))
        case _:
            return node_words(node)


def bundled_sketches() -> tuple[Sketch, ...]:
    """Those of all bundled networks, which ship with the package."""
    return shipped(KEPT, make_sketches, rows(Sketch))


def make_sketches() -> tuple[Sketch, ...]:
    return tuple(sketch(replace(expand(load(name)), name=name)) for name in bundled())
