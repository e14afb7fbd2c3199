"""Words and numbers as the sections of a page write them."""

from __future__ import annotations

from archbuilder.diagram.content import spaced, times
from archbuilder.graph.ops import Shape, show

__all__ = ["short", "size", "spaced", "times"]

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def size(shape: Shape) -> str:
    """A shape with proper signs, `56x56x64` with multiplication signs."""
    return times(show(shape))


def short(number: int) -> str:
    """`60.19 M` of a large number, `464` of a small one."""
    unit = next((unit for unit in _UNITS if number >= unit[0]), None)
    return f"{number / unit[0]:,.4g} {unit[1]}" if unit else f"{number}"
