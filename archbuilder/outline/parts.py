"""A network as papers describe it: stem, stages of units, head; without names, but with all that its graph holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Pair, Shape
from archbuilder.graph.words import op_name

FOLLOWS = 0
"""The channels of a shortcut, or as a pair its stride, that follow from the residual path."""
FOLLOWED_STRIDE: Pair = (FOLLOWS, FOLLOWS)
DEPTHWISE = 0
"""The groups of a convolution that treats every channel on its own."""

MergeKind = ops.MergeName
Strided = ops.Windowed | ops.Subsample
Item: TypeAlias = "Op | Branch"
Block: TypeAlias = "tuple[Item, ...]"


@dataclass(frozen=True, slots=True)
class Branch:
    """Paths from one point that come together in a merge."""

    kind: MergeKind
    paths: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The path that is added to the residual path: it leaves before `main[fork]` and is added before `main[merge]`."""

    fork: int
    merge: int
    layers: Block


@dataclass(frozen=True, slots=True)
class Unit:
    """The layers on the main path of a unit, and its shortcut, if it has one."""

    main: Block
    shortcut: Shortcut | None

    @property
    def residual(self) -> Block:
        return self.main[self.shortcut.fork : self.shortcut.merge] if self.shortcut else self.main


@dataclass(frozen=True, slots=True)
class Stage:
    """Units, and what stands behind the last of them."""

    units: tuple[Unit, ...]
    after: Block


@dataclass(frozen=True, slots=True)
class Outline:
    """The whole network; `outputs` says in words which layers it returns."""

    input: Shape
    stem: Block
    stages: tuple[Stage, ...]
    head: Block
    outputs: tuple[str, ...]


def word(item: Item) -> str:
    """The kind of a layer, whatever its settings: `conv`, `norm`, `activation`, `add`."""
    if isinstance(item, Branch):
        return item.kind
    return "activation" if isinstance(item, ops.Activation) else op_name(item)


def skeleton(block: Block) -> tuple[object, ...]:
    """The kinds of layers in a block; blocks of one skeleton differ in settings at most."""
    return tuple((i.kind, tuple(map(skeleton, i.paths))) if isinstance(i, Branch) else word(i) for i in block)


def walk(block: Block) -> Iterator[Op]:
    """The ops of a block, path by path."""
    for item in block:
        if isinstance(item, Branch):
            for path in item.paths:
                yield from walk(path)
        else:
            yield item


def mapped(block: Block, change: Callable[[Op], Op]) -> Block:
    """A block with each op changed, in the order of `walk`."""
    return tuple(
        Branch(item.kind, tuple(mapped(path, change) for path in item.paths))
        if isinstance(item, Branch)
        else change(item)
        for item in block
    )


def convs(block: Block) -> tuple[ops.Conv, ...]:
    return tuple(op for op in walk(block) if isinstance(op, ops.Conv))


def with_convs(block: Block, new: tuple[ops.Conv, ...]) -> Block:
    """A block with other convolutions, as many as it has."""
    source = iter(new)
    return mapped(block, lambda op: next(source) if isinstance(op, ops.Conv) else op)


def stride(block: Block) -> Pair:
    """The stride of a block: the product of those of its own layers, without its branches."""
    strides = [item.stride for item in block if isinstance(item, Strided)]
    return (prod(pair[0] for pair in strides), prod(pair[1] for pair in strides))
