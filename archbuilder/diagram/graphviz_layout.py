"""The places of the boxes of any graph, as Graphviz finds them; no arrow crosses the title of a panel."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, assert_never

from graphviz import Digraph

from archbuilder.diagram.any_graph import Picture
from archbuilder.diagram.curves import ARROW
from archbuilder.diagram.dot import dot_id
from archbuilder.diagram.drawing import Corners, Drawing, Edge, Frame, PlacedBox, Point
from archbuilder.diagram.flow import Box, Flow, Fork, Panel
from archbuilder.diagram.layout import PAD
from archbuilder.diagram.options import Direction
from archbuilder.diagram.rendering import rendered
from archbuilder.diagram.text import SMALL, box_size, text_width

TITLE = "title+"
"""What the names of titles begin with, where these are boxes for Graphviz; no name of another has a plus."""
HEIGHT = 14.0
CLEARANCE = 5.0
"""What is left between an arrow and the words beside it."""
STEPS = 60
"""The points of a piece of a curve that are looked at."""


def graphviz_layout(drawn: Picture, direction: Direction = "down") -> Drawing:
    """A drawing of boxes in panels and of arrows between them.

    Titles stand between the arrows that come into their panel. Where there is no room for one, each is a box for
    Graphviz, which leads arrows around it, but makes the picture larger.
    """
    return _laid_out(drawn, direction, boxed=False) or _laid_out(drawn, direction, boxed=True) or Drawing(Frame(), ())


def _laid_out(drawn: Picture, direction: Direction, boxed: bool) -> Drawing | None:
    """Without a limit to the search for the best places (`nslimit`), that takes minutes where arrows are long."""
    near = {"nodesep": "0.2", "ranksep": "0.22", "nslimit": "1", "nslimit1": "1"}
    rank = {"rankdir": "LR"} if direction == "right" else {}
    graph = Digraph(graph_attr={"layout": "dot", "labeljust": "l", **near, **rank},
                    node_attr={"shape": "box", "margin": "0", "fixedsize": "true", "label": ""},
                    edge_attr={"arrowsize": f"{ARROW / 10}"})  # fmt: skip
    followed: dict[str, set[str]] = {}
    for arrow in drawn.arrows:
        followed.setdefault(arrow.head, set()).add(arrow.tail)
    _Asking(graph, followed, boxed).flow(graph, drawn.flow)
    for number, arrow in enumerate(drawn.arrows):
        graph.edge(dot_id(arrow.tail), dot_id(arrow.head), id=str(number))
    return _Reading(drawn, json.loads(rendered(graph, "json0")), boxed).drawing()


class _Asking:
    """What Graphviz is told: how large all is, and what stands within what."""

    def __init__(self, whole: Digraph, followed: Mapping[str, set[str]], boxed: bool) -> None:
        self.whole, self.followed, self.boxed = whole, followed, boxed

    def flow(self, graph: Digraph, flow: Flow) -> None:
        for element in flow:
            match element:
                case Box():
                    _node(graph, dot_id(element.name), *box_size(element))
                case Panel():
                    self._panel(graph, element)
                case Fork():
                    raise TypeError("a fork has its place on a spine")
                case _:
                    assert_never(element)

    def _panel(self, graph: Digraph, panel: Panel) -> None:
        with graph.subgraph(name=f"cluster_{dot_id(panel.name)}") as cluster:
            if self.boxed:
                _node(cluster, TITLE + dot_id(panel.name), _heading_width(panel), HEIGHT)
            else:
                cell = f'<td fixedsize="true" width="{_heading_width(panel):.0f}" height="{HEIGHT:.0f}"></td>'
                cluster.attr(label=f'<<table border="0" cellborder="0" cellspacing="0"><tr>{cell}</tr></table>>')
            self.flow(cluster, panel.flow)
        for below in self._first(panel) if self.boxed else ():
            self.whole.edge(TITLE + dot_id(panel.name), below, style="invis", weight="0")

    def _first(self, panel: Panel) -> Iterator[str]:
        """What stands first in a panel: the titles of those in it, and boxes behind none of it."""
        own = {box.name for box in boxes(panel.flow)}
        for element in panel.flow:
            if isinstance(element, Panel):
                yield TITLE + dot_id(element.name)
            elif isinstance(element, Box) and not self.followed.get(element.name, set()) & own:
                yield dot_id(element.name)


def _node(graph: Digraph, name: str, width: float, height: float) -> None:
    graph.node(name, width=f"{width / 72:.4f}", height=f"{height / 72:.4f}")


def _title_width(panel: Panel) -> float:
    return text_width(panel.title, bold=True)


def _details_width(panel: Panel) -> float:
    return text_width(panel.details, SMALL)


def _heading_width(panel: Panel) -> float:
    return _title_width(panel) + (8 + _details_width(panel) if panel.details else 0)


def boxes(flow: Flow) -> Iterator[Box]:
    """All boxes of a flow, those in panels too."""
    for element in flow:
        if isinstance(element, Box):
            yield element
        elif isinstance(element, Panel):
            yield from boxes(element.flow)


class _Reading:
    """Places from the JSON of Graphviz, which counts upwards."""

    def __init__(self, drawn: Picture, data: dict[str, Any], boxed: bool) -> None:
        self.drawn, self.boxed = drawn, boxed
        self.objects = {each["name"]: each for each in data.get("objects", [])}
        self.curves = {each["id"]: each["pos"] for each in data.get("edges", []) if "id" in each}
        self.edges = tuple(map(self._edge, range(len(drawn.arrows))))
        self.passes = [point for edge in self.edges for point in _passes(edge.points)]
        self.corners = {name: _corners(each) for name, each in self.objects.items()}
        self.is_crossed = False

    def drawing(self) -> Drawing | None:
        """None where a title finds no place between arrows."""
        frame = Frame()
        self._fill(frame, self.drawn.flow, 0)
        return None if self.is_crossed and not self.boxed else Drawing(frame, self.edges)

    def _edge(self, number: int) -> Edge:
        arrow = self.drawn.arrows[number]
        tip, *points = map(_point, self.curves[str(number)].removeprefix("e,").split(" "))
        label = (arrow.name,) if arrow.name else ()
        beside = (tip[0] + 5 + text_width(arrow.name, SMALL) / 2, tip[1] - 12)
        ends = (*points, tip)
        return Edge(arrow.tail, arrow.head, ends, arrow.stroke, label, beside, arrow.name, is_curve=True)

    def _fill(self, frame: Frame, flow: Flow, depth: int) -> None:
        for element in flow:
            if isinstance(element, Box):
                place = _point(self.objects[dot_id(element.name)]["pos"])
                frame.boxes.append(PlacedBox(element, place, *box_size(element)))
            elif isinstance(element, Panel):
                frame.frames.append(self._panel(element, depth))

    def _panel(self, panel: Panel, depth: int) -> Frame:
        left, top, right, bottom = self.corners[f"cluster_{dot_id(panel.name)}"]
        frame = Frame(panel, (left, top), (right, bottom))
        if self.boxed:
            x, y = _point(self.objects[TITLE + dot_id(panel.name)]["pos"])
            frame.heading = (x - _heading_width(panel) / 2, y)
        else:
            _, y = _point(self.objects[f"cluster_{dot_id(panel.name)}"]["lp"])
            self._place_heading(panel, frame, y, depth)
        self._fill(frame, panel.flow, depth + 1)
        return frame

    def _place_heading(self, panel: Panel, frame: Frame, y: float, depth: int) -> None:
        """Puts the heading between arrows, or the details apart from the title, or else makes room at the left."""
        (left, top), (right, bottom) = frame.top_left, frame.bottom_right
        crossed = sorted(x for x, height in self.passes if abs(height - y) <= HEIGHT / 2 and left <= x <= right)
        stops = [left + PAD - CLEARANCE, *crossed, right - PAD + CLEARANCE]
        gaps = [(start + CLEARANCE, end - CLEARANCE) for start, end in pairwise(stops)]
        whole = next((start for start, end in gaps if end - start >= _heading_width(panel)), None)
        title = next((start for start, end in gaps if end - start >= _title_width(panel)), right)
        details = next((start for start, end in gaps if start > title and end - start >= _details_width(panel)), None)
        wider = crossed[0] - CLEARANCE - _heading_width(panel) - PAD if crossed else left
        if whole is not None:
            frame.heading = (whole, y)
        elif details is not None:
            frame.heading, frame.spine = (title, y), details - CLEARANCE
        elif depth == 0 and self._is_free((wider - PAD, top, left - 1, bottom)):
            frame.top_left, frame.heading = (wider, top), (wider + PAD, y)
            self.corners[f"cluster_{dot_id(panel.name)}"] = (wider, top, right, bottom)
        else:
            self.is_crossed = True

    def _is_free(self, room: Corners) -> bool:
        """Whether nothing stands somewhere, and no arrow passes."""
        left, top, right, bottom = room
        return not any(left < x < right and top < y < bottom for x, y in self.passes) and not any(
            x0 < right and left < x1 and y0 < bottom and top < y1 for x0, y0, x1, y1 in self.corners.values()
        )


def _passes(points: Sequence[Point]) -> Iterator[Point]:
    """Many points of a Bézier curve."""
    for first in range(0, len(points) - 3, 3):
        piece = points[first : first + 4]
        for step in range(STEPS + 1):
            share = step / STEPS
            weights = ((1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3)
            pairs = list(zip(weights, piece, strict=True))
            yield (sum(weight * x for weight, (x, _) in pairs), sum(weight * y for weight, (_, y) in pairs))


def _corners(found: Mapping[str, Any]) -> Corners:
    """Those of a box or a panel."""
    if "bb" in found:
        left, bottom, right, top = map(float, found["bb"].split(","))
        return (left, -top, right, -bottom)
    (x, y), width, height = _point(found["pos"]), float(found["width"]) * 72, float(found["height"]) * 72
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _point(text: str) -> Point:
    x, y = map(float, text.split(","))
    return (x, -y)
