"""Units of the library found in the steps of a network: their arguments follow from what stands where they are used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import permutations, product
from typing import Any

from archbuilder.graph import ops
from archbuilder.graph.ops import Shape
from archbuilder.importing import paddings
from archbuilder.importing.steps import Leaf, Span, Step, Steps
from archbuilder.importing.writing import Defaults, Writer, Written, Yaml, plain, settings_of
from archbuilder.spec import layers as spec_layers
from archbuilder.spec import library, op_layers
from archbuilder.spec.expressions import Expression, ExpressionError, parse
from archbuilder.spec.network import Template

Env = dict[str, Any]
"""The parameters that are known so far."""
_LONGEST_PASSED = 4
"""How many steps one parameter stands for at most."""
_DIGITS = 3
"""Those behind the point of a multiple, at most."""
_LONGEST_ATTACHMENT = 8
"""How many steps a unit that stands among other layers consists of at most."""


class _Unknown(Exception):  # noqa: N818 (a parameter that is not known yet)
    pass


@dataclass(frozen=True)
class Beside:
    """The path beside a unit's own; no steps at all are the identity."""

    steps: Steps | None
    """None where nothing is added to the unit's own path."""


@dataclass(frozen=True)
class Track:
    """Steps that are matched from left to right, with the spans that begin at some of them."""

    steps: Steps
    spans: Mapping[int, Span]
    entry: Shape

    def arriving(self, at: int) -> Shape:
        return self.steps[at].arriving if at < len(self.steps) else self.steps[-1].leaving if self.steps else self.entry


@dataclass(frozen=True)
class Found:
    """A unit in the steps of a network: where it ends, its arguments, and the path beside its own."""

    unit: str
    end: int
    arguments: Mapping[str, Yaml]
    beside: Beside | None
    """None for a unit that takes no shortcut."""
    free: frozenset[str] = frozenset()
    """The parameters that may have any value, since nothing there depends on them."""
    alternative: Mapping[str, Yaml] | None = None
    """The arguments with multiples in place of numbers, where they say the same."""


