"""The places of everything in a diagram: a straight spine from top to bottom, paths beside it, stages in columns.

Places are in points, x to the right and y downwards. Graphviz only draws: its own layout bends the spine and takes
long ways around, and a network is known well enough to do without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import assert_never

from archbuilder.diagram.flow import Box, Flow, Fork, Panel, Side, Stroke
from archbuilder.diagram.text import SMALL, box_size, merge_size, text_width

Point = tuple[float, float]
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
TALLEST = 500.0
"""The height above which stages stand side by side."""


@dataclass(frozen=True, slots=True)
class Size:
    """The room that an element takes: to the left and right of the spine, and along it."""

    left: float
    right: float
    height: float


@dataclass(frozen=True, slots=True)
class PlacedBox:
    box: Box
    centre: Point
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one box to another along points, corners to be rounded, an arrow at its end."""

    tail: str
    head: str
    points: tuple[Point, ...]
    stroke: Stroke = "solid"
    label: tuple[str, ...] = ()
    label_centre: Point = (0, 0)


@dataclass
class Frame:
    """A panel in its place and what stands in it; the outermost has no panel."""

    panel: Panel | None = None
    top_left: Point = (0, 0)
    bottom_right: Point = (0, 0)
    spine: float = 0
    boxes: list[PlacedBox] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drawing:
    frame: Frame
    edges: list[Edge]


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


def layout(flow: Flow) -> Drawing:
    """A place for all of a diagram, in one column if that does not become too tall, else with a column a stage."""
    builder = _Builder(_widest(flow))
    columns: Sequence[Flow] = [flow]
    if builder.size(flow).height > TALLEST:
        columns = _columns(flow)
    builder.place_columns(columns)
    return Drawing(builder.frame, builder.edges)


def _columns(flow: Flow) -> list[Flow]:
    """One column a stage; what stands before the first goes above it, what stands behind the last below it."""
    starts = [index for index, element in enumerate(flow) if isinstance(element, Panel)]
    cuts = [0, *starts[1:], len(flow)]
    return [flow[start:end] for start, end in pairwise(cuts)]


def _widest(flow: Flow) -> float:
    """The width of the widest box, so that all may have it."""
    widest = 0.0
    for element in flow:
        match element:
            case Box():
                widest = max(widest, box_size(element)[0])
            case Fork():
                widest = max(widest, _widest(element.main), *(_widest(side.flow) for side in element.sides))
            case Panel():
                widest = max(widest, _widest(element.flow))
            case _:
                assert_never(element)
    return widest


