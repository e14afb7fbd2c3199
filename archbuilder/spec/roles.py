"""What the parameters of a template stand for: layers, a path, or a point, as told by where its layers use them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Literal

from archbuilder.spec.document import Data, walk
from archbuilder.spec.expressions import ExpressionError, parse
from archbuilder.spec.layers import MERGES
from archbuilder.spec.library import Plural
from archbuilder.spec.network import is_long_form
from archbuilder.spec.op_layers import OP_NAMES

PLURALS: tuple[Plural, ...] = ("units", "shortcuts")
Role = Literal["layers", "path", "from", "point"]
Roles = Mapping[str, frozenset[Role]]
"""Those of each parameter; one without any is a value."""


class RoleFinder:
    """Finds roles in raw data, and passes over what is not of the right form."""

    def __init__(self, template: Callable[[Plural, str], Data]) -> None:
        self.template = template
        self._known: dict[tuple[Plural, str], Roles] = {}
        self._begun: set[tuple[Plural, str]] = set()

    def of(self, plural: Plural, name: str) -> Roles:
        """The roles of a template's parameters; those of the templates that it uses are found first.

        Of templates that use each other, one has to be found before the others, and counts these for nothing.
        """
        waiting = [(plural, name)]
        while waiting:
            one = waiting[-1]
            needed = [] if one in self._begun else [used for used in self._used(*one) if used not in self._known]
            self._begun.add(one)
            waiting += needed
            if not needed:
                waiting.pop()
                if one not in self._known:
                    self._known[one] = self._found(self.template(*one))
        return self._known[plural, name]

    def _used(self, plural: Plural, name: str) -> set[tuple[Plural, str]]:
        """The templates that one gives arguments to."""
        values = (value for _, value in walk(self.template(plural, name)) if arguments_of(value))
        names = {used for value in values if (used := name_of(value)) is not None}
        return {(kind, used) for kind in PLURALS for used in names if self.template(kind, used) is not None}

    def _found(self, template: Data) -> Roles:
        parameters = template.get("parameters") if isinstance(template, dict) else None
        if not isinstance(parameters, dict):
            return {}
        found: dict[str, set[Role]] = defaultdict(set)
        self._layers(template.get("layers"), found)
        size = -1
        while size < (size := sum(map(len, found.values()))):
            for key, value in parameters.items():
                for role in tuple(found.get(key, ())):
                    self._value(default_of(value), role, found)
        return {key: frozenset(roles) for key, roles in found.items()}

    def _value(self, value: Data, role: Role, found: dict[str, set[Role]]) -> None:
        """Notes what a value comes from that stands for layers, for a path, or for a point."""
        if isinstance(value, str) and value.startswith("$"):
            for name in _passed(value):
                found[name].add(role)
        elif role == "path":
            self._path(value, found)
        elif role == "layers":
            self._layers(value if isinstance(value, list) else [value], found)

    def _layers(self, layers: Data, found: dict[str, set[Role]]) -> None:
        for layer in layers if isinstance(layers, list) else ():
            self._layer(layer, found)

    def _layer(self, layer: Data, found: dict[str, set[Role]]) -> None:
        if isinstance(layer, str) and layer.startswith("$"):
            self._value(layer, "layers", found)
        elif not isinstance(layer, dict):
            return
        elif "if" in layer:
            self._layers(layer.get("then"), found)
            self._layers(layer.get("else"), found)
        elif "point" in layer:
            self._value(layer["point"], "point", found)
        elif "from" in layer:
            self._from(layer, found)
        elif (name := name_of(layer)) in MERGES:
            for path in arguments_of(layer).values():
                self._value(path, "path", found)
        elif name is not None and name not in OP_NAMES:
            self._use(layer, "units", name, found)

    def _from(self, layer: dict[str, Data], found: dict[str, set[Role]]) -> None:
        self._value(layer["from"], "from", found)
        self._layers(layer.get("layers"), found)

    def _path(self, path: Data, found: dict[str, set[Role]]) -> None:
        if isinstance(path, list):
            self._layers(path, found)
        elif isinstance(path, dict) and "from" in path:
            self._from(path, found)
        elif (name := name_of(path)) is not None:
            self._use(path, "shortcuts", name, found)

    def _use(self, use: Data, plural: Plural, name: str, found: dict[str, set[Role]]) -> None:
        roles = self._known.get((plural, name), {})
        for key, value in arguments_of(use).items():
            for role in roles.get(key, ()):
                self._value(value, role, found)


def default_of(parameter: Data) -> Data:
    """The default in `default` or `{default: ..., choices: ...}`."""
    return parameter.get("default") if is_long_form(parameter) else parameter


def name_of(value: Data) -> str | None:
    """The name in `name` or `{name: {...}}`."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value))
    return value if isinstance(value, str) and not value.startswith("$") else None


def arguments_of(value: Data) -> dict[str, Data]:
    inner = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else None
    return inner if isinstance(inner, dict) else {}


def _passed(text: str) -> tuple[str, ...]:
    try:
        return parse(text).passed
    except ExpressionError:
        return ()  # Pydantic tells
