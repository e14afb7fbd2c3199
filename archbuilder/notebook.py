"""How values show themselves in a notebook, as HTML in which no text of a stranger means anything but itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from archbuilder.comparison.difference import Difference
from archbuilder.comparison.result import Comparison, NoneNear
from archbuilder.comparison.result import render as render_comparison
from archbuilder.costs import numbers
from archbuilder.costs.numbers import Numbers
from archbuilder.costs.summary import Summary, summarise
from archbuilder.costs.text import NOTES, cells, title
from archbuilder.diagram.picture import picture
from archbuilder.diagram.text import escape
from archbuilder.errors import ArchbuilderError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import Spec


def html(value: object) -> str | None:
    """The HTML of a value; None for one that this module does not know, or that cannot be drawn."""
    match value:
        case Spec():
            return _spec(value)
        case Graph():
            return _graph(value)
        case Summary():
            return _summary(value)
        case Numbers():
            return _numbers(value)
        case Comparison() | NoneNear():
            return preformatted(render_comparison(value))
        case Difference():
            return preformatted(str(value))
        case _:
            return None


def preformatted(text: str) -> str:
    """Text in a font of one width, which some notebooks do not give to `pre` of themselves."""
    return f'<pre style="font-family: monospace">{escape_lines(text)}</pre>'


def escape_lines(text: str) -> str:
    """Escaped text that keeps its lines."""
    return "\n".join(map(escape, text.split("\n")))


def table(rows: Sequence[Sequence[str]], head: bool = True) -> str:
    """Rows as a table, the first its headings."""
    first, *others = rows if head else ((), *rows)
    heading = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in first)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in others)
    return f"<table>{heading}{body}</table>"


def folded(what: str, content: str) -> str:
    return f"<details><summary>{escape(what)}</summary>{content}</details>"


def _spec(spec: Spec) -> str:
    about = paragraphs(_strong(spec.name), *map(escape, filter(None, (spec.network.summary, spec.network.source))))
    yaml = folded("spec", preformatted(spec.dump()))
    try:
        return about + _drawn(expand(spec)) + yaml
    except ArchbuilderError as error:
        return about + preformatted(str(error)) + yaml


def _graph(graph: Graph) -> str:
    costs = summarise(graph)
    return paragraphs(_strong(title(costs))) + _drawn(graph) + folded("costs", table(cells(costs, "stage")))


def _summary(summary: Summary) -> str:
    units = folded("units", table(cells(summary, "unit")))
    return (
        paragraphs(_strong(title(summary))) + table(cells(summary, "stage")) + units + paragraphs(*map(escape, NOTES))
    )


def _numbers(found: Numbers) -> str:
    parts = [
        paragraphs(_strong(numbers.title(found))), table(numbers.field_rows(found)),
        preformatted("\n".join(numbers.ways_lines(found.paths))), table(numbers.count_rows(found), head=False),
        preformatted("\n".join(numbers.estimates(found))), paragraphs(*map(escape, numbers.NOTES)),
    ]  # fmt: skip
    return "".join(parts)


def _drawn(graph: Graph) -> str:
    """The picture of a network; nothing where there are too many arrows for one, or no Graphviz."""
    with suppress(ArchbuilderError):
        return picture([graph]).svg
    return ""


def _strong(text: str) -> str:
    return f"<strong>{escape(text)}</strong>"


def paragraphs(*texts: str) -> str:
    """Paragraphs of HTML."""
    return "".join(f"<p>{text}</p>" for text in texts)
