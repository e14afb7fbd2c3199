"""A drawing as SVG: words as text, a class for each kind of thing, and colours that a style sheet may replace.

There is no style sheet, no script, no identifier and no address in it, so that several may stand in one page. Arrows
and words outside of boxes have the colour of the words around the picture (`currentColor`), which with a background
is the theme's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archbuilder.diagram.curves import ARROW, curve
from archbuilder.diagram.drawing import Drawing, Edge, Frame, PlacedBox, Point, Text, label_corners
from archbuilder.diagram.flow import Line, Words
from archbuilder.diagram.layout import PAD
from archbuilder.diagram.text import FONT, LINE, NORMAL, SMALL, escape, line_width, separator_of
from archbuilder.diagram.theme import Theme

MARGIN = 7.2
BASELINE = 0.36
"""How far below the middle of words their line is, in parts of their size."""
DASHES = {"solid": "", "dashed": "5 4", "dotted": "1 4"}


@dataclass(frozen=True, slots=True)
class Canvas:
    """How large a drawing becomes: its width in points, None for that of its type at full size, and by what share."""

    width: float | None = None
    scale: float = 1.0


def svg(drawing: Drawing, name: str, theme: Theme, background: str | None, canvas: Canvas) -> str:
    """The whole document, without an XML declaration, so that it may stand in HTML; no `background` is transparent."""
    left, top, right, bottom = drawing.corners
    width, height = right - left + 2 * MARGIN, bottom - top + 2 * MARGIN
    wide = max(width, (canvas.width or 0) / canvas.scale)
    view = f"{left - MARGIN - (wide - width) / 2:.1f} {top - MARGIN:.1f} {wide:.1f} {height:.1f}"
    attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "archbuilder",
        "xml:space": "preserve",
        "width": f"{wide * canvas.scale:.2f}pt",
        "height": f"{height * canvas.scale:.2f}pt",
        "viewBox": view,
        "font-family": f"{FONT}, Arial, sans-serif",
        "font-size": NORMAL,
        **({} if background is None else {"color": theme.text}),
    }
    x, y, *sizes = view.split()
    paper = {"class": "background", "x": x, "y": y, "width": sizes[0], "height": sizes[1], "fill": background}
    inner = [_tag("title", {}, escape(name)), *([] if background is None else [_tag("rect", paper)])]
    return _tag("svg", attributes, "\n".join([*inner, *_Writer(theme, background).parts(drawing)])) + "\n"


class _Writer:
    def __init__(self, theme: Theme, background: str | None) -> None:
        self.theme, self.is_transparent = theme, background is None
        self.ink = "currentColor" if self.is_transparent else theme.ink

    def parts(self, drawing: Drawing) -> Iterator[str]:
        yield from self._frames(drawing.frame, 0)
        yield _tag("g", {"class": "edges", "fill": "none", "stroke": self.ink, "stroke-width": 0.9},
                   "\n".join(map(self._edge, drawing.edges)))  # fmt: skip
        yield from self._boxes(drawing.frame)
        yield from map(self._text, drawing.texts)

    def _frames(self, frame: Frame, depth: int) -> Iterator[str]:
        for inner in frame.frames:
            assert inner.panel is not None
            kind = "units" if inner.panel.units else "unit" if depth else "stage"
            content = [self._panel(inner, depth), *self._headings(inner)]
            yield _tag("g", {"class": f"panel {kind}"}, "".join(content))
            yield from self._frames(inner, depth + 1)

    def _panel(self, frame: Frame, depth: int) -> str:
        paint = self.theme.panels[depth % 2]
        (left, top), (right, bottom) = frame.top_left, frame.bottom_right
        look: dict[str, object] = {"fill": paint.fill, "stroke": paint.line}
        if self.is_transparent:
            look = {"fill": "none", "stroke": "currentColor", "stroke-opacity": 0.4}
        return _tag("rect", {**_place((left, top), right - left, bottom - top), "rx": 10, **look, "stroke-width": 0.8})

    def _headings(self, frame: Frame) -> Iterator[str]:
        assert frame.panel is not None
        (left, top), spine = frame.top_left, frame.spine
        x, y = frame.heading or (left + PAD, top + 10)
        title = {"class": "title", "font-weight": "bold", "fill": "currentColor"}
        faint = self._faint_outside()
        if spine is None:
            words = _tag("tspan", title, escape(frame.panel.title))
            details = _tag("tspan", {"class": "details", **faint, "dx": 8}, escape(frame.panel.details))
            yield _tag("text", {"x": x, "y": y + 4}, words + (details if frame.panel.details else ""))
            return
        yield _tag("text", {"x": x, "y": y + 4, **title}, escape(frame.panel.title))
        if frame.panel.details:
            yield _tag("text", {"class": "details", "x": spine + 5, "y": y + 4, **faint}, escape(frame.panel.details))

    def _faint_outside(self) -> Mapping[str, object]:
        if self.is_transparent:
            return {"font-size": SMALL, "fill": "currentColor", "fill-opacity": 0.75}
        return {"font-size": SMALL, "fill": self.theme.faint}

    def _boxes(self, frame: Frame) -> Iterator[str]:
        yield from map(self._box, frame.boxes)
        for inner in frame.frames:
            yield from self._boxes(inner)

    def _box(self, placed: PlacedBox) -> str:
        box, paint = placed.box, self.theme.kinds[placed.box.kind]
        fill = "currentColor" if box.kind == "mark" else self.theme.text
        shape = "" if box.kind == "mark" else _shape(placed, {"fill": paint.fill, "stroke": paint.line})
        names = ", ".join(node.name for node in box.nodes)
        title = _tag("title", {}, escape(names)) if names else ""
        return _tag("g", {"class": f"box {box.kind}", "fill": fill}, title + shape + "".join(self._lines(placed)))

    def _lines(self, placed: PlacedBox) -> Iterator[str]:
        """The lines of a box, one beginning below the other, a single one in the middle."""
        lines, (x, y) = placed.box.lines, placed.centre
        first = y - LINE * (len(lines) - 1) / 2 + NORMAL * BASELINE
        left = x - max(map(line_width, lines)) / 2
        alone = {"x": x, "text-anchor": "middle"}
        for number, line in enumerate(lines):
            place = {**(alone if len(lines) == 1 else {"x": left}), "y": first + LINE * number}
            yield _tag("text", place, self._line(line, separator_of(placed.box)))

    def _line(self, line: Line, separator: str) -> str:
        between = separator if separator == " " else self._words(Words(separator, faint=True))
        return between.join(map(self._words, line))

    def _words(self, words: Words) -> str:
        if not words.faint:
            return escape(words.text)
        return _tag("tspan", {"class": "faint", "font-size": SMALL, "fill": self.theme.faint}, escape(words.text))

    def _edge(self, edge: Edge) -> str:
        points = curve(edge)
        path = f"M{_xy(points[0])}" + "".join(
            f"C{' '.join(map(_xy, points[index : index + 3]))}" for index in range(1, len(points), 3)
        )
        line = _tag("path", {"d": path, **({"stroke-dasharray": DASHES[edge.stroke]} if DASHES[edge.stroke] else {})})
        head = _tag("path", {"d": _arrow_head(points[-1], edge.points[-1]), "fill": self.ink, "stroke": "none"})
        return _tag("g", {"class": f"edge {edge.stroke}"}, line + head + "".join(self._labels(edge)))

    def _labels(self, edge: Edge) -> Iterator[str]:
        if edge.label:
            _, top, _, _ = label_corners(edge)
            look = {"class": "label", "stroke": "none", "text-anchor": "middle", **self._faint_outside()}
            for number, line in enumerate(edge.label):
                place = {"x": edge.label_centre[0], "y": top + (SMALL + 2) * (number + 0.5) + SMALL * BASELINE}
                yield _tag("text", {**look, **place}, escape(line))

    def _text(self, text: Text) -> str:
        faint = self._faint_outside() if text.weight == "faint" else {"fill": "currentColor"}
        bold = {"font-weight": "bold"} if text.weight == "bold" else {}
        place: dict[str, object] = {"x": text.centre[0], "y": text.centre[1] + text.size * BASELINE}
        place |= {"x": text.corners[0]} if text.begins else {"text-anchor": "middle"}
        return _tag("text", {"class": "words", **faint, **bold, **place}, escape(text.words))


def _shape(placed: PlacedBox, look: Mapping[str, object]) -> str:
    (x, y), width, height = placed.centre, placed.width, placed.height
    if width == height:
        return _tag("circle", {"cx": x, "cy": y, "r": width / 2, **look, "stroke-width": 0.8})
    radius = min(8.0, height / 2)
    return _tag("rect", {**_place((x - width / 2, y - height / 2), width, height), "rx": radius, **look,
                         "stroke-width": 0.8})  # fmt: skip


def _arrow_head(base: Point, tip: Point) -> str:
    (x, y), (dx, dy) = base, (tip[0] - base[0], tip[1] - base[1])
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    across = (-dy / length * ARROW * 0.36, dx / length * ARROW * 0.36)
    return f"M{_xy(tip)}L{_xy((x + across[0], y + across[1]))} {_xy((x - across[0], y - across[1]))}z"


def _place(top_left: Point, width: float, height: float) -> dict[str, object]:
    return {"x": top_left[0], "y": top_left[1], "width": width, "height": height}


def _xy(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value else "0"


def _tag(name: str, attributes: Mapping[str, object], content: str | None = None) -> str:
    """An element; its content is XML already."""
    told = "".join(f' {key}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{told}/>" if content is None else f"<{name}{told}>{content}</{name}>"


def _value(value: object) -> str:
    return _number(value) if isinstance(value, float) else escape(str(value))
