"""The costs of an outline, and the shapes that arrive at its layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd

from archbuilder.graph import ops
from archbuilder.graph.network import Costs
from archbuilder.graph.ops import Op, Shape, ShapeError
from archbuilder.outline.parts import (
    DEPTHWISE,
    FOLLOWED_STRIDE,
    FOLLOWS,
    WHOLE,
    Block,
    Branch,
    Outline,
    Strided,
    Unit,
    mapped,
    stride,
)  # fmt: skip

Arrival = tuple[Op, Shape]
"""A layer, with the shape that arrives at it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The way through a block: its layers in the order of `walk`, its costs, the shape that leaves."""

    arrivals: tuple[Arrival, ...]
    costs: Costs | None
    shape: Shape


def costs(network: Outline) -> Costs | None:
    """The costs of a network; None where its shapes do not fit, as they may while deviations are undone one by one."""
    return total(passage.costs for passage in passages(network))


def arrivals(network: Outline) -> list[Arrival]:
    """All layers in order, each with the shape that arrives; in shortcuts, behind the other layers of their unit."""
    return [arrival for passage in passages(network) for arrival in passage.arrivals]


def passages(network: Outline) -> list[Passage]:
    """The passages through stem, each unit, what follows a stage, and head."""
    found: list[Passage] = []
    shape = network.input
    for block in blocks(network):
        found.append(_through_unit(block, shape) if isinstance(block, Unit) else through(block, shape))
        shape = found[-1].shape
    return found


def blocks(network: Outline) -> list[Block | Unit]:
    """The stem, each unit, what follows each stage, and the head."""
    found: list[Block | Unit] = [network.stem]
    for stage in network.stages:
        found += [*stage.units, stage.after]
    return [*found, network.head]


@lru_cache(maxsize=4096)
def _through_unit(unit: Unit, shape: Shape) -> Passage:
    if unit.shortcut is None:
        return through(unit.main, shape)
    before = through(unit.main[: unit.shortcut.fork], shape)
    residual = through(unit.residual, before.shape)
    shortcut = through(_with_followed_numbers(unit.shortcut.layers, unit.residual, residual.shape[-1]), before.shape)
    behind = through(unit.main[unit.shortcut.merge :], residual.shape)
    return _joined((before, residual, behind, shortcut), behind.shape)


def _with_followed_numbers(layers: Block, residual: Block, target: int) -> Block:
    """The layers of a shortcut with the numbers that the residual path gives them."""

    def change(op: Op) -> Op:
        if isinstance(op, Strided) and op.stride == FOLLOWED_STRIDE:
            op = replace(op, stride=stride(residual))
        if isinstance(op, ops.Conv) and op.filters == FOLLOWS:
            return replace(op, filters=target)
        return replace(op, channels=target) if isinstance(op, ops.PadChannels) and op.channels == FOLLOWS else op

    return mapped(layers, change)


def through(block: Block, shape: Shape) -> Passage:
    """The passage through a block of an image of this shape."""
    parts: list[Passage] = []
    for item in block:
        if isinstance(item, Branch):
            paths = [through(path, shape) for path in item.paths]
            parts += paths
            shape = _merged(item, [path.shape for path in paths])
        else:
            spent, leaving = _through_op(item, shape)
            parts.append(Passage(((item, shape),), spent, leaving))
            shape = leaving
    return _joined(parts, shape)


def _joined(parts: Sequence[Passage], shape: Shape) -> Passage:
    met = tuple(arrival for part in parts for arrival in part.arrivals)
    return Passage(met, total([part.costs for part in parts]), shape)


def total(parts: Iterable[Costs | None]) -> Costs | None:
    """The sum of some costs; None if one of them cannot be told."""
    known = list(parts)
    return None if None in known else sum((one for one in known if one is not None), Costs())


@lru_cache(maxsize=4096)
def _through_op(op: Op, shape: Shape) -> tuple[Costs | None, Shape]:
    """The costs of a layer and the shape that leaves it; no costs, and a likely shape, where it does not fit."""
    if isinstance(op, ops.AveragePool | ops.MaxPool) and op.size == WHOLE:
        return Costs(), (1, 1, shape[-1])
    if isinstance(op, ops.PadChannels):
        return Costs(), (*shape[:-1], op.channels)
    if isinstance(op, ops.Conv):
        wanted = shape[-1] if op.groups == DEPTHWISE else op.groups
        op = replace(op, groups=gcd(wanted, shape[-1], op.filters))
    try:
        leaving = op.output_shape(shape)
    except ShapeError:
        ones = (1, 1) if len(shape) == 3 and not isinstance(op, ops.GlobalAveragePool) else ()
        return None, (*ones, op.filters if isinstance(op, ops.Conv) else shape[-1])
    weights = op.weights(shape)
    trainable = sum(weight.size for weight in weights if weight.trainable)
    return Costs(trainable, sum(weight.size for weight in weights), op.macs(shape)), leaving


def _merged(branch: Branch, shapes: list[Shape]) -> Shape:
    """The shape behind a merge, which is that of its first path; the others may not fit while deviations are undone."""
    if branch.kind == "concat":
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
    return shapes[0]
