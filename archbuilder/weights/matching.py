"""Which layer of a file belongs to which node of a graph, and what is left over or does not fit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TypeVar

import numpy as np

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape, show
from archbuilder.weights import conventions
from archbuilder.weights.choices import DEFAULT, Choices
from archbuilder.weights.naming_schemes import Position, position, rank, scheme
from archbuilder.weights.orders import by_depth, on_shortcut, orders
from archbuilder.weights.placing import Open, Pairs, Placed, Placing, agreed
from archbuilder.weights.signatures import Signature, as_wanted, fitted, kind, of_layer, of_node
from archbuilder.weights.weight_file import Layer, StoredTensor, WeightFile

Item = TypeVar("Item")
_LONGEST_ALIGNMENT = 10**6
_NAMED = 4
"""The number of modules that a sentence names."""


OWN = "by name"
"""How a file of archbuilder's own names is matched."""


@dataclass(frozen=True)
class Match:
    """The outcome: complete where there are no problems and nothing is open."""

    pairs: Pairs
    how: str
    problems: tuple[str, ...]
    """The tensors that are left over or do not fit, a line each."""
    fresh: tuple[str, ...] = ()
    """Why the last layer keeps its own initial weights, in one sentence; empty where it does not."""
    notes: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    """The layers of the file that fit several places, in which the network computes something else."""
    hint: str = ""


def match(graph: Graph, source: WeightFile, choices: Choices = DEFAULT) -> Match:
    """Matches by our own names, else by the tree of the file's names, the shapes and the flow of the graph."""
    nodes = [node for node in graph.nodes if node.weights]
    return _Case(graph, nodes, replace(source, layers=as_wanted(source.layers, nodes)), choices).match()


