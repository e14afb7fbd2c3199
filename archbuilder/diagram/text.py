"""The rough width of words, and labels in Graphviz' HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape as escape_html

from archbuilder.diagram.flow import Box, Line, Words

FONT = "Helvetica"
NORMAL = 11
SMALL = 9
FAINT = "#6b6b6b"
LINE = 14
NARROW = frozenset(" .,:;'!|()[]/ijltfrI·")
WIDE = frozenset("mwMW%@+=\N{MULTIPLICATION SIGN}")


@lru_cache(10_000)
def text_width(text: str, size: float = NORMAL, bold: bool = False) -> float:
    """The width of a text in points, estimated on the wide side: fonts differ from machine to machine."""
    ems = sum(0.36 if letter in NARROW else 0.88 if letter in WIDE else 0.63 for letter in text)
    return ems * size * (1.1 if bold else 1)


def box_size(box: Box) -> tuple[float, float]:
    """Width and height of a box around its lines."""
    return max(map(line_width, box.lines)) + 18, LINE * len(box.lines) + 8


def merge_size(box: Box) -> tuple[float, float]:
    """A merge is a small circle, or a pill where it has more to say than its sign."""
    width = line_width(box.lines[0])
    return (19, 19) if width < 12 else (width + 14, 17)


def line_width(line: Line) -> float:
    words = [text_width(word.text, SMALL if word.faint else NORMAL) for word in line]
    return sum(words) + text_width(SEPARATOR, SMALL) * (len(words) - 1)


SEPARATOR = " · "


def escape(text: str) -> str:
    """Any text as it may stand in a label; characters that XML has no place for become a replacement mark."""
    return escape_html(re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text))


def faint(text: str) -> str:
    return f'<font color="{FAINT}" point-size="{SMALL}">{escape(text)}</font>'


def box_label(box: Box) -> str:
    """The lines of a box, one beginning below the other; a merge's words without dots between."""
    separator = " " if box.kind == "merge" else faint(SEPARATOR)
    lines = [separator.join(map(_words, line)) for line in box.lines]
    return (
        f"<{lines[0]}>"
        if len(lines) == 1
        else _table(f'<td align="left" height="{LINE}">{line}</td>' for line in lines)
    )


def _table(rows: Iterable[str]) -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{body}</table>>'


def _words(words: Words) -> str:
    return faint(words.text) if words.faint else escape(words.text)


def small_label(lines: tuple[str, ...]) -> str:
    return f"<{'<br/>'.join(map(faint, lines))}>"


def plain_heading(title: str, details: str) -> str:
    """A panel's heading where no spine parts it."""
    return f"<<b>{escape(title)}</b>{'  ' + faint(details) if details else ''}>"


def heading(title: str, details: str, left: float, right: float) -> str:
    """A panel's heading: its title to the left of the spine, the details to the right."""
    cells = [(f"<b>{escape(title)}</b>", left + 5), (faint(details) if details else "", right - 5)]
    return _table(["".join(f'<td align="left" width="{width:.0f}">{cell}</td>' for cell, width in cells)])
