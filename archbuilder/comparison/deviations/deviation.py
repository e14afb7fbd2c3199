"""Deviations of one network from another, found one kind after the other; each is undone before the next is looked for.

So no deviation hides another, the effects of all deviations add up to the whole difference, and what is left at the
end, if anything, is what nothing explained.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

from archbuilder.aliases import Json
from archbuilder.comparison.deviations.following import following, settled
from archbuilder.graph import ops
from archbuilder.graph.network import Costs
from archbuilder.graph.ops import Op
from archbuilder.outline.parts import Block, Outline, Unit, mapped, skeleton, walk
from archbuilder.outline.shapes import costs

UnitPlace = tuple[int, int]
"""Stage and unit, counted from one."""
Patch = Callable[[Unit, Unit], Unit]
"""A function of a unit and the one that it should be like; it returns a unit that is more like it."""
GATES = ("sigmoid", "hard_sigmoid", "softmax", "tanh")


@dataclass(frozen=True, slots=True)
class Deviation:
    """A single difference between two networks."""

    code: str
    message: str
    where: tuple[str, ...]
    """The parts that it concerns, such as `stage2/unit1`; none where it concerns the whole network."""
    effect: Costs | None
    """The costs that it adds; None where the costs without it are not known."""

    def to_json(self) -> Json:
        effect = self.effect.to_json() if self.effect is not None else None
        return {"code": self.code, "message": self.message, "where": list(self.where), "effect": effect}


@dataclass(slots=True)
class Undoing:
    """The search for deviations: those found so far, and my network without them."""

    mine: Outline
    theirs: Outline
    name: str
    """The name of the other network."""
    found: list[Deviation] = field(default_factory=list)
    notes: list[Deviation] = field(default_factory=list)
    """Differences that do not make it another network."""
    costs: Costs | None = field(init=False)
    """The costs of my network when the last deviation was undone."""

    def __post_init__(self) -> None:
        self.costs = costs(self.mine)

    def take(self, code: str, message: str, undone: Outline, where: tuple[str, ...] = (), note: bool = False) -> None:
        """Records a deviation and goes on without it, and without the other widths that follow from it."""
        undone = settled(undone, following(self.mine, self.theirs))
        after = costs(undone)
        effect = self.costs - after if self.costs is not None and after is not None else None
        (self.notes if note else self.found).append(Deviation(code, message, where, effect))
        self.mine, self.costs = undone, after

    def units(self) -> Iterator[tuple[UnitPlace, Unit, Unit]]:
        """The units of both networks, pair by pair."""
        for index, (mine, theirs) in enumerate(zip(self.mine.stages, self.theirs.stages, strict=True), 1):
            for number, pair in enumerate(zip(mine.units, theirs.units, strict=True), 1):
                yield (index, number), *pair

    def with_units(self, patch: Patch, places: Collection[UnitPlace] | None = None, follow: bool = False) -> Outline:
        """My network with the units at these places (or all) patched, and all shortcuts following, if they should."""
        patched: dict[UnitPlace, Unit] = {}
        for place, mine, theirs in self.units():
            unit = patch(mine, theirs) if places is None or place in places else mine
            patched[place] = self.following(unit, theirs) if follow else unit
        stages = (
            replace(stage, units=tuple(patched[index, number] for number in range(1, len(stage.units) + 1)))
            for index, stage in enumerate(self.mine.stages, 1)
        )
        return replace(self.mine, stages=tuple(stages))

    def dressed(self, block: Block, unit: Unit | None = None) -> Block:
        """Gives their layers my settings: those of my unit, or else of my stem."""
        return dressed(block, (*(unit.main if unit else ()), *self.mine.stem, *self.mine.head))

    def following(self, mine: Unit, theirs: Unit) -> Unit:
        """My unit with the layers of their shortcut, once these differ only where widths and strides ask for it."""
        if mine.shortcut is None or theirs.shortcut is None:
            return mine
        if skeleton(mine.shortcut.layers) == skeleton(theirs.shortcut.layers):
            return mine
        return replace(mine, shortcut=replace(mine.shortcut, layers=self.dressed(theirs.shortcut.layers, mine)))


def dressed(block: Block, like: Block) -> Block:
    """Layers with the settings (biases, norm, activation, padding) of others."""
    conv = next((op for op in walk(like) if isinstance(op, ops.Conv)), None)
    norm = next((op for op in walk(like) if isinstance(op, ops.Norm)), None)
    function = next((op for op in walk(like) if isinstance(op, ops.Activation) and op.function not in GATES), None)

    def change(op: Op) -> Op:
        match op:
            case ops.Conv() if conv:
                padding = conv.padding if {conv.padding, op.padding} == {"same", "symmetric"} else op.padding
                start = replace(op, initializer=conv.initializer, initial_bias=conv.initial_bias, l2=conv.l2)
                return replace(start, bias=conv.bias, padding=padding)
            case ops.Norm() if norm:
                statistics = replace(op, momentum=norm.momentum, epsilon=norm.epsilon, over=norm.over)
                return replace(statistics, groups=norm.groups, scale=norm.scale)
            case ops.Activation() if function and op.function not in GATES:
                return function
            case _:
                return op

    return mapped(block, change)
