"""Which layer of a file belongs to which node of a graph, and what is left over or does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import combinations
from typing import TypeVar, assert_never

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape, show
from archbuilder.weights.naming_schemes import Position, position, rank, scheme
from archbuilder.weights.orders import on_shortcut, orders
from archbuilder.weights.weight_file import Kind, Layer, WeightFile

Pairs = dict[str, Layer]
"""The layer of each node, by the node's name."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Match:
    """The outcome: complete where there are no problems."""

    pairs: Pairs
    how: str
    problems: tuple[str, ...]
    """The tensors that are left over or do not fit, a line each."""
    fresh: tuple[str, ...] = ()
    """Why the last dense layer keeps its own initial weights, in one sentence; empty where it does not."""
    doubts: tuple[str, ...] = ()
    """Pairs that the file leaves in doubt."""


def match(graph: Graph, source: WeightFile) -> Match:
    """Matches by our own names, else by those of known schemes, else by the order of layers of a kind and shapes."""
    named = _by_own_names(graph, source)
    if named:
        return _judged(graph, source, named, "by name")
    known = scheme(layer.name for layer in source.layers)
    placed = _judged(graph, source, _by_place(graph, source), f"by the names of {known}") if known else None
    if placed and not placed.problems:
        return placed
    ordered = _by_order(graph, source)
    return ordered if placed is None or not ordered.problems else placed


def _by_own_names(graph: Graph, source: WeightFile) -> Pairs:
    nodes = {node.name.replace("/", "."): node.name for node in _weighted(graph)}
    layers = {layer.name.replace("/", "."): layer for layer in source.layers}
    return {nodes[name]: layer for name, layer in layers.items() if name in nodes}


def _by_place(graph: Graph, source: WeightFile) -> Pairs:
    """Pairs place by place and kind by kind; then what has a name of its own, in order."""
    theirs = _grouped(source.layers, lambda layer: (position(layer.name), layer.kind))
    ours = _grouped(_weighted(graph), lambda node: (_position(node), kind(node)))
    pairs: Pairs = {}
    for key, nodes in ours.items():
        layers = sorted(theirs[key], key=lambda layer: rank(layer.name)) if key in theirs else []
        pairs |= _aligned(nodes, layers)
    strangers = [layer for layer in source.layers if position(layer.name) is None]
    return pairs | _in_order([node for node in _weighted(graph) if node.name not in pairs], strangers)


def _position(node: Node) -> Position:
    parts = node.name.split("/")
    section = "/".join(parts[:2]) if parts[0].startswith("stage") and len(parts) > 2 else parts[0]
    return Position(section, on_shortcut(node.name))


def _by_order(graph: Graph, source: WeightFile) -> Match:
    """Matches by the first possible order that fits; says where another fits as well and means something else."""
    tried = [_in_order(order, source.layers) for order in orders(graph)]
    if source.channels_first:
        tried = [*tried[2:], *tried[:2]]
    matches = [_judged(graph, source, pairs, "by order and shapes") for pairs in tried]
    fitting = [one for one in matches if not one.problems]
    if not fitting:
        return min(matches, key=lambda one: len(one.problems))
    doubts = (line for one, other in combinations(fitting, 2) for line in _differing(one.pairs, other.pairs))
    best = fitting[0]
    return Match(best.pairs, best.how, (), best.fresh, tuple(dict.fromkeys(doubts)))


def _differing(one: Pairs, other: Pairs) -> Iterator[str]:
    for name, layer in one.items():
        if other[name] is not layer:
            yield f"{name}: {layer.name} or {other[name].name}"


def _in_order(nodes: Sequence[Node], layers: Sequence[Layer]) -> Pairs:
    theirs, ours = _grouped(layers, lambda layer: layer.kind), _grouped(nodes, kind)
    pairs: Pairs = {}
    for key, group in ours.items():
        pairs |= _aligned(group, theirs.get(key, []))
    return pairs


