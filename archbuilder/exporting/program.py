"""A program: functions that call layers, each other, and each other in loops. Code is written from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = "bool | int | float | str | Code | Config | Multiple | Missing | tuple[Value, ...] | None"
"""What an argument is; in a function, it may depend on a parameter."""
INSTANCE = re.compile(r"(?P<template>.*[^_\d])(?P<number>\d+)", re.ASCII)
"""A numbered scope: a stage, a unit, or the layers of any template. `residual_2` is a path of a merge."""
STAGE = re.compile(r"stage\d+", re.ASCII)
UNIT = re.compile(r"stage\d+/unit\d+", re.ASCII)
_SECTIONS = ("stem", "head")


@dataclass(frozen=True, slots=True)
class Code:
    """An expression of ours, not to be quoted."""

    text: str


@dataclass(frozen=True, slots=True)
class Config:
    """What Keras makes an object of, a new one each time."""

    name: str
    """What it is called in the file."""
    kind: str
    settings: tuple[tuple[str, float | str], ...]


@dataclass(frozen=True, slots=True)
class Multiple:
    """What a parameter of the function that it stands in comes to: `4 * filters`, `filters // 4`."""

    parameter: int
    factor: int = 1
    divisor: int = 1

    def text(self, name: str) -> str:
        if self.divisor > 1:
            return f"{name} // {self.divisor}"
        return f"{self.factor} * {name}" if self.factor > 1 else name

    def of(self, value: Value) -> Value:
        if isinstance(value, int) and not isinstance(value, bool):
            return self.factor * value // self.divisor
        return value


@dataclass(frozen=True, slots=True)
class Missing:
    """The value of an argument of a layer that is not there."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call."""

    name: str
    value: Value
    default: Value = MISSING
    """What it is where it is left out."""
    positional: bool = False
    """Whether it is written without its name."""
    what: str = ""
    """What a layer calls it, where a function has another name for it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A call that makes one layer, and applies it."""

    value: str
    """The name of what it returns: the path of a node, or one with something behind it."""
    callee: str
    arguments: tuple[Argument, ...]
    inputs: tuple[str, ...]
    paths: tuple[str, ...] = ()
    """Of a merge, the names of its inputs."""
    name: str = ""
    """What it is called, where that is not the name of what it returns."""
    is_weighted: bool = False
    """Whether it is of a node that holds weights."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Equal calls one after the other: `unit2`, `unit3` ..."""

    function: Function
    prefix: str
    first: int
    varying: tuple[str, ...]
    """The parameters that have another value each time; they come in rows."""

    @property
    def key(self) -> object:
        return (id(self.function), self.prefix, self.first, self.varying)


@dataclass(frozen=True, slots=True)
class Call:
    """A line of a function: a layer, another function, or a loop over calls of one."""

    local: str
    """Its path within the function."""
    callee: str | Function | Loop
    arguments: tuple[Argument, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    paths: tuple[str, ...] = ()
    label: str = ""
    """What it is called within the function, where that is not its path."""
    is_weighted: bool = False

    @property
    def branch(self) -> str:
        """The path of a merge that it stands on; nothing on the main path."""
        names = [name for name in self.local.split("/")[:-1] if not INSTANCE.fullmatch(name)]
        names = [name for name in names if name not in _SECTIONS]
        return names[-1] if names else ""

    @property
    def key(self) -> object:
        callee = self.callee
        return callee if isinstance(callee, str) else id(callee) if isinstance(callee, Function) else callee.key


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function."""

    name: str
    default: Value = MISSING
    what: str = ""
    """What the layers call it that it is for."""


@dataclass(eq=False)
class Function:
    """Layers that recur, with other numbers each time."""

    template: str
    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: list[Parameter] = field(default_factory=list)
    flags: dict[int, int] = field(default_factory=dict)
    """Of calls that are not always made, which parameter says so."""
    instances: list[str] = field(default_factory=list)
    """The scopes that are calls of it."""
    name: str = ""

    @property
    def is_main(self) -> bool:
        return not self.template


@dataclass(frozen=True)
class Program:
    """All functions, each behind those that it calls; the last is the network."""

    functions: tuple[Function, ...]

    @property
    def main(self) -> Function:
        return self.functions[-1]


def rows(call: Call) -> tuple[tuple[Value, ...], ...]:
    """What each call of a loop is given, up to the last argument that varies, where the table is no parameter."""
    loop, (*fixed, several) = call.callee, call.arguments
    assert isinstance(loop, Loop)
    assert isinstance(several.value, tuple)
    given = {argument.name: argument.value for argument in fixed}
    names = [parameter.name for parameter in loop.function.parameters]
    names = names[: max(map(names.index, loop.varying)) + 1]
    made = []
    for row in several.value:
        values = dict(
            zip(loop.varying, row if isinstance(row, tuple) and len(loop.varying) > 1 else (row,), strict=True)
        )
        made.append(tuple(values[name] if name in values else given[name] for name in names))
    return tuple(made)
