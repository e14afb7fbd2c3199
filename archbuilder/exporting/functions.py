"""Blocks that are the same but for numbers as one function, whose parameters are the numbers that differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from archbuilder.exporting.blocks import Block, without_nothing
from archbuilder.exporting.program import (
    INSTANCE,
    MISSING,
    UNIT,
    Argument,
    Call,
    Function,
    Loop,
    Multiple,
    Parameter,
    Value,
)  # fmt: skip

_CHANNELS = frozenset({
    "filters", "channels", "groups", "units", "in_channels", "out_channels", "in_features", "out_features",
    "num_groups", "num_parameters", "start", "stop",
})  # fmt: skip
"""Arguments that may be told by each other: one may be a multiple of another."""
_USUAL: dict[str, Value] = {
    "strides": 1, "stride": 1, "dilation_rate": 1, "dilation": 1, "groups": 1, "kernel_size": None,
}  # fmt: skip
"""Arguments that are left out in calls where they have this value, or the one that most have."""
_MOST_PARAMETERS = 7
"""The most that the function of a stage has; units have as many as they need."""
Ref: TypeAlias = "tuple[str, int]"
Row: TypeAlias = "tuple[str, object, tuple[Ref, ...]]"
"""The path of a line, what is called, and what with."""


@dataclass(frozen=True)
class _Form:
    """What blocks of one function have in common: their lines, without the values of arguments."""

    rows: tuple[Row, ...]
    outputs: tuple[Ref, ...]
    inputs: int
    weighted: frozenset[str]
    """The lines that make a layer with weights."""

    @classmethod
    def of(cls, block: Block) -> _Form:
        known: dict[str, Ref] = {name: ("", index) for index, name in enumerate(block.inputs)}
        rows = []
        for call in block.calls:
            names = tuple(argument.name for argument in call.arguments)
            rows.append(
                (call.local, (call.key, names, call.paths, call.label), tuple(known[name] for name in call.inputs))
            )
            known |= {name: (call.local, index) for index, name in enumerate(call.outputs)}
        weighted = frozenset(call.local for call in block.calls if call.is_weighted)
        return cls(tuple(rows), tuple(known[name] for name in block.outputs), len(block.inputs), weighted)

    def has(self, other: _Form) -> bool:
        """Whether another form is this one without some lines, which then pass on what they take in first."""
        there = {row[0] for row in other.rows}
        through: dict[Ref, Ref] = {}
        rows = []
        missing: list[list[Row]] = []
        for place, (local, callee, inputs) in enumerate(self.rows):
            found = tuple(through.get(ref, ref) for ref in inputs)
            if local in there:
                rows.append((local, callee, found))
                continue
            if not found:
                return False
            through[local, 0] = found[0]
            if place and self.rows[place - 1][0] not in there:
                missing[-1].append(self.rows[place])
            else:
                missing.append([self.rows[place]])
        outputs = tuple(through.get(ref, ref) for ref in self.outputs)
        if (tuple(rows), outputs, self.inputs) != (other.rows, other.outputs, other.inputs):
            return False
        return all(self._is_chain(run) for run in missing)

    def _is_chain(self, run: Sequence[Row]) -> bool:
        """Whether lines may be left out: nothing but their end is used elsewhere, and weights go by whole paths.

        Were only some convolutions of a path left out, those with one number would do different things.
        """
        own, inner = {row[0] for row in run}, {row[0] for row in run[:-1]}
        paths = {local.rpartition("/")[0] for local in own & self.weighted}
        if any(row[0].rpartition("/")[0] in paths and row[0] not in own for row in self.rows):
            return False
        used = [ref for row in self.rows if row[0] not in own for ref in row[2]]
        return not inner & {ref[0] for ref in (*used, *self.outputs)}


def functions_of(template: str, blocks: Sequence[Block]) -> Iterator[Function]:
    """The functions that blocks of a template are calls of: as few as do."""
    forms = [(_Form.of(block), block) for block in blocks]
    kinds: list[tuple[_Form, list[Block]]] = []
    exact: dict[_Form, list[Block]] = {}
    for form, block in sorted(forms, key=lambda pair: -len(pair[0].rows)):
        if (found := exact.get(form)) is not None:
            found.append(block)
            continue
        for base, members in kinds:
            if base.has(form):
                exact[form] = members
                members.append(block)
                break
        else:
            exact[form] = [block]
            kinds.append((form, exact[form]))
    order = {id(block): place for place, block in enumerate(blocks)}
    for _, members in sorted(kinds, key=lambda kind: min(order[id(one)] for one in kind[1])):
        is_unit = any(UNIT.fullmatch(block.scope) for block in members)
        if len(members) > 1 or is_unit:
            function = _function(template, sorted(members, key=lambda one: order[id(one)]))
            if function is not None:
                yield function


def _function(template: str, blocks: Sequence[Block]) -> Function | None:
    """The function of blocks of one form; None where it would have more parameters than a person would write."""
    longest = max(blocks, key=lambda block: len(block.calls))
    function = Function(template, (), longest.inputs, longest.outputs, instances=[block.scope for block in blocks])
    there = [{call.local: call for call in block.calls} for block in blocks]
    found = _Parameters(function, len(blocks))
    columns: dict[tuple[int, int], tuple[Value, ...]] = {}
    for place, call in enumerate(longest.calls):
        here = [one.get(call.local) for one in there]
        if None in here and not isinstance(call.callee, Loop):
            function.flags[place] = found.flag(tuple(one is not None for one in here), call)
        for index in range(len(call.arguments)):
            absent = _absent(call, index)
            columns[place, index] = tuple(absent if one is None else one.arguments[index].value for one in here)
    told: dict[tuple[int, int], Value] = {}
    for (place, index), column in sorted(columns.items(), key=lambda item: _turn(longest.calls[item[0][0]], *item)):
        call = longest.calls[place]
        told[place, index] = found.told(call.arguments[index], column, call, _is_count(call, index))
    function.calls = tuple(
        replace(call, arguments=tuple(
            replace(argument, value=told[place, index]) for index, argument in enumerate(call.arguments)
        ))
        for place, call in enumerate(longest.calls)
    )  # fmt: skip
    function.calls, function.flags = without_nothing(function.calls, function.flags)
    settled = found.settle()
    if template == "stage" and len(function.parameters) > _MOST_PARAMETERS:
        return None
    for place, block in enumerate(blocks):
        block.function, block.values = function, tuple(column[place] for column in settled)
    return function


def _is_count(call: Call, index: int) -> bool:
    return isinstance(call.callee, Loop) and index == len(call.arguments) - 1


def _absent(call: Call, index: int) -> Value:
    """What an argument is where its line is left out: a loop that is, goes up to the number before its first."""
    return call.callee.first - 1 if isinstance(call.callee, Loop) and _is_count(call, index) else MISSING


def _turn(call: Call, place: tuple[int, int], column: Sequence[object]) -> tuple[object, ...]:
    """Which columns are told first: those that are always there, and what others may follow from."""
    return (MISSING in column, call.arguments[place[1]].name == "padding", place)


class _Parameters:
    """The parameters of a function, as they are met."""

    def __init__(self, function: Function, count: int) -> None:
        self.function, self.count = function, count
        self.columns: list[tuple[Value, ...]] = []
        self.wanted: list[tuple[str, str, bool]] = []
        """The name that each would have, where it is met, and whether it is a flag."""
        self.what: list[str] = []
        """What the layers call each."""
        self.counts: set[int] = set()
        """Those that are numbers of calls."""

    def flag(self, column: tuple[bool, ...], call: Call) -> int:
        for index, known in enumerate(self.columns):
            if known == column and self.wanted[index][2]:
                return index
        return self._new(_flag_name(call), column, call, is_flag=True)

    def told(self, argument: Argument, column: tuple[Value, ...], call: Call, is_count: bool) -> Value:
        """A value that all have, or what a parameter comes to."""
        values = list(dict.fromkeys((type(value), value) for value in column if value is not MISSING))
        name, what = argument.name, argument.what or argument.name
        shapes = [value for _, value in values if isinstance(value, tuple)]
        if name == "target_shape" and len(values) > 1 and len({len(shape) for shape in shapes}) == 1:
            parts = zip(
                *(one if isinstance(one, tuple) else (MISSING,) * len(shapes[0]) for one in column), strict=True
            )
            return tuple(self.told(Argument("channels", MISSING), part, call, False) for part in parts)
        if len(values) == 1:
            return values[0][1]
        found = [
            one for index, known in enumerate(self.columns)
            if (one := _multiple(index, self.what[index], known, what, column))
        ]  # fmt: skip
        if found:
            return min(found, key=lambda one: one.factor != 1 or one.divisor != 1)
        index = self._new(name, column, call, what=what)
        self.counts |= {index} if is_count else set()
        return Multiple(index)

    def _new(self, name: str, column: tuple[Value, ...], call: Call, is_flag: bool = False, what: str = "") -> int:
        self.columns.append(column)
        self.what.append(what)
        self.wanted.append((name, call.local, is_flag))
        return len(self.columns) - 1

    def settle(self) -> list[tuple[Value, ...]]:
        """Names and orders the parameters, those with a default last; returns what they are in each block."""
        names = _distinct(self.wanted)
        made = []
        for name, column, what, (_, _, is_flag) in zip(names, self.columns, self.what, self.wanted, strict=True):
            usual, times = Counter(value for value in column if value is not MISSING).most_common(1)[0]
            often = 2 * times >= len(column) and _USUAL.get(what, MISSING) in (usual, None)
            is_flag = is_flag or isinstance(usual, bool)
            is_left_out = is_flag or MISSING in column or often
            default: Value = False if is_flag else usual if is_left_out else MISSING
            filled = tuple(default if value is MISSING else value for value in column)
            made.append((Parameter(name, default, what), filled))
        order = sorted(range(len(made)), key=lambda one: self._rank(one, made[one][0]))
        places = {index: place for place, index in enumerate(order)}
        function = self.function
        function.parameters = [made[index][0] for index in order]
        function.flags = {call: places[index] for call, index in function.flags.items()}
        function.calls = tuple(
            replace(call, arguments=tuple(_renumbered(one, places) for one in call.arguments))
            for call in function.calls
        )
        return [made[index][1] for index in order]

    def _rank(self, index: int, parameter: Parameter) -> tuple[bool, ...]:
        """Numbers of units come first, flags last, behind all else that has a default."""
        return (parameter.default is not MISSING, isinstance(parameter.default, bool), index not in self.counts)


def _renumbered(argument: Argument, places: Mapping[int, int]) -> Argument:
    return replace(argument, value=_with_places(argument.value, places))


def _with_places(value: Value, places: Mapping[int, int]) -> Value:
    if isinstance(value, tuple):
        return tuple(_with_places(one, places) for one in value)
    return replace(value, parameter=places[value.parameter]) if isinstance(value, Multiple) else value


def _flag_name(call: Call) -> str:
    """A projection is what papers call a shortcut with weights."""
    if call.branch == "shortcut":
        return "projection"
    names = [match["template"] for name in re.split("[/.]", call.local) if (match := INSTANCE.fullmatch(name))]
    what = call.branch if call.branch not in ("", "residual") else names[0] if names else "layers"
    return f"with_{what}"


def _multiple(
    index: int, known_name: str, known: Sequence[Value], name: str,
    column: Sequence[Value],
) -> Multiple | None:  # fmt: skip
    """How a column of values follows from that of a parameter, if it does."""
    pairs = [(a, b) for a, b in zip(known, column, strict=True) if b is not MISSING]
    if any(a is MISSING for a, _ in pairs):
        return None
    alike = name == known_name or {name, known_name} <= _CHANNELS
    if alike and all(type(a) is type(b) and a == b for a, b in pairs):
        return Multiple(index)
    half = (known_name, name) == ("kernel_size", "padding")
    if not alike and not half:
        return None
    if not all(type(a) is int and type(b) is int and a > 0 and b > -half for a, b in pairs):
        return None
    (a, b), *_ = pairs
    assert isinstance(a, int)
    assert isinstance(b, int)
    factor, divisor = (1, 2) if half else (max(b // a, 1), max(a // b, 1))
    found = Multiple(index, factor, divisor)
    return found if all(found.of(a) == b for a, b in pairs) else None


def _distinct(wanted: Sequence[tuple[str, str, bool]]) -> list[str]:
    """A name for each parameter: what the layer calls it, and where that is not enough, where it stands."""
    counts = Counter(name for name, _, _ in wanted)
    names: list[str] = []
    for name, local, _ in wanted:
        found = name
        if counts[name] > 1:
            *scope, last = local.split("/")
            branch = [one for one in scope if not INSTANCE.fullmatch(one)]
            inner = [name, f"{last}_{name}"]
            if branch and branch[-1] != "residual":
                match = INSTANCE.fullmatch(last)
                inner = [f"{branch[-1]}_{name}", f"{branch[-1]}_{name}{match['number'] if match else ''}"]
            options = [*inner, "_".join([*branch, last, name]), "_".join([*scope, last, name])]
            found = next((one for one in options if one not in names), options[-1])
        number = 2
        base = found
        while found in names:
            found, number = f"{base}{number}", number + 1
        names.append(found)
    return names
