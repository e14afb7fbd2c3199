"""The place of an expansion, and the values of a template's parameters there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from archbuilder.errors import Diagnostic, Span, suggest
from archbuilder.graph.network import Node
from archbuilder.spec.document import Document, Place
from archbuilder.spec.expressions import Expression, ExpressionError
from archbuilder.spec.library import Definition
from archbuilder.spec.network import ShortcutTemplate
from archbuilder.spec.values import shown

MAX_NESTING = 20


class Problem(Exception):  # noqa: N818 (a diagnostic on its way up)
    """A layer cannot be made, so that what follows it has no shape."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


@dataclass(frozen=True)
class Scope:
    """The path of names, the place in the YAML, and what names stand for."""

    name: str
    place: Place
    spec: Document
    """The user's own document; a place in another one (the library) is shown as `use`."""
    names: Mapping[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, int] = field(default_factory=dict)
    """The names that keep their value: in a shortcut, `$channels` is that of the residual path, not what arrives."""
    nesting: int = 0
    use: Span | None = None

    def at(self, *parts: str | int) -> Scope:
        """A step further in the YAML; made as it is, since `replace` takes several times as long."""
        return Scope(self.name, self.place.at(*parts), self.spec, self.names, self.pinned, self.nesting, self.use)

    @property
    def span(self) -> Span | None:
        """The place to show: here, or where the template was used that stands elsewhere."""
        return self.place.span if self.place.document is self.spec else self.use or self.place.span

    @property
    def key_span(self) -> Span | None:
        return self.place.key_span if self.place.document is self.spec else self.span

    def problem(self, code: str, message: str, hint: str | None = None, at_key: bool = False) -> Problem:
        span = self.key_span if at_key else self.span
        return Problem(Diagnostic(code, self._where() + message, span, hint))

    def _where(self) -> str:
        """`stage 3, unit 1: `, or nothing outside the stages."""
        stage, _, rest = self.name.partition("/")
        if not stage.removeprefix("stage").isdigit():
            return f"{stage}: " if stage else ""
        unit = rest.partition("/")[0].removeprefix("unit")
        return f"stage {stage.removeprefix('stage')}, unit {unit}: " if unit.isdigit() else f"stage {stage[5:]}: "

    def names_at(self, current: Node) -> dict[str, Any]:
        """The values of names in a layer behind `current`."""
        return {**self.names, "channels": current.shape[-1], **self.pinned}

    def evaluate(self, value: Any, names: Mapping[str, Any]) -> Any:
        if not isinstance(value, Expression):
            return value
        try:
            return value.evaluate(names)
        except ExpressionError as error:
            raise self.problem("bad-expression", f"{value.text}: {error}") from None

    def inside(self, definition: Definition, arguments: Mapping[str, Any], outside: Mapping[str, Any]) -> Scope:
        """The scope of a template's layers: each parameter is its argument, else its default, in order."""
        if self.nesting >= MAX_NESTING:
            raise self.problem("too-deep", f"templates within templates, more than {MAX_NESTING} deep")
        is_shortcut = isinstance(definition.template, ShortcutTemplate)
        pinned = {key: outside[key] for key in ("channels", "stride")} if is_shortcut else {}
        names = self._bound(definition, arguments, outside, {"channels": outside["channels"], **pinned})
        return replace(self, place=definition.place.at("layers"), names=names, pinned=pinned, nesting=self.nesting + 1,
                       use=self.use or self.place.key_span)  # fmt: skip

    def _bound(
        self, definition: Definition, arguments: Mapping[str, Any], outside: Mapping[str, Any], names: dict[str, Any]
    ) -> dict[str, Any]:
        for key, parameter in definition.template.parameters.items():
            if key not in arguments and parameter.required:
                raise self.problem("missing-parameter", f"'{definition.name}' needs '{key}'")
            given, known = (arguments[key], outside) if key in arguments else (parameter.default, names)
            names[key] = self.evaluate(given, known)
            if parameter.choices and names[key] not in parameter.choices:
                hint = suggest(str(names[key]), parameter.choices, "choices")
                raise self.problem("bad-choice", f"'{key}' cannot be {shown(names[key])}", hint)
        return names
