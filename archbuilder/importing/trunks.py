"""Networks whose paths do not come together one by one: a trunk that does, and layers that go on from points of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from archbuilder.graph import ops
from archbuilder.graph.analysis import is_closed, series
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Op
from archbuilder.graph.words import op_name
from archbuilder.importing.paddings import names, with_named_paddings
from archbuilder.importing.steps import Leaf, Row, row_of_elements
from archbuilder.importing.writing import Writer, Yaml

_MOST_ENDS = 40
"""How many places are tried as the end of a trunk."""


@dataclass(frozen=True)
class Trunk:
    """The row of a trunk, where points of it are that others go on from, and the nodes behind."""

    row: Row
    points: Mapping[str, int]
    """The place in the row behind each node that something else goes on from."""
    end: str
    rest: tuple[Node, ...]
    outputs: tuple[str, ...]


def whole(row: Row, graph: Graph) -> Trunk:
    """A trunk with nothing behind it."""
    return Trunk(row, {}, graph.outputs[0], (), ())


def trunks(graph: Graph) -> Iterator[Trunk]:
    """The largest trunk of a graph, and the one up to where images first become larger, if they do."""
    ends = _ends(graph)
    larger = next((one.inputs[0] for one in graph.nodes if isinstance(one.op, ops.Upsample | ops.ConvTranspose)), None)
    for choice in ([larger], ends) if larger else (ends,):
        found = next((trunk for end in choice if (trunk := _trunk(graph, end)) is not None), None)
        if found is not None:
            yield found


def _ends(graph: Graph) -> list[str]:
    """Nodes that a trunk may end at, those first that most leads to, and the input at last."""
    users: dict[str, int] = defaultdict(int)
    for one in graph.nodes:
        for name in {*one.inputs}:
            users[name] += 1
    numbers = {one.name: 1 << index for index, one in enumerate(graph.nodes)}
    behind: dict[str, int] = {}
    for one in graph.nodes:
        behind[one.name] = numbers[one.name]
        for name in one.inputs:
            behind[one.name] |= behind[name]
    branching = [one.name for one in graph.nodes if users[one.name] != 1]
    branching.sort(key=lambda name: behind[name].bit_count(), reverse=True)
    return [*branching[:_MOST_ENDS], graph.input.name]


def _trunk(graph: Graph, end: str) -> Trunk | None:
    """The trunk that ends at a node; None where what leads there is none, or something goes on from within a path."""
    inside = {end}
    for one in reversed(graph.nodes):
        if one.name in inside:
            inside.update(one.inputs)
    nodes = [one for one in graph.nodes if one.name in inside and one is not graph.input]
    rest = _path_by_path([one for one in graph.nodes if one.name not in inside], end)
    if nodes and not is_closed(nodes, graph.input.name):
        return None
    wanted = {name for one in rest for name in one.inputs if name in inside} | (inside & {*graph.outputs})
    elements = series(nodes)
    places = {graph.input.name: 0}
    row = row_of_elements(graph, elements, wanted, places)
    if not wanted <= places.keys():
        return None
    return Trunk(row, {name: places[name] for name in wanted}, end, rest, graph.outputs)


def _path_by_path(nodes: Sequence[Node], before: str) -> tuple[Node, ...]:
    """Nodes in an order in which each follows the one that it goes on from, as far as there is such an order."""
    inside = {one.name for one in nodes}
    waiting = {one.name: len(inside.intersection(one.inputs)) for one in nodes}
    users: dict[str, list[Node]] = defaultdict(list)
    for one in nodes:
        for name in {*one.inputs}:
            users[name].append(one)
    ready = [one for one in reversed(nodes) if not waiting[one.name]]
    ready.sort(key=lambda one: before in one.inputs)
    order = []
    while ready:
        order.append(ready.pop())
        for user in reversed(users[order[-1].name]):
            waiting[user.name] -= 1
            if not waiting[user.name]:
                ready.append(user)
    return tuple(order)


def named_ops(nodes: Sequence[Node], graph: Graph, writer: Writer) -> dict[str, Op]:
    """The ops of nodes with the names of their paddings, the usual one where it does."""
    single = [one for one in nodes if not isinstance(one.op, ops.Merge)]
    steps = tuple(Leaf(one.op, graph[one.inputs[0]].shape, one.shape) for one in single)
    named = with_named_paddings(Row(steps, (), graph.input.shape)).steps
    found = {one.name: step.op for one, step in zip(single, named, strict=True) if isinstance(step, Leaf)}
    for one in single:
        if isinstance(op := found[one.name], ops.Conv):
            usual = writer.defaults.of_op(op)["padding"]
            fits = usual in names(op, graph[one.inputs[0]].shape)
            found[one.name] = replace(op, padding=usual) if fits else op
    return found


def layers_of(trunk: Trunk, graph: Graph, points: dict[str, str], writer: Writer) -> list[Yaml]:
    """The layers behind a trunk, one after the other; they add to the names of `points`."""
    wanted = _asked_for(trunk)
    known, current = named_ops(trunk.rest, graph, writer), trunk.end
    layers: list[Yaml] = []
    for one in trunk.rest:
        if isinstance(one.op, ops.Merge):
            paths = [[] if name == current else {"from": points[name]} for name in one.inputs]
            keys = ("transform", "carry", "gate") if isinstance(one.op, ops.Gate) else [
                f"path{number}" for number, _ in enumerate(paths, 1)]  # fmt: skip
            layers.append({op_name(one.op): dict(zip(keys, paths, strict=True))})
        else:
            if one.inputs[0] != current:
                layers.append({"from": points[one.inputs[0]]})
            layers.append(writer.op(known[one.name]))
        current = one.name
        if current in wanted:
            points[current] = f"point{sum(name.startswith('point') for name in points.values()) + 1}"
            layers.append({"point": points[current]})
    return layers


def _asked_for(trunk: Trunk) -> set[str]:
    """The nodes behind a trunk that something else than the next one goes on from, or that are outputs."""
    current, found = trunk.end, {*trunk.outputs}
    for one in trunk.rest:
        found.update(name for name in one.inputs if name != current)
        current = one.name
    if len(trunk.outputs) == 1:
        found.discard(current)
    return found
