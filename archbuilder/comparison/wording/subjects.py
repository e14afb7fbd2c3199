"""Which layers a sentence is about: `convolutions`, `the projections of stage 2`, `the last norms of all units`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archbuilder.comparison.deviations.deviation import UnitPlace
from archbuilder.comparison.wording.phrases import Subject, layer_noun, listed, ordinal, units
from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Shape
from archbuilder.outline.parts import Outline

__all__ = ["Pair", "Subject", "subject"]


_UNIT = re.compile(r"stage\d+/unit\d+")


@dataclass(frozen=True, slots=True)
class Pair:
    """One of my layers and the one of theirs that stands in its place."""

    mine: Op
    theirs: Op
    arriving: Shape
    """The shape of the input of theirs."""
    part: str
    """`stem`, `stage1/unit2`, `stage1` (what follows its units), `head`, or another unit such as `head/up1`."""
    on_shortcut: bool
    number: int
    """Which one it is of the layers of its kind there, counted from one."""

    @property
    def in_unit(self) -> bool:
        return _UNIT.fullmatch(self.part) is not None

    @property
    def has_stride(self) -> bool:
        """Whether it has a stride and a window larger than a pixel: then `same` and symmetric padding differ."""
        op = self.theirs
        return isinstance(op, ops.Windowed) and op.stride != (1, 1) and op.window[0] != (1, 1)

    @property
    def place(self) -> UnitPlace:
        stage, _, unit = self.part.partition("/")
        return int(stage.removeprefix("stage")), int(unit.removeprefix("unit"))


def subject(found: Sequence[Pair], everything: Sequence[Pair], network: Outline, strided: bool = False) -> Subject:
    """The layers found, all of one kind, among all the layers of a network, or those of them that have a stride."""
    kind = type(found[0].theirs)
    alike = [pair for pair in everything if type(pair.theirs) is kind and (not strided or pair.has_stride)]
    noun = f"{'strided ' if strided and kind is ops.Conv else ''}{_noun(found[0].theirs)}"
    if found[-1].part == "head" and found == [alike[-1]] and isinstance(found[0].theirs, ops.Dense):
        return Subject(f"the last {noun}", plural=False, classes=True)
    if len(found) == len(alike):
        return Subject(f"{noun}s") if len(found) > 1 else Subject(f"the {noun}", plural=False)
    left_out = set(map(id, alike)) - set(map(id, found))
    if not any(pair.on_shortcut for pair in found) and left_out == {id(pair) for pair in alike if pair.on_shortcut}:
        return Subject(f"{noun}s other than those on shortcuts")
    return _partly(noun, found, alike, network)


def _noun(op: Op) -> str:
    match op:
        case ops.Conv():
            return "convolution"
        case ops.Activation():
            return "activation"
        case ops.Dense():
            return "dense layer"
        case _:
            return layer_noun(op)


def _partly(noun: str, found: Sequence[Pair], alike: Sequence[Pair], network: Outline) -> Subject:
    outside = [pair for pair in found if not pair.in_unit]
    inside = [pair for pair in found if pair.in_unit]
    if not inside:
        return _outside(noun, outside, alike)
    text = _inside(noun, inside, [pair for pair in alike if pair.in_unit], network)
    if not outside:
        return text
    return Subject(f"{_outside(noun, outside, alike).text} and {text.text}")


def _outside(noun: str, found: Sequence[Pair], alike: Sequence[Pair]) -> Subject:
    parts = list(dict.fromkeys(pair.part for pair in found))
    where = listed(list(map(_part_words, parts)))
    there = [pair for pair in alike if pair.part in parts]
    if len(found) == 1:
        [pair] = found
        last = pair.number == max(one.number for one in there)
        which = "" if len(there) == 1 else "last " if last else f"{ordinal(pair.number)} "
        return Subject(f"the {which}{noun} of {where}", plural=False)
    which = "" if len(found) == len(there) else f"{_which(found, there)} "
    return Subject(f"{'' if which == 'some ' else 'the '}{which}{noun}s of {where}")


def _part_words(part: str) -> str:
    if "/" in part:
        return part
    return f"the transition behind stage {part[5:]}" if part.startswith("stage") else f"the {part}"


def _inside(noun: str, found: Sequence[Pair], alike: Sequence[Pair], network: Outline) -> Subject:
    """Layers in units: those on shortcuts, or those on the main path, all of them or which."""
    roles = {pair.on_shortcut for pair in found}
    candidates = [pair for pair in alike if pair.on_shortcut in roles]
    places = {pair.place for pair in found}
    there = [pair for pair in candidates if pair.place in places]
    which = "" if len(there) == len(found) else f"{_which(found, there)} "
    nouns = _on_shortcuts(noun, len(found)) if roles == {True} else f"{noun}{'s' if len(found) > 1 else ''}"
    whole = units(places, network, {pair.place for pair in candidates}).text
    if whole == "units" and roles == {True} and not which:
        return Subject(nouns, plural=len(found) > 1)
    return Subject(f"the {which}{nouns} of {whole}", plural=len(found) > 1)


def _on_shortcuts(noun: str, count: int) -> str:
    if noun == "convolution":
        return "projections" if count > 1 else "projection"
    return f"{noun}s on shortcuts" if count > 1 else f"{noun} on the shortcut"


def _which(found: Sequence[Pair], there: Sequence[Pair]) -> str:
    """Which ones of the layers of a kind in a unit: `first`, `last`, or only `some`."""
    last = _last_numbers(there)
    if all(pair.number == last[pair.part] for pair in found):
        return "last"
    numbers = {pair.number for pair in found}
    return listed([ordinal(number) for number in sorted(numbers)]) if len(numbers) < 4 else "some"


def _last_numbers(pairs: Iterable[Pair]) -> dict[str, int]:
    last: dict[str, int] = {}
    for pair in pairs:
        last[pair.part] = max(pair.number, last.get(pair.part, 0))
    return last
