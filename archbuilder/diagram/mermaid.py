"""A drawing in the language of Mermaid, which GitHub and others render; they find places of their own for all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from archbuilder import bounds
from archbuilder.diagram.drawing import Drawing, Edge, Frame
from archbuilder.diagram.flow import Box, Stroke
from archbuilder.diagram.options import Direction
from archbuilder.diagram.text import clean, separator_of
from archbuilder.diagram.theme import Theme
from archbuilder.errors import UsageError

ARROWS: dict[Stroke, str] = {"solid": "-->", "dashed": "-.->", "dotted": "-.->"}
"""Mermaid has one kind of broken line."""
WAYS: dict[Direction, str] = {"down": "TB", "right": "LR"}


def mermaid(parts: Sequence[tuple[str, Drawing]], title: str, theme: Theme, direction: Direction) -> str:
    """Networks with their names, each in a frame if there are several; raises UsageError where that is too much."""
    count = sum(len(drawing.edges) for _, drawing in parts)
    if count > bounds.MERMAID_ARROWS:
        raise UsageError(
            f"the picture has {count:,} arrows, and Mermaid takes {bounds.MERMAID_ARROWS:,} at most; "
            "fewer with --level stage, or draw SVG"
        )
    lines = ["---", f"title: {json.dumps(clean(title))}", "---", f"flowchart {WAYS[direction]}"]
    names = _Names()
    for number, (name, drawing) in enumerate(parts):
        content = [*_frame(drawing.frame, names), *(_edge(edge, names) for edge in drawing.edges)]
        around = [f"    direction {WAYS[direction]}", *content]
        lines += content if len(parts) == 1 else _framed(names.of(name, f"network {number}"), name, around)
    kinds = dict.fromkeys(box.kind for _, drawing in parts for box in _boxes(drawing.frame))
    for kind in kinds:
        paint = theme.kinds[kind]
        lines.append(
            f"  classDef {kind} fill:{paint.fill},stroke:{paint.line}{'' if kind == 'mark' else f',color:{theme.text}'}"
        )
    return "\n".join(lines) + "\n"


class _Names:
    """Short names for boxes and frames, since those of layers may mean something to Mermaid."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {}

    def of(self, name: str, what: str = "box") -> str:
        return self.known.setdefault((what, name), f"n{len(self.known) + 1}")


def _frame(frame: Frame, names: _Names) -> Iterator[str]:
    for placed in frame.boxes:
        box = placed.box
        yield f"  {names.of(box.name)}{_shape(box)}:::{box.kind}"
    for inner in frame.frames:
        assert inner.panel is not None
        heading = " ".join(filter(None, (inner.panel.title, inner.panel.details)))
        yield from _framed(names.of(inner.panel.name, "panel"), heading, list(_frame(inner, names)))


def _framed(name: str, heading: str, content: Sequence[str]) -> Iterator[str]:
    """A frame that is seen through, since arrows and headings have the colours of the page around them."""
    yield f'  subgraph {name}["{escaped(heading)}"]'
    yield from (f"  {line}" for line in content)
    yield "  end"
    yield f"  style {name} fill:none"


def _shape(box: Box) -> str:
    separator = separator_of(box)
    words = "<br>".join(escaped(separator.join(words.text for words in line)) for line in box.lines)
    return f'(["{words}"])' if box.kind == "merge" else f'("{words}")'


def _edge(edge: Edge, names: _Names) -> str:
    words = "<br>".join(map(escaped, filter(None, (edge.name, *edge.label))))
    label = f'|"{words}"|' if words else ""
    return f"  {names.of(edge.tail)} {ARROWS[edge.stroke]}{label} {names.of(edge.head)}"


def _boxes(frame: Frame) -> Iterator[Box]:
    yield from (placed.box for placed in frame.boxes)
    for inner in frame.frames:
        yield from _boxes(inner)


def escaped(text: str) -> str:
    """Words in which only letters, digits and spaces stand for themselves, all else by its number."""
    return re.sub(r"[^\w ,\u00b7\u00d7]", lambda found: f"#{ord(found[0])};", clean(text))
