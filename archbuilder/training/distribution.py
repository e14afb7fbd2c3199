"""Where a training runs: on one device, or on several that make the same updates, each from its share of a batch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from archbuilder.aliases import Tensor


class Distribution(Protocol):
    """The devices that train together; they may belong to several processes, of which the chief writes."""

    replicas: int
    """The number of devices."""
    processes: int
    process: int
    """The number of this process."""

    @property
    def is_chief(self) -> bool: ...

    def together(self) -> AbstractContextManager[None]:
        """Raises ArchbuilderError where the other processes cannot be reached any more."""
        ...

    def sums(self, *values: float) -> list[float]:
        """Over all processes, each of which has to ask for them."""
        ...

    def rows(self, count: int) -> slice:
        """The images of a batch of `count` that this process learns from."""
        ...


class Alone:
    """A single device of a single process."""

    replicas, processes, process, is_chief = 1, 1, 0, True

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def sums(self, *values: float) -> list[float]:
        return list(values)

    def rows(self, count: int) -> slice:
        return slice(0, count)


def portion(count: Tensor, parts: int, index: int | Tensor) -> tuple[Tensor, Tensor]:
    """The first of `count` things that belong to one of the parts, and the first behind them."""
    return index * count // parts, (index + 1) * count // parts
