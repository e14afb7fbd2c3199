"""A drawing in the DOT language of Graphviz, which is told to keep all places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from graphviz import Digraph

from archbuilder.diagram.curves import curve
from archbuilder.diagram.drawing import Drawing, Edge, Frame, PlacedBox, Point, Text
from archbuilder.diagram.flow import Box, Stroke, Words
from archbuilder.diagram.layout import PAD
from archbuilder.diagram.text import FONT, LINE, NORMAL, SEPARATOR, SMALL, escape, separator_of
from archbuilder.diagram.theme import Theme


def digraph(drawing: Drawing, name: str, theme: Theme, background: str | None = None) -> Digraph:
    """The drawing as it is: `layout=nop2` has Graphviz find no places of its own."""
    return _Writer(theme).digraph(drawing, name, background)


class _Writer:
    def __init__(self, theme: Theme) -> None:
        self.theme = theme

    def digraph(self, drawing: Drawing, name: str, background: str | None) -> Digraph:
        theme = self.theme
        colours = {} if theme.text == "#000000" else {"fontcolor": theme.text}
        filled = {} if background is None else {"bgcolor": background}
        font = {"fontname": FONT, "fontsize": str(NORMAL), **colours}
        graph = Digraph(
            dot_id(name),
            graph_attr={"layout": "nop2", **font, "pad": "0.1", **filled},
            node_attr={**font, "shape": "box", "margin": "0", "penwidth": "0.8"},
            edge_attr={
                "fontname": FONT,
                "fontsize": str(SMALL),
                "arrowsize": "0.55",
                "color": theme.ink,
                "penwidth": "0.9",
            },
        )
        self._frame(graph, drawing.frame, 0)
        for edge in drawing.edges:
            graph.edge(dot_id(edge.tail), dot_id(edge.head), **self._edge(edge))
        for number, text in enumerate(drawing.texts, 1):
            graph.node(f"text+{number}", **self._text(text))
        return graph

    def _frame(self, graph: Digraph, frame: Frame, depth: int) -> None:
        for placed in frame.boxes:
            graph.node(dot_id(placed.box.name), **self._box(placed))
        for inner in frame.frames:
            assert inner.panel is not None
            with graph.subgraph(name=f"cluster_{dot_id(inner.panel.name)}") as cluster:
                paint = self.theme.panels[depth % 2]
                cluster.attr(**self._panel(inner), style="rounded,filled", fillcolor=paint.fill, color=paint.line)
                self._frame(cluster, inner, depth + 1)

    def _box(self, placed: PlacedBox) -> dict[str, str]:
        paint, is_circle = self.theme.kinds[placed.box.kind], placed.width == placed.height
        look = {"fillcolor": paint.fill, "color": paint.line, "style": "filled" if is_circle else "rounded,filled"}
        shape = {"shape": "circle"} if is_circle else {}
        return {
            "label": self._label(placed.box),
            "pos": _points([placed.centre]),
            "width": f"{placed.width / 72:.3f}",
            "height": f"{placed.height / 72:.3f}",
            **({"shape": "plaintext"} if placed.box.kind == "mark" else look | shape),
        }

    def _label(self, box: Box) -> str:
        """The lines of a box, one beginning below the other; a merge's words without dots between."""
        separator = separator_of(box) if separator_of(box) == " " else self._faint(SEPARATOR)
        lines = [separator.join(map(self._words, line)) for line in box.lines]
        if len(lines) == 1:
            return f"<{lines[0]}>"
        return _table(f'<td align="left" height="{LINE}">{line}</td>' for line in lines)

    def _words(self, words: Words) -> str:
        return self._faint(words.text) if words.faint else escape(words.text)

    def _faint(self, text: str) -> str:
        return f'<font color="{self.theme.faint}" point-size="{SMALL}">{escape(text)}</font>'

    def _panel(self, frame: Frame) -> dict[str, str]:
        """A panel and its heading: where the spine parts it, the title to the left and the details to the right."""
        assert frame.panel is not None
        (left, top), (right, bottom) = frame.top_left, frame.bottom_right
        title = f"<b>{escape(frame.panel.title)}</b>"
        details = self._faint(frame.panel.details) if frame.panel.details else ""
        x, y = frame.heading or (left + PAD, top + 11)
        cells = [(f"{title}  {details}" if details else title, right - PAD - x)]
        if frame.spine is not None:
            cells = [(title, frame.spine - x + 5), (details, right - frame.spine - PAD - 5)]
        cell_texts = [f'<td align="left" width="{width:.0f}">{cell}</td>' for cell, width in cells]
        return {
            "bb": _points([(left, bottom), (right, top)]).replace(" ", ","),
            "label": _table(["".join(cell_texts)]),
            "lp": _points([((x - PAD + right) / 2, y)]),
        }

    def _edge(self, edge: Edge) -> dict[str, str]:
        attributes = {"pos": f"e,{_points(edge.points[-1:])} {_points(curve(edge))}", **_stroke(edge.stroke)}
        if edge.label:
            label = "<br/>".join(map(self._faint, edge.label))
            attributes |= {"label": f"<{label}>", "lp": _points([edge.label_centre])}
        return attributes

    def _text(self, text: Text) -> dict[str, str]:
        told = self._faint(text.words) if text.weight == "faint" else escape(text.words)
        words = f"<b>{told}</b>" if text.weight == "bold" else told
        label = f"<{words}>"
        if text.begins:
            label = _table([f'<td align="left" width="{text.width:.0f}">{words}</td>'])
        return {"label": label, "pos": _points([text.centre]), "shape": "plaintext", "width": "0", "height": "0"}


def dot_id(name: str) -> str:
    """A name such that no character of it means anything to Graphviz."""
    return quote(name, safe="/ ", errors="surrogatepass")


def _table(rows: Iterable[str]) -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{body}</table>>'


def _stroke(stroke: Stroke) -> dict[str, str]:
    return {} if stroke == "solid" else {"style": stroke}


def _points(points: Sequence[Point]) -> str:
    """Points as Graphviz counts them, upwards."""
    return " ".join(f"{x:.1f},{-y + 0.0:.1f}" for x, y in points)
