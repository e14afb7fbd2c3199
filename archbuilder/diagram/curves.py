"""The lines of a drawing as Bézier curves, from one box to the tip of an arrow at another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archbuilder.diagram.drawing import Edge, Point

ARROW = 5.5
ROUND = 7.0


def curve(edge: Edge) -> tuple[Point, ...]:
    """A start, and three points for each piece of the curve; it ends where the arrow's head begins."""
    if edge.is_curve:
        return edge.points[:-1]
    tip = edge.points[-1]
    return tuple(_rounded([*edge.points[:-1], towards(tip, edge.points[-2], ARROW)]))


def _rounded(points: Sequence[Point]) -> Iterator[Point]:
    """Straight lines with round corners."""
    yield points[0]
    start = points[0]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(ROUND, distance(before, corner) / 2, distance(corner, after) / 2)
        enter, leave = towards(corner, before, radius), towards(corner, after, radius)
        yield from (start, enter, enter, corner, corner, leave)
        start = leave
    yield from (start, points[-1], points[-1])


def towards(start: Point, end: Point, by: float) -> Point:
    share = by / (distance(start, end) or 1)
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def distance(start: Point, end: Point) -> float:
    """Along the axes."""
    return abs(end[0] - start[0]) + abs(end[1] - start[1])
