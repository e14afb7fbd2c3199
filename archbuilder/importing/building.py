"""A graph made node by node from the tensors of a file, some of which are no ops of ours yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isclose, prod

import numpy as np

from archbuilder.aliases import Array
from archbuilder.bounds import LAYERS
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, leading_to, node
from archbuilder.graph.ops import Op, Shape


class UnreadError(Exception):
    """Why a file, or one of its layers, is not read."""


@dataclass(frozen=True)
class Affine:
    """`factor * x + offset`, one number each or one for each channel."""

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    def after(self, first: Affine) -> Affine:
        """The two one after the other."""
        count = max(map(len, (self.factor, self.offset, first.factor, first.offset)))
        mine, theirs, shift, before = (one * (count // len(one)) for one in (
            self.factor, first.factor, self.offset, first.offset))  # fmt: skip
        factor = tuple(a * b for a, b in zip(mine, theirs, strict=True))
        return Affine(factor, tuple(a * b + c for a, b, c in zip(mine, before, shift, strict=True)))


@dataclass(frozen=True)
class Border:
    """Rows and columns of minus infinity, which wait for a max pool, in which they never win."""

    pads: ops.Pads


@dataclass(frozen=True)
class Ramp:
    """`relu6(x + 3)`, six times a hard sigmoid."""


@dataclass(frozen=True)
class Carried:
    """`(1 - gate) * x`, which waits for `gate * transform`."""

    gate: Node


@dataclass(frozen=True)
class Response:
    """What a local response norm of x is made of, as far as it has come: the sum of squares, their mean, the base."""

    size: int = 0
    alpha: float | None = None
    bias: float = 0.0
    beta: float | None = None


@dataclass(frozen=True)
class Erf:
    """The error function of x over the root of two, as far as it has come to `x * (1 + erf) / 2`, the GELU of x."""

    steps: int = 0
    """How many of: one is added; x is multiplied by it; and before that, x was halved."""


@dataclass(frozen=True)
class Spread:
    """One number for each channel at each place of an image, which waits for an image that it multiplies."""

    height: int
    width: int


Trick = Affine | Border | Ramp | Carried | Response | Erf | Spread


@dataclass(frozen=True)
class Value:
    """A tensor: what a node returns, maybe seen in another shape, or what has been done to it that is no op yet."""

    node: Node
    shape: Shape
    trick: Trick | None = None


@dataclass(frozen=True)
class Read:
    """A network that was read, where its weights are, and what had to be assumed."""

    graph: Graph
    arrays: Callable[[], Mapping[str, tuple[Array, ...]]]
    """The weights of each node, in the order in which it has them."""
    notes: tuple[str, ...]
    before: Affine | None = None
    """What the file does to pixels before the network."""
    outputs: tuple[str, ...] = ()
    """What the file calls each of the outputs."""


@dataclass
class Builder:
    """The nodes of a graph so far."""

    nodes: dict[str, Node] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    before: Affine | None = None
    scaled: dict[tuple[str, float], Node] = field(default_factory=dict)
    stored: Mapping[str, Sequence[Array]] = field(default_factory=dict)
    """The weights of layers that normalise pixels, by where they stand in the file, as far as it has them."""

    def add(self, name: str, op: Op, *values: Value) -> Value:
        """The result of an op behind some tensors, under a name that is not taken."""
        if len(self.nodes) >= LAYERS:
            raise UnreadError(f"it has more than {LAYERS:,} layers")
        inputs = [self.plain(value) for value in values]
        own, number = name, 0
        while own in self.nodes:
            number += 1
            own = f"{name}_{number}"
        made = self.nodes[own] = node(own, op, inputs)
        return Value(made, made.shape)

    def alike(self, name: str, op: Op, value: Value) -> Value:
        """The result of an op that keeps the shape, seen as its input was."""
        return replace(self.add(name, op, value), shape=value.shape)

    def plain(self, value: Value) -> Node:
        """The node of a tensor that is nothing but its result; a vector may be seen as an image of one place."""
        if isinstance(value.trick, Affine) and isinstance(value.node.op, ops.Input):
            self.before = value.trick
            return value.node
        if (factor := _constant_factor(value)) is not None:
            return self._scaled(replace(value, trick=None), factor)
        if value.trick is not None:
            raise UnreadError(f"something stands before it that the language has no word for: {_told(value.trick)}")
        if value.shape != value.node.shape and not is_place(value):
            raise UnreadError(f"what arrives was reshaped to {ops.show(value.shape)}")
        return value.node

    def _scaled(self, value: Value, factor: float) -> Node:
        """The node that multiplies by a constant, which is made where it is first asked for."""
        key = (value.node.name, factor)
        if key not in self.scaled:
            self.scaled[key] = self.add(f"{value.node.name}_scaled", ops.Scale(factor), value).node
        return self.scaled[key]

    def note(self, text: str) -> None:
        self.notes[text] = None

    def graph(self, name: str, outputs: Iterable[Value]) -> Graph:
        ends = tuple(self.plain(value).name for value in outputs)
        return Graph(name, leading_to(ends, tuple(self.nodes.values())), ends)


def is_place(value: Value) -> bool:
    """Whether a vector is seen as an image of one place."""
    return len(value.node.shape) == 1 and value.shape == (1, 1, *value.node.shape)


def seen_as(value: Value, shape: Shape) -> Value:
    """The same values in another shape."""
    if prod(shape) != prod(value.shape):
        raise UnreadError(f"{ops.show(value.shape)} is reshaped to {ops.show(shape)}")
    return replace(value, shape=shape)


def _told(trick: Trick) -> str:
    match trick:
        case Affine():
            return "numbers are added to what arrives"
        case Border():
            return "a border of minus infinity, and it is no max pool"
        case Ramp():
            return "three is added before a relu6"
        case Carried():
            return "one minus a gate"
        case Response():
            return "part of a local response norm"
        case Erf():
            return "part of a GELU"
        case Spread():
            return "one number for each channel stands at each place"


def _constant_factor(value: Value) -> float | None:
    """The number that a tensor is multiplied by, where nothing is added; pixels are not multiplied by the network."""
    if not isinstance(value.trick, Affine) or isinstance(value.node.op, ops.Input):
        return None
    if {*value.trick.offset} != {0.0} or len({*value.trick.factor}) != 1:
        return None
    return short(value.trick.factor[0])


def short(value: float) -> float:
    """A number as it was meant, where it went through single precision or a chain of roundings."""
    if value and isclose(value, (single := float(f"{value:.7g}")), rel_tol=6e-8) and float(np.float32(value)) == value:
        return single
    rounded = float(f"{value:.9g}")
    return rounded if isclose(value, rounded, rel_tol=1e-12) else value