def _aligned(nodes: Sequence[Node], layers: Sequence[Layer]) -> Pairs:
    """Pairs one by one where there are as many; else the longest runs of the same shapes, and what lies between."""
    if len(nodes) == len(layers):
        return {node.name: layer for node, layer in zip(nodes, layers, strict=True)}
    matcher = SequenceMatcher(None, [_shapes(node) for node in nodes], [layer.shapes() for layer in layers], False)
    pairs: Pairs = {}
    for _, start, stop, first, last in matcher.get_opcodes():
        pairs |= {node.name: layer for node, layer in zip(nodes[start:stop], layers[first:last], strict=False)}
    return pairs


def _judged(graph: Graph, source: WeightFile, pairs: Pairs, how: str) -> Match:
    """Lists the tensors on both sides that have no partner of their shape, but lets the number of classes differ."""
    nodes = _weighted(graph)
    fresh = _fresh_head(nodes[-1], pairs, source) if nodes else ()
    if fresh:
        nodes = nodes[:-1]
    problems = [line for node in nodes for line in _misfits(node, pairs.get(node.name))]
    used = {id(layer) for layer in pairs.values()}
    rest = [tensor for layer in source.layers if id(layer) not in used for tensor in layer.tensors.values()]
    problems += [f"left over in the file: {tensor}" for tensor in rest]
    return Match({node.name: pairs[node.name] for node in nodes if node.name in pairs}, how, tuple(problems), fresh)


def _fresh_head(last: Node, pairs: Pairs, source: WeightFile) -> tuple[str, ...]:
    """Why a last dense layer starts anew: the file has another number of classes, or no dense layer at all."""
    if not isinstance(last.op, ops.Dense):
        return ()
    layer = pairs.get(last.name)
    if layer is None:
        if any(layer.kind == "dense" for layer in source.layers):
            return ()
        return (f"the file has no classes: {last.name} is left fresh",)
    shapes, wanted = layer.shapes(), _shapes(last)
    classes = layer.tensors["kernel"].array.shape[-1] if layer.kind == "dense" else last.op.units
    if classes == last.op.units or _of_units(shapes, 0) != _of_units(wanted, 0):
        return ()
    return (f"the file has {classes:,} classes instead of {last.op.units:,}: {last.name} is left fresh",)


def _of_units(shapes: Iterable[tuple[str, Shape]], units: int) -> frozenset[tuple[str, Shape]]:
    return frozenset((part, (*shape[:-1], units)) for part, shape in shapes)


def fitted(node: Node, layer: Layer) -> Layer:
    """The layer by the names and the shapes of the node's weights, where its own say nothing: it is of no known kind.

    Learned scales and slopes are called and shaped in many ways, such as `(C,)`, `(C, 1, 1)` or `(1, 1, C)`.
    """
    tensors = list(layer.tensors.values())
    sizes = [tensor.array.size for tensor in tensors]
    if layer.kind != "other" or kind(node) != "other" or sizes != [weight.size for weight in node.weights]:
        return layer
    pairs = zip(node.weights, tensors, strict=True)
    shaped = {one.name: replace(other, array=other.array.reshape(one.shape)) for one, other in pairs}
    return replace(layer, tensors=shaped)


def _misfits(node: Node, layer: Layer | None) -> Iterator[str]:
    tensors = dict(fitted(node, layer).tensors) if layer else {}
    for weight in node.weights:
        tensor, ours = tensors.pop(weight.name, None), f"{node.name}/{weight.name} {show(weight.shape)}"
        if tensor is None:
            yield f"without a tensor: {ours}"
        elif tensor.array.shape != weight.shape:
            yield f"does not fit: {tensor}, for {ours}"
    for tensor in tensors.values():
        yield f"left over in the file: {tensor}"


def kind(node: Node) -> Kind:
    match node.op.family:
        case "conv" | "dense" | "norm" as family:
            return family
        case "activation" | "pool" | "merge" | "other":
            return "other"
        case family:
            assert_never(family)


def _shapes(node: Node) -> frozenset[tuple[str, Shape]]:
    return frozenset((weight.name, weight.shape) for weight in node.weights)


def _weighted(graph: Graph) -> tuple[Node, ...]:
    return tuple(node for node in graph.nodes if node.weights)


def _grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> dict[Hashable, list[Item]]:
    groups: defaultdict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
