"""The ways through a network, and how long they are (Veit et al. 2016, "Residual networks behave like ensembles").

A way leads from the input to an output and takes one input of each merge. What only weighs other paths, such as
squeeze-and-excitation or the gate of a gated merge, is no way of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from archbuilder.aliases import Json
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Add, Concat, Gate, Merge, Multiply

MOST_BITS = 14_000
"""Those of a count that is written out: Python writes, and JSON readers take, whole numbers of some 4,300 digits."""
MOST_WORK = 10**10
"""The bits of all counts of lengths, at each layer; a network that needs more is told the number of its ways only."""


@dataclass(frozen=True, slots=True)
class Paths:
    """How many ways lead through a network, and how many of each length."""

    count: int
    by_units: tuple[int, ...] | None
    """The ways that pass 0, 1, 2... residual paths and take the shortcut of all others; None where it is too much."""
    by_layers: tuple[int, ...] | None
    """The ways of 0, 1, 2... layers with a kernel, those on shortcuts included."""

    def to_json(self) -> Json:
        by_units, by_layers = (one and list(one) for one in (self.by_units, self.by_layers))
        count = self.count if self.count.bit_length() <= MOST_BITS else None
        return {"count": count, "by_units": by_units, "by_layers": by_layers}


def paths(graph: Graph) -> Paths:
    """The ways through a network from its input to all its outputs together."""
    count = _ends(graph, 0, lambda node, name: 0)
    width = count.bit_length() + 1
    return Paths(count, _lengths(graph, width, _units), _lengths(graph, width, _layers))


def _units(node: Node, index: int) -> int:
    """One where a merge with a shortcut is entered by another path."""
    return int(isinstance(node.op, Merge) and "shortcut" in node.op.paths and node.op.paths[index] != "shortcut")


def _layers(node: Node, index: int) -> int:
    return int(any(weight.kind == "kernel" for weight in node.weights))


def _lengths(graph: Graph, width: int, length: Callable[[Node, int], int]) -> tuple[int, ...] | None:
    """The number of ways of each length, all of which stand in one integer, `width` bits for each length."""
    longest = _longest(graph, length)
    if width > MOST_BITS or width * (longest + 1) * len(graph.nodes) > MOST_WORK:
        return None
    packed, mask = _ends(graph, width, length), (1 << width) - 1
    return tuple(packed >> width * place & mask for place in range(longest + 1))


def _longest(graph: Graph, length: Callable[[Node, int], int]) -> int:
    found: dict[str, int] = {}
    for node in graph.nodes:
        found[node.name] = max((found[name] + length(node, index) for index, name in _ways(node)), default=0)
    return max(found[name] for name in graph.outputs)


def _ends(graph: Graph, width: int, length: Callable[[Node, int], int]) -> int:
    """The ways to all outputs as a polynomial at `2 ** width`, whose exponents are lengths."""
    left, found = Counter(name for node in graph.nodes for name in node.inputs), dict[str, int]()
    for node in graph.nodes:
        ways = [_longer(found[name], width * length(node, index)) for index, name in _ways(node)]
        found[node.name] = sum(ways[1:], ways[0]) if ways else 1
        for name in node.inputs:
            left[name] -= 1
            if not left[name] and name not in graph.outputs:
                found.pop(name, None)
    return sum(found[name] for name in dict.fromkeys(graph.outputs))


def _longer(ways: int, bits: int) -> int:
    return ways << bits if bits else ways  # to shift by nothing would copy them


def _ways(node: Node) -> Iterator[tuple[int, str]]:
    return enumerate(_passed(node))


def _passed(node: Node) -> Sequence[str]:
    """The inputs that ways lead through."""
    if not isinstance(node.op, Merge):
        return node.inputs
    match node.op:
        case Multiply():
            return node.inputs[:1]
        case Gate():
            return node.inputs[:2]
        case Add() | Concat():
            return node.inputs
        case _:
            assert_never(node.op)
