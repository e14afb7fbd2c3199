"""The ops of layers: defaults filled in, expressions evaluated, values checked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from archbuilder.expansion.scope import UNKNOWN, Scope
from archbuilder.expansion.work import Problem
from archbuilder.graph import ops
from archbuilder.graph.network import Node
from archbuilder.spec.expressions import Expression
from archbuilder.spec.network import Defaults
from archbuilder.spec.op_layers import Op
from archbuilder.spec.problems import locate, message_of


class OpMaker:
    """Makes each op once, however often its layer comes to the same values."""

    def __init__(self, defaults: Defaults, note: Callable[[Problem], None]) -> None:
        self.note = note
        self.checked: dict[Hashable, ops.Op] = {}
        """The ops of layers whose expressions came to the same values before."""
        self.fields: dict[int, tuple[dict[str, Any], tuple[str, ...]]] = {}
        self.defaults: dict[str, dict[str, Any]] = {
            kind: {name: getattr(model, name) for name in model.model_fields_set} for kind, model in defaults
        }

    def op(self, layer: Op, current: Node, scope: Scope) -> ops.Op | None:
        """The op of a layer, with the defaults filled in and the expressions evaluated and checked.

        None where a value is not known.
        """
        fields, expressions = self._fields(layer)
        if not expressions and (done := self.checked.get((id(layer), (), ()))):
            return done
        inner, names = scope.at(layer.kind), scope.names_at(current)
        values = {**fields, **{key: inner.at(key).evaluate(fields[key], names) for key in expressions}}
        known = {key: value for key, value in values.items() if value is not UNKNOWN}
        came_to = tuple(known.get(key) for key in expressions)
        is_plain = len(known) == len(values) and all(
            isinstance(value, str | int | float | Fraction) for value in came_to
        )
        key = (id(layer), came_to, tuple(map(type, came_to))) if is_plain else None
        if key in self.checked:
            return self.checked[key]
        scope.step(20)
        try:
            checked = type(layer).model_validate({**_placeholders(layer, values), **known})
        except ValidationError as error:
            first, *others = [_bad_value(problem, fields, inner) for problem in error.errors(include_url=False)]
            for problem in others:
                self.note(problem)
            raise first from None
        if len(known) < len(values):
            return None
        op = layer.op(**checked.fields())
        if key is not None:
            self.checked[key] = op
        return op

    def _fields(self, layer: Op) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What a layer says, with the defaults filled in, and which of it are expressions."""
        if id(layer) not in self.fields:
            said = {name: getattr(layer, name) for name in layer.model_fields_set}
            fields = {**self.defaults.get(layer.kind, {}), **said, "kind": layer.kind}
            expressions = tuple(key for key, value in fields.items() if isinstance(value, Expression))
            self.fields[id(layer)] = (fields, expressions)
        return self.fields[id(layer)]


def _placeholders(layer: Op, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they stand of the fields that are not known, which any expression satisfies."""
    return {key: getattr(layer, key) for key, value in values.items() if value is UNKNOWN and key != "kind"}


def _bad_value(problem: ErrorDetails, fields: Mapping[str, Any], scope: Scope) -> Problem:
    """The problem of a field, at the argument that it comes from or at the field itself."""
    [key, *_] = problem["loc"] or ("",)
    here = replace(scope, place=locate(scope.place, problem["loc"]))
    return here.problem("bad-value", message_of(problem), span=scope.blame(fields.get(str(key))))
