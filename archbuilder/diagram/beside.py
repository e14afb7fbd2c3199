"""Several networks side by side: what has one height and width stands in one row, and the sizes down the side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from archbuilder.diagram.content import TIMES
from archbuilder.diagram.drawing import Drawing, Frame, Text, moved, side_by_side, turned
from archbuilder.diagram.flow import Box, Flow, Fork, Panel
from archbuilder.diagram.layout import GAP, NOWHERE, Builder
from archbuilder.diagram.options import Direction
from archbuilder.graph.ops import Shape

APART = 30.0
"""The distance between two networks."""
Band = tuple[Shape, Flow]
"""What of a network has one height and width, which come first; those of a vector are none."""


def aligned(flows: Sequence[Flow], direction: Direction) -> tuple[list[Drawing], Drawing]:
    """Networks that are series-parallel, each alone, with equal sizes at equal heights; and the sizes themselves."""
    networks = [_bands(flow) for flow in flows]
    rows: list[Shape] = []
    for bands in networks:
        rows = _merged(rows, [size for size, _ in bands])
    placed = [_assigned(bands, rows) for bands in networks]
    builders = [Builder(tuple(element for _, flow in bands for element in flow), direction) for bands in networks]
    lengths = [0.0] * len(rows)
    for builder, flows_by_row in zip(builders, placed, strict=True):
        for row, flow in flows_by_row.items():
            lengths[row] = max(lengths[row], builder.size(flow).along)
    starts = [sum(lengths[:row]) + GAP * row for row in range(len(rows))]
    for builder, flows_by_row in zip(builders, placed, strict=True):
        sizes, wire = [builder.size(flow) for flow in flows_by_row.values()], NOWHERE
        builder.bounds = (-max(size.left for size in sizes), max(size.right for size in sizes))
        for row, flow in flows_by_row.items():
            wire = builder.place_flow(flow, 0, starts[row], wire)
    middles = [start + length / 2 for start, length in zip(starts, lengths, strict=True)]
    return [builder.drawing() for builder in builders], _sizes(rows, middles, direction)


def _bands(flow: Flow) -> list[Band]:
    sizes = groupby(_without_frames(flow), key=lambda element: element.nodes[-1].shape[:-1])
    return [(size, tuple(elements)) for size, elements in sizes]


def _without_frames(flow: Flow) -> Iterator[Box | Fork | Panel]:
    """What stages hold, since they need not end where sizes change; equal units keep their frame."""
    for element in flow:
        if isinstance(element, Panel) and not element.units:
            yield from _without_frames(element.flow)
        else:
            yield element


def _merged(rows: Sequence[Shape], sizes: Sequence[Shape]) -> list[Shape]:
    """Rows in which the sizes of one more network occur in their order."""
    found: list[Shape] = []
    for kind, begin, end, first, last in SequenceMatcher(None, rows, sizes, autojunk=False).get_opcodes():
        found += rows[begin:end] if kind == "equal" else sorted([*rows[begin:end], *sizes[first:last]], reverse=True)
    return found if _holds(found, rows) and _holds(found, sizes) else [*rows, *sizes]


def _holds(rows: Sequence[Shape], sizes: Sequence[Shape]) -> bool:
    """Whether sizes occur in their order."""
    left = iter(rows)
    return all(size in left for size in sizes)


def _assigned(bands: Sequence[Band], rows: Sequence[Shape]) -> dict[int, Flow]:
    """The bands of a network by their rows."""
    left = iter(enumerate(rows))
    return {next(row for row, size in left if size == own): flow for own, flow in bands}


def _sizes(rows: Sequence[Shape], middles: Sequence[float], direction: Direction) -> Drawing:
    texts = [Text(_told(size), (0, middle), "faint") for size, middle in zip(rows, middles, strict=True)]
    drawing = Drawing(Frame(), (), tuple(texts))
    return drawing if direction == "down" else turned(drawing)


def _told(size: Shape) -> str:
    return TIMES.join(map(str, size)) or f"1{TIMES}1"


def in_a_row(drawings: Sequence[Drawing], direction: Direction) -> Drawing:
    """Drawings next to each other, across the way their spines lead, the first where it is."""
    first, *others = drawings
    found, across = [first], 0 if direction == "down" else 1
    end = first.corners[across + 2]
    for drawing in others:
        corners = drawing.corners
        by = end + APART - corners[across]
        found.append(moved(drawing, (by, 0) if direction == "down" else (0, by)))
        end = corners[across + 2] + by
    return side_by_side(found)


def in_rows(drawings: Sequence[Drawing], most: float) -> Drawing:
    """Drawings from left to right as far as there is room, then below; in a row none moves up or down."""
    rows: list[list[Drawing]] = [[]]
    width = 0.0
    for drawing in drawings:
        if rows[-1] and width + drawing.size[0] > most:
            rows.append([])
            width = 0
        rows[-1].append(drawing)
        width += drawing.size[0] + APART
    return in_a_row([at_the_top(in_a_row(row, "down")) for row in rows], "right")


def at_the_top(drawing: Drawing) -> Drawing:
    """A drawing whose left and upper sides are the axes."""
    left, top, _, _ = drawing.corners
    return moved(drawing, (-left, -top))
