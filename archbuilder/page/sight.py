"""The section of a page that says what a network sees and needs: receptive fields, ways, memory of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archbuilder.costs.numbers import NOTES, Numbers, Ways, field_cells
from archbuilder.formatting import mebibytes
from archbuilder.page.chart import Axis, Chart, Line, chart, heights
from archbuilder.page.words import spaced, times

HEADINGS = ("part", "field", "smallest", "stride", "padding")


@dataclass(frozen=True)
class Sight:
    """Receptive fields, ways, what other tools count, and the memory of training."""

    id: ClassVar[str] = "sight"
    title: ClassVar[str] = "What it sees and needs"
    template: ClassVar[str] = "sight.html"
    headings: ClassVar[tuple[str, ...]] = HEADINGS
    notes: ClassVar[tuple[str, ...]] = NOTES
    numbers: Numbers

    @property
    def field(self) -> str:
        """The receptive field of the network."""
        rows, columns = self.numbers.receptive_field.size
        return f"{rows}" if rows == columns else times(f"{rows}x{columns}")

    @property
    def fields(self) -> list[tuple[str, ...]]:
        """A row for each stage."""
        rows = (field_cells(part, self.numbers) for part in self.numbers.stages)
        return [(spaced(name), *map(times, cells)) for name, *cells in rows]

    @property
    def ways(self) -> str:
        return Ways.of(self.numbers.paths).words

    @property
    def lengths(self) -> Chart | None:
        """The share of the ways that have each length."""
        ways = Ways.of(self.numbers.paths)
        if len(ways.counts) < 2:
            return None
        shares = [count * 10**8 // self.numbers.paths.count / 10**6 for count in ways.counts]
        line = Line("ways", "b", list(enumerate(shares, ways.shortest)))
        axes = Axis.of_whole(ways.shortest, ways.shortest + len(shares) - 1), heights([line])
        return chart(f"Ways by their number of {ways.unit}", [line], axes, " %", ways.words)

    @property
    def memory(self) -> list[tuple[str, str]]:
        """What training holds, part by part."""
        parts = self.numbers.memory.to_json()
        names = ("weights", "gradients", "optimizer", "activations", "runtime", "total")
        return [(name, mebibytes(parts[name])) for name in names]

    @property
    def counts(self) -> list[tuple[str, str, str]]:
        return [(count.tool, f"{count.number:,}", count.what) for count in self.numbers.counts]

    @property
    def batch(self) -> str:
        return f"{self.numbers.memory.batch_size:,}"

    @property
    def precision(self) -> str:
        return self.numbers.memory.precision.replace("_", " ")

    @property
    def intensity(self) -> str:
        return f"{self.numbers.roofline.of.intensity:,.1f}"
