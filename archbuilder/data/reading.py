"""Reading each image of a data set once before any is learned from, so that all that cannot be read are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from archbuilder.errors import MissingError
from archbuilder.formatting import counted
from archbuilder.machine import hardware

Item = TypeVar("Item")
AT_ONCE = 64
"""How many images wait for a core, whose content may be in memory by then."""


@dataclass(frozen=True)
class Tally:
    """How many images were read, how many of them have more than 8 bits a channel, and why others were not."""

    images: int
    deep: int
    problems: tuple[str, ...]

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.images + other.images, self.deep + other.deep, self.problems + other.problems)

    def require_readable(self) -> None:
        """Raises MissingError that names the images that cannot be read, if there are any."""
        hint = "\n  hint: mend what is named, or take it out of the data set"
        if len(self.problems) == 1:
            raise MissingError(self.problems[0] + hint)
        if self.problems:
            named = [f"\n  {problem}" for problem in self.problems[:10]]
            more = f"\n  and {len(self.problems) - 10:,} more" if len(self.problems) > 10 else ""
            heading = f"{len(self.problems):,} of {counted(self.images, 'image')} cannot be read:"
            raise MissingError("".join([heading, *named, more, hint]))

    def notes(self) -> list[str]:
        return notes_of_depth(self.deep, self.images)


def notes_of_depth(deep: int, images: int) -> list[str]:
    """A note where some of the images have 16 bits a channel."""
    if not deep:
        return []
    part = f"{deep:,} of {counted(images, 'image')}"
    have = "has" if deep == 1 else "have"
    return [f"{part} {have} 16 bits a channel, which are divided by 257: white is 65,535, whatever the image holds"]


def read_all(read: Callable[[Item], int], items: Iterable[Item]) -> Tally:
    """Reads on all cores; `read` returns the bits of a channel and raises MissingError for what cannot be read."""

    def outcome(item: Item) -> int | str:
        try:
            return read(item)
        except MissingError as error:
            return str(error)

    images, deep, problems = 0, 0, list[str]()
    with ThreadPoolExecutor(hardware.cores()) as pool:
        for some in _batches(items):
            for found in pool.map(outcome, some):
                images += 1
                if isinstance(found, str):
                    problems.append(found)
                else:
                    deep += found > 8
    return Tally(images, deep, tuple(problems))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
