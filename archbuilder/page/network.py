"""The section of a page that shows a network, as text that is read from left to right and row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import ClassVar

from archbuilder.costs.summary import Layer, Summary
from archbuilder.diagram.content import TIMES, is_major, merge_box, section_flow
from archbuilder.diagram.flow import Flow, Fork, Side, Stroke
from archbuilder.diagram.folding import Uses, rows, uses
from archbuilder.formatting import mebibytes
from archbuilder.graph import ops
from archbuilder.graph.analysis import Section, is_closed, stages, units
from archbuilder.graph.network import Costs, Graph, Node
from archbuilder.graph.ops import Input
from archbuilder.graph.words import node_words
from archbuilder.page.words import short, size, spaced, times

FEWEST = 3
"""Equal units in a row from which on one stands for all."""
MOST_CARDS = 400
"""The units that a page shows one by one; of a larger network, equal units stay folded."""
MOST_LINES = 14
"""The layers that are told of one unit where it is pointed at."""
MOST_PLACES = 3
"""The places elsewhere in the network that are named at one unit."""
LONGEST_PIECE = 40
"""The layers of a residual unit that is looked for among others that are not closed."""
MOST_NODES = 2000
"""The layers of a network in which such units are looked for at all."""
KINDS: dict[Stroke, str] = {
    "solid": "identity", "dashed": "projection, with weights", "dotted": "without weights, where the shape changes"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """What is drawn in one go; what it takes in from elsewhere is named before it."""

    flow: Flow
    follows: bool
    """Whether it takes in what stands before it."""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tip:
    """What is told of a unit where it is pointed at."""

    id: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A unit, or what stands outside of units; `row` is that of the costs which it leads to."""

    row: str
    pieces: tuple[Piece, ...]
    caption: str
    tip: Tip

    @property
    def has_forks(self) -> bool:
        return any(isinstance(element, Fork) for piece in self.pieces for element in piece.flow)


@dataclass(frozen=True, slots=True)
class Group:
    """Equal units, of which the last stands for all."""

    title: str
    about: str
    one: Card
    cards: tuple[Card, ...]
    """All of them, unless the network is too large."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stage, the stem or the head."""

    id: str
    name: str
    trainable: str
    macs: str
    elements: tuple[Card | Group, ...]
    begins: str
    """The shape of the image before the first row."""
    ends: str


@dataclass(frozen=True)
class Network:
    """The rows of a network; `key` is what tells its parts from those of others on the same page."""

    template: ClassVar[str] = "network.html"
    id: str
    title: str
    rows: tuple[Row, ...]
    shortcuts: tuple[tuple[Stroke, str], ...]
    """The kinds of shortcuts that it has."""
    notes: tuple[str, ...] = field(default=())


def network(graph: Graph, summary: Summary, key: str = "", title: str = "Network") -> Network:
    """The picture of a network with the costs of its summary."""
    view = _View(graph, summary, key)
    shown = tuple(view.rows())
    found = {side.stroke for row in shown for side in _shortcuts(row)}
    kinds = tuple((stroke, words) for stroke, words in KINDS.items() if stroke in found)
    return Network(f"{key}network", title, shown, kinds)


def _shortcuts(row: Row) -> Iterator[Side]:
    for element in row.elements:
        card = element.one if isinstance(element, Group) else element
        for piece in card.pieces:
            yield from _sides(piece.flow)


def _sides(flow: Flow) -> Iterator[Side]:
    for element in flow:
        if isinstance(element, Fork):
            yield from (side for side in element.sides if not side.flow)
            yield from _sides(element.main)
            for side in element.sides:
                yield from _sides(side.flow)


