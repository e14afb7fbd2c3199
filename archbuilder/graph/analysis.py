"""The structure of a graph: its depth, its stages and units, and its paths between fork and merge."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, groupby
from math import prod
from typing import Literal, TypeAlias, assert_never

from archbuilder import bounds
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Add, Concat, Gate, Input, Merge, Multiply, Op, StochasticDepth

ShortcutKind = Literal["identity", "projection", "parameter-free"]
Series: TypeAlias = "tuple[Node | Parallel, ...]"
"""Ops one after the other."""
ENTRY = -1
"""The place of the node before a section."""


@dataclass(frozen=True, slots=True)
class Parallel:
    """Paths that leave one node, the fork, and come together in a merge; an empty path is the identity."""

    merge: Node
    fork: str
    """The name of the node that all paths start from."""
    paths: tuple[Series, ...]

    @property
    def name(self) -> str:
        return self.merge.name


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a network that has a name of its own (the stem, a stage, a unit) and what stands in it."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def series(self) -> Series:
        """The nodes as elements one after the other, which they are where the graph is series-parallel."""
        return series(self.nodes)


def depth(graph: Graph) -> int:
    """The number of weighted layers (convolutions and dense layers) as the papers count them.

    That is the most on any way from the input to an output, where what stands on a shortcut does not count (no
    projections), and neither does what only weighs other paths (squeeze-and-excitation, the gate of a gated merge).
    """
    depths: dict[str, int] = {}
    for node in graph.nodes:
        before = max((depths[name] for name in _counted_inputs(node)), default=0)
        depths[node.name] = before + any(weight.kind == "kernel" for weight in node.weights)
    return max(depths[name] for name in graph.outputs)


def _counted_inputs(node: Node) -> Sequence[str]:
    if not isinstance(node.op, Merge):
        return node.inputs
    match node.op:
        case Multiply() | Gate():
            return node.inputs[:1]
        case Add() | Concat():
            pairs = zip(node.inputs, node.op.paths, strict=True)
            return [name for name, path in pairs if path != "shortcut"] or node.inputs
        case _:
            assert_never(node.op)


def activation_bytes(node: Node) -> int:
    """The memory of a node's output for one image in float32; the image itself is not an activation."""
    return 0 if isinstance(node.op, Input) else 4 * prod(node.shape)


def stages(graph: Graph) -> tuple[Section, ...]:
    """The stem, each stage and the head, in order; a node outside of these (the input) is a section of its own."""
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        groups.setdefault(node.section.partition("/")[0], []).append(node)
    return tuple(Section(name, tuple(nodes)) for name, nodes in groups.items())


def units(stage: Section) -> tuple[Section, ...]:
    """The units of a stage in the order of their first nodes; wherever the others stand, a unit is one section.

    What stands in no unit is a section with the stage's own name, a new one behind each unit.
    """
    groups: dict[tuple[str, int], list[Node]] = {}
    for name, nodes in groupby(stage.nodes, key=lambda node: node.section):
        place = len(groups) if name == stage.name else 0
        groups.setdefault((name, place), []).extend(nodes)
    return tuple(Section(name, tuple(nodes)) for (name, _), nodes in groups.items())


def is_series_parallel(graph: Graph) -> bool:
    """Whether all sections follow each other, and each consists of ops one after the other and of paths to merges.

    Where that holds, the series of the sections tell the whole graph; elsewhere they mean nothing.
    """
    end = graph.input.name
    for section in chain.from_iterable(map(units, stages(graph))):
        nodes = [node for node in section.nodes if node is not graph.input]
        if not is_closed(nodes, end):
            return False
        end = section.nodes[-1].name
    return True


def is_closed(nodes: Sequence[Node], entry: str) -> bool:
    """Whether nodes take in only each other and `entry`, and come down to the last of them in paths to merges."""
    places = {entry: ENTRY, **{node.name: place for place, node in enumerate(nodes)}}
    if any(name not in places for node in nodes for name in node.inputs):
        return False
    return not nodes or _is_closed(tuple(tuple(places[name] for name in node.inputs) for node in nodes))