class _Case:
    """One file and one graph."""

    def __init__(self, graph: Graph, nodes: list[Node], source: WeightFile, choices: Choices) -> None:
        self.graph, self.nodes, self.source, self.choices = graph, nodes, source, choices
        self.layers = list(source.layers)
        self.signatures = {id(layer): of_layer(layer) for layer in self.layers}
        self.wanted = [of_node(node) for node in nodes]
        self.fresh: tuple[str, ...] = ()
        self.notes: list[str] = []
        self.classes: int | None = None
        """Those of the file's own head, which is left out; None where the head is matched, or there is none."""
        self.has_head = bool(nodes) and isinstance(nodes[-1].op, ops.Dense | ops.Conv)
        self.how = "by the names of its layers"

    def match(self) -> Match:
        """Stem, head, names, and what is left over, in this order."""
        stem = self._stem()
        if stem:
            return stem
        self._head()
        named = self._by_own_names()
        ours = 2 * len(named) > min(len(self.layers), len(self.nodes))
        if ours and (self._fits(named) or self._missing()):
            self.how = OWN
            return self._with_rest(named) if self._fits(named) else self._judged(named)
        if self._missing():
            return self._unfitting()
        placed = self._placed()
        if self.choices.assume_order:
            self.how = "by the names of its layers, and by order where they do not tell"
            return self._with_rest(placed.pairs) if not placed.why and not placed.open else self._assumed()
        if placed.why or placed.open:
            return Match({}, self.how, (), open=tuple(map(str, placed.open)) or (placed.why,))
        return self._with_rest(placed.pairs)

    def _placed(self) -> Placed:
        up, down = (
            Placing(self.graph, self.nodes, self.layers, self.wanted, downwards=downwards)
            for downwards in (False, True)
        )
        witnesses, assume = (self._by_scheme, self._by_order), self.choices.assume_order
        placed = up.place(witnesses, self.source.ordered, assume)
        if not self.source.ordered or up.layers == down.layers or (assume and not placed.why):
            return placed
        return agreed(self.graph, placed, down.place(witnesses, ordered=True, assume_order=assume))

    def _missing(self) -> Counter[Signature]:
        return Counter(self.wanted) - Counter(self.signatures[id(layer)] for layer in self.layers)

    def _surplus(self) -> Counter[Signature]:
        return Counter(self.signatures[id(layer)] for layer in self.layers) - Counter(self.wanted)

    def _stem(self) -> Match | None:
        """Takes a first convolution of another number of channels where that is asked for."""
        missing, surplus = self._missing(), self._surplus()
        for place, node in enumerate(self.nodes):
            wanted = self.wanted[place]
            if not _sees_image(self.graph, node) or wanted not in missing:
                continue
            others = [one for one in surplus if one.arriving and one.with_arriving(wanted.arriving) == wanted]
            if len(others) != 1:
                continue
            ours, theirs = wanted.arriving, others[0].arriving
            said = f"the file's first convolution takes {_channels(theirs)}, {node.name} takes {_channels(ours)}"
            if not self.choices.adapt_stem:
                return Match({}, self.how, (said,), hint="--adapt-stem makes it fit: " + _rule(ours, theirs))
            self.notes.append(f"{said}: {_rule(ours, theirs)}")
            self.wanted[place] = others[0]
        return None

    def _head(self) -> None:
        """Leaves the last node fresh where the file has another number of classes, or none at all."""
        if not self.has_head or self.wanted[-1] not in self._missing():
            return
        last, wanted, surplus = self.nodes[-1], self.wanted[-1], self._surplus()
        others = [one for one in surplus if one.kind == "kernel" and one.with_leaving(wanted.leaving) == wanted]
        heads = [layer for layer in self.layers if self.signatures[id(layer)] in others]
        if len(heads) > 1:
            heads = [layer for layer in heads if layer.name.count(".") == min(one.name.count(".") for one in heads)]
        if len(heads) == 1:
            self.classes = self.signatures[id(heads[0])].leaving
            why = f"the file has {self.classes:,} classes instead of {wanted.leaving:,}"
            self.layers = [layer for layer in self.layers if layer is not heads[0]]
        elif any(layer.kind == "dense" and self.signatures[id(layer)] in surplus for layer in self.layers):
            return
        else:
            why = "the file has no classes"
        self.fresh = (f"{why}: {last.name} is left fresh",)
        self.nodes, self.wanted = self.nodes[:-1], self.wanted[:-1]

    def _unfitting(self) -> Match:
        known = scheme(layer.name for layer in self.layers)
        if known:
            self.how = f"by the names of {known}"
            return self._judged(_by_place(self.nodes, self.layers))
        self.how = "by order and shapes"
        return self._judged(_in_order(self.nodes, self.layers))

    def _by_own_names(self) -> Pairs:
        layers = {layer.name.replace("/", "."): layer for layer in self.layers}
        names = {node.name: node.name.replace("/", ".") for node in self.nodes}
        return {node: layers[name] for node, name in names.items() if name in layers}

    def _by_scheme(self, open_: Sequence[Open]) -> Pairs | None:
        """What a known scheme says of the names, where it fits everything."""
        known = scheme(layer.name for layer in self.layers)
        pairs = _by_place(self.nodes, self.layers) if known else {}
        if not self._fits(pairs):
            return None
        self.how = f"by the names of {known}"
        return pairs

    def _by_order(self, open_: Sequence[Open]) -> Pairs | None:
        """What the order of the file says: which path of a unit comes first, where the shapes of other units tell."""
        if self.source.ordered and all(map(_is_shortcut_or_residual, open_)):
            possible = orders(self.graph)
        elif self.source.by_depth and not self._fits(_in_order(self.nodes, self.layers)):
            possible = by_depth(self.graph)  # as shapes elsewhere show
        else:
            return None
        of_kind: list[Pairs] = []
        nodes = {node.name for node in self.nodes}
        for order in possible:
            pairs = _in_order([node for node in order if node.name in nodes], self.layers)
            if self._fits(pairs) and not any(_same(pairs, one) for one in of_kind):
                of_kind.append(pairs)
        if len(of_kind) != 1:
            return None
        self.how = "by names, order and shapes"
        return of_kind[0]

    def _fits(self, pairs: Pairs) -> bool:
        return all(
            node.name in pairs and of_layer(pairs[node.name]) == wanted
            for node, wanted in zip(self.nodes, self.wanted, strict=True)
        )

    def _assumed(self) -> Match:
        """The layers of each signature in the file's order, onto the nodes in the network's."""
        waiting: defaultdict[Signature, list[Layer]] = defaultdict(list)
        for layer in self.layers:
            waiting[self.signatures[id(layer)]].append(layer)
        pairs = {node.name: waiting[one].pop(0) for node, one in zip(self.nodes, self.wanted, strict=True)}
        self.how = "by order, as was asked for"
        return self._with_rest(pairs)

    def _with_rest(self, pairs: Pairs) -> Match:
        used = {id(layer) for layer in pairs.values()}
        rest = [layer for layer in self.layers if id(layer) not in used]
        if rest and not self._may_remain(pairs, rest):
            lines = [f"left over in the file: {tensor}" for layer in rest for tensor in layer.tensors.values()]
            return Match({}, self.how, tuple(lines))
        if rest:
            names = ", ".join(layer.name for layer in rest[:_NAMED])
            more = f" and {len(rest) - _NAMED:,} more" if len(rest) > _NAMED else ""
            self.notes.append(f"left over in the file: {names}{more}")
        wanted = {node.name: one for node, one in zip(self.nodes, self.wanted, strict=True)}
        adapted = {name: _adapted(self.graph[name], layer, wanted[name]) for name, layer in pairs.items()}
        if self.how != OWN:
            self.notes += conventions.notes(self.graph, pairs)
        return Match(adapted, self.how, (), self.fresh, tuple(self.notes))

    def _judged(self, pairs: Pairs) -> Match:
        """Lists the tensors on both sides that have no partner of their shape."""
        problems = [line for node in self.nodes for line in _misfits(node, pairs.get(node.name))]
        used = {id(layer) for layer in pairs.values()}
        rest = [tensor for layer in self.layers if id(layer) not in used for tensor in layer.tensors.values()]
        problems += [f"left over in the file: {tensor}" for tensor in rest]
        return Match({}, self.how, tuple(problems), self.fresh)

    def _may_remain(self, pairs: Pairs, rest: Sequence[Layer]) -> bool:
        """Whether what is left over is what comes after the network, or classifies beside its own head."""
        last = self.nodes[-1].name if self.nodes else ""
        head = self.signatures[id(pairs[last])] if not self.fresh and self._classifies(last) else None
        classes = head.leaving if head else self.classes
        taken = {prefix for layer in pairs.values() for prefix in _prefixes(layer.name)}
        groups = _grouped(rest, lambda layer: _apart(layer.name, taken))
        kernels = {
            key: [self.signatures[id(one)] for one in some if self.signatures[id(one)].kind == "kernel"]
            for key, some in groups.items()
        }
        if classes is None:
            return all(kernels.values())
        return all(
            any(one.leaving == classes for one in some) or (head is not None and _is_beside(head, some))
            for some in kernels.values()
        )

    def _classifies(self, last: str) -> bool:
        return bool(last) and isinstance(self.graph[last].op, ops.Dense)


