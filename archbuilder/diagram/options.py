"""What a picture shall be like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from archbuilder.aliases import Level
from archbuilder.errors import UsageError

Direction = Literal["down", "right"]
ThemeName = Literal["light", "dark", "grey", "colour-blind"]
Background = Literal["theme", "none"]
CHOICES: dict[str, tuple[str | None, ...]] = {
    "level": (None, *get_args(Level)),
    "direction": get_args(Direction),
    "theme": get_args(ThemeName),
    "background": get_args(Background),
}
POINTS = {"mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0, "pt": 1.0, "px": 0.75}
"""The units of a width, in points."""
NARROWEST, WIDEST = 20.0, 20_000.0
"""Widths that a picture may be asked to have, in points."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a picture shows, and how."""

    level: Level | None = None
    """Stages with equal units folded, which is what None means, or every unit, or every layer."""
    unit: str | None = None
    """The unit, such as `stage2/unit1`, that is drawn alone and close up, by layer unless a level says otherwise."""
    title: str | None = None
    totals: bool = False
    """Depth, parameters and multiply-adds below the title."""
    legend: bool = False
    direction: Direction = "down"
    theme: ThemeName = "light"
    background: Background = "theme"
    width: str | None = None
    """The width of the picture, such as `85mm`; no type is smaller than 7 points then."""

    def __post_init__(self) -> None:
        """Raises UsageError for a word that is none of those of its option."""
        for name, words in CHOICES.items():
            if (found := getattr(self, name)) not in words:
                known = ", ".join(str(word) for word in words if word is not None)
                raise UsageError(f"{name} is one of {known}, not '{found}'")

    @property
    def points(self) -> float | None:
        """The width in points; raises UsageError for what is no width."""
        return None if self.width is None else _points(self.width)


def _points(width: str) -> float:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ?(mm|cm|in|pt|px)", width, re.ASCII)
    if found is None:
        raise UsageError(f"'{width}' is not a width, such as 85mm; units: {', '.join(POINTS)}")
    points = float(found[1]) * POINTS[found[2]]
    if not NARROWEST <= points <= WIDEST:
        raise UsageError(f"a picture {width} wide cannot be drawn: between 10mm and 5000mm is possible")
    return points
