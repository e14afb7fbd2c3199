"""The summary of a network as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archbuilder.aliases import Level
from archbuilder.costs.summary import Layer, Stage, Summary, Unit
from archbuilder.formatting import column_count
from archbuilder.graph.ops import show

NOTES = (
    "macs: multiply-adds count convolutions and dense layers, for one image; flops are about twice that.",
    "memory: the outputs of all layers for one image, in float32.",
)
Row = tuple[str, ...]
Part = Layer | Unit | Stage
Line = tuple[str, str, Part]
"""A label, what the layer does, and the part that the numbers belong to."""
HEADINGS: Row = ("", "", "output", "trainable", "total", "macs", "memory")


def render(summary: Summary, level: Level = "unit") -> str:
    """A summary as a table in plain text: one line a stage, with its units or all its layers under it."""
    return "\n".join([title(summary), "", _table(cells(summary, level)), "", *NOTES])


def cells(summary: Summary, level: Level) -> list[Row]:
    """The headings of the table, its rows, and the total."""
    scale = scale_of(summary.costs.macs)
    rows = (row(label, words, show(part.output_shape), part, scale) for label, words, part in _lines(summary, level))
    return [HEADINGS, *rows, row("total", "", _outputs(summary), summary, scale)]


def _outputs(summary: Summary) -> str:
    return ", ".join(map(show, summary.output_shapes))


def title(summary: Summary) -> str:
    return f"{summary.name}: depth {summary.depth}, input {show(summary.input_shape)}, output {_outputs(summary)}"


def _lines(summary: Summary, level: Level) -> Iterator[Line]:
    for stage in summary.stages:
        only_layer = stage.name == stage.units[0].layers[0].name
        count = unit_count(stage)
        yield f"{stage.name} ({count} unit{'s' if count > 1 else ''})" if count else stage.name, "", stage
        if level != "stage" and not only_layer:
            for unit in stage.units:
                yield from _unit_lines(stage, unit, level)


def unit_count(stage: Stage) -> int:
    return sum(unit.name.startswith(f"{stage.name}/unit") for unit in stage.units)


def _unit_lines(stage: Stage, unit: Unit, level: Level) -> Iterator[Line]:
    """The lines of one unit; it has one of its own unless its stage has no units."""
    nested = unit.name != stage.name or len(stage.units) > 1
    if nested:
        label = "after" if unit.name == stage.name else unit.name.rpartition("/")[2]
        yield f"  {label}", "", unit
    if level == "layer":
        margin = "    " if nested else "  "
        for layer in unit.layers:
            yield f"{margin}{layer.name.removeprefix(f'{unit.name}/')}", layer.words, layer


def row(label: str, words: str, shape: str, part: Part | Summary, scale: tuple[int, str]) -> Row:
    (divisor, unit), costs = scale, part.costs
    macs = f"{costs.macs / divisor:,.{3 if unit == 'G' else 1}f} {unit}" if costs.macs else ""
    memory = f"{part.activation_bytes / 2**20:,.2f} MiB" if part.activation_bytes else ""
    parameters = (f"{number:,}" if number else "" for number in (costs.trainable, costs.total))
    return (label, words, shape, *parameters, macs, memory)


def scale_of(macs: int) -> tuple[int, str]:
    """The unit that all multiply-adds of a table are given in, so that its rows can be added up."""
    scales = [(10**9, "G"), (10**6, "M"), (10**3, "k")]
    return next((scale for scale in scales if macs >= scale[0]), scales[-1])


def _table(table: list[Row]) -> str:
    """Rows in columns, words to the left and numbers to the right, in plain text as wide as it needs to be."""
    widths = [max(map(column_count, column)) for column in zip(*table, strict=True)]
    head, *lines, foot = (_aligned(row, widths) for row in table)
    rule = "─" * (sum(widths) + 3 * (len(widths) - 1))
    return "\n".join([head, rule, *lines, rule, foot])


def _aligned(row: Row, widths: Iterable[int]) -> str:
    gaps = (" " * (width - column_count(cell)) for cell, width in zip(row, widths, strict=True))
    cells = (cell + gap if index < 2 else gap + cell for index, (cell, gap) in enumerate(zip(row, gaps, strict=True)))
    return "   ".join(cells).rstrip()
