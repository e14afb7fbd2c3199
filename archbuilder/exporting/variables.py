"""The variables of a function: one for the main path, one for each path of a merge, and others where it takes more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archbuilder.exporting.program import Function, Loop
from archbuilder.exporting.python_text import identifier

MAIN = "x"


@dataclass(frozen=True)
class Variables:
    """What each value of a function is kept in."""

    names: Mapping[str, str]
    starts: Mapping[int, tuple[str, str]]
    """Lines before which a value takes the place of another: it is that one where the lines are left out."""
    groups: Mapping[int, int]
    """Of the first of some lines that depend on one flag, how many there are."""

    def __getitem__(self, value: str) -> str:
        return self.names[value]


def variables(function: Function, taken: Sequence[str]) -> Variables:
    calls = function.calls
    groups = _groups(function)
    wanted: dict[str, str] = {}
    """What each value is kept in where nothing speaks against it."""
    others: dict[str, str] = {}
    made: dict[str, float] = {}
    used: dict[str, float] = {}
    entering = {
        name: path for call in calls for name, path in zip(call.inputs, call.paths, strict=False) if path != "shortcut"
    }
    for index, name in enumerate(function.inputs):
        made[name], others[name] = -1, "inputs"
        wanted[name] = entering.get(name, f"{MAIN}{index + 1}") if index else MAIN
    for place, call in enumerate(calls):
        for name in call.inputs:
            used[name] = place
        for index, name in enumerate(call.outputs):
            path = call.local.split("/")
            made[name] = place
            wanted[name] = MAIN if not call.branch else call.branch
            others[name] = path[-1] if len(path) == 1 or index else path[0]
    used |= dict.fromkeys(function.outputs, len(calls))
    starts: dict[int, tuple[str, str]] = {}
    for first, count in groups.items():
        entry, end = calls[first].inputs[0], calls[first + count - 1].outputs[0]
        for call in calls[first : first + count]:  # what is made on the way is kept where the end is
            wanted |= dict.fromkeys(call.outputs, wanted[end])
        made[end] = first - 0.5
        starts[first] = (end, entry)
    for place, call in enumerate(calls):
        if isinstance(call.callee, Loop):
            starts[place] = (call.outputs[0], call.inputs[0])
            made[call.outputs[0]] = place - 0.5
    entries = {end: entry for first, (end, entry) in starts.items() if used[entry] == first}
    return Variables(_settled(wanted, others, made, used, entries, taken), starts, groups)


def _groups(function: Function) -> dict[int, int]:
    groups: dict[int, int] = {}
    first = -1
    for place in range(len(function.calls)):
        flag = function.flags.get(place)
        if flag is None:
            continue
        if place and function.flags.get(place - 1) == flag:
            groups[first] += 1
        else:
            first = place
            groups[first] = 1
    return groups


def _settled(
    wanted: Mapping[str, str], others: Mapping[str, str], made: Mapping[str, float], used: Mapping[str, float],
    entries: Mapping[str, str], taken: Sequence[str],
) -> dict[str, str]:  # fmt: skip
    """A variable that others write to while its value is needed is called otherwise."""
    writes: dict[str, list[tuple[float, str]]] = {}
    for value, place in made.items():
        writes.setdefault(wanted[value], []).append((place, value))
    known: dict[str, str] = {}
    names: dict[str, str] = {}
    for value, name in wanted.items():
        begin, end = made[value], used.get(value, made[value])
        if any(begin < place < end for place, other in writes[name] if value not in (other, entries.get(other))):
            names[value] = identifier(others[value], (*taken, *wanted.values(), *names.values()))
        else:
            names[value] = known.setdefault(name, identifier(name, taken))
    return names
