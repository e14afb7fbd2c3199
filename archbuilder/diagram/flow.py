"""The content of a diagram before it is placed: boxes, the paths between a fork and a merge, and panels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypeAlias

from archbuilder.graph.analysis import Section
from archbuilder.graph.network import Node
from archbuilder.graph.ops import Family

Kind = Family
Stroke = Literal["solid", "dashed", "dotted"]


@dataclass(frozen=True, slots=True)
class Words:
    """A few words of a label; faint where they matter less."""

    text: str
    faint: bool = False


Line = tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """One or more ops drawn as one; `name` is that of the last of them."""

    name: str
    lines: tuple[Line, ...]
    kind: Kind
    nodes: tuple[Node, ...] = ()
    """What it stands for, in the order of the graph."""


@dataclass(frozen=True, slots=True)
class Side:
    """A path beside the main one; what it holds is drawn, or else written beside it."""

    flow: Flow
    stroke: Stroke
    label: tuple[str, ...]
    nodes: tuple[Node, ...] = ()
    """All that stands on the path, drawn or not."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Paths that leave the spine and come back to it in a merge."""

    main: Flow
    sides: tuple[Side, ...]
    merge: Box

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*nodes_of(self.main), *chain.from_iterable(side.nodes for side in self.sides), *self.merge.nodes)


@dataclass(frozen=True, slots=True)
class Panel:
    """A stage, a unit or some equal units: a frame around what it holds, with a heading."""

    name: str
    title: str
    details: str
    flow: Flow
    nodes: tuple[Node, ...] = ()
    """What it stands for: of equal units, all that they hold together."""
    units: tuple[Section, ...] = ()
    """The equal units of which it shows the last."""


Flow: TypeAlias = "tuple[Box | Fork | Panel, ...]"
"""Elements one below the other."""


def nodes_of(flow: Flow) -> tuple[Node, ...]:
    """What all elements of a flow stand for."""
    return tuple(node for element in flow for node in element.nodes)
