"""Equal units in a row, and where a graph has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from archbuilder.graph import analysis, ops
from archbuilder.graph.network import Graph, Node


@dataclass(frozen=True)
class Repetition:
    """Equal units in a row: each takes in what the one before it returns, and nothing else of them goes anywhere."""

    units: tuple[tuple[Node, ...], ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the first unit, which stand for all."""
        return self.units[0]

    @property
    def input(self) -> str:
        """The name of the node before the first unit."""
        return next(iter(_inputs(self.nodes)))

    @property
    def output(self) -> str:
        """The name of the node whose tensor the last unit returns."""
        return self.units[-1][-1].name

    def alike(self, position: int) -> tuple[Node, ...]:
        """The nodes at one place of each unit."""
        return tuple(unit[position] for unit in self.units)


def divide(graph: Graph, shortest: int) -> Iterator[Node | Repetition]:
    """A graph in order: its repetitions of at least `shortest` units, and each node that is in none of them."""
    uses = Counter(name for node in graph.nodes for name in node.inputs) + Counter(graph.outputs)
    found = [each for stage in analysis.stages(graph) for each in _repetitions(graph, stage, uses, shortest)]
    firsts = {repetition.nodes[0].name: repetition for repetition in found}
    inside = {node.name for repetition in found for unit in repetition.units for node in unit}
    for node in graph.nodes:
        if node.name in firsts:
            yield firsts[node.name]
        elif node.name not in inside:
            yield node


def _repetitions(graph: Graph, stage: analysis.Section, uses: Mapping[str, int], shortest: int) -> Iterator[Repetition]:
    units = [section.nodes for section in analysis.units(stage)]
    for _, group in groupby(units, key=lambda nodes: analysis.signature(graph, nodes)):
        for chain in _chains(tuple(group), uses):
            if len(chain) >= shortest:
                yield Repetition(chain)


def _chains(units: Sequence[tuple[Node, ...]], uses: Mapping[str, int]) -> Iterator[tuple[tuple[Node, ...], ...]]:
    """Equal units in rows: one ends where what a unit returns, or what is inside of it, goes elsewhere as well."""
    chain: tuple[tuple[Node, ...], ...] = ()
    for unit in units:
        own = Counter(name for node in unit for name in node.inputs)
        if len(_inputs(unit)) != 1 or any(uses[node.name] != own[node.name] for node in unit[:-1]):
            yield chain
            chain = ()
            continue
        end = chain[-1][-1].name if chain else ""
        if own[end] != uses[end] or not own[end]:
            yield chain
            chain = ()
        chain = (*chain, unit)
    yield chain


def _inputs(nodes: Sequence[Node]) -> set[str]:
    """The names of the nodes before these."""
    return {name for node in nodes for name in node.inputs} - {node.name for node in nodes}


def norms_behind_convolutions(graph: Graph, parts: Iterable[Node | Repetition]) -> dict[str, Node]:
    """The batch norm of each convolution whose result goes there and nowhere else, nor into the next unit of a loop."""
    loops = [part for part in parts if isinstance(part, Repetition)]
    homes = {node.name: id(unit) for loop in loops for unit in loop.units for node in unit}
    uses = Counter(name for node in graph.nodes for name in node.inputs) + Counter(graph.outputs)
    return {
        node.inputs[0]: node
        for node in graph.nodes
        if isinstance(node.op, ops.Norm) and node.op.is_over_batch and uses[node.inputs[0]] == 1
        if isinstance(graph[node.inputs[0]].op, ops.Conv) and homes.get(node.name) == homes.get(node.inputs[0])
    }
