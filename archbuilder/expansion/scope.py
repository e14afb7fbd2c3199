"""The place of an expansion, and the values of a template's parameters there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archbuilder import bounds
from archbuilder.errors import Diagnostic, Span, suggest
from archbuilder.expansion.work import OutOfBounds, Problem, TooMuchError, Work
from archbuilder.graph import ops
from archbuilder.graph.network import Node
from archbuilder.spec.document import Document, Place
from archbuilder.spec.expressions import Expression, ExpressionError
from archbuilder.spec.library import Definition
from archbuilder.spec.network import ShortcutTemplate, is_choice
from archbuilder.spec.values import shown

NOWHERE = Node("", ops.Input(()), (), (), (), 0)
"""What follows a layer that cannot be made: nothing is known of its shape, and no mistake may follow from that."""
UNKNOWN = object()
"""The value of what depends on such a shape."""


@dataclass(frozen=True)
class Scope:
    """The path of names, the place in the YAML, and what names stand for."""

    name: str
    place: Place
    spec: Document
    """The user's own document; a place in another one (the library) is shown as `use`."""
    work: Work
    names: Mapping[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    """The names that keep their value: in a shortcut, `$channels` is that of the residual path, not what arrives."""
    origins: Mapping[str, Place] = field(default_factory=dict)
    """Where in the user's own document the value of a name was given."""
    templates: tuple[str, ...] = ()
    """The templates within each other that lead here."""
    nesting: int = 0
    use: Span | None = None

    def at(self, *parts: str | int) -> Scope:
        """A step further in the YAML; made as it is, since `replace` takes several times as long."""
        return Scope(self.name, self.place.at(*parts), self.spec, self.work, self.names, self.pinned, self.origins,
                     self.templates, self.nesting, self.use)  # fmt: skip

    def named(self, name: str) -> Scope:
        """The same under another name."""
        return Scope(name, self.place, self.spec, self.work, self.names, self.pinned, self.origins, self.templates,
                     self.nesting, self.use)  # fmt: skip

    @property
    def is_own(self) -> bool:
        """Whether this stands in the user's own document."""
        return self.place.document is self.spec

    @property
    def span(self) -> Span | None:
        """The place to show: here, or where the template was used that stands elsewhere."""
        return self.place.span if self.is_own else self.use or self.place.span

    @property
    def key_span(self) -> Span | None:
        return self.place.key_span if self.is_own else self.span

    def problem(
        self, code: str, message: str, hint: str | None = None, at_key: bool = False, span: Span | None = None
    ) -> Problem:
        """A problem here, or at the span that is given."""
        return Problem(
            Diagnostic(code, self._where() + message, span or (self.key_span if at_key else self.span), hint)
        )

    def blame(self, value: object) -> Span | None:
        """The place of the argument that a value comes from; None where the mistake stands in the value itself.

        An expression in a template of the library, or a bare `$name`, is as it should be: the argument is not.
        """
        if not isinstance(value, Expression) or (self.is_own and not value.is_bare):
            return None
        origin = _first(value, self.origins)
        return origin.entry_span if origin else None

    def _where(self) -> str:
        """`stage 3, unit 1: `, or nothing outside the stages."""
        stage, _, rest = self.name.partition("/")
        if not stage.removeprefix("stage").isdigit():
            return f"{stage}: " if stage else ""
        unit = rest.partition("/")[0].removeprefix("unit")
        return f"stage {stage.removeprefix('stage')}, unit {unit}: " if unit.isdigit() else f"stage {stage[5:]}: "

    def names_at(self, current: Node) -> dict[str, Any]:
        """The values of names in a layer behind `current`."""
        channels = UNKNOWN if current is NOWHERE else current.shape[-1]
        return {**self.names, "channels": channels, **self.pinned}

    def evaluate(self, value: Any, names: Mapping[str, Any]) -> Any:
        """The value of an expression, `UNKNOWN` where a name in it is, and any other value as it is."""
        if not isinstance(value, Expression):
            return value
        self.step(value.size)
        if any(names.get(name) is UNKNOWN for name in value.names):
            return UNKNOWN
        try:
            return value.evaluate(names)
        except ExpressionError as error:
            raise self.problem("bad-expression", f"{value.text}: {error}", span=self.blame(value)) from None

    def step(self, count: int = 1) -> None:
        try:
            self.work.step(count)
        except OutOfBounds as error:
            raise self.too_much(error) from None

    def too_much(self, error: OutOfBounds) -> TooMuchError:
        return TooMuchError(self.problem("too-large", str(error)).diagnostic)

    def deeper(self) -> Scope:
        """The scope of the layers of a merge or a condition."""
        if self.nesting >= bounds.DEPTH:
            raise self._too_deep()
        return Scope(self.name, self.place, self.spec, self.work, self.names, self.pinned, self.origins,
                     self.templates, self.nesting + 1, self.use)  # fmt: skip

    def _too_deep(self, *templates: str) -> TooMuchError:
        chain = (*self.templates, *templates)
        again = chain[:-1][::-1].index(chain[-1]) + 1 if chain and chain[-1] in chain[:-1] else 0
        if again:
            cycle = " -> ".join(chain[-again - 1 :])
            problem = self.problem("template-cycle", f"templates use each other without end: {cycle}")
        else:
            message = f"templates, merges and conditions, more than {bounds.DEPTH} in each other"
            problem = self.problem("too-deep", message)
        return TooMuchError(problem.diagnostic)

    def inside(
        self,
        definition: Definition,
        arguments: Mapping[str, Any],
        outside: Mapping[str, Any],
        places: Mapping[str, Place] | None = None,
    ) -> Scope:
        """The scope of a template's layers: each parameter is its argument, else its default, in order.

        `places` are those of the arguments; they stand right here where none are given.
        """
        try:
            self.work.expand()
        except OutOfBounds as error:
            raise self.too_much(error) from None
        if self.nesting >= bounds.DEPTH:
            raise self._too_deep(definition.name)
        is_shortcut = isinstance(definition.template, ShortcutTemplate)
        pinned = {key: outside[key] for key in ("channels", "stride")} if is_shortcut else {}
        places = {key: self.place.at(definition.name, key) for key in arguments} if places is None else places
        origins = {key: origin for key in arguments if (origin := self._origin(arguments[key], places[key]))}
        names = self._bound(definition, arguments, outside, pinned, origins)
        return Scope(self.name, definition.place.at("layers"), self.spec, self.work, names, pinned, origins,
                     (*self.templates, definition.name), self.nesting + 1, self.use or self.place.key_span)  # fmt: skip

    def _origin(self, value: object, place: Place) -> Place | None:
        """Where an argument was given: here, or where the argument was that it passes on."""
        return _first(value, self.origins) or (place if place.document is self.spec else None)

    def _bound(
        self,
        definition: Definition,
        arguments: Mapping[str, Any],
        outside: Mapping[str, Any],
        pinned: Mapping[str, Any],
        origins: dict[str, Place],
    ) -> dict[str, Any]:
        names: dict[str, Any] = {"channels": outside["channels"], **pinned}
        for key, parameter in definition.template.parameters.items():
            if key not in arguments and parameter.required:
                raise self.problem("missing-parameter", f"'{definition.name}' needs '{key}'")
            given, known = (arguments[key], outside) if key in arguments else (parameter.default, names)
            names[key] = self.evaluate(given, known)
            if key not in arguments and (origin := _first(given, origins)):
                origins[key] = origin
            self.step(1 + len(parameter.choices))
            if parameter.choices and names[key] is not UNKNOWN and not is_choice(names[key], parameter.choices):
                span = origins[key].entry_span if key in origins else None
                hint = suggest(str(names[key]), map(str, parameter.choices), "choices")
                raise self.problem("bad-choice", f"'{key}' cannot be {shown(names[key])}", hint, span=span)
        return names


def _first(value: object, origins: Mapping[str, Place]) -> Place | None:
    """Where the first name in an expression that has an origin was given its value."""
    names = value.names if isinstance(value, Expression) else ()
    return next((origins[name] for name in names if name in origins), None)
