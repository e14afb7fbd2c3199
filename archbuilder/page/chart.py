"""Charts: lines without text, stretched to any size, and the ticks that stand beside them as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TypeVar

WIDTH, HEIGHT = 1000, 400
"""The plane that lines are drawn in."""
LARGEST = 1e100
"""The end of any axis: a run of a stranger may have numbers whose differences no float holds."""
MOST_POINTS = 400
"""Those of a line; of more, every so many."""
Value = float | None
Point = tuple[float, Value]
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from the first tick to the last, evenly spaced; of a logarithmic one, their powers of ten are."""

    ticks: tuple[float, ...]
    is_log: bool = False

    @classmethod
    def over(cls, low: float, high: float, steps: int = 6) -> Axis:
        """An axis with at most so many steps of 1, 2, 2.5 or 5 times a power of ten that holds both ends."""
        low, high = max(low, -LARGEST), min(high, LARGEST)
        if not high > low:
            high = low + (abs(low) or 1)
        step = _nice((high - low) / steps)
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        return cls(tuple(number * step for number in range(first, max(last, first + 1) + 1)))

    @classmethod
    def of_whole(cls, low: int, high: int, steps: int = 8) -> Axis:
        """The same for whole numbers, such as epochs, with ticks at whole numbers alone."""
        step = max(1, round(_nice(max(high - low, 1) / steps, (1, 2, 5))))
        first, last = low // step, -(-high // step)
        return cls(tuple(float(number * step) for number in range(first, max(last, first + 1) + 1)))

    @classmethod
    def log(cls, low: float, high: float) -> Axis:
        """Powers of ten around both ends, which are above zero."""
        first, last = floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9)
        every = ceil((max(last, first + 1) - first) / 8)
        return cls(tuple(10.0**power for power in range(first, max(last, first + 1) + every, every)), is_log=True)

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the first tick to 1 at the last, between which it is kept."""
        first, last = self.ticks[0], self.ticks[-1]
        if self.is_log:
            first, last, value = log10(first), log10(last), log10(max(value, first))
        return min(max((value - first) / (last - first), 0.0), 1.0)


def _nice(step: float, factors: Sequence[float] = (1, 2, 2.5, 5)) -> float:
    size: float = 10.0 ** floor(log10(step))
    return next((factor * size for factor in factors if factor * size >= step * (1 - 1e-9)), 10 * size)


@dataclass(frozen=True, slots=True)
class Line:
    """Values over the horizontal axis; `look` is a class of the style sheet, such as `a` or `b`."""

    name: str
    look: str
    points: Sequence[Point]
    is_dotted: bool = False
    """Whether each point stands for itself."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as a path, and the height of each of its points for the cursor; a gap has none."""

    name: str
    look: str
    path: str
    heights: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one pair of axes, and what they say for those who do not see them."""

    title: str
    lines: tuple[Drawn, ...]
    x_labels: tuple[str, ...]
    y_labels: tuple[str, ...]
    """From the highest down."""
    says: str
    has_cursor: bool = False
    last: float = 0.0
    """The end of the horizontal axis."""

    @property
    def grid(self) -> str:
        count = len(self.y_labels) - 1
        return "".join(f"M0 {round(HEIGHT * line / count)}H{WIDTH}" for line in range(count + 1))


def chart(
    title: str, lines: Sequence[Line], axes: tuple[Axis, Axis], unit: str = "", says: str = "", cursor: bool = False
) -> Chart:
    """A chart over an axis of whole numbers; `unit` stands behind the ticks of the other one."""
    across, up = axes
    return Chart(
        title, tuple(_drawn(line, across, up, cursor) for line in lines), tuple(map(number, across.ticks)),
        tuple(f"{number(tick)}{unit}" for tick in reversed(up.ticks)), says, cursor, across.ticks[-1],
    )  # fmt: skip


def heights(lines: Iterable[Line], log: bool = False) -> Axis:
    """The axis for the values of some lines: from zero on, or below it where there are such, or logarithmic."""
    values = [value for line in lines for _, value in line.points if value is not None] or [0.0]
    return Axis.log(min(values), max(values)) if log else Axis.over(min(0.0, *values), max(values))


def number(value: float) -> str:
    """A short number without an exponent where it has a usual size."""
    return f"{value:,.10g}" if 1e-4 <= abs(value) < 1e9 or not value else f"{value:.3g}"


def _drawn(line: Line, across: Axis, up: Axis, cursor: bool) -> Drawn:
    places = [
        (round(WIDTH * across.share(x)), None if y is None else round(HEIGHT * (1 - up.share(y))))
        for x, y in line.points
    ]
    shown = thinned(places, MOST_POINTS)
    whole = [f"{x} {y}" if y is not None else "" for x, y in shown]
    if line.is_dotted:
        return Drawn(line.name, line.look, "".join(f"M{place}h.01" for place in filter(None, whole)), "")
    starts = [index for index, text in enumerate(whole) if text and (not index or not whole[index - 1])]
    runs = (whole[start : _end(whole, start)] for start in starts)
    path = "".join(f"M{' '.join(run if len(run) > 1 else [*run, 'h.01'])}" for run in runs)
    found = " ".join("-" if y is None else str(y) for _, y in places) if cursor else ""
    return Drawn(line.name, line.look, path, found)


def _end(texts: Sequence[str], start: int) -> int:
    return next((index for index in range(start, len(texts)) if not texts[index]), len(texts))


def thinned(things: Sequence[Thing], most: int) -> Sequence[Thing]:
    """At most so many of some things, evenly, the first and the last among them."""
    last = len(things) - 1
    return things if last < most else [things[round(last * index / (most - 1))] for index in range(most)]
