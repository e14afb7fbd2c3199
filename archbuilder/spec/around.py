"""What is known at some place of a list of layers: the names in expressions, and the points."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

HERE = frozenset({"channels", "height", "width"})
"""The names that stand for what arrives at a layer."""
ARRIVING = "arriving"
"""The name that stands, in a shortcut, for the channels that arrive; `channels` are those of the residual path."""
NUMBERS = frozenset({"unit", "units", "stage", "index", "count"})
"""The names that say, in what a spec writes at its stages, which unit it is."""


class Named:
    """The points that have a name at some place of a list of layers."""

    def __init__(self, names: Iterable[str] = (), writer: Named | None = None) -> None:
        self.names, self.writer = {*names}, writer
        self.literal: set[str] = set()
        """Those that the list names itself, rather than by a parameter."""

    def known(self) -> set[str]:
        return self.names | (self.writer.known() if self.writer else set())

    def branch(self) -> Named:
        """The same for a path of a merge, which names others than the paths beside it."""
        other = Named(self.names, self.writer)
        other.literal = self.literal
        return other

    def choice(self) -> Named:
        """The same for the layers of a condition, which may name the same as those of its other branch."""
        other = self.branch()
        other.literal = {*self.literal}
        return other

    def join(self, *branches: Named) -> None:
        for one in branches:
            self.names |= one.names
            self.literal |= one.literal


@dataclass(frozen=True)
class Around:
    """What is known where a layer stands: the names in expressions, and the points."""

    names: Set[str]
    points: Named

    def passed(self) -> Around:
        """For a list that is written here and passed: it has points of its own, too."""
        return Around(self.names, Named(writer=self.points))
