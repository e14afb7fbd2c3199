"""Where the spine of a diagram breaks, into columns and rows of columns, so that it suits a screen or a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from archbuilder.diagram.drawing import Drawing, Point
from archbuilder.diagram.flow import Box, Flow, Fork, Panel
from archbuilder.diagram.layout import BETWEEN, GAP, GUTTER, Builder, Columns
from archbuilder.diagram.options import Direction

TALLEST = 500.0
"""The height above which stages stand side by side."""
LONGEST = 2000.0
"""The width and the height above which columns break, and wrap."""
STEPS = tuple(300 * 1.3**step for step in range(20))
"""Lengths of columns and widths of rows that are tried."""
PROPORTION = 1.4
"""How much wider than high a picture best is."""


@dataclass(frozen=True)
class Plan:
    """Columns in rows, those within panels, and the width and height that this comes to."""

    builder: Builder
    rows: tuple[Columns, ...]

    def drawn(self) -> Drawing:
        self.builder.place_rows(self.rows)
        return self.builder.drawing()

    @cached_property
    def size(self) -> Point:
        sizes = [self.builder.columns_size(row) for row in self.rows]
        across = max(size.left + size.right for size in sizes)
        along = sum(size.along for size in sizes) + BETWEEN * (len(sizes) - 1)
        return (across, along) if self.builder.direction == "down" else (along, across)


def layout(flow: Flow, direction: Direction = "down", most: float | None = None) -> Drawing:
    """A place for all of a diagram, at most so wide if that can be.

    One column if that does not become too tall, else a column a stage; what becomes too large then is wrapped.
    """
    builder = Builder(flow, direction)
    plain = Plan(builder, (_stages(builder, flow),))
    width, height = plain.size
    if width <= (most or LONGEST) and height <= LONGEST:
        return plain.drawn()
    plans = list(_plans(builder, flow))
    fitting = [plan for plan in plans if most is None or plan.size[0] <= most]
    return min(fitting or plans, key=_awkwardness if fitting else lambda plan: plan.size[0]).drawn()


def _awkwardness(plan: Plan) -> float:
    """How far a picture is from what is easily looked at."""
    width, height = plan.size
    return max(width, height * PROPORTION)


def _stages(builder: Builder, flow: Flow) -> Columns:
    """One column, or one a stage; what stands before the first goes above it, what stands behind the last below it."""
    if builder.size(flow).along <= TALLEST * (1 if builder.direction == "down" else PROPORTION):
        return (flow,)
    starts = [index for index, element in enumerate(flow) if isinstance(element, Panel)]
    cuts = [0, *starts[1:], len(flow)]
    return [flow[start:end] for start, end in pairwise(cuts)]


def _plans(builder: Builder, flow: Flow) -> Iterator[Plan]:
    """Columns of several lengths, wrapped to rows of several widths."""
    for longest in STEPS:
        tall = [element for element in flow if isinstance(element, Panel) and builder.size((element,)).along > longest]
        inner = builder.broken({id(panel): _broken(builder, panel.flow, longest) for panel in tall})
        for stages in ((flow,), _stages(builder, flow)):
            columns = [part for stage in stages for part in _broken(inner, stage, longest)]
            yield from (Plan(inner, _wrapped(inner, columns, widest)) for widest in STEPS)
        if builder.size(flow).along <= longest:
            break


def _broken(builder: Builder, flow: Flow, longest: float) -> Columns:
    """A flow in columns, each as long as it may be but none without anything."""
    columns: list[list[Box | Fork | Panel]] = [[]]
    length = 0.0
    for element in flow:
        along = GAP + builder.size((element,)).along
        if columns[-1] and length + along > longest:
            columns.append([])
            length = 0
        columns[-1].append(element)
        length += along
    return [tuple(column) for column in columns]


def _wrapped(builder: Builder, columns: Columns, widest: float) -> tuple[Columns, ...]:
    """Columns in rows, each as wide as it may be."""
    rows: list[list[Flow]] = [[]]
    width = 0.0
    for column in columns:
        size = builder.size(column)
        across = GUTTER + size.left + size.right
        if rows[-1] and width + across > widest:
            rows.append([])
            width = 0
        rows[-1].append(column)
        width += across
    return tuple(rows)
