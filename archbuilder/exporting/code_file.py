"""What a file of generated Python holds in any language of layers: names, settings, signatures, classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from archbuilder.exporting.about import About
from archbuilder.exporting.handover import Handover
from archbuilder.exporting.program import MISSING, Function, Program, Value
from archbuilder.exporting.python_text import Text, called, docstring, identifier, lines, listed, literal
from archbuilder.exporting.running import words_of
from archbuilder.exporting.settings import usual_settings


@dataclass(eq=False)
class CodeFile:
    """A program, and what its parts are called."""

    short: ClassVar[Mapping[str, str]]
    """What a layer with settings of this network is called."""
    reserved: ClassVar[Sequence[str]]
    """The names that no function has."""
    reserved_within: ClassVar[Sequence[str]] = ()
    """The names that, besides, no parameter has."""
    program: Program
    handover: Handover
    about: About
    weights: str
    names: dict[int, str] = field(init=False, default_factory=dict)
    """The identifiers of functions."""
    settings: dict[str, dict[str, Value]] = field(init=False)
    """What layers have in common, by what is called."""

    def __post_init__(self) -> None:
        self.taken = [*self.reserved]
        for function in self.program.functions:
            wanted = function.name or self.handover.graph.name.rpartition("/")[2]
            self.names[id(function)] = identifier(self.styled(wanted), self.taken)
            self.taken.append(self.names[id(function)])
        self.settings = usual_settings(self.program, self.short)

    def styled(self, name: str) -> str:
        """A name as the language writes those of functions or classes."""
        return name

    def literal(self, value: Value) -> Text:
        return literal(value)

    def docstring(self, use: str) -> list[str]:
        """That of the file; `use` says how its weights are loaded."""
        return docstring([self.about.title, *self.about.paragraphs, use])

    def classes(self) -> Iterator[str]:
        if self.handover.classes:
            yield from lines(("CLASSES = ", *listed(self.handover.classes)))

    def partials(self) -> Iterator[str]:
        for callee, settings in self.settings.items():
            arguments = [(callee,), *((f"{key}=", *self.literal(value)) for key, value in settings.items())]
            yield from lines((f"{self.short[callee]} = ", *called("partial", arguments)))

    def parameters(self, function: Function) -> list[str]:
        names: list[str] = []
        for parameter in function.parameters:
            names.append(identifier(parameter.name, (*self.taken, *names, *self.reserved_within)))
        return names

    def signature(self, function: Function, parameters: Sequence[str]) -> Iterator[Text]:
        """The parameters with their defaults."""
        for name, parameter in zip(parameters, function.parameters, strict=True):
            default = parameter.default
            yield (name,) if default is MISSING else (f"{name}=", *self.literal(default))

    def words(self, function: Function) -> str:
        return self.about.summary(function.template) or words_of(function.template)