class _View:
    """A graph beside its costs, and where in it nodes stand."""

    def __init__(self, graph: Graph, summary: Summary, key: str) -> None:
        self.graph, self.key = graph, key
        self.layers = {layer.name: layer for layer in summary.layers}
        self.numbers = count(1)
        self.used: Uses = uses(graph)
        self.stages = [stage for stage in stages(graph) if stage.nodes != (graph.input,)]
        sections = [unit for stage in self.stages for unit in units(stage)]
        self.entries = dict(zip(map(_key, sections), [graph.input.name, *map(_end, sections)], strict=False))
        self.keys = {node.name: _key(section) for section in sections for node in section.nodes}
        self.users: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self.users.setdefault(name, []).append(node)
        self.is_large = len(sections) > MOST_CARDS

    def rows(self) -> Iterator[Row]:
        for place, stage in enumerate(self.stages):
            costs = self._costs(stage.nodes)
            macs = f"{short(costs.macs)} multiply-adds" if costs.macs else ""
            begins = size(self.graph.input.shape) if not place else ""
            elements = tuple(self._elements(stage))
            trainable = f"{costs.trainable:,} parameters" if costs.trainable else ""
            name = spaced(stage.name)
            yield Row(self._id(stage.name), name, trainable, macs, elements, begins, size(stage.nodes[-1].shape))

    def _id(self, name: str) -> str:
        return f"{self.key}{name}"

    def _elements(self, stage: Section) -> Iterator[Card | Group]:
        for same in rows(self.graph, stage, self.used):
            if len(same) >= FEWEST:
                yield self._group(same)
            else:
                yield from (self._card(stage, section) for section in same)

    def _group(self, same: Sequence[Section]) -> Group:
        names = [unit.name.rpartition("/")[2] for unit in same]
        numbers = [name.removeprefix("unit") for name in (names[0], names[-1])]
        trainable = [self._costs(unit.nodes).trainable for unit in same]
        low, high = min(trainable), max(trainable)
        each = f"{short(low)} each" if low == high else f"{short(low)} to {short(high)} each"
        about = f"units {numbers[0]} to {numbers[1]}"
        one = self._shown(same[-1], each if high else "", self._tip_of_all(same))
        cards = () if self.is_large else tuple(self._unit(unit) for unit in same)
        return Group(f"{TIMES}{len(same)}", about, one, cards)

    def _card(self, stage: Section, section: Section) -> Card:
        if section.name == stage.name:
            return self._shown(section, "", self._tip(section, spaced(section.name)))
        return self._unit(section)

    def _unit(self, unit: Section) -> Card:
        trainable, name = self._costs(unit.nodes).trainable, spaced(unit.name.rpartition("/")[2])
        return self._shown(unit, f"{name} · {short(trainable)}" if trainable else name, self._tip(unit, unit.name))

    def _shown(self, section: Section, caption: str, tip: Tip) -> Card:
        parts = [caption, *(f"also to {name}" for name in self._targets(section.nodes))]
        return Card(self._id(section.name), tuple(self._pieces(section)), " · ".join(filter(None, parts)), tip)

    def _pieces(self, section: Section) -> Iterator[Piece]:
        """A section whole where it is closed, else cut wherever something comes in from elsewhere or goes there."""
        nodes = [node for node in section.nodes if not isinstance(node.op, Input)]
        entry = self.entries[_key(section)]
        if is_closed(nodes, entry):
            yield Piece(section_flow(Section(section.name, tuple(nodes)), "stage"), True)
            return
        before = entry
        for piece in _cut(nodes, LONGEST_PIECE if len(self.graph.nodes) <= MOST_NODES else 1):
            sources = [name for name in piece[0].inputs if name != before]
            yield Piece(_flow(piece), before in piece[0].inputs, self._places(sources, section.name))
            before = piece[-1].name

    def _places(self, names: Sequence[str], here: str) -> tuple[str, ...]:
        return _few([self._place(self.graph[name], here) for name in names])

    def _place(self, node: Node, here: str) -> str:
        """Where a node stands, for somebody who reads about another part."""
        if isinstance(node.op, Input):
            return "input"
        if node.section == here:
            return times(node_words(node))
        stage = node.section.partition("/")[0]
        is_last = any(node is one.nodes[-1] for one in self.stages)
        return spaced(stage) if is_last else self._place_of_section(node, here.partition("/")[0])

    def _targets(self, nodes: Sequence[Node]) -> tuple[str, ...]:
        """Where else in the network, or to which output, something leads that is not the way on from here."""
        found = []
        for node in nodes:
            others = [
                user for user in self.users.get(node.name, ())
                if user.section != node.section and self.entries[self.keys[user.name]] != node.name
            ]  # fmt: skip
            found += [self._place_of_section(user, node.section.partition("/")[0]) for user in others]
            if node.name in self.graph.outputs and len(self.graph.outputs) > 1:
                found.append("the output")
        return _few(list(dict.fromkeys(found)))

    def _place_of_section(self, node: Node, here: str) -> str:
        """The part that a node stands in, for somebody who reads about a part of the stage `here`."""
        stage, _, unit = node.section.partition("/")
        names = [unit] if unit and stage == here else [stage, unit]
        return ", ".join(map(spaced, filter(None, names)))

    def _tip(self, section: Section, name: str) -> Tip:
        shape = size(section.nodes[-1].shape)
        return Tip(self._tip_id(), f"{name} → {shape}", (self._words(section.nodes), *self._lines(section)))

    def _tip_of_all(self, same: Sequence[Section]) -> Tip:
        first, last = same[0], same[-1]
        together = tuple(node for unit in same for node in unit.nodes)
        title = f"{first.name} to {last.name.rpartition('/')[2]} → {size(last.nodes[-1].shape)}"
        words = (f"together {self._words(together)}", f"the last: {self._words(last.nodes)}", *self._lines(last))
        return Tip(self._tip_id(), title, words)

    def _tip_id(self) -> str:
        return f"{self.key}t{next(self.numbers)}"

    def _costs(self, nodes: Sequence[Node]) -> Costs:
        return sum((self.layers[node.name].costs for node in nodes), Costs())

    def _words(self, nodes: Sequence[Node]) -> str:
        costs, memory = self._costs(nodes), sum(self.layers[node.name].activation_bytes for node in nodes)
        parts = [f"{costs.trainable:,} parameters" if costs.trainable else "no parameters"]
        parts += [f"{short(costs.macs)} multiply-adds"] if costs.macs else []
        return " · ".join([*parts, mebibytes(memory)])

    def _lines(self, section: Section) -> list[str]:
        """The layers of a section, without what is told beside them."""
        layers = [self.layers[node.name] for node in section.nodes if is_major(node) and not isinstance(node.op, Input)]
        more = len(layers) - MOST_LINES
        rest = [f"and {more} more layers"] if more > 0 else []
        return [*map(_layer_words, layers[:MOST_LINES]), *rest]


