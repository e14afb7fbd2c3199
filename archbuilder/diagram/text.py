"""The rough width of words, and words in XML."""

from __future__ import annotations

from functools import lru_cache
from html import escape as escape_html

from archbuilder.diagram.flow import Box, Line

FONT = "Helvetica"
NORMAL = 11
SMALL = 9
LINE = 14
NARROW = frozenset(" .,:;'!|()[]/ijltfrI·")
WIDE = frozenset("mwMW%@+=\N{MULTIPLICATION SIGN}")


@lru_cache(10_000)
def text_width(text: str, size: float = NORMAL, bold: bool = False) -> float:
    """The width of a text in points, estimated on the wide side: fonts differ from machine to machine."""
    ems = sum(0.36 if letter in NARROW else 0.88 if letter in WIDE else 0.63 for letter in text)
    return ems * size * (1.1 if bold else 1)


def box_size(box: Box) -> tuple[float, float]:
    """Width and height of a box around its lines; a merge is a circle, or a pill where it says more than its sign."""
    width = max(map(line_width, box.lines))
    match box.kind:
        case "merge":
            return (19, 19) if width < 12 else (width + 14, 17)
        case "mark":
            return width + 4, LINE * len(box.lines)
        case _:
            return width + 18, LINE * len(box.lines) + 8


def line_width(line: Line) -> float:
    words = [text_width(word.text, SMALL if word.faint else NORMAL) for word in line]
    return sum(words) + text_width(SEPARATOR, SMALL) * (len(words) - 1)


SEPARATOR = " · "


def separator_of(box: Box) -> str:
    """What stands between the words of a line."""
    return " " if box.kind in ("merge", "mark") else SEPARATOR


def escape(text: str) -> str:
    """Any text as it may stand in XML."""
    return escape_html(clean(text))


def clean(text: str) -> str:
    """Any text without the characters that nothing shows, or that something acts on: a mark stands for each."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
