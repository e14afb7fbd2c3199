"""Whether one network is another, and if not, why: as a value, as text and as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from archbuilder.aliases import Json
from archbuilder.comparison.deviations.deviation import Deviation
from archbuilder.comparison.deviations.op_by_op import OP_BY_OP
from archbuilder.displayed import Displayed
from archbuilder.graph.network import Costs


@dataclass(frozen=True, slots=True)
class Identity:
    """The name, the depth and the costs of one of the two networks."""

    name: str
    depth: int
    costs: Costs

    def to_json(self) -> Json:
        return {"name": self.name, "depth": self.depth, **self.costs.to_json()}


@dataclass(frozen=True, slots=True)
class Comparison(Displayed):
    """Every deviation of a network from another; with none, it is the same network."""

    mine: Identity
    theirs: Identity
    same: bool
    deviations: tuple[Deviation, ...]
    notes: tuple[Deviation, ...]
    """Differences in how weights start and are regularised, which do not make it another network."""
    searched: bool = False
    """Whether the other network is the nearest of many, and not one that was named."""
    also: tuple[str, ...] = ()
    """Other names of the same network."""

    @property
    def is_op_by_op(self) -> bool:
        """Whether one deviation stands for all: the layers were compared without stages and units."""
        return any(one.code == OP_BY_OP for one in self.deviations)

    def to_json(self) -> Json:
        return {
            "spec": self.mine.to_json(),
            "against": self.theirs.to_json(),
            "searched": self.searched,
            "same": self.same,
            "also": list(self.also),
            "deviations": [deviation.to_json() for deviation in self.deviations],
            "difference": (self.mine.costs - self.theirs.costs).to_json(),
            "notes": [{"code": note.code, "message": note.message, "where": list(note.where)} for note in self.notes],
        }


@dataclass(frozen=True, slots=True)
class NoneNear(Displayed):
    """The result of a search in which no network has half the layers in common with mine."""

    mine: Identity
    same: ClassVar[Literal[False]] = False

    def to_json(self) -> Json:
        nothing: Json = {"also": [], "deviations": [], "difference": None, "notes": []}
        return {"spec": self.mine.to_json(), "against": None, "searched": True, "same": False, **nothing}


def render(found: Comparison | NoneNear) -> str:
    """The verdict, one line for each deviation with what it adds, then the totals of both networks."""
    if isinstance(found, NoneNear):
        return f"{found.mine.name} is none of the bundled networks, and none is near: {total_words(found.mine)}"
    return "\n".join([_verdict(found), *_deviations(found), *_notes(found)])


def _verdict(found: Comparison) -> str:
    mine, theirs, count = found.mine.name, found.theirs.name, len(found.deviations)
    points = f"{count} point{'' if count == 1 else 's'}:"
    also = f" (also called {', '.join(found.also)})" if found.also else ""
    if found.same:
        return f"{mine} is {theirs}{also}: {total_words(found.theirs)}"
    if found.searched:
        return f"{mine} is none of the bundled networks; from the nearest, {theirs}{also}, it deviates in {points}"
    return f"{mine} is not {theirs}; it deviates in {points}"


def total_words(one: Identity) -> str:
    return f"depth {one.depth}, {one.costs.trainable:,} parameters, {one.costs.macs:,} multiply-adds"


def _deviations(found: Comparison) -> list[str]:
    if found.same:
        return []
    lines = ["", *map(change_line, found.deviations), ""]
    return [
        *lines,
        f"{found.mine.name}: {total_words(found.mine)}",
        f"{found.theirs.name}: {total_words(found.theirs)}",
    ]


def change_line(change: Deviation) -> str:
    """A change with what it adds."""
    effect = effect_words(change.effect) if change.effect else ""
    return f"- {change.message}{f': {effect}' if effect else ''}"


def effect_words(effect: Costs) -> str:
    """`+2,032 parameters, -100 multiply-adds`; nothing where there is no effect."""
    counts = ((effect.trainable, "parameters"), (effect.macs, "multiply-adds"))
    return ", ".join(f"{count:+,} {what}" for count, what in counts if count)


def _notes(found: Comparison) -> list[str]:
    if not found.notes:
        return []
    title = "How its weights start and are regularised differs, which does not make it another network:"
    return ["", title, "", *(f"- {note.message}" for note in found.notes)]
