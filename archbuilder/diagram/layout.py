"""The places of everything in a diagram: a straight spine, paths beside it, stages in columns, columns in rows.

The spine leads from top to bottom, or from left to right: here all is measured along the spine and across it, and
only at the end this becomes x and y. Graphviz' own layout bends the spine and takes long ways around, and a network
is known well enough to do without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import assert_never

from archbuilder.diagram.drawing import Drawing, Edge, Frame, PlacedBox, Point, Text, label_size, turned
from archbuilder.diagram.flow import Box, Flow, Fork, Panel, Side, Stroke
from archbuilder.diagram.options import Direction
from archbuilder.diagram.text import SMALL, box_size, text_width

GAP = 15.0
"""The distance between two boxes: room for an arrow."""
FORK = 7.0
"""The distance between a box and the fork behind it."""
ASIDE = 13.0
"""The distance between the spine's boxes and a path beside them."""
PAD = 9.0
HEADER = 22.0
GUTTER = 26.0
"""The distance between two columns."""
BETWEEN = 4 * PAD
"""The distance between two rows of columns."""
APART = 13.0
"""The distance between two lines that go into a merge."""

Columns = Sequence[Flow]
Breaks = Mapping[int, Columns]
"""The columns in which what a panel holds is drawn, by the panel's identity."""


@dataclass(frozen=True, slots=True)
class Size:
    """The room that an element takes: to both sides of the spine where this comes in, and along it."""

    left: float
    right: float
    along: float
    shift: float = 0
    """How far to the right of that the spine goes out."""


@dataclass(frozen=True, slots=True)
class Wire:
    """An edge under way: where it comes from and the points so far."""

    tail: str
    points: tuple[Point, ...]
    stroke: Stroke = "solid"

    def to(self, *points: Point) -> Wire:
        return Wire(self.tail, (*self.points, *points), self.stroke)


NOWHERE = Wire("", ())
"""The wire that leads to the first box, which comes from nowhere."""