@lru_cache(128)
def _is_closed(inputs: tuple[tuple[int, ...], ...]) -> bool:
    """Whether nodes, each known by the places of its inputs, come down to one edge from the entry to the last of them.

    A node between two others is left out, and edges side by side are one, which are all that lead to a merge: paths
    come together in one of their own. Merges deeper within each other than specs may nest them do not count: whatever
    walks through a series walks into each of its paths.
    """
    before = {place: set(sources) for place, sources in enumerate(inputs)}
    after: dict[int, set[int]] = {place: set() for place in (ENTRY, *before)}
    for place, sources in before.items():
        for source in sources:
            after[source].add(place)
    depths: dict[tuple[int, int], tuple[int, bool]] = {}
    """Of edges that stand for paths: how many merges are within each other, and whether the last one is their head."""
    waiting = list(before)
    while waiting:
        place = waiting.pop()
        if len(before.get(place, ())) != 1 or len(after[place]) != 1:
            continue
        [target] = after[place]
        if depths.get((place, target), (0, False))[1] and len(before[target]) > 1:
            return False
        [source] = before.pop(place)
        inner = max(depths.get((source, place), (0, False))[0], depths.get((place, target), (0, False))[0])
        if target in after[source]:
            deepest, merged = depths.get((source, target), (0, False))
            depths[source, target] = (max(deepest - merged, inner) + 1, True)
        else:
            depths[source, target] = (inner, False)
        if depths[source, target][0] > bounds.DEPTH:
            return False
        after[source].remove(place)
        after[source].add(target)
        before[target].remove(place)
        before[target].add(source)
        waiting += [one for one in (source, target) if one != ENTRY]
    return before.keys() == {len(inputs) - 1}


def series(nodes: Sequence[Node]) -> Series:
    """Nodes in topological order as ops one after the other, with all that lies between a fork and a merge in one."""
    elements: list[Node | Parallel] = []
    done: set[str] = set()
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        if node.name in done:
            continue
        if isinstance(node.op, Merge):
            fork, paths = _paths(nodes, index)
            done.update(inner.name for path in paths for inner in path)
            elements.append(Parallel(node, fork, tuple(map(series, paths))))
        else:
            elements.append(node)
    return tuple(reversed(elements))


def _paths(nodes: Sequence[Node], index: int) -> tuple[str, list[list[Node]]]:
    """The fork of the merge at an index, and the nodes of each of its paths.

    Walks back from the merge along all paths at once, the latest node first: the fork is the node at which nothing
    else is left to visit.
    """
    merge = nodes[index]
    owners: dict[str, int] = {}
    for path, name in enumerate(merge.inputs):
        owners.setdefault(name, path)
    paths: list[list[Node]] = [[] for _ in merge.inputs]
    for node in map(nodes.__getitem__, range(index - 1, -1, -1)):
        if len(owners) == 1:
            break
        if node.name in owners:
            path = owners.pop(node.name)
            paths[path].append(node)
            for name in node.inputs:
                owners.setdefault(name, path)
    return next(iter(owners)), [path[::-1] for path in paths]


def flatten(elements: Series) -> Iterator[Node]:
    """The nodes of a series, merges behind their paths."""
    for element in elements:
        if isinstance(element, Parallel):
            for path in element.paths:
                yield from flatten(path)
            yield element.merge
        else:
            yield element


def shortcut(parallel: Parallel) -> int | None:
    """Which path of a merge is its shortcut: the one called so, a gate's carry, or the only identity of a sum."""
    op = parallel.merge.op
    assert isinstance(op, Merge)
    if "shortcut" in op.paths:
        return op.paths.index("shortcut")
    match op:
        case Gate():
            return 1
        case Add() | Concat():
            return parallel.paths.index(()) if sum(not path for path in parallel.paths) == 1 else None
        case Multiply():
            return None
        case _:
            assert_never(op)


def shortcut_kind(parallel: Parallel) -> ShortcutKind | None:
    """Whether a merge's shortcut is the identity, holds weights, or has layers without any; None without a shortcut."""
    index = shortcut(parallel)
    if index is None:
        return None
    if not parallel.paths[index]:
        return "identity"
    return "projection" if any(node.weights for node in flatten(parallel.paths[index])) else "parameter-free"


def signature(graph: Graph, nodes: Iterable[Node]) -> Hashable:
    """A value that two units share if and only if they are the same but for names.

    The rates of stochastic depth, which grow from unit to unit, are left out.
    """
    places: dict[str, int] = {}
    rows = []
    for position, node in enumerate(nodes):
        for name in node.inputs:
            places.setdefault(name, -1 - len(places))
        rows.append(
            (without_rate(node.op), tuple((places[name], graph[name].shape) for name in node.inputs), node.shape)
        )
        places[node.name] = position
    return tuple(rows)


def without_rate(op: Op) -> Op:
    """An op without the rate of its stochastic depth, which grows from unit to unit."""
    return replace(op, rate=0.0) if isinstance(op, StochasticDepth) else op
