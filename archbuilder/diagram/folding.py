"""Equal units in a row, of which a picture shows one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace

from archbuilder.graph.analysis import Section, units, without_rate
from archbuilder.graph.network import Graph
from archbuilder.graph.words import node_words

Uses = Mapping[str, int]
"""How often what a node returns is taken in, and asked for as an output."""


def uses(graph: Graph) -> Uses:
    return Counter(name for node in graph.nodes for name in node.inputs) + Counter(graph.outputs)


def rows(graph: Graph, stage: Section, used: Uses) -> Iterator[tuple[Section, ...]]:
    """The sections of a stage in order, equal units that follow each other together.

    Each but the first takes in what the one before it returns, always at the same places, and nobody else does; what
    stands elsewhere in the graph, all of them may take in.
    """
    row: tuple[Section, ...] = ()
    link: Hashable = None
    for unit in units(stage):
        found = _link(graph, row[-1], unit, used) if row and unit.name != stage.name else None
        if found is not None and link in (None, found):
            row, link = (*row, unit), found
            continue
        if row:
            yield row
        row, link = (unit,), None
    yield row


def likeness(graph: Graph, unit: Section) -> Hashable:
    """A value that two units share if they look the same: their layers, and how these hang together.

    Other channels may arrive, as in a stage whose units each add some to those they take in.
    """
    places: dict[str, int] = {}
    looks = []
    for position, node in enumerate(unit.nodes):
        for name in node.inputs:
            places.setdefault(name, -1 - len(places))
        sources = tuple((places[name], graph[name].shape[:-1]) for name in node.inputs)
        op = without_rate(node.op)
        looks.append((op, node_words(replace(node, op=op)), sources, node.shape[:-1]))
        places[node.name] = position
    return tuple(looks)


def inputs(unit: Section) -> tuple[str, ...]:
    """The names of the nodes before a unit, in the order in which it takes them in."""
    own = {node.name for node in unit.nodes}
    return tuple(dict.fromkeys(name for node in unit.nodes for name in node.inputs if name not in own))


def _link(graph: Graph, before: Section, unit: Section, used: Uses) -> Hashable:
    """What a unit takes in of the equal one before it, by place; None where it is not equal, or not its only heir."""
    taken = Counter(name for node in (*before.nodes, *unit.nodes) for name in node.inputs)
    places = {node.name: place for place, node in enumerate(before.nodes)}
    pairs = list(zip(inputs(unit), inputs(before), strict=False))
    if any(name not in places and name != other for name, other in pairs):
        return None
    if not any(name in places for name, _ in pairs) or any(used[name] != taken[name] for name in places):
        return None
    if likeness(graph, before) != likeness(graph, unit):
        return None
    return tuple(places.get(name, name) for name, _ in pairs)
