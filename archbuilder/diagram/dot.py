"""The diagram of a network as a Graphviz graph: colours, fonts, and positions that Graphviz is told to keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never
from urllib.parse import quote

from graphviz import Digraph

from archbuilder import bounds
from archbuilder.aliases import Level
from archbuilder.diagram.any_graph import Picture, picture
from archbuilder.diagram.content import content
from archbuilder.diagram.flow import Box, Flow, Fork, Kind, Panel, Stroke
from archbuilder.diagram.layout import PAD, Drawing, Edge, Frame, Point, layout
from archbuilder.diagram.text import (
    FONT,
    NORMAL,
    SMALL,
    box_label,
    box_size,
    heading,
    merge_size,
    plain_heading,
    small_label,
)  # fmt: skip
from archbuilder.errors import UsageError
from archbuilder.graph.analysis import is_series_parallel
from archbuilder.graph.network import Graph

COLOURS: dict[Kind, tuple[str, str]] = {
    "conv": ("#d9e6f2", "#5b7fa3"),
    "norm": ("#e2eddc", "#7d9a6c"),
    "activation": ("#f8f0d3", "#b39b4b"),
    "pool": ("#e7dff0", "#8a74a8"),
    "dense": ("#f7e0cf", "#b9825a"),
    "merge": ("#ffffff", "#555555"),
    "other": ("#f0f0f0", "#888888"),
}
"""Fill and line of a box, by the kind of its ops."""
PANELS = (("#f7f7f5", "#cfcfca"), ("#ffffff", "#bdbdb8"))
"""Fill and line of a stage, and of a unit in it."""
INK = "#4a4a4a"
ARROW = 5.5
ROUND = 7.0


def diagram(graph: Graph, level: Level = "stage") -> Digraph:
    """The diagram of a network: its stages with equal units folded, all its units, or all its layers.

    Raises UsageError where it has more boxes than anybody looks at.
    """
    if not is_series_parallel(graph):
        return _laid_out_by_graphviz(graph.name, picture(graph, level), level)
    drawing = layout(content(graph, level))
    _require("arrows", len(drawing.edges), bounds.ARROWS, level)
    return _as_it_is(graph.name, drawing)


def _require(what: str, count: int, most: int, level: Level) -> None:
    if count > most:
        way_out = "; fewer with --level stage" if level != "stage" else ""
        raise UsageError(f"the picture has {count:,} {what}, and {most:,} are the most that are drawn{way_out}")


def _digraph(name: str, **attributes: str) -> Digraph:
    return Digraph(
        _id(name),
        graph_attr={**attributes, "fontname": FONT, "fontsize": str(NORMAL), "pad": "0.1"},
        node_attr={"fontname": FONT, "fontsize": str(NORMAL), "shape": "box", "margin": "0", "penwidth": "0.8"},
        edge_attr={"fontname": FONT, "fontsize": str(SMALL), "arrowsize": "0.55", "color": INK, "penwidth": "0.9"},
    )


def _laid_out_by_graphviz(name: str, drawn: Picture, level: Level) -> Digraph:
    """The diagram in the DOT language, without places; `layout=dot` has Graphviz find them.

    Without a limit to its search for the best ones (`nslimit`), that takes minutes where arrows are long.
    """
    _require("rows for its arrows to cross", drawn.length, bounds.CROSSED_ROWS, level)
    graph = _digraph(name, layout="dot", nodesep="0.2", ranksep="0.22", nslimit="1", nslimit1="1")
    _flow(graph, drawn.flow, 0)
    for arrow in drawn.arrows:
        graph.edge(_id(arrow.tail), _id(arrow.head), **_stroke(arrow.stroke))
    return graph


def _flow(graph: Digraph, flow: Flow, depth: int) -> None:
    for element in flow:
        match element:
            case Box():
                width, height = merge_size(element) if element.kind == "merge" else box_size(element)
                graph.node(_id(element.name), label=box_label(element), **_box(element, width, height))
            case Panel():
                with graph.subgraph(name=f"cluster_{_id(element.name)}") as cluster:
                    cluster.attr(label=plain_heading(element.title, element.details), labeljust="l", **_panel(depth))
                    _flow(cluster, element.flow, depth + 1)
            case Fork():
                raise TypeError("a fork has its place on a spine")
            case _:
                assert_never(element)


def _as_it_is(name: str, drawing: Drawing) -> Digraph:
    """The diagram in the DOT language; `layout=nop2` has Graphviz draw it as it is."""
    graph = _digraph(name, layout="nop2")
    _frame(graph, drawing.frame, 0)
    for edge in drawing.edges:
        graph.edge(_id(edge.tail), _id(edge.head), **_edge(edge))
    return graph


def _id(name: str) -> str:
    """A name such that no character of it means anything to Graphviz."""
    return quote(name, safe="/ ")


def _frame(graph: Digraph, frame: Frame, depth: int) -> None:
    for placed in frame.boxes:
        place = {"pos": _points([placed.centre])}
        box = _box(placed.box, placed.width, placed.height)
        graph.node(_id(placed.box.name), label=box_label(placed.box), **place, **box)
    for inner in frame.frames:
        assert inner.panel is not None
        with graph.subgraph(name=f"cluster_{_id(inner.panel.name)}") as cluster:
            cluster.attr(**_place(inner), **_panel(depth))
            _frame(cluster, inner, depth + 1)


def _box(box: Box, width: float, height: float) -> dict[str, str]:
    fill, line = COLOURS[box.kind]
    return {
        "width": f"{width / 72:.3f}",
        "height": f"{height / 72:.3f}",
        "fillcolor": fill,
        "color": line,
        **({"shape": "circle", "style": "filled"} if width == height else {"style": "rounded,filled"}),
    }


def _panel(depth: int) -> dict[str, str]:
    fill, line = PANELS[depth % 2]
    return {"style": "rounded,filled", "fillcolor": fill, "color": line}


def _place(frame: Frame) -> dict[str, str]:
    assert frame.panel is not None
    (left, top), (right, bottom) = frame.top_left, frame.bottom_right
    return {
        "bb": _points([(left, bottom), (right, top)]).replace(" ", ","),
        "label": heading(frame.panel.title, frame.panel.details, frame.spine - left - PAD, right - frame.spine - PAD),
        "lp": _points([((left + right) / 2, top + 11)]),
    }


def _edge(edge: Edge) -> dict[str, str]:
    attributes = {"pos": _spline(edge.points), **_stroke(edge.stroke)}
    if edge.label:
        attributes |= {"label": small_label(edge.label), "lp": _points([edge.label_centre])}
    return attributes


def _stroke(stroke: Stroke) -> dict[str, str]:
    return {} if stroke == "solid" else {"style": stroke}


def _spline(points: Sequence[Point]) -> str:
    """Straight lines with round corners, as the Bézier curves of Graphviz, and the tip of the arrow first."""
    tip = points[-1]
    base = _towards(tip, points[-2], ARROW)
    curve = list(_rounded([*points[:-1], base]))
    return f"e,{_points([tip])} {_points(curve)}"


def _rounded(points: Sequence[Point]) -> Iterator[Point]:
    yield points[0]
    start = points[0]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(ROUND, _distance(before, corner) / 2, _distance(corner, after) / 2)
        enter, leave = _towards(corner, before, radius), _towards(corner, after, radius)
        yield from (start, enter, enter, corner, corner, leave)
        start = leave
    yield from (start, points[-1], points[-1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    share = distance / (_distance(start, end) or 1)
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def _distance(start: Point, end: Point) -> float:
    return abs(end[0] - start[0]) + abs(end[1] - start[1])


def _points(points: Sequence[Point]) -> str:
    """Points as Graphviz counts them, upwards."""
    return " ".join(f"{x:.1f},{-y + 0.0:.1f}" for x, y in points)