class Matcher:
    """Finds one unit of the library."""

    def __init__(self, name: str, defaults: Defaults, writer: Writer) -> None:
        self.name, self.defaults, self.writer = name, defaults, writer
        self.template: Template = library.definition("units", name).template
        self.parameters = self.template.parameters
        self.used: set[str] = set()
        """The parameters that were asked for since this was last emptied."""

    @cached_property
    def is_attachment(self) -> bool:
        """Whether it stands anywhere among other layers, since it needs no arguments."""
        return not any(one.required for one in self.parameters.values())

    @cached_property
    def _few(self) -> dict[str, list[Any]]:
        """The values of the parameters that have few, the usual ones first."""
        return {
            key: [one.default, *(value for value in one.choices or (True, False) if value != one.default)]
            for key, one in self.parameters.items()
            if one.choices or isinstance(one.default, bool)
        }

    @cached_property
    def _choices(self) -> list[Env]:
        return [dict(zip(self._few, values, strict=True)) for values in product(*self._few.values())]

    def found(self, track: Track, start: int) -> Found | None:
        """The unit that begins at a step, if there is one."""
        entry = track.arriving(start)
        for chosen in self._choices:
            for end, env in self._known(track, start, {**chosen, "@": entry}):
                if end > start and (settled := self._settled(env)) and self._holds(track, start, end, settled):
                    found = self._found(end, settled)
                    return replace(found, free=found.free | self._indifferent(track, start, end, settled))
        return None

    def _indifferent(self, track: Track, start: int, end: int, env: Env) -> set[str]:
        """The parameters of few values all of which come to the same, such as where a stride of 1 stands."""
        return {
            key for key, values in self._few.items()
            if env[key] == values[0] and all(self._holds(track, start, end, {**env, key: one}) for one in values[1:])
        }  # fmt: skip

    def _known(self, track: Track, start: int, env: Env) -> Iterator[tuple[int, Env]]:
        """Where the unit may end, and what is known then; looked for twice, since layers tell of those before them."""
        for end, first in self._layers(self.template.layers, track, start, env):
            for at, known in self._layers(self.template.layers, track, start, first):
                if at == end:
                    yield end, known

    def _holds(self, track: Track, start: int, end: int, env: Env) -> bool:
        self.used.clear()
        ends = self._layers(self.template.layers, track, start, env)
        return any(at == end and self._settled(one) == env for at, one in ends)

    def _found(self, end: int, env: Env) -> Found:
        said = self._said(env)
        others = self._multiples(env, said)
        for key in [*self.used]:
            default = self.parameters[key].default
            if isinstance(default, Expression) and key not in (said if others is None else others):
                self.used.update(name for name in default.names if name in self.parameters)
        free = frozenset(key for key, one in self.parameters.items() if not one.required) - self.used
        written = [None if one is None else {key: plain(value) for key, value in one.items()} for one in (said, others)]
        return Found(self.name, end, written[0] or {}, env.get("shortcut"), free, written[1])

    def _multiples(self, env: Env, said: Mapping[str, Any]) -> dict[str, Any] | None:
        """The arguments with the one number that a default is computed of in place of what it comes to."""
        found = dict(said)
        for key, value in said.items():
            default = self.parameters[key].default
            if not isinstance(default, Expression) or isinstance(value, Written):
                continue
            names = _names(env["@"])
            open_ = [one for one in default.names if one in self.parameters and one not in found and one not in names]
            if len(open_) != 1:
                continue
            known = {one: env[one] for one in env if one not in (key, *open_)}
            try:
                factor = self._root(default, open_[0], value, known, names)
            except _Unknown:
                return None
            del found[key]
            if factor != self.parameters[open_[0]].default:
                found[open_[0]] = factor
        return found

    def _settled(self, env: Env) -> Env | None:
        """All parameters: those that nothing told are as usual."""
        found = dict(env)
        for key, parameter in self.parameters.items():
            if key in found or key == "shortcut":
                continue
            if parameter.required:
                return None
            try:
                found[key] = self._default(key, found)
            except _Unknown:
                return None
        return found

    def _default(self, key: str, env: Env) -> Any:
        default = self.parameters[key].default
        return self._value(default, env, _names(env["@"])) if isinstance(default, Expression) else default

    def _said(self, env: Env) -> dict[str, Any]:
        """The arguments that are not as usual."""
        said = {key: env[key] for key in self.parameters if key != "shortcut"}
        for key in [*said]:
            if not self.parameters[key].required and self._is_usual(key, env[key], self._default(key, env)):
                del said[key]
        return said

    def _is_usual(self, key: str, value: Any, usual: Any) -> bool:
        return value == usual or (isinstance(value, Written) and value.is_as(usual, self.defaults))

    # Layers, one after the other.

    def _layers(self, layers: Any, track: Track, at: int, env: Env) -> Iterator[tuple[int, Env]]:
        if not layers:
            yield at, env
            return
        for after, known in self._layer(layers[0], track, at, env):
            yield from self._layers(layers[1:], track, after, known)

    def _layer(self, layer: Any, track: Track, at: int, env: Env) -> Iterator[tuple[int, Env]]:
        match layer:
            case spec_layers.Merge():
                yield from self._merge(layer, track, at, env)
            case spec_layers.Conditional():
                yield from self._conditional(layer, track, at, env)
            case spec_layers.Passed():
                yield from self._passed(layer.layers, track, at, env)
            case op_layers.Op():
                if at < len(track.steps) and at not in track.spans and isinstance(step := track.steps[at], Leaf):
                    for known in self._op(layer, step, env):
                        yield at + 1, known
            case _:  # points, and units within units, are not looked for
                return

    def _op(self, layer: op_layers.Op, step: Leaf, env: Env) -> Iterator[Env]:
        if layer.op is not type(step.op) or (step.word != layer.kind and isinstance(step.op, ops.Activation)):
            return
        usual = self.defaults.of_op(step.op)
        said = {key: getattr(layer, key) for key in layer.model_fields_set if key != "kind"}
        envs = [env]
        for key, value in settings_of(step.op).items():
            wanted = said.get(key, usual.get(key))
            if key == "padding":
                if wanted not in paddings.names(step.op, step.arriving):
                    return
            elif isinstance(wanted, Expression):
                envs = [one for known in envs for one in self._solved(wanted, plain(value), known, step.arriving)]
            elif wanted != value:
                return
        yield from envs

    def _conditional(
        self, layer: spec_layers.Conditional, track: Track, at: int, env: Env
    ) -> Iterator[tuple[int, Env]]:
        names = _names(track.arriving(at))
        try:
            holds = [bool(self._value(layer.condition, env, names))]
        except _Unknown:
            holds = [True, False]
        for one in holds:
            known = self._implied(layer.condition, one, env, names)
            yield from self._layers(layer.then if one else layer.otherwise, track, at, known)

    def _implied(self, condition: Any, holds: bool, env: Env, names: Mapping[str, int]) -> Env:
        """What an equality tells of a parameter that is not known."""
        if not isinstance(condition, Expression):
            return env
        match condition.tree:
            case ast.Compare(left=ast.Name(id=name), ops=[one], comparators=[ast.Name(id=other)]) if (
                isinstance(one, ast.Eq if holds else ast.NotEq) and name in self.parameters and name not in env
            ):
                try:
                    return {**env, name: self._value(parse(f"${other}"), env, names)}
                except _Unknown:
                    return env
            case _:
                return env

    def _passed(self, expression: Expression, track: Track, at: int, env: Env) -> Iterator[tuple[int, Env]]:
        """Layers that a parameter stands for; one whose default is a single layer is always one."""
        name = expression.tree.id if isinstance(expression.tree, ast.Name) else None
        if name not in self.parameters:
            return
        self.used.add(name)
        default = self.parameters[name].default
        most = _LONGEST_PASSED if isinstance(default, list | tuple) else 1
        for count in range(most + 1) if most > 1 else (1, 0):
            steps = track.steps[at : at + count]
            if len(steps) < count or any(one in track.spans for one in range(at, at + count)):
                continue
            if most == count == 1 and not _stands_for(steps[0], default):
                continue
            if steps and steps[-1].leaving != steps[0].arriving:
                continue
            written = Written(steps, self.writer)
            if name not in env:
                yield at + count, {**env, name: written}
            elif written.is_as(env[name], self.defaults):
                yield at + count, env

    # Merges.

    def _merge(self, merge: spec_layers.Merge, track: Track, at: int, env: Env) -> Iterator[tuple[int, Env]]:
        branches = list(merge.paths.values())
        if merge.kind == "add" and len(branches) == 2:
            yield from self._sum(branches, track, at, env)
        if at >= len(track.steps) or at in track.spans:
            return
        step = track.steps[at]
        if isinstance(step, Leaf) or step.word != merge.kind or len(step.paths) != len(branches):
            return
        orders = permutations(step.paths) if merge.kind in ("add", "multiply") else [step.paths]
        for paths in orders:
            for known in self._paths(branches, paths, step.arriving, env):
                yield at + 1, known

    def _paths(self, branches: list[Any], paths: tuple[Steps, ...], entry: Shape, env: Env) -> Iterator[Env]:
        if not branches:
            yield env
            return
        for known in self._path(branches[0], Beside(paths[0]), entry, env):
            yield from self._paths(branches[1:], paths[1:], entry, known)

    def _sum(self, branches: list[Any], track: Track, at: int, env: Env) -> Iterator[tuple[int, Env]]:
        """A sum of the unit's own path and one beside it, which may not be there."""
        own, beside = branches
        if not isinstance(own, tuple):
            return
        entry = track.arriving(at)
        if (span := track.spans.get(at)) is not None:
            inner = Track(track.steps[: span.merge], {}, entry)
            for end, known in self._layers(own, inner, at, env):
                if end == span.merge:
                    for one in self._path(beside, Beside(span.path), entry, known):
                        yield end, one
        elif isinstance(beside, Expression):
            for end, known in self._layers(own, track, at, env):
                for one in self._path(beside, Beside(None), entry, known):
                    yield end, one

    def _path(self, branch: Any, beside: Beside, entry: Shape, env: Env) -> Iterator[Env]:
        if isinstance(branch, tuple):
            if beside.steps is not None:
                track = Track(beside.steps, {}, entry)
                for end, known in self._layers(branch, track, 0, env):
                    if end == len(beside.steps):
                        yield known
        elif isinstance(branch, Expression):
            yield from self._beside(branch.tree, beside, entry, env)

    def _beside(self, tree: ast.expr, beside: Beside, entry: Shape, env: Env) -> Iterator[Env]:
        match tree:
            case ast.Name(id=name) if name in self.parameters:
                self.used.add(name)
                if env.get(name, beside) == beside:
                    yield {**env, name: beside}
            case ast.Constant(value="none"):
                if beside.steps is None:
                    yield env
            case ast.Constant(value="identity"):
                if beside.steps == ():
                    yield env
            case ast.IfExp():
                try:
                    test = self._evaluated(tree.test, env, _names(entry))
                except _Unknown:
                    return
                yield from self._beside(tree.body if test else tree.orelse, beside, entry, env)
            case _:
                return

    # Values.

    def _solved(self, expression: Expression, target: Any, env: Env, shape: Shape) -> Iterator[Env]:
        """What is known once an expression has come to a value; numbers that are not known are looked for."""
        names = _names(shape)
        expression = self._decided(expression, env, names)
        unknown = [
            name for name in expression.names if name in self.parameters and name not in env and name not in names
        ]  # fmt: skip
        if expression.is_bare and unknown:
            yield {**env, unknown[0]: target}
            return
        try:
            if len(unknown) == 1:
                value = self._root(expression, unknown[0], target, env, names)
                yield {**env, unknown[0]: value}
            elif len(unknown) > 1 or self._value(expression, env, names) == target:
                yield env  # what several unknown numbers come to is found when all but one are known
        except _Unknown:
            return

    def _decided(self, expression: Expression, env: Env, names: Mapping[str, int]) -> Expression:
        """The part of an `if` that counts, where that is known."""
        tree = expression.tree
        try:
            while isinstance(tree, ast.IfExp):
                tree = tree.body if self._evaluated(tree.test, env, names) else tree.orelse
        except _Unknown:
            pass
        return expression if tree is expression.tree else _of_tree(tree)

    def _root(self, expression: Expression, name: str, target: Any, env: Env, names: Mapping[str, int]) -> Any:
        """The number for which an expression that grows or shrinks with it comes to another."""
        if not isinstance(target, int | float) or isinstance(target, bool) or not target:
            raise _Unknown
        try:
            one = Fraction(self._value(expression, {**env, name: 1}, names))
        except (TypeError, ValueError):
            raise _Unknown from None
        exact = [one / Fraction(target), Fraction(target) / one] if one else []
        for value in (*exact, *(Fraction(round(guess)) for guess in exact)):
            if value and (value * 10**_DIGITS).denominator == 1:
                number = plain(value)
                if self._value(expression, {**env, name: number}, names) == target:
                    return number
        raise _Unknown

    def _value(self, value: Any, env: Env, names: Mapping[str, int]) -> Any:
        return self._evaluated(value.tree, env, names) if isinstance(value, Expression) else value

    def _evaluated(self, tree: ast.expr, env: Env, names: Mapping[str, int]) -> Any:
        expression = _of_tree(tree)
        known: dict[str, Any] = {**names}
        for name in expression.names:
            if name in known:
                continue
            if name not in self.parameters:
                raise _Unknown
            self.used.add(name)
            known[name] = env[name] if name in env else self._inferred(name, env)
        try:
            found = expression.evaluate(known)
        except ExpressionError:
            raise _Unknown from None
        return plain(found) if isinstance(found, Fraction) else found

    def _inferred(self, name: str, env: Env) -> Any:
        """The default of a parameter that follows from others that are known."""
        if isinstance(self.parameters[name].default, Expression):
            return self._default(name, env)
        raise _Unknown


