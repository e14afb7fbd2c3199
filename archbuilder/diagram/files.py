"""A picture, and the files and texts that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from graphviz import Digraph

from archbuilder.diagram.dot import digraph
from archbuilder.diagram.drawing import Drawing
from archbuilder.diagram.formats import Format, format_of, write
from archbuilder.diagram.mermaid import mermaid
from archbuilder.diagram.options import Direction
from archbuilder.diagram.rendering import rendered
from archbuilder.diagram.svg import Canvas, svg
from archbuilder.diagram.theme import Theme

RESOLUTION = "150"
"""The resolution of a PNG in dots per inch; more where it shall be small."""
WHITE = "#ffffff"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawn network, or several, which a notebook shows."""

    drawing: Drawing
    parts: tuple[tuple[str, Drawing], ...]
    """Each network with its name."""
    name: str
    theme: Theme
    background: str | None
    canvas: Canvas
    direction: Direction

    def __repr__(self) -> str:
        return f"<Picture of {self.name!r}>"

    @property
    def svg(self) -> str:
        """SVG to stand within HTML."""
        return svg(self.drawing, self.name, self.theme, self.background, self.canvas)

    @property
    def dot(self) -> str:
        """The DOT language of Graphviz."""
        return str(self._digraph({}).source)

    @property
    def mermaid(self) -> str:
        """The language of Mermaid; raises UsageError where that takes no picture so large."""
        return mermaid(self.parts, self.name, self.theme, self.direction)

    def _repr_svg_(self) -> str:
        return self.svg

    def content(self, kind: Format) -> bytes:
        """It in one format; raises MissingError where that needs Graphviz, and there is none."""
        match kind:
            case "svg":
                return (DECLARATION + self.svg).encode()
            case "dot":
                return self.dot.encode()
            case "mermaid":
                return self.mermaid.encode()
            case "png":
                return rendered(self._digraph({"dpi": RESOLUTION if self.canvas.width is None else "300"}), "png")
            case "pdf":
                return rendered(self._digraph({}), "pdf")
            case _:
                assert_never(kind)

    def _digraph(self, attributes: dict[str, str]) -> Digraph:
        """White paper goes without saying."""
        background = "transparent" if self.background is None else self.background
        graph = digraph(self.drawing, self.name, self.theme, None if background == WHITE else background)
        size = {} if self.canvas.width is None else {"size": f"{self.canvas.width / 72:.3f},1000"}
        graph.attr(**attributes, **size)
        return graph

    def save(self, path: str | Path, kind: Format | None = None) -> Path:
        """Writes it in the format of the path's extension, unless another is given; the file is complete or not there.

        Raises UsageError for another extension.
        """
        path = Path(path)
        chosen = kind or format_of(path)
        return write(path, lambda: self.content(chosen))
