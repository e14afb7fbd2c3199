"""Whether what a spec names is there: parameters of units and shortcuts, names in expressions, units, outputs.

Works on the raw data and passes over what is not of the right form, so that these mistakes are shown together with
those that Pydantic finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from archbuilder.bounds import TEMPLATE_PARAMETERS
from archbuilder.errors import Diagnostic, suggest
from archbuilder.spec import library
from archbuilder.spec.document import Data, Place
from archbuilder.spec.expressions import ExpressionError, parse
from archbuilder.spec.layers import MERGES
from archbuilder.spec.library import Plural
from archbuilder.spec.network import Stage, UnitChanges, is_choice
from archbuilder.spec.op_layers import OP_NAMES
from archbuilder.spec.values import shown

STAGE_KEYS = frozenset(Stage.model_fields)
CHANGE_KEYS = frozenset(UnitChanges.model_fields)


@dataclass(frozen=True)
class Signature:
    """The parameters that a template may, and must, be given."""

    parameters: frozenset[str]
    required: frozenset[str]
    choices: dict[str, tuple[object, ...]]


class References:
    """The checks of one spec; its own templates come before those of the library."""

    def __init__(self, root: Place) -> None:
        self.root = root
        self.data = root.document.data

    def names(self, plural: Plural) -> tuple[str, ...]:
        own = root if isinstance(root := self._own(plural), dict) else {}
        return tuple(sorted({*library.names(plural), *(key for key in own if isinstance(key, str))}))

    def check(self) -> Iterator[Diagnostic]:
        yield from self._templates()
        for key in ("stem", "head"):
            yield from self._layers(self.root.at(key), {"channels"})
        yield from self._reference(self.root.at("unit"), "units", partial=True)
        yield from self._reference(self.root.at("shortcut"), "shortcuts")
        stages = self.data.get("stages")
        for index in range(len(stages) if isinstance(stages, list) else 0):
            yield from self._stage(self.root.at("stages", index))
        yield from self._outputs()

    def _own(self, plural: Plural) -> Data:
        return self.root.document.get(("templates", plural))

    def _signature(self, plural: Plural, name: str) -> Signature | None:
        own = self._own(plural)
        if isinstance(own, dict) and name in own:
            declared = own[name].get("parameters") if isinstance(own[name], dict) else None
            return _raw_signature(declared if isinstance(declared, dict) else {})
        if name not in library.names(plural):
            return None
        parameters = library.definition(plural, name).template.parameters
        required = frozenset(key for key, parameter in parameters.items() if parameter.required)
        choices = {key: parameter.choices for key, parameter in parameters.items() if parameter.choices}
        return Signature(frozenset(parameters), required, choices)

    def _templates(self) -> Iterator[Diagnostic]:
        for plural, more in (("units", set[str]()), ("shortcuts", {"stride"})):
            own = self.root.document.get(("templates", plural))
            for name, template in own.items() if isinstance(own, dict) else ():
                place = self.root.at("templates", plural, name)
                declared = template.get("parameters") if isinstance(template, dict) else None
                known = {str(key) for key in declared} if isinstance(declared, dict) else set()
                yield from _cycle(place.at("parameters"), declared if isinstance(declared, dict) else {})
                for key in known:
                    yield from self._expressions(place.at("parameters", key), known | {"channels"} | more)
                yield from self._layers(place.at("layers"), known | {"channels"} | more)

    def _stage(self, place: Place) -> Iterator[Diagnostic]:
        stage = place.document.get(place.path)
        if not isinstance(stage, dict):
            return
        common = _unit_name(stage.get("unit", self.data.get("unit")))
        changes = {key: stage[key] for key in ("first", "last") if isinstance(stage.get(key), dict)}
        units = {key: _unit_name(change.get("unit", common)) for key, change in changes.items()}
        if common is None and "unit" not in stage and "unit" not in self.data:
            yield Diagnostic(
                "missing-key", "no 'unit' is named, neither in this stage nor for the whole spec", place.span
            )
        yield from self._reference(place.at("unit"), "units", partial=True)
        yield from self._reference(place.at("shortcut"), "shortcuts")
        yield from self._keys(place, stage.keys() - STAGE_KEYS, [unit for unit in (common, *units.values()) if unit])
        for key, change in changes.items():
            yield from self._reference(place.at(key, "unit"), "units", partial=True)
            yield from self._reference(place.at(key, "shortcut"), "shortcuts")
            yield from self._keys(place.at(key), change.keys() - CHANGE_KEYS, [unit for unit in [units[key]] if unit])
        yield from self._unit_is_complete(place, stage, common)
        yield from self._layers(place.at("after"), {"channels"})

    def _keys(self, place: Place, keys: Set[str], units: list[str]) -> Iterator[Diagnostic]:
        """Keys of a stage that must be parameters of one of its units."""
        signatures = [signature for unit in units if (signature := self._signature("units", unit))]
        if not signatures or len(signatures) < len(units):
            return
        known = frozenset[str]().union(*(signature.parameters for signature in signatures))
        own = STAGE_KEYS if place.path[-1] not in ("first", "last") else CHANGE_KEYS
        for key in keys:
            where = place.at(key)
            if key not in known:
                message = f"'{key}' is neither a key of a stage nor a parameter of {' or '.join(sorted(set(units)))}"
                hint = suggest(str(key), known | own, "keys and parameters")
                yield Diagnostic("unknown-parameter", message, where.key_span, hint)
            for signature in signatures:
                yield from _choices(where, signature)
            yield from self._expressions(where, {"channels"})

    def _unit_is_complete(self, place: Place, stage: dict[str, Data], unit: str | None) -> Iterator[Diagnostic]:
        signature = self._signature("units", unit) if unit else None
        given = {*stage, *_arguments(stage.get("unit")), *_arguments(self.data.get("unit"))}
        for change in ("first", "last"):
            given |= set(stage[change]) if isinstance(stage.get(change), dict) else set()
        for name in sorted(signature.required - given) if signature else ():
            yield Diagnostic("missing-parameter", f"the unit '{unit}' needs '{name}'", place.span)

    def _reference(
        self, place: Place, plural: Plural, partial: bool = False, known: Set[str] = frozenset()
    ) -> Iterator[Diagnostic]:
        """A unit or shortcut by name, with arguments or without; `partial`: some may still be given elsewhere."""
        value = place.document.get(place.path)
        name = _unit_name(value)
        signature = self._signature(plural, name) if name else None
        if name is None or signature is None:
            return
        arguments = _arguments(value)
        for key in arguments:
            where = place.at(name, key)
            if key not in signature.parameters:
                hint = suggest(str(key), signature.parameters, "parameters")
                yield Diagnostic("unknown-parameter", f"'{name}' has no parameter '{key}'", where.key_span, hint)
            yield from _choices(where, signature)
            yield from self._expressions(where, known | {"channels"})
        for key in () if partial else sorted(signature.required - arguments.keys()):
            yield Diagnostic("missing-parameter", f"'{name}' needs '{key}'", place.key_span)

    def _layers(self, place: Place, known: Set[str]) -> Iterator[Diagnostic]:
        layers = place.document.get(place.path)
        for index in range(len(layers) if isinstance(layers, list) else 0):
            yield from self._layer(place.at(index), known)

    def _layer(self, place: Place, known: Set[str]) -> Iterator[Diagnostic]:
        layer = place.document.get(place.path)
        if isinstance(layer, dict) and "if" in layer:
            yield from self._expressions(place.at("if"), known)
            yield from self._layers(place.at("then"), known)
            yield from self._layers(place.at("else"), known)
        elif (name := _unit_name(layer)) in MERGES:
            for path in _arguments(layer):
                yield from self._branch(place.at(str(name), path), known)
        elif name in OP_NAMES:
            yield from self._expressions(place.at(str(name)), known)
            for key in _arguments(layer):
                yield from self._expressions(place.at(str(name), key), known)
        else:
            yield from self._reference(place, "units", known=known)

    def _branch(self, place: Place, known: Set[str]) -> Iterator[Diagnostic]:
        yield from self._layers(place, known)
        yield from self._expressions(place, known)
        yield from self._reference(place, "shortcuts", known=known)

    def _expressions(self, place: Place, known: Set[str]) -> Iterator[Diagnostic]:
        value = place.document.get(place.path)
        if not isinstance(value, str) or not value.startswith("$"):
            return
        try:
            unknown = set(parse(value).names) - known
        except ExpressionError:
            return  # Pydantic tells
        for name in sorted(unknown):
            hint = suggest(name, known, "names")
            yield Diagnostic("unknown-name", f"there is no '{name}' here", place.span, hint)

    def _outputs(self) -> Iterator[Diagnostic]:
        outputs, stages = self.data.get("outputs"), self.data.get("stages")
        count = len(stages) if isinstance(stages, list) else 0
        known = [*(key for key in ("stem", "head") if self.data.get(key)), *(f"stage{i + 1}" for i in range(count))]
        for index, output in enumerate(outputs if isinstance(outputs, list) else ()):
            if isinstance(output, str) and output not in known:
                place = self.root.at("outputs", index)
                hint = suggest(output, known, "parts")
                yield Diagnostic("unknown-output", f"this network has no '{output}'", place.span, hint)


def _cycle(place: Place, declared: dict[str, Data]) -> Iterator[Diagnostic]:
    """Parameters whose defaults need each other."""
    needs = {key: [name for name in _names(value) if name in declared] for key, value in declared.items()}
    if len(needs) > TEMPLATE_PARAMETERS:
        return  # Pydantic tells
    while free := [key for key, names in needs.items() if not any(name in needs for name in names)]:
        needs = {key: names for key, names in needs.items() if key not in free}
    if not needs:
        return
    chain = [next(iter(needs))]
    while chain[-1] not in chain[:-1]:
        chain.append(next(name for name in needs[chain[-1]] if name in needs))
    members = chain[chain.index(chain[-1]) :]
    message = f"the defaults of parameters need each other in a cycle: {' -> '.join(members)}"
    yield Diagnostic("parameter-cycle", message, place.at(members[0]).key_span)


def _names(value: Data) -> tuple[str, ...]:
    """The names in the default of a parameter."""
    default = value.get("default") if isinstance(value, dict) else value
    try:
        return parse(default).names if isinstance(default, str) and default.startswith("$") else ()
    except ExpressionError:
        return ()


def _raw_signature(declared: dict[str, Data]) -> Signature:
    long = {key: value for key, value in declared.items() if isinstance(value, dict) and "choices" in value}
    required = {key for key, value in declared.items() if value == "required"}
    required |= {key for key, value in long.items() if value.get("required") is True}
    choices = {key: tuple(value["choices"]) for key, value in long.items() if isinstance(value["choices"], list)}
    return Signature(frozenset(map(str, declared)), frozenset(required), choices)


def _choices(place: Place, signature: Signature) -> Iterator[Diagnostic]:
    key, value = str(place.path[-1]), place.document.get(place.path)
    choices = signature.choices.get(key)
    if choices and not is_choice(value, choices) and not (isinstance(value, str) and value.startswith("$")):
        hint = suggest(str(value), map(str, choices), "choices")
        yield Diagnostic("bad-choice", f"'{key}' cannot be {shown(value)}", place.span, hint)


def _unit_name(value: Data) -> str | None:
    """The name in `name` or `{name: {...}}`."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value))
    return value if isinstance(value, str) and not value.startswith("$") else None


def _arguments(value: Data) -> dict[str, Data]:
    inner = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else None
    return inner if isinstance(inner, dict) else {}
