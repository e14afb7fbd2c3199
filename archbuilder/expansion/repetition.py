"""A unit that was expanded once, for those behind it that are the same but for their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archbuilder.graph.network import Node


@dataclass(frozen=True, slots=True)
class ExpandedUnit:
    """What a unit came to. The names in it begin with its own."""

    name: str
    entry: str
    """The name of the node that it follows."""
    end: str
    """The name of the node that follows from it, which is the entry where the unit is empty."""
    nodes: tuple[Node, ...]
    names: tuple[str, ...]
    """All names that were given in it, those of its paths among them."""
    parameters: int
    """Those of all its nodes."""

    def names_in(self, unit: str) -> Iterator[str]:
        """The names that the same unit has under another name."""
        cut = len(self.name)
        return (unit + name[cut:] for name in self.names)

    def nodes_in(self, unit: str, entry: Node) -> dict[str, Node]:
        """The same nodes under another name and behind another node of the same shape, by their names in this unit."""
        cut = len(self.name)
        moved = {self.entry: entry}
        for one in self.nodes:
            inputs = tuple(moved[name].name for name in one.inputs)
            name = unit + one.name[cut:]
            moved[one.name] = Node(name, one.op, inputs, one.shape, one.weights, one.macs, one.span, unit)
        return moved
