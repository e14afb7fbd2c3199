"""What the colours and lines of a picture mean, as far as they occur in it."""

from __future__ import annotations

from collections.abc import Iterator

from archbuilder.diagram.content import TIMES
from archbuilder.diagram.drawing import Drawing, Edge, Frame, PlacedBox
from archbuilder.diagram.flow import Box, Kind, Stroke, Words
from archbuilder.diagram.text import box_size

KINDS: dict[Kind, str] = {
    "conv": "convolution",
    "dense": "dense layer",
    "norm": "norm",
    "activation": "activation",
    "pool": "pooling",
    "merge": "merge",
    "other": "other",
}
STROKES: dict[Stroke, str] = {
    "solid": "path, or identity",
    "dashed": "shortcut with weights",
    "dotted": "shortcut without weights",
}
APART, LINE, SAMPLE = 14.0, 28.0, 34.0
"""The distances between two entries and between two lines, and the length of a line that is explained."""


def legend(drawing: Drawing, width: float) -> Drawing:
    """Entries one behind the other, in lines of about a width."""
    frame, edges, x, y = Frame(), list[Edge](), 0.0, 0.0
    for box, stroke in _entries(drawing):
        sample = SAMPLE if stroke else 0.0
        across = sample + box_size(box)[0]
        if x and x + across > width:
            x, y = 0.0, y + LINE
        if stroke:
            start = Box(f"{box.name}/start", ((Words(" "),),), "mark")
            frame.boxes.append(PlacedBox(start, (x + 2, y), 4, 4))
            edges.append(Edge(start.name, box.name, ((x + 4, y), (x + sample, y)), stroke))
        frame.boxes.append(PlacedBox(box, (x + sample + box_size(box)[0] / 2, y), *box_size(box)))
        x += across + APART
    return Drawing(frame, tuple(edges))


def _entries(drawing: Drawing) -> Iterator[tuple[Box, Stroke | None]]:
    kinds, strokes = set(_kinds(drawing.frame)), {edge.stroke for edge in drawing.edges}
    for kind, words in KINDS.items():
        if kind in kinds:
            yield Box(f"legend:{kind}", ((Words(words),),), kind), None
    for stroke, words in STROKES.items():
        if stroke in strokes and len(strokes) > 1:
            yield Box(f"legend:{stroke}", ((Words(words),),), "mark"), stroke
    if any(_repeats(drawing.frame)):
        yield Box("legend:units", ((Words(f"{TIMES}N: N equal units"),),), "mark"), None


def _kinds(frame: Frame) -> Iterator[Kind]:
    yield from (placed.box.kind for placed in frame.boxes)
    for inner in frame.frames:
        yield from _kinds(inner)


def _repeats(frame: Frame) -> Iterator[bool]:
    yield frame.panel is not None and bool(frame.panel.units)
    for inner in frame.frames:
        yield from _repeats(inner)