class _Builder:
    """Places elements one by one; `frame` is the panel that is being filled, `bounds` the sides of the next one."""

    def __init__(self, box_width: float) -> None:
        self.box_width = box_width
        self.frame = Frame()
        self.bounds = (0.0, 0.0)
        self.edges: list[Edge] = []
        self.sizes: dict[int, Size] = {}
        """Those of elements, by their identity: each is asked for at every depth of what lies around it."""

    # How much room things take.

    def size(self, flow: Flow) -> Size:
        if not flow:
            return Size(0, 0, 0)
        sizes = [self._size(element) for element in flow]
        gaps = sum(_gap(before, after) for before, after in pairwise(flow))
        height = sum(size.height for size in sizes) + gaps
        return Size(max(size.left for size in sizes), max(size.right for size in sizes), height)

    def _size(self, element: Box | Fork | Panel) -> Size:
        if (known := self.sizes.get(id(element))) is None:
            known = self.sizes[id(element)] = self._measured(element)
        return known

    def _measured(self, element: Box | Fork | Panel) -> Size:
        match element:
            case Box():
                width, height = self._box_size(element)
                return Size(width / 2, width / 2, height)
            case Fork():
                return self._fork_size(element)
            case Panel():
                inner = self.size(element.flow)
                left = max(inner.left, text_width(element.title, bold=True)) + PAD
                right = max(inner.right, text_width(element.details, SMALL) + 6) + PAD
                return Size(left, right, _header(element) + inner.height + PAD)
            case _:
                assert_never(element)

    def _box_size(self, box: Box) -> Point:
        return merge_size(box) if box.kind == "merge" else (self.box_width, box_size(box)[1])

    def _fork_size(self, fork: Fork) -> Size:
        merge = self._size(fork.merge)
        main = self.size(fork.main)
        right = max(main.right, merge.right)
        for side in fork.sides:
            size = self._side_size(side)
            right += ASIDE + size.left + size.right
        return Size(max(main.left, merge.left), right, self._run(fork) + merge.height)

    def _side_size(self, side: Side) -> Size:
        size = self.size(side.flow)
        label = max((text_width(line, SMALL) + 5 for line in side.label), default=0.0)
        return Size(size.left, max(size.right, label), size.height)

    def _run(self, fork: Fork) -> float:
        """The distance from the fork to the top of the merge."""
        tallest = max(self.size(flow).height for flow in (fork.main, *(side.flow for side in fork.sides)))
        return GAP + tallest + GAP

    # Where things go.

    def place_columns(self, columns: Sequence[Flow]) -> None:
        wire, x, bottom = NOWHERE, 0.0, 0.0
        for flow in columns:
            size = self.size(flow)
            if wire is not NOWHERE:
                x += GUTTER + size.left
                wire = _around(wire, bottom, x - size.left - GUTTER / 2, x)
            self.bounds = (x - size.left, x + size.right)
            wire = self._place_flow(flow, x, 0.0, wire)
            x += size.right
            bottom = size.height

    def _place_flow(self, flow: Flow, x: float, y: float, wire: Wire) -> Wire:
        for index, element in enumerate(flow):
            if index:
                y += _gap(flow[index - 1], element)
            wire = self._place(element, x, y, wire)
            y += self._size(element).height
        return wire

    def _place(self, element: Box | Fork | Panel, x: float, y: float, wire: Wire) -> Wire:
        match element:
            case Box():
                return self._place_box(element, x, y, wire)
            case Fork():
                return self._place_fork(element, x, y, wire)
            case Panel():
                return self._place_panel(element, x, y, wire)
            case _:
                assert_never(element)

    def _place_box(self, box: Box, x: float, y: float, wire: Wire) -> Wire:
        width, height = self._box_size(box)
        self.frame.boxes.append(PlacedBox(box, (x, y + height / 2), width, height))
        if wire is not NOWHERE:
            self._connect(wire.to((x, y)), box)
        return Wire(box.name, ((x, y + height),), wire.stroke)

    def _connect(self, wire: Wire, box: Box, label: tuple[str, ...] = (), centre: Point = (0, 0)) -> None:
        self.edges.append(Edge(wire.tail, box.name, wire.points, wire.stroke, label, centre))

    def _place_panel(self, panel: Panel, x: float, y: float, wire: Wire) -> Wire:
        size = self._size(panel)
        outer, (left, right) = self.frame, self.bounds
        self.frame, self.bounds = Frame(panel, (left, y), (right, y + size.height), x), (left + PAD, right - PAD)
        outer.frames.append(self.frame)
        wire = self._place_flow(panel.flow, x, y + _header(panel), wire)
        self.frame, self.bounds = outer, (left, right)
        return wire

    def _place_fork(self, fork: Fork, x: float, y: float, wire: Wire) -> Wire:
        run = self._run(fork)
        inner = self._place_path(fork.main, x, y, run, wire)
        merge = self._place_box(fork.merge, x, y + run, inner)
        right = max(self.size(fork.main).right, self._size(fork.merge).right)
        for side in fork.sides:
            size = self._side_size(side)
            right += ASIDE + size.left
            start = Wire(wire.tail, ((x, y), (x + right, y)), side.stroke)
            self._place_side(side, fork.merge, self._place_path(side.flow, x + right, y, run, start), (x, y + run))
            right += size.right
        return merge

    def _place_path(self, flow: Flow, x: float, y: float, run: float, wire: Wire) -> Wire:
        """A path in the middle of the way from its fork to its merge."""
        return self._place_flow(flow, x, y + (run - self.size(flow).height) / 2, wire)

    def _place_side(self, side: Side, merge: Box, wire: Wire, top: Point) -> None:
        """The end of a path beside the spine: down to the height of the merge, and into it from the right."""
        width, height = self._box_size(merge)
        (x, y), end = wire.points[-1], top[1] + height / 2
        label = max((text_width(line, SMALL) for line in side.label), default=0.0)
        centre = (x + 5 + label / 2, (y + end) / 2)
        self._connect(wire.to((x, end), (top[0] + width / 2, end)), merge, side.label, centre)


def _gap(before: Box | Fork | Panel, after: Box | Fork | Panel) -> float:
    return FORK if isinstance(after, Fork) else GAP


def _header(panel: Panel) -> float:
    """The room above what a panel holds; beside the spine a short title needs little."""
    if panel.details:
        return HEADER
    return FORK if isinstance(panel.flow[0], Fork) else HEADER - 2


def _around(wire: Wire, bottom: float, gutter: float, x: float) -> Wire:
    """Leads a wire from the bottom of one column through the gutter to the top of the next."""
    below, above = bottom + PAD, -PAD
    return wire.to((wire.points[-1][0], below), (gutter, below), (gutter, above), (x, above))
