"""What an expansion does, counted against the bounds of the language, so that each comes to an end."""

from __future__ import annotations

from math import prod

from archbuilder import bounds
from archbuilder.errors import Diagnostic
from archbuilder.expansion.repetition import ExpandedUnit
from archbuilder.graph.network import Node


class Problem(Exception):  # noqa: N818 (a diagnostic on its way up)
    """A layer cannot be made, so that what follows it has no shape."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class TooMuchError(Problem):
    """The spec exceeds a bound, so that nothing more of it is expanded."""


class OutOfBounds(Exception):  # noqa: N818 (gets its place further up)
    """A bound is exceeded; the message names it."""


class Work:
    """Counters of one expansion; each raises OutOfBounds where its bound is passed."""

    def __init__(self) -> None:
        self.layers = self.expansions = self.steps = self.parameters = 0

    def expand(self) -> None:
        self.expansions += 1
        if self.expansions > bounds.EXPANSIONS:
            raise OutOfBounds(f"a network has at most {bounds.EXPANSIONS:,} expansions of templates and shortcuts")

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > bounds.STEPS:
            raise OutOfBounds(f"the templates come to more than {bounds.STEPS:,} paths, choices and expressions")

    def repeat(self, unit: ExpandedUnit) -> None:
        """Counts a unit that was expanded before."""
        self.expand()
        self.step(len(unit.names))
        self._count(len(unit.nodes), unit.parameters)

    def add(self, node: Node) -> None:
        if prod(node.shape) > bounds.OUTPUTS:
            raise OutOfBounds(f"a layer returns at most {bounds.OUTPUTS:,} values")
        self._count(1, node.parameters)

    def _count(self, layers: int, parameters: int) -> None:
        self.layers += layers
        if self.layers > bounds.LAYERS:
            raise OutOfBounds(f"a network has at most {bounds.LAYERS:,} layers")
        self.parameters += parameters
        if self.parameters > bounds.PARAMETERS:
            raise OutOfBounds(f"a network has at most {bounds.PARAMETERS:,} parameters")
