"""The place of an expansion, and the values of a template's parameters there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archbuilder import bounds
from archbuilder.errors import Diagnostic, Span, suggest
from archbuilder.expansion.points import Points
from archbuilder.expansion.work import OutOfBounds, Problem, TooMuchError, Work
from archbuilder.graph import ops
from archbuilder.graph.network import Node
from archbuilder.spec.around import ARRIVING
from archbuilder.spec.document import Document, Place
from archbuilder.spec.expressions import Expression, ExpressionError
from archbuilder.spec.library import Definition
from archbuilder.spec.network import ShortcutTemplate, is_choice, is_long_form
from archbuilder.spec.values import shown, word

NOWHERE = Node("", ops.Input(()), (), (), (), 0)
"""What follows a layer that cannot be made: nothing is known of its shape, and no mistake may follow from that."""
SIDES = ("height", "width")
UNKNOWN = object()
"""The value of what depends on such a shape."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is the same for all layers of a template, or of a list that is passed."""

    spec: Document
    """The user's own document; a place in another one (the library) is shown as `use`."""
    work: Work
    points: Points
    names: dict[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    """The names that keep their value: in a shortcut, `$channels` is that of the residual path, not what arrives."""
    origins: dict[str, Place] = field(default_factory=dict)
    """Where in the user's own document the value of a name was given."""
    writers: dict[str, Scope] = field(default_factory=dict)
    """The scope in which the text, the mapping or the list was written that a name stands for."""
    definition: Definition | None = None
    """The template, whose defaults are written in its own scope."""
    templates: tuple[str, ...] = ()
    """The templates within each other that lead here."""
    use: Span | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The path of names, the place in the YAML, and what names stand for."""

    frame: Frame
    name: str
    place: Place
    nesting: int = 0

    def at(self, *parts: str | int) -> Scope:
        """A step further in the YAML; made as it is, since `replace` takes several times as long."""
        return Scope(self.frame, self.name, self.place.at(*parts), self.nesting)

    def named(self, name: str) -> Scope:
        """The same under another name."""
        return Scope(self.frame, name, self.place, self.nesting)

    @property
    def points(self) -> Points:
        return self.frame.points

    def writer(self, name: str | None) -> Scope:
        """The scope in which the value of a name was written, its argument or its default; else this one."""
        definition = self.frame.definition
        if name is None or definition is None or name not in definition.template.parameters:
            return self
        if name in self.frame.writers:
            return self.frame.writers[name]
        place = definition.place.at("parameters", name)
        is_long = is_long_form(place.document.get(place.path))
        return Scope(self.frame, self.name, place.at("default") if is_long else place, self.nesting)

    def standing(self, here: Scope) -> Scope:
        """The scope of layers that were written here, where they stand: with names and points of their writer."""
        if here.nesting >= bounds.DEPTH:
            raise here.too_deep()
        mine, templates = self.frame, here.frame.templates
        use = None if self.is_own else mine.use or here.frame.use
        points = Points(mine.points.journal, mine.points)
        inner = Frame(mine.spec, mine.work, points, mine.names, mine.pinned, mine.origins, mine.writers,
                      mine.definition, templates, use)  # fmt: skip
        return Scope(inner, here.name, self.place, here.nesting + 1)

    @property
    def is_own(self) -> bool:
        """Whether this stands in the user's own document."""
        return self.place.document is self.frame.spec

    @property
    def span(self) -> Span | None:
        """The place to show: here, or where the template was used that stands elsewhere."""
        return self.place.span if self.is_own else self.frame.use or self.place.span

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
        origin = _first(value, self.frame.origins)
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
        if current is NOWHERE:
            return {**dict.fromkeys(SIDES, UNKNOWN), **self.frame.names, "channels": UNKNOWN, **self.frame.pinned}
        *sides, channels = current.shape
        image = dict(zip(SIDES, sides, strict=False))  # a vector has none
        return {**image, **self.frame.names, "channels": channels, **self.frame.pinned}

    def evaluate(self, value: Any, names: Mapping[str, Any], place: Place | None = None) -> Any:
        """The value of an expression, `UNKNOWN` where a name in it is, and any other value as it is.

        `place` is that of the expression, where it is not this one.
        """
        if not isinstance(value, Expression):
            return value
        self.step(value.size)
        if any(names.get(name) is UNKNOWN for name in value.names):
            return UNKNOWN
        try:
            return value.evaluate(names)
        except ExpressionError as error:
            span = self.blame(value) or (place.span if place and place.document is self.frame.spec else None)
            raise self.problem("bad-expression", f"{value.text}: {error}", span=span) from None

    def step(self, count: int = 1) -> None:
        try:
            self.frame.work.step(count)
        except OutOfBounds as error:
            raise self.too_much(error) from None

    def too_much(self, error: OutOfBounds) -> TooMuchError:
        return TooMuchError(self.problem("too-large", str(error)).diagnostic)

    def deeper(self) -> Scope:
        """The scope of the layers of a merge or a condition."""
        if self.nesting >= bounds.DEPTH:
            raise self.too_deep()
        return Scope(self.frame, self.name, self.place, self.nesting + 1)

    def too_deep(self, *templates: str) -> TooMuchError:
        chain = (*self.frame.templates, *templates)
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
            self.frame.work.expand()
        except OutOfBounds as error:
            raise self.too_much(error) from None
        if self.nesting >= bounds.DEPTH:
            raise self.too_deep(definition.name)
        is_shortcut = isinstance(definition.template, ShortcutTemplate)
        pinned = {key: outside[key] for key in ("channels", "stride")} if is_shortcut else {}
        places = {key: self.place.at(definition.name, key) for key in arguments} if places is None else places
        here = ("channels", *SIDES, *([ARRIVING] if is_shortcut else []))
        names: dict[str, Any] = {key: outside[key] for key in here if key in outside} | pinned
        origins = {key: origin for key in arguments if (origin := self._origin(arguments[key], places[key]))}
        frame = Frame(self.frame.spec, self.frame.work, Points(self.points.journal), names, pinned, origins, {},
                      definition, (*self.frame.templates, definition.name),
                      self.frame.use or self.place.key_span)  # fmt: skip
        self._bind(definition, frame, arguments, outside, places)
        return Scope(frame, self.name, definition.place.at("layers"), self.nesting + 1)

    def _origin(self, value: object, place: Place) -> Place | None:
        """Where an argument was given: here, or where the argument was that it passes on."""
        return _first(value, self.frame.origins) or (place if place.document is self.frame.spec else None)

    def _bind(
        self,
        definition: Definition,
        frame: Frame,
        arguments: Mapping[str, Any],
        outside: Mapping[str, Any],
        places: Mapping[str, Place],
    ) -> None:
        """Gives the parameters of a template their values."""
        names, origins, writers = frame.names, frame.origins, frame.writers
        for key, parameter in definition.template.parameters.items():
            if key not in arguments and parameter.required:
                raise self.problem("missing-parameter", f"'{definition.name}' needs '{key}'")
            given, known = (arguments[key], outside) if key in arguments else (parameter.default, names)
            value = names[key] = self.evaluate(given, known, places.get(key))
            if key not in arguments and (origin := _first(given, origins)):
                origins[key] = origin
            if isinstance(value, str | list | dict):
                self._note_writer(writers, key, given, known, places.get(key))
            self.step(1 + len(parameter.choices))
            if parameter.choices and value is not UNKNOWN and not is_choice(value, parameter.choices):
                span = origins[key].entry_span if key in origins else None
                hint = suggest(word(value), map(word, parameter.choices), "choices")
                raise self.problem("bad-choice", f"'{key}' cannot be {shown(value)}", hint, span=span)
        for key in SIDES:
            if key not in definition.template.parameters:
                names.pop(key, None)  # for the defaults only: in the layers, those of each layer count

    def _note_writer(
        self, writers: dict[str, Scope], key: str, given: object, known: Mapping[str, Any], place: Place | None
    ) -> None:
        """Notes where the value of a parameter was written; without a place, it is that of its default."""
        source = given.source(known) if isinstance(given, Expression) else None
        if place is not None:
            written = self.writer(source)
            writers[key] = written if written is not self else Scope(self.frame, self.name, place, self.nesting)
        elif source in writers:
            writers[key] = writers[source]


def _first(value: object, origins: Mapping[str, Place]) -> Place | None:
    """Where the first name in an expression that has an origin was given its value."""
    names = value.names if isinstance(value, Expression) else ()
    return next((origins[name] for name in names if name in origins), None)
