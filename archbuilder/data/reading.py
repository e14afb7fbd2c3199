"""Reading each image of a data set once before any is learned from, so that all that cannot be read are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, assert_never

import numpy as np

from archbuilder.data.dataset import Indices
from archbuilder.errors import MissingError
from archbuilder.formatting import counted, first_ten, percent
from archbuilder.machine import hardware
from archbuilder.spec.data import Refuse, Skip, Unreadable

Item = TypeVar("Item")
AT_ONCE = 64
"""How many images wait for a core, whose content may be in memory by then."""
MOST_NAMED = 10_000
"""How many images that cannot be read are named at most."""


@dataclass(frozen=True)
class Seen:
    """What is known of an image that was read."""

    bits: int
    """The bits of each channel as they are stored."""
    sum: bytes
    """A digest that images of the same pixels have in common."""


@dataclass(frozen=True)
class Reading:
    """What came of reading all images of a part."""

    seen: Sequence[Seen | None]
    """Of each image; nothing of one that cannot be read."""
    problems: Mapping[int, str]
    """Why those cannot be read, by their places."""

    @property
    def good(self) -> Indices:
        """The places of the images that can be read."""
        return np.array([place for place, seen in enumerate(self.seen) if seen], np.int64)

    @property
    def sums(self) -> tuple[bytes, ...]:
        """The digests of those."""
        return tuple(seen.sum for seen in self.seen if seen)


def settle(readings: Sequence[Reading], unreadable: Unreadable) -> list[str]:
    """Notes of how the images of all parts were read; raises MissingError that names those that cannot be.

    Where they are to be left out, it does so only where they are more than the share that may be.
    """
    problems = [problem for reading in readings for problem in reading.problems.values()]
    images = sum(len(reading.seen) for reading in readings)
    deep = sum(seen is not None and seen.bits > 8 for reading in readings for seen in reading.seen)
    match unreadable:
        case Refuse():
            _require_none(problems, images, "mend what is named, or take it out of the data set; `on_unreadable: skip` "
                          "under `data` leaves it out")  # fmt: skip
        case Skip(most=most):
            if len(problems) > most * images or not all(len(reading.good) for reading in readings if reading.seen):
                _require_none(
                    problems, images, f"`on_unreadable: {{skip: {most:g}}}` leaves out {percent(most)} at most"
                )
        case _:
            assert_never(unreadable)
    skipped = f"left out {len(problems):,} of {counted(images, 'image')} that cannot be read"
    return [*([f"{skipped}: {first_ten(problems, '; ')}"] if problems else []), *notes_of_depth(deep, images)]


def _require_none(problems: Sequence[str], images: int, advice: str) -> None:
    hint = f"\n  hint: {advice}"
    if len(problems) == 1:
        raise MissingError(problems[0] + hint)
    if problems:
        named = [f"\n  {problem}" for problem in problems[:MOST_NAMED]]
        more = f"\n  and {len(problems) - MOST_NAMED:,} more" if len(problems) > MOST_NAMED else ""
        heading = f"{len(problems):,} of {counted(images, 'image')} cannot be read:"
        raise MissingError("".join([heading, *named, more, hint]))


def notes_of_depth(deep: int, images: int) -> list[str]:
    """A note where some of the images have 16 bits a channel."""
    if not deep:
        return []
    part = f"{deep:,} of {counted(images, 'image')}"
    have = "has" if deep == 1 else "have"
    return [f"{part} {have} 16 bits a channel, which are divided by 257: white is 65,535, whatever the image holds"]


def read_all(read: Callable[[Item], Seen], items: Iterable[Item]) -> Reading:
    """Reads on all cores; `read` raises MissingError for what cannot be read."""

    def outcome(item: Item) -> Seen | str:
        try:
            return read(item)
        except MissingError as error:
            return str(error)

    seen, problems = list[Seen | None](), dict[int, str]()
    with ThreadPoolExecutor(hardware.cores()) as pool:
        for some in _batches(items):
            for found in pool.map(outcome, some):
                if isinstance(found, str):
                    problems[len(seen)] = found
                seen.append(None if isinstance(found, str) else found)
    return Reading(seen, problems)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
