"""Tables in formats for other programs, in which no text of a stranger means anything but itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

Cell = str | int | float | None


def csv_text(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as CSV; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    import csv
    from io import StringIO

    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([_plain(cell) for cell in row] for row in rows)
    return text.getvalue().removesuffix("\n")


def _plain(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def markdown_text(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Rows as a table of GitHub's Markdown, the first its headings; the columns in `right` end alike."""
    head, *body = (f"| {' | '.join(map(markdown_escaped, row))} |" for row in rows)
    rule = " | ".join("---:" if index in right else "---" for index in range(len(rows[0])))
    return "\n".join([head, f"| {rule} |", *body])


def markdown_escaped(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|~!&$])", r"\\\1", " ".join(text.split()))
