"""The section of a page that says what a network costs: a tree of stages, units and layers as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from archbuilder.costs.summary import Layer, Stage, Summary, Unit
from archbuilder.costs.text import row, scale_of, unit_count
from archbuilder.formatting import counted
from archbuilder.graph.network import Costs as Sum
from archbuilder.graph.ops import Shape
from archbuilder.page.words import size, spaced, times

MOST_ROWS = 2000
"""The rows that a table has with all layers; of a larger network it has stages and units."""
MOST_UNITS = 5000
"""The same of stages and units; of a network larger than that it has stages."""
HEADINGS = ("trainable", "parameters", "multiply-adds", "memory")
Level = Literal["stage", "unit", "layer"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A number, as it is read and exactly, and its share of the whole in percent, of which 0 is not drawn."""

    text: str
    value: int
    share: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    level: Level
    id: str | None
    """What a unit in the picture leads to."""
    name: str
    what: str
    output: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Costs:
    """The table, and what the multiply-adds of one image are for other tools."""

    id: ClassVar[str] = "costs"
    title: ClassVar[str] = "Costs"
    template: ClassVar[str] = "costs.html"
    headings: ClassVar[tuple[str, ...]] = HEADINGS
    summary: Summary
    key: str = ""
    """What tells its rows from those of others on the same page."""

    @cached_property
    def deepest(self) -> Level:
        """The finest level of the rows; beside other networks, that of units."""
        stages = self.summary.stages
        units = sum(len(stage.units) for stage in stages)
        if not self.key and len(stages) + units + len(self.summary.layers) <= MOST_ROWS:
            return "layer"
        return "unit" if units <= MOST_UNITS else "stage"

    @cached_property
    def _whole(self) -> Sum:
        return self.summary.costs

    @property
    def rows(self) -> Iterator[Row]:
        for stage in self.summary.stages:
            count = unit_count(stage)
            what = counted(count, "unit") if count else ""
            yield self._row("stage", stage.name, spaced(stage.name), what, stage, stage.output_shape)
            if self.deepest != "stage" and stage.name != stage.units[0].layers[0].name:
                for unit in stage.units:
                    yield from self._unit(stage, unit)

    @property
    def total(self) -> tuple[Cell, ...]:
        return self._cells(self.summary, self.summary.output_shapes[-1])

    @property
    def output(self) -> str:
        return size(self.summary.output_shapes[-1])

    def _unit(self, stage: Stage, unit: Unit) -> Iterator[Row]:
        is_outside = unit.name == stage.name
        if not is_outside or len(stage.units) > 1:
            name = "after" if is_outside else spaced(unit.name.rpartition("/")[2])
            yield self._row("unit", None if is_outside else unit.name, name, "", unit, unit.output_shape)
        if self.deepest == "layer":
            for layer in unit.layers:
                name = layer.name.removeprefix(f"{unit.name}/")
                yield self._row("layer", None, name, times(layer.words), layer, layer.output_shape)

    def _row(
        self, level: Level, name_in_page: str | None, name: str, what: str, part: Stage | Unit | Layer, shape: Shape
    ) -> Row:
        return Row(
            level,
            name_in_page and f"{self.key}{name_in_page}",
            name,
            what,
            size(shape),
            self._cells(part, shape, level != "layer"),
        )

    def _cells(self, part: Stage | Unit | Layer | Summary, shape: Shape, bars: bool = False) -> tuple[Cell, ...]:
        *_, trainable, total, macs, memory = row("", "", "", part, scale_of(self._whole.macs))
        costs, whole = part.costs, self._whole
        return (
            Cell(trainable, costs.trainable, _percent(costs.trainable, whole.trainable) if bars else 0),
            Cell(total, costs.total),
            Cell(macs, costs.macs, _percent(costs.macs, whole.macs) if bars else 0),
            Cell(memory, part.activation_bytes),
        )


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0
