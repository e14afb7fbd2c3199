"""The orders in which the weighted layers of one network may lie in a file that does not tell their names.

PyTorch files keep the order of definition. Keras sorts layers by their distance from the output, and those at the same
distance by which path of a merge it walks first: in most code the shortcut, in some the residual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import combinations

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node

_SYMMETRIC = ops.Add | ops.Multiply | ops.Gate
"""Merges whose paths anybody may write in another order."""


def orders(graph: Graph) -> Iterator[tuple[Node, ...]]:
    """Each possible order of the nodes that hold weights, the likeliest first; some may be equal."""
    yield _by_depth(graph, {ops.Add})
    yield _by_depth(graph, set())
    yield _weighted(graph.nodes)
    yield _weighted(_shortcuts_first(graph))


def by_depth(graph: Graph) -> Iterator[tuple[Node, ...]]:
    """Those in which Keras may list them for a functional model; none where merges of three paths leave too many."""
    merges = [node for node in graph.nodes if isinstance(node.op, _SYMMETRIC)]
    if all(len(node.inputs) == 2 for node in merges):
        kinds = dict.fromkeys(type(node.op) for node in merges)
        for count in range(len(kinds) + 1):
            yield from (_by_depth(graph, {*turned}) for turned in combinations(kinds, count))


def on_shortcut(name: str) -> bool:
    return any(part.startswith("shortcut") for part in name.split("/"))


def _weighted(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(node for node in nodes if node.weights)


def _by_depth(graph: Graph, turned: Set[type]) -> tuple[Node, ...]:
    """Merges of these types list their shortcut, or else their last path, first."""
    distances = dict.fromkeys((node.name for node in graph.nodes), 0)
    for node in reversed(graph.nodes):
        for name in node.inputs:
            distances[name] = max(distances[name], distances[node.name] + 1)
    walked = {name: place for place, name in enumerate(_walk(graph, turned))}
    return _weighted(sorted(graph.nodes, key=lambda node: (-distances[node.name], walked.get(node.name, 0))))


def _walk(graph: Graph, turned: Set[type]) -> dict[str, None]:
    """All nodes from the output backwards, along the first input of each merge to its end, then along the next."""
    seen: dict[str, None] = {}
    waiting = list(reversed(graph.outputs))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen[name] = None
            waiting += reversed(_inputs(graph[name], turned))
    return seen


def _inputs(node: Node, turned: Set[type]) -> tuple[str, ...]:
    if not isinstance(node.op, _SYMMETRIC) or len(node.inputs) != 2:
        return node.inputs
    paths = sorted(zip(node.op.paths, node.inputs, strict=True), key=lambda pair: pair[0].startswith("shortcut"))
    names = tuple(name for _, name in paths)
    return names[::-1] if type(node.op) in turned else names


def _shortcuts_first(graph: Graph) -> tuple[Node, ...]:
    """The nodes in the order of definition of units that define their shortcut before their residual path."""
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    first: dict[str, int] = {}
    for node in graph.nodes:
        unit = "/".join(node.name.split("/")[:2])
        if not on_shortcut(node.name) and "/residual" in node.name:
            first.setdefault(unit, places[node.name])
    return tuple(sorted(graph.nodes, key=lambda node: _shortcut_key(node, places, first)))


def _shortcut_key(node: Node, places: dict[str, int], first: dict[str, int]) -> tuple[int, int, int]:
    unit, place = "/".join(node.name.split("/")[:2]), places[node.name]
    if on_shortcut(node.name):
        return first.get(unit, place), 0, place
    return (first[unit], 1, place) if "/residual" in node.name else (place, 1, place)
