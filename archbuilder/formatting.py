"""Numbers as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from itertools import zip_longest

NARROWEST = 24
"""The fewest columns in which text is wrapped beside something else, and not below it."""


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def mebibytes(amount: int) -> str:
    """`12.3 MiB`, or `1.2 GiB` from one on."""
    return f"{amount / 2**30:,.1f} GiB" if amount >= 2**30 else f"{amount / 2**20:,.1f} MiB"


def duration(seconds: float) -> str:
    """`42 s`, `3:07` or `1:02:07`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def printable(text: str) -> str:
    """A name as a terminal may show it: what it would act on, or cannot show, becomes `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)


def shortened(text: str, most: int = 500) -> str:
    """What a file says as a terminal may show it, not at any length."""
    return printable(text if len(text) <= most else f"{text[: most - 3]}...")


def column_count(text: str) -> int:
    """The columns that a terminal gives a text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def first_ten(names: Sequence[str], separator: str = ", ") -> str:
    """The first ten of many names, printable, and how many more there are."""
    more = [f"and {len(names) - 10:,} more"] if len(names) > 10 else []
    return separator.join([*map(printable, names[:10]), *more])


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Rows of cells as lines, two spaces between columns; those in `right` end alike. A cell may have several lines."""
    cells = [[cell.split("\n") for cell in row] for row in rows]
    widths = [max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)]
    lines = [line for row in cells for line in zip_longest(*row, fillvalue="")]
    return ["  ".join(_cells(line, widths, right)).rstrip() for line in lines]


def _cells(line: Sequence[str], widths: Sequence[int], right: Collection[int]) -> list[str]:
    pairs = enumerate(zip(line, widths, strict=True))
    return [cell.rjust(width) if index in right else cell.ljust(width) for index, (cell, width) in pairs]


def wrapped(start: str, text: str, width: int | None) -> str:
    """A text behind its beginning, or below it on a narrow terminal, in lines of `width` columns; no word is cut."""
    if width is None:
        return f"{start}{text}".rstrip()
    if width - len(start) >= NARROWEST:
        return _filled(text, width, start, " " * len(start))
    return f"{start.rstrip()}\n{_filled(text, width, '  ', '  ')}"


def _filled(text: str, width: int, first: str, then: str) -> str:
    lines = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)
