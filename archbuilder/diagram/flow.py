"""The content of a diagram before it is placed: boxes, the paths between a fork and a merge, and panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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


@dataclass(frozen=True, slots=True)
class Side:
    """A path beside the main one; what it holds is drawn, or else written beside it."""

    flow: Flow
    stroke: Stroke
    label: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Paths that leave the spine and come back to it in a merge."""

    main: Flow
    sides: tuple[Side, ...]
    merge: Box


@dataclass(frozen=True, slots=True)
class Panel:
    """A stage, a unit or a repeated unit: a frame around what it holds, with a heading."""

    name: str
    title: str
    details: str
    flow: Flow


Flow: TypeAlias = "tuple[Box | Fork | Panel, ...]"
"""Elements one below the other."""
