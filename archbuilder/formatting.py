"""Numbers as text for people."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


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


def first_ten(names: Sequence[str], separator: str = ", ") -> str:
    """The first ten of many names, printable, and how many more there are."""
    more = [f"and {len(names) - 10:,} more"] if len(names) > 10 else []
    return separator.join([*map(printable, names[:10]), *more])
