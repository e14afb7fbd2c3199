"""From graphs to a picture: what is shown, its places, and the words around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archbuilder import bounds
from archbuilder.aliases import Level
from archbuilder.diagram.any_graph import picture as any_picture
from archbuilder.diagram.beside import aligned, at_the_top, in_a_row, in_rows
from archbuilder.diagram.close_up import alone, close_up, find
from archbuilder.diagram.columns import LONGEST, layout
from archbuilder.diagram.content import content
from archbuilder.diagram.drawing import Drawing, Frame, Text, Weight, moved, renamed, side_by_side, text_at
from archbuilder.diagram.files import Picture
from archbuilder.diagram.flow import Box, Flow, Fork, Panel
from archbuilder.diagram.graphviz_layout import graphviz_layout
from archbuilder.diagram.legend import legend
from archbuilder.diagram.options import Options
from archbuilder.diagram.svg import MARGIN, Canvas
from archbuilder.diagram.text import SMALL
from archbuilder.diagram.theme import THEMES
from archbuilder.errors import UsageError
from archbuilder.graph.analysis import depth, is_series_parallel
from archbuilder.graph.network import Graph

SMALLEST = 7.0
"""The size of the smallest type in a picture whose width is given."""
LINE = 15.0
NARROW = 140.0
"""The width below which the words above a picture do not break."""
DEFAULT = Options()


@dataclass(frozen=True, slots=True)
class Caption:
    """Words above a picture, in the parts behind which a line may end."""

    parts: Sequence[str]
    weight: Weight

    def lines(self, width: float) -> Iterator[str]:
        line = ""
        for part in self.parts:
            if line and Text(line + part.rstrip(" ·"), (0, 0), self.weight).width > width:
                yield line.rstrip(" ·")
                line = ""
            line += part
        yield line.rstrip()


def picture(graphs: Sequence[Graph], options: Options = DEFAULT) -> Picture:
    """The picture of a network or, side by side, of several.

    Raises UsageError where it has more arrows than anybody looks at, or cannot be as narrow as it shall be.
    """
    if not graphs:
        raise UsageError("there is no network to draw")
    drawings, around = _drawings(graphs, options)
    captioned = [
        _captioned(drawing, lines) for drawing, lines in zip(drawings, _captions(graphs, options), strict=True)
    ]
    if around or len(graphs) == 1:
        drawn = in_a_row([*around, *captioned], options.direction)
    else:
        drawn = in_rows(captioned, _most(options) or LONGEST)
    if len(graphs) > 1:
        drawn = _captioned(drawn, _title(options.title))
    if options.legend:
        drawn = side_by_side([drawn, _below(legend(drawn, drawn.size[0]), drawn)])
    name = options.title or ", ".join(graph.name for graph in graphs)
    parts = tuple((graph.name, drawing) for graph, drawing in zip(graphs, drawings, strict=True))
    theme = THEMES[options.theme]
    background = None if options.background == "none" else theme.background
    return Picture(drawn, parts, name, theme, background, _canvas(drawn, options), options.direction)


def _drawings(graphs: Sequence[Graph], options: Options) -> tuple[list[Drawing], list[Drawing]]:
    """Each network's drawing, and what stands beside them all."""
    prefixes = [f"{number}/" if len(graphs) > 1 else "" for number in range(1, len(graphs) + 1)]
    around: list[Drawing] = []
    if len(graphs) > 1 and options.unit is None and all(map(is_series_parallel, graphs)):
        drawings, sizes = aligned([_shown(graph, _level(options)) for graph in graphs], options.direction)
        around.append(sizes)
    else:
        drawings = [_drawing(graph, options) for graph in graphs]
        drawings = drawings if len(graphs) == 1 else list(map(at_the_top, drawings))
    return [renamed(*each) if each[1] else each[0] for each in zip(drawings, prefixes, strict=True)], around


def _level(options: Options) -> Level:
    return options.level or ("stage" if options.unit is None else "layer")


