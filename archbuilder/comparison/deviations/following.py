"""Numbers that follow from others: widths from the channels that arrive, drop rates from the number of units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isclose

from archbuilder.graph import ops
from archbuilder.graph.ops import Op
from archbuilder.outline.parts import DEPTHWISE, Block, Outline, Unit, convs, mapped, walk, with_convs
from archbuilder.outline.shapes import passages

Part = tuple[int, int]
"""A stage and one of its units, counted from zero; behind the last one stands the transition."""
Place = tuple[Part, int]
"""A convolution of a part."""
Width = tuple[int, int]
"""The filters of a convolution, and the channels that they may follow from."""
BEHIND = -1


def following(mine: Outline, theirs: Outline) -> dict[Place, Width]:
    """The widths of theirs that are as many times as wide as what arrives as mine, where other numbers arrive.

    Those are the widths within units of depthwise convolutions (MobileNetV2), and of transitions (DenseNet).
    """
    own, found = _widths(mine), {}
    for place, (filters, arriving) in _widths(theirs).items():
        here, before = own.get(place, (filters, arriving))
        if before != arriving and here == filters * before // arriving:
            found[place] = (filters, arriving)
    return found


def settled(network: Outline, widths: Mapping[Place, Width]) -> Outline:
    """A network in which these widths follow from what arrives now."""
    for part in dict.fromkeys(part for part, _ in widths):
        arriving = {number: channels for (at, number), (_, channels) in _widths(network).items() if at == part}
        new = {number: filters * arriving[number] // channels for (at, number), (filters, channels) in widths.items()
               if at == part and number in arriving}  # fmt: skip
        network = _with_filters(network, part, new)
    return network


def _widths(network: Outline) -> dict[Place, Width]:
    """The widths that may follow, part by part."""
    found: dict[Place, Width] = {}
    stem, *others = passages(network)
    shape, rest = stem.shape, iter(others)
    for index, stage in enumerate(network.stages):
        for number, unit in enumerate(stage.units):
            inner = convs(unit.main)[:-1]
            for place, conv in enumerate(inner if any(one.groups == DEPTHWISE for one in inner) else ()):
                found[(index, number), place] = (conv.filters, shape[-1])
            shape = next(rest).shape
        behind = next(rest)
        arrivals = ((op, arriving) for op, arriving in behind.arrivals if isinstance(op, ops.Conv))
        for place, (op, arriving) in enumerate(arrivals):
            found[(index, BEHIND), place] = (op.filters, arriving[-1])
        shape = behind.shape
    return found


def _with_filters(network: Outline, part: Part, new: Mapping[int, int]) -> Outline:
    def patched(old: Block) -> Block:
        changed = (replace(conv, filters=max(1, new.get(at, conv.filters))) for at, conv in enumerate(convs(old)))
        return with_convs(old, tuple(changed))

    index, number = part
    stages = list(network.stages)
    stage = stages[index]
    if number == BEHIND:
        stages[index] = replace(stage, after=patched(stage.after))
    else:
        units = list(stage.units)
        units[number] = replace(units[number], main=patched(units[number].main))
        stages[index] = replace(stage, units=tuple(units))
    return replace(network, stages=tuple(stages))


@dataclass(frozen=True, slots=True)
class Line:
    """Rates that grow from unit to unit by the same amount."""

    start: float
    step: float
    units: int

    def is_rule_of(self, other: Line) -> bool:
        """Whether both grow from nothing, or from one step, to the same rate at or behind the last unit."""
        ends = [(one.step * one.units, one.step * (one.units - 1)) for one in (self, other)]
        if isclose(self.start, 0, abs_tol=1e-9) and isclose(other.start, 0, abs_tol=1e-9):
            return any(isclose(a, b) for a, b in zip(*ends, strict=True))
        grow = all(isclose(one.start, one.step) for one in (self, other))
        return grow and isclose(ends[0][0], ends[1][0])


def line(network: Outline) -> Line | None:
    """The line that the rates of stochastic depth are on, if they grow."""
    units = [unit for stage in network.stages for unit in stage.units]
    rates = [(place, rate) for place, unit in enumerate(units) for rate in _rates(unit)]
    if len(rates) < 2 or rates[0][0] == rates[-1][0]:
        return None
    (first, low), (last, high) = rates[0], rates[-1]
    step = (high - low) / (last - first)
    start = low - step * first
    is_line = step and all(isclose(rate, start + step * place, abs_tol=1e-9) for place, rate in rates)
    return Line(start, step, len(units)) if is_line else None


def _rates(unit: Unit) -> Iterator[float]:
    return (op.rate for op in walk(unit.main) if isinstance(op, ops.StochasticDepth))


def with_rates(network: Outline, like: Outline) -> Outline:
    """A network whose stochastic depth has, unit by unit, the rates of another."""
    rates = iter([next(_rates(unit), None) for stage in like.stages for unit in stage.units])

    def unit(old: Unit) -> Unit:
        rate = next(rates)

        def change(op: Op) -> Op:
            return replace(op, rate=rate) if isinstance(op, ops.StochasticDepth) and rate is not None else op

        return replace(old, main=mapped(old.main, change))

    stages = (replace(stage, units=tuple(map(unit, stage.units))) for stage in network.stages)
    return replace(network, stages=tuple(stages))
