"""The form that two graphs share if and only if they are one network but for names, whatever their layers lead to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from heapq import heappop, heappush
from typing import cast

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, leading_to
from archbuilder.graph.ops import Op, Padding, Shape
from archbuilder.graph.words import op_name
from archbuilder.outline.parts import Item, word
from archbuilder.outline.reduction import reduced, resolved_padding

Colour = bytes
SWEEPS = 100_000
"""How many layers are looked at, at most, to tell alike ones apart by where they lead; it takes less than a second."""


@dataclass(frozen=True, slots=True)
class Row:
    """A layer in the shortest form that computes the same, behind other rows."""

    item: Op | str
    """The op, without what only starts or regularises its weights; of a merge, only its kind."""
    inputs: tuple[int, ...]
    shape: Shape
    node: Node
    """The last node that it stands for."""

    @property
    def commutes(self) -> bool:
        """Whether its inputs may come in any order."""
        return isinstance(self.node.op, ops.Commutative)

    def arranged(self, values: Sequence[Colour]) -> list[Colour]:
        """What the inputs have, in their order; of a sum or a product, in one that does not depend on it."""
        here = [values[index] for index in self.inputs]
        return sorted(here) if self.commutes else here


def canonical(graph: Graph) -> Hashable:
    """A value that two graphs share if and only if the same weights give the same outputs and are updated alike.

    Compares op by op. Names, the order of layers, that of the paths of a sum or a product, and the parting into stages
    and units do not count, nor do ways to write one function (an average over the whole image), nor what only starts or
    regularises the weights (initializers, l2, zero_scale).
    """
    rows, outputs = ordered_rows(graph)
    return tuple((row.item, row.inputs) for row in rows), outputs


def side_by_side(mine: Graph, theirs: Graph) -> list[tuple[Row, Row]] | None:
    """Each row of a graph and the one in its place in the other; None where more than settings of layers differs."""
    (here, outputs), (there, others) = (ordered_rows(graph, by_kind=True) for graph in (mine, theirs))
    forms = [[(_kind(row), row.inputs) for row in rows] for rows in (here, there)]
    return list(zip(here, there, strict=True)) if (forms[0], outputs) == (forms[1], others) else None


def _kind(row: Row) -> str:
    """What a row is, whatever its settings and the size of the image."""
    return row.item if isinstance(row.item, str) else word(row.item)


def ordered_rows(graph: Graph, by_kind: bool = False) -> tuple[tuple[Row, ...], tuple[int, ...]]:
    """The rows of a graph in an order that follows from what they are alone, and which of them are its outputs.

    They refer to their inputs by their new numbers. By kind, the settings of their layers do not count.
    """
    rows, outputs = _rows(graph)
    known = [replace(row, item=_kind(row)) for row in rows] if by_kind else rows
    colours = _told_apart(known, outputs)
    are_told_apart = len({*colours}) == len(rows)
    order = sorted(range(len(rows)), key=colours.__getitem__) if are_told_apart else _in_turn(rows, colours)
    numbers = [0] * len(rows)
    for number, index in enumerate(order):
        numbers[index] = number
    found = (Row(row.item, _numbered(row, numbers), row.shape, row.node) for row in map(rows.__getitem__, order))
    return tuple(found), tuple(numbers[index] for index in outputs)


def _in_turn(rows: Sequence[Row], colours: Sequence[Colour]) -> list[int]:
    """Rows behind their inputs, by their colours, and those of one colour by the numbers of their inputs."""
    order: list[int] = []
    numbers = [0] * len(rows)
    waiting, users = [len(set(row.inputs)) for row in rows], _users(rows)
    ready: list[tuple[Colour, tuple[int, ...], int]] = []
    for index in (index for index, count in enumerate(waiting) if not count):
        heappush(ready, (colours[index], (), index))
    while ready:
        *_, index = heappop(ready)
        numbers[index] = len(order)
        order.append(index)
        for user in dict.fromkeys(user for user, _ in users[index]):
            waiting[user] -= 1
            if not waiting[user]:
                heappush(ready, (colours[user], _numbered(rows[user], numbers), user))
    return order


def trees(graph: Graph) -> tuple[list[tuple[Hashable, Node]], tuple[Hashable, ...]]:
    """A value for all that leads to each layer, whatever the size of the image, with the layer; those of the outputs.

    Layers of which two graphs have the same are computed alike in both. Which of them are one layer it does not tell.
    """
    rows, outputs = _rows(graph)
    colours = _behind_each([replace(row, item="input") if not row.inputs else row for row in rows])
    return [(colour, row.node) for colour, row in zip(colours, rows, strict=True)], tuple(
        colours[index] for index in outputs
    )


def _numbered(row: Row, numbers: Sequence[int]) -> tuple[int, ...]:
    inputs = tuple(numbers[index] for index in row.inputs)
    return tuple(sorted(inputs)) if row.commutes else inputs


def _rows(graph: Graph) -> tuple[list[Row], tuple[int, ...]]:
    """The rows that some output depends on, each behind its inputs, and which are the outputs."""
    rows: list[Row] = []
    places: dict[str, int] = {}
    for node in leading_to(graph.outputs, graph.nodes):
        inputs = tuple(places[name] for name in node.inputs)
        if isinstance(node.op, ops.Merge):
            places[node.name] = _append(rows, op_name(node.op), inputs, node)
        elif not inputs:
            places[node.name] = _append(rows, node.op, inputs, node)
        else:
            places[node.name] = _behind(rows, inputs[0], node)
    return _needed(rows, [places[name] for name in graph.outputs])


def _behind(rows: list[Row], before: int, node: Node) -> int:
    """The place of a node behind a row, with which it may share one; two rows before are all that decides."""
    arriving, chain = rows[before].shape, [before]
    while len(chain) < 3 and len(rows[chain[0]].inputs) == 1:
        chain.insert(0, rows[chain[0]].inputs[0])
    items: list[Item] = [cast(Op, rows[index].item) for index in chain[1:]]
    behind = reduced(items, node.op, arriving)
    kept = next((place for place, (a, b) in enumerate(zip(items, behind, strict=False)) if a is not b), len(items))
    kept = min(kept, len(behind))
    place = chain[kept]
    for item in behind[kept:]:
        place = _append(rows, cast(Op, item), (place,), node)
    return place


def _append(rows: list[Row], item: Op | str, inputs: tuple[int, ...], node: Node) -> int:
    rows.append(Row(item, inputs, node.shape, node))
    return len(rows) - 1


def _needed(rows: list[Row], outputs: Sequence[int]) -> tuple[list[Row], tuple[int, ...]]:
    """The rows without those that others took the place of, their ops plain."""
    needed = {*outputs}
    for index in reversed(range(len(rows))):
        if index in needed:
            needed.update(rows[index].inputs)
    places = {index: place for place, index in enumerate(sorted(needed))}
    found = []
    for index in places:
        row = rows[index]
        item = row.item if isinstance(row.item, str) else _plain(row.item, row.inputs and rows[row.inputs[0]].shape)
        found.append(Row(item, tuple(places[one] for one in row.inputs), row.shape, row.node))
    return found, tuple(places[index] for index in outputs)


@lru_cache(4096)
def _plain(op: Op, arriving: Shape) -> Op:
    if isinstance(op, ops.Windowed | ops.ConvTranspose):
        op = replace(op, padding=cast(Padding, resolved_padding(op, arriving)))
    return op.untrained()


def _told_apart(rows: Sequence[Row], outputs: Sequence[int]) -> list[Colour]:
    """A colour for each row, the same for those that only their names tell apart.

    It stands for all that leads to the row and, where that is alike elsewhere, for all that the row leads to. What is
    alike even so is given colours one by one, each time telling others apart by it. In a network with too much of that,
    rows that are alike are left: in their order, each goes by the numbers of its inputs.
    """
    colours, spent = _behind_each(rows), 0
    while len({*colours}) < len(rows):
        users, count = _users(rows), 0
        while len({*colours}) > count:
            count, spent = len({*colours}), spent + len(rows)
            colours = _behind_each(rows, _ahead_of_each(rows, outputs, users, colours))
            if spent > SWEEPS:
                return colours
        if alike := [colour for colour, times in Counter(colours).items() if times > 1]:
            colours[colours.index(min(alike))] = _digest(min(alike), b"chosen")
    return colours


def _users(rows: Sequence[Row]) -> list[list[tuple[int, bytes]]]:
    """Which rows take in each row, and as which of their inputs; those of a sum or a product are all one."""
    users: list[list[tuple[int, bytes]]] = [[] for _ in rows]
    for index, row in enumerate(rows):
        for place, source in enumerate(row.inputs):
            users[source].append((index, b"" if row.commutes else b"%d" % place))
    return users


def _behind_each(rows: Sequence[Row], own: Sequence[Colour] | None = None) -> list[Colour]:
    """A colour for the tree of layers that leads to each row, each with a colour of its own."""
    colours: list[Colour] = []
    for index, row in enumerate(rows):
        label = own[index] if own else _label(row.item)
        colours.append(_digest(label, *row.arranged(colours)))
    return colours


def _ahead_of_each(
    rows: Sequence[Row], outputs: Sequence[int], users: Sequence[list[tuple[int, bytes]]], own: Sequence[Colour]
) -> list[Colour]:
    """A colour for each row and for all that follows from it, each layer of that with its own."""
    ends: dict[int, list[bytes]] = {}
    for place, index in enumerate(outputs):
        ends.setdefault(index, []).append(b"output %d" % place)
    colours = list(own)
    for index in reversed(range(len(rows))):
        following = sorted(_digest(place, colours[user]) for user, place in users[index])
        colours[index] = _digest(own[index], *ends.get(index, ()), *following)
    return colours


@lru_cache(4096)
def _label(item: Op | str) -> Colour:
    return _digest(repr(item).encode())


def _digest(*parts: bytes) -> Colour:
    """A stable digest: Python's `hash` of a text differs from process to process."""
    return blake2b(b"|".join(parts), digest_size=16).digest()