def _drawing(graph: Graph, options: Options) -> Drawing:
    level = _level(options)
    if options.unit is not None:
        section = find(graph, options.unit)
        graph = alone(graph, section)
        if is_series_parallel(graph):
            flow = close_up(graph, section, level)
            return layout(_few_enough(flow, level), options.direction, _most(options))
    if is_series_parallel(graph):
        return layout(_shown(graph, level), options.direction, _most(options))
    drawn = any_picture(graph, level)
    _require("rows for its arrows to cross", drawn.length, bounds.CROSSED_ROWS, level)
    return graphviz_layout(drawn, options.direction)


def _shown(graph: Graph, level: Level) -> Flow:
    return _few_enough(content(graph, level), level)


def _few_enough(flow: Flow, level: Level) -> Flow:
    _require("arrows", sum(map(_arrows, flow)) - 1, bounds.ARROWS, level)
    return flow


def _arrows(element: Box | Fork | Panel) -> int:
    """One into each box, and one for the end of each path beside another."""
    match element:
        case Box():
            return 1
        case Fork():
            sides = sum(1 + sum(map(_arrows, side.flow)) for side in element.sides)
            return sum(map(_arrows, element.main)) + sides + 1
        case Panel():
            return sum(map(_arrows, element.flow))


def _require(what: str, count: int, most: int, level: Level) -> None:
    if count > most:
        way_out = "; fewer with --level stage" if level != "stage" else ""
        raise UsageError(f"the picture has {count:,} {what}, and {most:,} are the most that are drawn{way_out}")


# The words around.


def _captions(graphs: Sequence[Graph], options: Options) -> Iterator[list[Caption]]:
    """What stands above each network: several are told apart by their names."""
    short = [graph.name.rpartition("/")[2] for graph in graphs]
    names = short if len(set(short)) == len(graphs) else [graph.name for graph in graphs]
    for graph, name in zip(graphs, names, strict=True):
        title = name if len(graphs) > 1 else options.title or (graph.name if options.totals else "")
        yield [*_title(title), *([_totals(graph)] if options.totals else [])]


def _title(title: str | None) -> list[Caption]:
    """It may break behind a space, or behind what joins the parts of a name."""
    return [Caption(re.findall(r"[^ _/-]*[ _/-]*", title), "bold")] if title else []


def _totals(graph: Graph) -> Caption:
    counts = [f"{depth(graph)} layers deep", f"{graph.trainable:,} parameters", f"{graph.macs:,} multiply-adds"]
    return Caption([f"{count} · " for count in counts[:-1]] + counts[-1:], "faint")


def _captioned(drawing: Drawing, captions: Sequence[Caption]) -> Drawing:
    """A drawing with words above it, in lines as wide as it is that begin at its left side."""
    left, top, right, _ = drawing.corners
    width = max(right - left, NARROW)
    lines = [(line, caption.weight) for caption in captions for line in caption.lines(width)]
    texts = [
        text_at(line, left, top - 12 - LINE * (len(lines) - 1 - number), weight)
        for number, (line, weight) in enumerate(lines)
    ]
    return side_by_side([drawing, Drawing(Frame(), (), tuple(texts))])


def _below(drawing: Drawing, other: Drawing) -> Drawing:
    left, _, _, bottom = other.corners
    return moved(at_the_top(drawing), (left, bottom + 20))


# How wide it is.


def _most(options: Options) -> float | None:
    """How wide a drawing may be so that its smallest type is not too small."""
    return None if options.points is None else options.points * SMALL / SMALLEST - 2 * MARGIN


def _canvas(drawing: Drawing, options: Options) -> Canvas:
    points, most = options.points, _most(options)
    if points is None or most is None:
        return Canvas()
    width = drawing.size[0]
    if width > most + 0.1:
        least = (width + 2 * MARGIN) * SMALLEST / SMALL * 25.4 / 72
        raise UsageError(
            f"a picture {options.width} wide would have type of less than {SMALLEST:g} points: "
            f"this one is at least {least:.0f}mm wide"
        )
    return Canvas(points, min(1.0, points / (width + 2 * MARGIN)))
