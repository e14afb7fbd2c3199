"""The curve of a timetable: in characters for a terminal, or as a picture."""

from __future__ import annotations

from math import log10
from pathlib import Path
from typing import Any

from archbuilder.atomic_files import replace_file
from archbuilder.errors import MissingError, UsageError
from archbuilder.learning_rate.timetable import Timetable

WIDE = 20
"""The ratio of the highest to the lowest rate from which on the axis is logarithmic."""
ENDINGS = (".png", ".svg", ".pdf")


def is_wide(rates: list[float]) -> bool:
    """Whether a linear axis would hide the lower rates."""
    return min(rates) > 0 and max(rates) / min(rates) >= WIDE


def render(table: Timetable, width: int = 60, height: int = 11) -> str:
    """The curve in braille dots."""
    import plotille

    iterations, rates = (list(part) for part in zip(*table.curve, strict=True))
    wide = is_wide(rates)
    values = [log10(rate) for rate in rates] if wide else rates
    figure = plotille.Figure()
    figure.width, figure.height, figure.with_colors, figure.origin = width, height, False, False
    figure.x_label, figure.y_label = "iteration", "rate"
    figure.x_ticks_fkt = lambda low, high: f"{low:,.0f}"
    figure.y_ticks_fkt = lambda low, high: f"{10**low if wide else low:.2g}"
    low, high = min(values) if wide else 0.0, max(values)
    figure.set_x_limits(0, table.iterations)
    figure.set_y_limits(low, high + (high - low or high) / (height - 1))  # so that the highest is not cut off
    figure.plot(iterations, values)
    return str(figure.show())


def new_figure(path: Path, width: float, height: float) -> Any:
    """An empty figure for a file, its sides in inches.

    Raises UsageError for another ending, MissingError where matplotlib is not installed.
    """
    if path.suffix not in ENDINGS:
        raise UsageError(f"a curve is drawn to a file that ends in {', '.join(ENDINGS)}, not to {path}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError("pictures of curves need matplotlib: pip install 'archbuilder[plot]'") from None
    return Figure(figsize=(width, height), layout="constrained")


def save(table: Timetable, path: Path) -> None:
    """Writes a picture; raises as `new_figure` does."""
    figure = new_figure(path, 7, 3.5)
    iterations, rates = (list(part) for part in zip(*table.curve, strict=True))
    axes = figure.subplots()
    axes.plot(iterations, rates)
    axes.set(title=table.spec, xlabel="iteration", ylabel="learning rate", yscale="log" if is_wide(rates) else "linear")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    per_epoch = table.iterations_per_epoch
    axes.secondary_xaxis("top", functions=(lambda x: x / per_epoch, lambda x: x * per_epoch)).set_xlabel("epoch")
    replace_file(path, figure.savefig)
