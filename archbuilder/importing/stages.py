"""Units one after the other as stages: what they have in common is said once, what differs where it differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

from archbuilder.importing.writing import Yaml, words

NEW_LINE = 6
"""What a stage costs, in words, before it says anything."""
_MOST_RUNS = 300
"""Of so many different units in a row, each that has other sizes begins a stage."""
_MANY = 3
"""How many units in a row with different sizes are one stage, where nothing else says so."""


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Any = _Absent()
"""The value of an argument that a unit does not give."""
FREE = "free"
"""The key of a line under which those stand that none of its units depends on."""


@dataclass(frozen=True)
class Unit:
    """A unit by its name, with its arguments; `usual` are the values of those that it does not give."""

    name: str
    arguments: Mapping[str, Yaml]
    usual: Mapping[str, Yaml] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    """The arguments that may have any value."""

    def get(self, key: str) -> Yaml:
        return self.arguments.get(key, ABSENT)

    def told(self, key: str) -> Yaml:
        """The value of an argument, given or not; absent where it follows from others."""
        return self.arguments.get(key, self.usual.get(key, ABSENT))


def stages(units: Sequence[Unit], *, mixed: bool, marked: bool) -> list[Yaml]:
    """The cheapest lines for units that follow each other; each of them names its unit.

    Where `mixed`, the first unit of a stage may be of another kind. Where `marked`, something stands before or behind
    all the units, so that as few as two of different sizes are a stage.
    """
    many = 2 if marked else _MANY
    runs = [(unit, len(list(alike))) for unit, alike in groupby(units)]
    ends = [0]
    for _, count in runs:
        ends.append(ends[-1] + count)
    best: list[tuple[float, int, Yaml]] = [(0.0, 0, None)]
    for end in range(1, len(runs) + 1):
        choices = []
        for begin in range(end - 1, -1, -1) if len(runs) <= _MOST_RUNS else (end - 1,):
            some = units[ends[begin] : ends[end]]
            line = _line(some, mixed, _MANY if len(some) < len(units) else many)
            if line is None:
                if any(one.name != runs[end - 1][0].name for one, _ in runs[begin:end]):
                    break
                continue
            choices.append((best[begin][0] + NEW_LINE + words([*line.values()][:-1]), begin, line))
        best.append(min(choices, key=lambda one: one[0]))
    lines = []
    at = len(runs)
    while at:
        _, at, line = best[at]
        lines.append(line)
    return lines[::-1]


def is_begun_otherwise(line: Yaml) -> bool:
    """Whether the first unit of a stage is of another kind than those behind it."""
    return "unit" in line.get("first", {})


def _line(units: Sequence[Unit], mixed: bool, many: int) -> Yaml | None:
    """One stage of some units; None where it cannot be one. `many` of them may each have another size."""
    first, *others = units
    odd = first if mixed and others and first.name != others[0].name else None
    alike = others if odd else units
    if len({unit.name for unit in alike}) > 1:
        return None
    line = _alike(alike, many)
    return line if odd is None or line is None else _begun_otherwise(odd, line)


def _begun_otherwise(odd: Unit, line: Yaml) -> Yaml | None:
    """The stage that a unit of another kind begins, which returns as many channels as those behind it."""
    if "first" in line or "stride" in line or any(map(_is_each, line.values())):
        return None
    if "filters" not in odd.arguments or odd.get("filters") != line.get("filters"):
        return None
    if (stride := odd.told("stride")) not in (1, ABSENT):
        line["stride"] = stride
    keys = [key for key in dict.fromkeys([*odd.arguments, *odd.usual]) if key != "stride"]
    said = {key: odd.told(key) for key in keys if odd.told(key) != line.get(key, odd.usual.get(key, ABSENT))}
    free = line.pop(FREE)
    return {**line, "units": line["units"] + 1, "first": {"unit": odd.name, **said}, FREE: free}


def _alike(units: Sequence[Unit], many: int) -> Yaml | None:
    """One stage of units of one kind; None where it cannot be one."""
    line: dict[str, Yaml] = {"units": len(units)}
    first: dict[str, Yaml] = {}
    last: dict[str, Yaml] = {}
    for key in dict.fromkeys(key for unit in units for key in unit.arguments):
        fixed = [unit for unit in units if key not in unit.free]
        values = [unit.get(key) for unit in fixed]
        if key == "stride":
            if not _strides([1 if value is ABSENT else value for value in values], line, last):
                return None
        elif all(value == values[0] for value in values):
            line[key] = values[0]
        elif key == "filters":
            if len(units) < many or any(one == other for one, other in pairwise(values)):
                return None
            line[key] = {"each": values}
        elif not _differing(key, _filled(key, units), line, first, last):
            return None
    if first:
        line["first"] = first
    if last:
        line["last"] = last
    return {"unit": units[0].name, **line, FREE: frozenset.intersection(*(unit.free for unit in units))}


def _filled(key: str, units: Sequence[Unit]) -> list[Unit]:
    """The units with an argument that some do not depend on as the unit before them has it, or the one behind."""
    found = [*units]
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        for at in order:
            near = found[at - 1 if order.step == 1 else at + 1]
            if key in found[at].free and key not in near.free:
                said = (
                    {**found[at].arguments, key: near.arguments[key]} if key in near.arguments else found[at].arguments
                )
                found[at] = replace(found[at], arguments=said, free=found[at].free - {key})
    return found


def _strides(values: Sequence[Yaml], line: dict[str, Yaml], last: dict[str, Yaml]) -> bool:
    """Says the strides of a stage, whose first or last unit may have one."""
    begin, *rest = values
    if begin != 1:
        line["stride"] = begin
    if rest and rest[-1] != 1:
        last["stride"] = rest.pop()
    return all(value == 1 for value in rest)


def _differing(
    key: str, units: Sequence[Unit], line: dict[str, Yaml], first: dict[str, Yaml], last: dict[str, Yaml]
) -> bool:
    """Says an argument that is not the same in all units of a stage."""
    values = [unit.get(key) for unit in units]
    for others, at, place in ((values[1:], 0, first), (values[:-1], -1, last)):
        if all(value == others[0] for value in others) and (told := units[at].told(key)) is not ABSENT:
            if others[0] is not ABSENT:
                line[key] = others[0]
            place[key] = told
            return True
    told_all = [unit.told(key) for unit in units]
    if ABSENT in told_all or key == "shortcut":
        return False
    line[key] = {"each": told_all}
    return True


@dataclass(frozen=True)
class Common:
    """What all stages share: the unit with its arguments, and the shortcut."""

    unit: Yaml
    shortcut: Yaml | None
    lines: tuple[Yaml, ...]


def common(lines: Sequence[Yaml], usual: Mapping[str, Mapping[str, Yaml]]) -> Common:
    """Says once what most stages say; a stage of something else says so itself."""
    names = Counter(line["unit"] for line in lines)
    name = names.most_common(1)[0][0]
    said: dict[str, Yaml] = {}
    left = [dict(line) for line in lines]
    shortcut = _taken("shortcut", left, {})
    mine = [line for line in left if line["unit"] == name]
    for key in dict.fromkeys(key for line in mine for key in line):
        if key in ("unit", "units", "filters", "stride", "first", "last", "after", "shortcut", FREE):
            continue
        if (value := _taken(key, mine, usual.get(name, {}))) is not None:
            said[key] = value
    for line in mine:
        del line["unit"]
    plain = tuple(
        {"units": line["units"], **{key: line[key] for key in line if key not in ("units", FREE)}} for line in left
    )
    return Common({name: said} if said else name, shortcut, plain)


def _taken(key: str, lines: list[dict[str, Yaml]], usual: Mapping[str, Yaml]) -> Yaml | None:
    """The value that most lines give, taken out of them; the others then say theirs. None where it is no gain."""
    texts = Counter(repr(line[key]) for line in lines if key in line and not _is_each(line[key]))
    if not texts:
        return None
    text, count = texts.most_common(1)[0]
    value = next(line[key] for line in lines if key in line and repr(line[key]) == text)
    silent = [line for line in lines if key not in line and key not in line[FREE]]
    if key == "shortcut":
        silent = []
    if silent and (key not in usual or len(silent) * (1 + words(usual[key])) >= count * (1 + words(value))):
        return None
    for line in lines:
        if key in line and repr(line[key]) == text:
            del line[key]
        elif key not in line and key not in line[FREE] and key != "shortcut":
            line[key] = usual[key]
    return value


def _is_each(value: Yaml) -> bool:
    return isinstance(value, dict) and value.keys() == {"each"}


def grown(units: Sequence[Unit]) -> Iterator[tuple[str, Yaml]]:
    """Arguments with one number that grows evenly from unit to unit, as expressions of the unit's number."""
    from archbuilder.importing.growing import growing

    for key in dict.fromkeys(key for unit in units for key in unit.arguments):
        values = {number: unit.arguments[key] for number, unit in enumerate(units, 1) if key in unit.arguments}
        if len({repr(value) for value in values.values()}) > 2 and (found := growing(values, len(units))) is not None:
            yield key, found