@lru_cache(1024)
def _of_tree(tree: ast.expr) -> Expression:
    """A part of an expression as one of its own."""
    called = {id(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    names = dict.fromkeys(one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and id(one) not in called)
    return Expression("", tree, tuple(name for name in names if name not in ("true", "false")), 0)


def _stands_for(step: Step, default: object) -> bool:
    """Whether a step may be what a parameter stands for: a norm in place of one, or else an activation."""
    is_norm = default == "norm" or (isinstance(default, dict) and "norm" in default)
    return isinstance(step, Leaf) and isinstance(
        step.op, ops.Norm if is_norm else ops.Prelu | ops.LeakyRelu | ops.Activation
    )


def _names(shape: Shape) -> dict[str, int]:
    height, width = shape[:2] if len(shape) == 3 else (1, 1)
    return {"channels": shape[-1], "height": height, "width": width}


def attachments(matchers: list[Matcher]) -> Any:
    """What finds the unit of the library that some steps begin with."""

    known: dict[Steps, tuple[Yaml, int] | None] = {}

    def unit(steps: Steps) -> tuple[Yaml, int] | None:
        near = steps[:_LONGEST_ATTACHMENT]
        if near not in known:
            known[near] = first(near)
        return known[near]

    def first(steps: Steps) -> tuple[Yaml, int] | None:
        track = Track(steps, {}, steps[0].arriving)
        for matcher in matchers:
            if (found := matcher.found(track, 0)) is not None:
                said = dict(found.arguments if found.alternative is None else found.alternative)
                return ({found.unit: said} if said else found.unit), found.end
        return None

    return unit
