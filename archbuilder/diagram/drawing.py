"""A picture whose parts all have their places, in points, x to the right and y downwards: what the writers write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from archbuilder.diagram.flow import Box, Panel, Stroke
from archbuilder.diagram.text import NORMAL, SMALL, text_width

Point = tuple[float, float]
Corners = tuple[float, float, float, float]
"""Left, top, right and bottom."""
Weight = Literal["plain", "bold", "faint"]


@dataclass(frozen=True, slots=True)
class PlacedBox:
    box: Box
    centre: Point
    width: float
    height: float

    @property
    def corners(self) -> Corners:
        (x, y), width, height = self.centre, self.width, self.height
        return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one box to another, an arrow at its end: along corners to be rounded, or a Bézier curve."""

    tail: str
    head: str
    points: tuple[Point, ...]
    stroke: Stroke = "solid"
    label: tuple[str, ...] = ()
    label_centre: Point = (0, 0)
    name: str = ""
    """What the path that it ends is called; in a drawing, words of their own say that."""
    is_curve: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Words that stand for themselves, in one line."""

    words: str
    centre: Point
    weight: Weight = "plain"
    begins: bool = False
    """Whether they begin where their room does, instead of standing in the middle of it."""

    @property
    def size(self) -> float:
        return SMALL if self.weight == "faint" else NORMAL

    @property
    def width(self) -> float:
        return text_width(self.words, self.size, bold=self.weight == "bold")

    @property
    def corners(self) -> Corners:
        (x, y), half = self.centre, self.size * 0.6
        return (x - self.width / 2, y - half, x + self.width / 2, y + half)


def text_at(words: str, left: float, y: float, weight: Weight = "plain") -> Text:
    """Words that begin somewhere."""
    text = Text(words, (left, y), weight, begins=True)
    return replace(text, centre=(left + text.width / 2, y))


@dataclass(slots=True)
class Frame:
    """A panel in its place and what stands in it; the outermost has no panel."""

    panel: Panel | None = None
    top_left: Point = (0, 0)
    bottom_right: Point = (0, 0)
    spine: float | None = None
    """The line that parts the heading: the details stand to its right."""
    heading: Point | None = None
    """The middle of the left side of its title; None where that stands at the top left."""
    boxes: list[PlacedBox] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drawing:
    frame: Frame
    edges: tuple[Edge, ...]
    texts: tuple[Text, ...] = ()

    @property
    def corners(self) -> Corners:
        """Those of all that is drawn."""
        found = [*_frame_corners(self.frame), *(text.corners for text in self.texts)]
        for edge in self.edges:
            found += ((x, y, x, y) for x, y in edge.points)
            found += [label_corners(edge)] if edge.label else []
        lefts, tops, rights, bottoms = zip(*found, strict=True) if found else ((0.0,),) * 4
        return (min(lefts), min(tops), max(rights), max(bottoms))

    @property
    def size(self) -> Point:
        left, top, right, bottom = self.corners
        return (right - left, bottom - top)


def label_corners(edge: Edge) -> Corners:
    """The room that the words beside an edge take."""
    width, height = label_size(edge.label)
    x, y = edge.label_centre
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def label_size(lines: Iterable[str]) -> Point:
    widths = [text_width(line, SMALL) for line in lines]
    return max(widths, default=0.0), (SMALL + 2) * len(widths)


def _frame_corners(frame: Frame) -> Iterator[Corners]:
    if frame.panel is not None:
        yield (*frame.top_left, *frame.bottom_right)
    for placed in frame.boxes:
        yield placed.corners
    for inner in frame.frames:
        yield from _frame_corners(inner)


def side_by_side(drawings: Iterable[Drawing]) -> Drawing:
    """Several drawings in one, all where they are; none may have a name that another has."""
    frame, edges, texts = Frame(), list[Edge](), list[Text]()
    for drawing in drawings:
        frame.boxes += drawing.frame.boxes
        frame.frames += drawing.frame.frames
        edges += drawing.edges
        texts += drawing.texts
    return Drawing(frame, tuple(edges), tuple(texts))


def moved(drawing: Drawing, by: Point) -> Drawing:
    """A drawing in another place."""
    return mapped(drawing, lambda point: (point[0] + by[0], point[1] + by[1]))


def turned(drawing: Drawing) -> Drawing:
    """A drawing from left to right instead of from top to bottom: x and y, width and height change places."""
    return mapped(drawing, lambda point: (point[1], point[0]), turn=True)


def renamed(drawing: Drawing, prefix: str) -> Drawing:
    """A drawing all of whose names begin alike."""

    def name(old: str) -> str:
        return prefix + old

    def frame(old: Frame) -> Frame:
        panel = None if old.panel is None else replace(old.panel, name=name(old.panel.name))
        boxes = [replace(placed, box=replace(placed.box, name=name(placed.box.name))) for placed in old.boxes]
        return replace(old, panel=panel, boxes=boxes, frames=[frame(inner) for inner in old.frames])

    edges = tuple(replace(edge, tail=name(edge.tail), head=name(edge.head)) for edge in drawing.edges)
    return Drawing(frame(drawing.frame), edges, drawing.texts)


def mapped(drawing: Drawing, place: Callable[[Point], Point], turn: bool = False) -> Drawing:
    """A drawing with all its points elsewhere."""

    def box(placed: PlacedBox) -> PlacedBox:
        width, height = (placed.height, placed.width) if turn else (placed.width, placed.height)
        return PlacedBox(placed.box, place(placed.centre), width, height)

    def frame(old: Frame) -> Frame:
        spine = None if old.spine is None or turn else place((old.spine, 0))[0]
        heading = None if old.heading is None else place(old.heading)
        boxes, frames = list(map(box, old.boxes)), list(map(frame, old.frames))
        return Frame(old.panel, place(old.top_left), place(old.bottom_right), spine, heading, boxes, frames)

    def edge(old: Edge) -> Edge:
        return replace(old, points=tuple(map(place, old.points)), label_centre=place(old.label_centre))

    texts = tuple(replace(text, centre=place(text.centre)) for text in drawing.texts)
    return Drawing(frame(drawing.frame), tuple(map(edge, drawing.edges)), texts)