class Builder:
    """Places elements one by one; `frame` is the panel that is being filled, `bounds` the sides of the next one."""

    def __init__(self, flow: Flow, direction: Direction = "down") -> None:
        self.direction = direction
        self.breaks: Breaks = {}
        self.box_width = widest(flow)
        self.frame = Frame()
        self.bounds = (0.0, 0.0)
        self.edges: list[Edge] = []
        self.texts: list[Text] = []
        self.sizes: dict[int, Size] = {}
        """Those of elements, by their identity: each is asked for at every depth of what lies around it."""

    def drawing(self) -> Drawing:
        """All that was placed, in x and y."""
        drawing = Drawing(self.frame, tuple(self.edges), tuple(self.texts))
        return drawing if self.direction == "down" else turned(drawing)

    def broken(self, breaks: Breaks) -> Builder:
        """Another that draws what some outermost panels hold in columns."""
        other = copy(self)
        other.breaks = breaks
        other.sizes = {key: size for key, size in self.sizes.items() if key not in breaks}
        other.frame, other.edges, other.texts = Frame(), [], []
        return other

    # How much room things take.

    def size(self, flow: Flow) -> Size:
        left = right = shift = 0.0
        along = sum(_gap(before, after) for before, after in pairwise(flow))
        for size in map(self._size, flow):
            along += size.along
            left, right = max(left, size.left - shift), max(right, size.right + shift)
            shift += size.shift
        return Size(left, right, along, shift)

    def _size(self, element: Box | Fork | Panel) -> Size:
        if (known := self.sizes.get(id(element))) is None:
            known = self.sizes[id(element)] = self._measured(element)
        return known

    def _measured(self, element: Box | Fork | Panel) -> Size:
        match element:
            case Box():
                across, along = self._box_size(element)
                return Size(across / 2, across / 2, along)
            case Fork():
                return self._fork_size(element)
            case Panel():
                return self._panel_size(element)
            case _:
                assert_never(element)

    def _panel_size(self, panel: Panel) -> Size:
        inner = self.columns_size(self._columns(panel))
        title, details = text_width(panel.title, bold=True), text_width(panel.details, SMALL) + 6
        if self.direction == "right":
            along = max(inner.along, title + details)
            return Size(inner.left + HEADER, inner.right + PAD, self._header(panel) + along + PAD, inner.shift)
        left, right = max(inner.left, title) + PAD, max(inner.right, details) + PAD
        footer = 2 * PAD if id(panel) in self.breaks else PAD
        return Size(left, right, self._header(panel) + inner.along + footer, inner.shift)

    def _columns(self, panel: Panel) -> Columns:
        return self.breaks.get(id(panel), (panel.flow,))

    def columns_size(self, columns: Columns) -> Size:
        """The room of columns beside each other, where the spine comes into the first and goes out of the last."""
        sizes = [self.size(column) for column in columns]
        right, start = sizes[0].right, 0.0
        for size in sizes[1:]:
            start = right + GUTTER + size.left
            right = start + size.right
        return Size(sizes[0].left, right, max(size.along for size in sizes), start + sizes[-1].shift)

    def _box_size(self, box: Box) -> Point:
        """Across and along."""
        width, height = box_size(box)
        if self.direction == "right":
            return height, width
        return (self.box_width if is_wide(box) else width, height)

    def _merge_size(self, fork: Fork) -> Point:
        """That of a merge into which named paths have lines of their own."""
        across, along = self._box_size(fork.merge)
        names = sum(bool(side.name) for side in fork.sides)
        return across, max(along, APART * names)

    def _label_size(self, lines: Sequence[str]) -> Point:
        width, height = label_size(lines)
        return (width, height) if self.direction == "down" else (height, width)

    def _fork_size(self, fork: Fork) -> Size:
        across, along = self._merge_size(fork)
        main = self.size(fork.main)
        right = max(main.right, across / 2)
        for side in fork.sides:
            size = self._side_size(side)
            right += ASIDE + size.left + size.right
        left = max(main.left + self._beside(fork.label), across / 2 + self._beside(fork.result))
        return Size(left, right, self._run(fork) + along)

    def _beside(self, words: str) -> float:
        """The room of words to the left of the spine."""
        return self._label_size([words])[0] + 10 if words else 0.0

    def _side_size(self, side: Side) -> Size:
        size = self.size(side.flow)
        label = self._label_size(side.label)[0] + 5 if side.label else 0.0
        return Size(size.left, max(size.right, label), size.along)

    def _run(self, fork: Fork) -> float:
        """The distance from the fork to the top of the merge."""
        flows = [self.size(fork.main).along, *(self.size(side.flow).along for side in fork.sides)]
        labels = [self._label_size(side.label)[1] for side in fork.sides]
        return max(GAP + max(flows) + GAP, *labels)

    # Where things go.

    def place_rows(self, rows: Sequence[Columns]) -> None:
        """Columns beside each other, rows of them below each other, all rows beginning at one line."""
        edge, start, wire = self.size(rows[0][0]).left, 0.0, NOWHERE
        for row in rows:
            size = self.columns_size(row)
            across = size.left - edge
            if wire is not NOWHERE:
                back = start - BETWEEN / 2
                wire = wire.to((wire.points[-1][0], back), (across, back), (across, start))
            wire = self._place_columns(row, across, start, wire)
            start += size.along + BETWEEN

    def _place_columns(self, columns: Columns, across: float, start: float, wire: Wire) -> Wire:
        right = end = 0.0
        for number, column in enumerate(columns):
            size = self.size(column)
            if number:
                across = right + GUTTER + size.left
                wire = _around(wire, (end, start), across - size.left - GUTTER / 2, across)
            right = across + size.right
            self.bounds = (across - size.left, right)
            wire = self.place_flow(column, across, start, wire)
            end = start + size.along
        return wire

    def place_flow(self, flow: Flow, across: float, start: float, wire: Wire) -> Wire:
        for index, element in enumerate(flow):
            if index:
                start += _gap(flow[index - 1], element)
            wire = self._place(element, across, start, wire)
            size = self._size(element)
            start += size.along
            across += size.shift
        return wire

    def _place(self, element: Box | Fork | Panel, across: float, start: float, wire: Wire) -> Wire:
        match element:
            case Box():
                return self._place_box(element, self._box_size(element), (across, start), wire)
            case Fork():
                return self._place_fork(element, across, start, wire)
            case Panel():
                return self._place_panel(element, across, start, wire)
            case _:
                assert_never(element)

    def _place_box(self, box: Box, size: Point, top: Point, wire: Wire) -> Wire:
        across, start = top
        self.frame.boxes.append(PlacedBox(box, (across, start + size[1] / 2), *size))
        if wire is not NOWHERE:
            self._connect(wire.to((across, start)), box)
        return Wire(box.name, ((across, start + size[1]),), wire.stroke)

    def _connect(self, wire: Wire, box: Box) -> None:
        self.edges.append(Edge(wire.tail, box.name, wire.points, wire.stroke))

    def _place_panel(self, panel: Panel, across: float, start: float, wire: Wire) -> Wire:
        size = self._size(panel)
        outer, (left, right) = self.frame, self.bounds
        self.frame = Frame(panel, (left, start), (right, start + size.along), across)
        outer.frames.append(self.frame)
        inner = (left + PAD, right - PAD) if self.direction == "down" else (left + HEADER, right - PAD)
        columns, first = self._columns(panel), start + self._header(panel)
        if len(columns) > 1:
            wire = self._place_columns(columns, across, first, wire)
        else:
            self.bounds = inner
            wire = self.place_flow(panel.flow, across, first, wire)
        self.frame, self.bounds = outer, (left, right)
        return wire

    def _header(self, panel: Panel) -> float:
        """The room above what a panel holds; beside the spine a short title needs little."""
        if self.direction == "right":
            return PAD
        if id(panel) in self.breaks:
            return HEADER + PAD
        if panel.details:
            return HEADER
        return FORK if isinstance(panel.flow[0], Fork) else HEADER - 2

    def _place_fork(self, fork: Fork, across: float, start: float, wire: Wire) -> Wire:
        run, (width, along) = self._run(fork), self._merge_size(fork)
        inner = self._place_path(fork.main, across, start, run, wire)
        merge = self._place_box(fork.merge, (width, along), (across, start + run), inner)
        if fork.name:
            self.edges[-1] = replace(self.edges[-1], name=fork.name)
        main = self.size(fork.main)
        right = max(main.right, width / 2)
        for number, side in enumerate(fork.sides):
            size = self._side_size(side)
            right += ASIDE + size.left
            leaves, share = (start - 4 * number, (number + 0.5) / len(fork.sides)) if side.name else (start, 0.5)
            begin = Wire(wire.tail, ((across, leaves), (across + right, leaves)), side.stroke)
            path = self._place_path(side.flow, across + right, start, run, begin)
            self._place_side(side, fork.merge, path, (across + width / 2, start + run + along * share))
            right += size.right
        self._place_words(fork, across, start, run)
        return merge

    def _place_words(self, fork: Fork, across: float, start: float, run: float) -> None:
        """The name of the main path by its arrow into the merge, and the words to the left."""
        width, along = self._merge_size(fork)
        if fork.name:
            self._name(fork.name, (across - 4 - self._label_size([fork.name])[0] / 2, start + run - GAP / 2))
        for words, edge, middle in [
            (fork.label, self.size(fork.main).left, start + run / 2), (fork.result, width / 2, start + run + along / 2)
        ]:  # fmt: skip
            if words:
                self._name(words, (across - edge - 5 - self._label_size([words])[0] / 2, middle))

    def _name(self, words: str, centre: Point) -> None:
        self.texts.append(Text(words, centre, "faint"))

    def _place_path(self, flow: Flow, across: float, start: float, run: float, wire: Wire) -> Wire:
        """A path in the middle of the way from its fork to its merge."""
        return self.place_flow(flow, across, start + (run - self.size(flow).along) / 2, wire)

    def _place_side(self, side: Side, merge: Box, wire: Wire, entry: Point) -> None:
        """The end of a path beside the spine: down to the height of the merge, and into it from the right."""
        across, start = wire.points[-1]
        width, along = self._label_size(side.label)
        centre = (across + 5 + width / 2, (start + entry[1]) / 2)
        end = wire.to((across, entry[1]), entry)
        self.edges.append(Edge(wire.tail, merge.name, end.points, wire.stroke, side.label, centre, side.name))
        if side.name:
            width, along = self._label_size([side.name])
            self._name(side.name, (entry[0] + 8 + width / 2, entry[1] - 2.5 - along / 2))


def widest(flow: Flow) -> float:
    """The width of the widest box, so that all may have it."""
    found = 0.0
    for element in flow:
        match element:
            case Box():
                found = max(found, box_size(element)[0] if is_wide(element) else 0)
            case Fork():
                found = max(found, widest(element.main), *(widest(side.flow) for side in element.sides))
            case Panel():
                found = max(found, widest(element.flow))
            case _:
                assert_never(element)
    return found


def is_wide(box: Box) -> bool:
    """Whether a box is as wide as all others; a merge and a mark are as wide as their words."""
    return box.kind not in ("merge", "mark")


def _gap(before: Box | Fork | Panel, after: Box | Fork | Panel) -> float:
    return FORK if isinstance(after, Fork) else GAP


def _around(wire: Wire, ends: Point, gutter: float, across: float) -> Wire:
    """Leads a wire from the end of one column through the gutter to the start of the next."""
    below, above = ends[0] + PAD, ends[1] - PAD
    return wire.to((wire.points[-1][0], below), (gutter, below), (gutter, above), (across, above))
