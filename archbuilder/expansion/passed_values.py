"""The values of parameters that stand for layers or for a path, read where a template uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from archbuilder.expansion.scope import Scope
from archbuilder.expansion.work import Problem
from archbuilder.spec.layers import BRANCH, LAYER, LAYERS, From, Layer, Layers, Use
from archbuilder.spec.loading import Spec
from archbuilder.spec.problems import locate, message_of


class PassedValues:
    """Reads each value once; the scope is that in which it is written."""

    def __init__(self, spec: Spec, note: Callable[[Problem], None]) -> None:
        self.context = {"units": spec.names("units"), "shortcuts": spec.names("shortcuts")}
        self.note = note
        self.read: dict[tuple[int, int], tuple[object, Any]] = {}
        """The values, which are kept so that no other has their identity, each with what it says."""

    def layer(self, value: object, scope: Scope) -> Layer:
        layer: Layer = self._read(LAYER, value, scope)
        return layer

    def layers(self, value: list[object], scope: Scope) -> Layers:
        layers: Layers = self._read(LAYERS, value, scope)
        return layers

    def path(self, value: object, scope: Scope) -> Layers | From | Use:
        path: Layers | From | Use = self._read(BRANCH, value, scope)
        return path

    def _read(self, adapter: TypeAdapter[Any], value: object, scope: Scope) -> Any:
        key = (id(adapter), id(value))
        if key not in self.read:
            try:
                self.read[key] = (value, adapter.validate_python(value, context=self.context))
            except ValidationError as error:
                first, *others = [_bad_layers(problem, scope) for problem in error.errors(include_url=False)]
                for problem in others:
                    self.note(problem)
                raise first from None
        return self.read[key][1]


def _bad_layers(problem: ErrorDetails, scope: Scope) -> Problem:
    """The problem of a value, at its own place in it."""
    code = problem["type"] if "-" in problem["type"] else "bad-value"
    hint = problem.get("ctx", {}).get("hint")
    return replace(scope, place=locate(scope.place, problem["loc"])).problem(code, message_of(problem), hint)