def _layer_words(layer: Layer) -> str:
    words = f"{times(layer.words)} → {size(layer.output_shape)}"
    return f"{words} · {layer.costs.trainable:,}" if layer.costs.trainable else words


def _key(section: Section) -> str:
    """What tells a section from all others: its first node, since parts of a stage share its name."""
    return section.nodes[0].name


def _end(section: Section) -> str:
    return section.nodes[-1].name


def _cut(nodes: Sequence[Node], longest: int) -> Iterator[Sequence[Node]]:
    """Nodes in pieces: each takes something in at its beginning alone, and comes down to its last node."""
    start = 0
    while start < len(nodes):
        end = next(end for end in range(min(len(nodes), start + longest), start, -1) if _is_piece(nodes[start:end]))
        yield nodes[start:end]
        start = end


def _is_piece(nodes: Sequence[Node]) -> bool:
    first, *rest = nodes
    return is_closed(rest, first.name) if _is_merge(first) else is_closed(nodes, first.inputs[0])


def _is_merge(node: Node) -> bool:
    return isinstance(node.op, ops.Merge)


def _flow(piece: Sequence[Node]) -> Flow:
    """A piece that may begin with a merge of what comes in from elsewhere."""
    first, *rest = piece
    if not _is_merge(first):
        return section_flow(Section(first.section, tuple(piece)), "stage")
    if any(map(is_major, rest)):
        return (merge_box(first, ()), *section_flow(Section(first.section, tuple(rest)), "stage"))
    return (merge_box(first, rest),)


def _few(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - MOST_PLACES
    return (*names[:MOST_PLACES], f"{more} more") if more > 0 else tuple(names)