def _is_beside(head: Signature, others: Sequence[Signature]) -> bool:
    """Whether these take in what a head takes in, and none could stand before it."""
    return bool(others) and all(one.arriving == head.arriving != one.leaving for one in others)


def _apart(name: str, taken: Set[str]) -> str:
    """The shortest prefix of a name that no layer with a place has."""
    return next((prefix for prefix in _prefixes(name) if prefix not in taken), name)


def _prefixes(name: str) -> list[str]:
    """All that a name begins with up to a dot, shortest first."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _is_shortcut_or_residual(one: Open) -> bool:
    return sum(on_shortcut(node.name) for node in one.nodes) == 1 and len(one.nodes) == 2


def _same(one: Pairs, other: Pairs) -> bool:
    return all(other[name] is layer for name, layer in one.items())


def _sees_image(graph: Graph, node: Node) -> bool:
    """Whether a convolution takes in the channels of the image themselves."""
    while node.inputs:
        before = graph[node.inputs[0]]
        if len(node.inputs) > 1 or before.weights:
            return False
        node = before
    return True


def _channels(count: int) -> str:
    return f"{count} channel" + "s" * (count != 1)


def _rule(ours: int, theirs: int) -> str:
    if ours == 1:
        return f"the sum of the {theirs}"
    return (
        f"the {theirs} are repeated and scaled by {theirs}/{ours}" if theirs != 1 else f"repeated and divided by {ours}"
    )


def _adapted(node: Node, layer: Layer, theirs: Signature) -> Layer:
    """A first convolution for another number of channels: their sum for one, else repeated and scaled."""
    if of_layer(layer) == of_node(node) or theirs == of_node(node):
        return layer
    kernel, count = layer.tensors["kernel"], of_node(node).arriving
    array = kernel.array
    if count == 1:
        array = array.sum(axis=2, keepdims=True)
    else:
        array = array[:, :, np.arange(count) % theirs.arriving] * np.float32(theirs.arriving / count)
    changed: StoredTensor = replace(kernel, array=array)
    return replace(layer, tensors={**layer.tensors, "kernel": changed})


def _by_place(nodes: Sequence[Node], layers: Sequence[Layer]) -> Pairs:
    """Pairs place by place and kind by kind; then what has a name of its own, in order."""
    theirs = _grouped(layers, lambda layer: (position(layer.name), layer.kind))
    ours = _grouped(nodes, lambda node: (position_of(node), kind(node)))
    pairs: Pairs = {}
    for key, group in ours.items():
        pairs |= _aligned(group, sorted(theirs.get(key, ()), key=lambda layer: rank(layer.name)))
    strangers = [layer for layer in layers if position(layer.name) is None]
    return pairs | _in_order([node for node in nodes if node.name not in pairs], strangers)


def position_of(node: Node) -> Position:
    """The stem, the head or the unit that a node stands in, and whether on its shortcut."""
    parts = node.name.split("/")
    section = "/".join(parts[:2]) if parts[0].startswith("stage") and len(parts) > 2 else parts[0]
    return Position(section, on_shortcut(node.name))


def _in_order(nodes: Sequence[Node], layers: Sequence[Layer]) -> Pairs:
    theirs, ours = _grouped(layers, lambda layer: layer.kind), _grouped(nodes, kind)
    pairs: Pairs = {}
    for key, group in ours.items():
        pairs |= _aligned(group, theirs.get(key, []))
    return pairs


def _aligned(nodes: Sequence[Node], layers: Sequence[Layer]) -> Pairs:
    """Pairs one by one where there are as many; else the longest runs of the same shapes, and what lies between."""
    if len(nodes) == len(layers) or len(nodes) * len(layers) > _LONGEST_ALIGNMENT:
        return {node.name: layer for node, layer in zip(nodes, layers, strict=False)}
    matcher = SequenceMatcher(None, [_shapes(node) for node in nodes], [layer.shapes() for layer in layers], False)
    pairs: Pairs = {}
    for _, start, stop, first, last in matcher.get_opcodes():
        pairs |= {node.name: layer for node, layer in zip(nodes[start:stop], layers[first:last], strict=False)}
    return pairs


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


def _shapes(node: Node) -> frozenset[tuple[str, Shape]]:
    return frozenset((weight.name, weight.shape) for weight in node.weights)


def _grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> dict[Hashable, list[Item]]:
    groups: defaultdict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
