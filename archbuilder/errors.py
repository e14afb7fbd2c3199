"""What can be wrong, where it stands, and the exit code it ends with. The bottom layer: imports nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from itertools import islice
from typing import ClassVar, Literal

from archbuilder.formatting import column_count, printable


@dataclass(frozen=True, slots=True)
class Span:
    """A token of a source text; lines and columns count from one."""

    file: str
    line: int
    column: int
    length: int
    text: str
    """The whole line that the token stands in."""

    def order(self) -> tuple[int, int]:
        return (self.line, self.column)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: a code for scripts, a sentence for people, a place and a way out."""

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """The message for people; characters that a terminal would act on are shown as `?`."""
        lines = [f"{self._location()}{self.severity}[{self.code}]: {self.message}"]
        if self.span is not None:
            lines += excerpt(self.span)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(map(printable, lines))

    def to_json(self) -> dict[str, object]:
        place = self.span
        where = (
            {"file": place.file, "line": place.line, "column": place.column, "length": place.length} if place else {}
        )
        return {"code": self.code, "message": self.message, "hint": self.hint, **where}

    def _location(self) -> str:
        return f"{self.span.file}:{self.span.line}:{self.span.column}: " if self.span else ""


def excerpt(span: Span, width: int = 120) -> list[str]:
    """The line of a span and carets under its token, cut to `width`; characters that are wide have two."""
    start = max(0, span.column - 1 - width // 2)
    text = printable(span.text[start : start + width].replace("\t", " "))
    column = span.column - 1 - start
    before, token = text[:column], text[column : column + span.length]
    indent = " " * (len(f"  {span.line} | ") + column_count(before))
    return [f"  {span.line} | {text}".rstrip(), indent + "^" * max(1, column_count(token))]


class ArchbuilderError(Exception):
    """Everything archbuilder reports on purpose; a traceback of anything else is a bug of ours."""

    exit_code: ClassVar[int] = 1


SHOWN = 100
"""Of more mistakes, so many are shown."""


class SpecError(ArchbuilderError):
    """All the mistakes of a spec, in the order in which they stand in it."""

    exit_code = 3

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        more = len(self.diagnostics) - SHOWN
        rest = [f"and {more:,} more mistakes"] if more > 0 else []
        super().__init__("\n".join([*map(str, self.diagnostics[:SHOWN]), *rest]))


class MissingError(ArchbuilderError):
    """Something a command needs is not there: data, a file, a package."""

    exit_code = 4


class DivergedError(ArchbuilderError):
    """Training came to a loss that is not a finite number."""

    exit_code = 5


class StoppedError(ArchbuilderError):
    """Ctrl-C (SIGINT) stopped a command; a training has saved a checkpoint by then."""

    exit_code = 130


class TerminatedError(StoppedError):
    """SIGTERM did."""

    exit_code = 143


class UsageError(ArchbuilderError):
    """A request contradicts itself or what is on disk."""

    exit_code = 2


MISSPELT = 0.8
"""How alike a word and what was meant by it are where no more than letters are wrong."""
LISTED = 12
"""Of a longer list, the first ten are named."""


def suggest(wrong: str, known: Iterable[object], plural: str) -> str:
    """A hint that names the nearest known word, if one is near, and lists the others unless they are many."""
    words = sorted({str(word) for word in known})
    near = nearest(wrong, words)
    question = f"did you mean '{near[0]}'?" if near else ""
    if near and len(words) > LISTED:
        return question
    listing = f"{plural}: {listed(words)}" if words else f"there are no {plural} here"
    return f"{question} {listing}".strip()


def listed(words: Sequence[str]) -> str:
    """The words of a list, of a long one the first ten and how many more there are."""
    return ", ".join(words) if len(words) <= LISTED else f"{', '.join(words[:10])} and {len(words) - 10:,} more"


def nearest(wrong: str, words: Iterable[str], count: int = 1, likeness: float = 0.6) -> list[str]:
    """The words that one may have meant, the nearest first, among them parts of what is wrong, such as its last.

    Capital letters do not count.
    """
    lowered = {word.lower(): word for word in islice(words, 1000) if len(word) <= 100}
    if len(wrong) > 100:
        return []
    parts = [part for part in reversed(re.split("[^a-z0-9]+", wrong.lower())) if part in lowered]
    alike = get_close_matches(wrong.lower(), lowered, count, likeness)
    misspelt = [word for word in alike if SequenceMatcher(None, word, wrong.lower()).ratio() >= MISSPELT]
    found = [*misspelt, *parts, *alike]
    return [lowered[word] for word in dict.fromkeys(found)][:count]
