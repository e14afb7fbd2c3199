"""Whether what a spec names is there: parameters of units and shortcuts, names in expressions, units, outputs.

Works on the raw data and passes over what is not of the right form, so that these mistakes are shown together with
those that Pydantic finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from pydantic import TypeAdapter, ValidationError

from archbuilder.errors import Diagnostic, suggest
from archbuilder.spec import library
from archbuilder.spec.around import ARRIVING, HERE, NUMBERS, Around, Named
from archbuilder.spec.document import Data, Place, walk
from archbuilder.spec.expressions import ExpressionError, parse
from archbuilder.spec.layers import BRANCH, EACH_ELSEWHERE, LAYER, LAYERS, MERGES, NONE
from archbuilder.spec.library import Plural
from archbuilder.spec.network import Stage, UnitChanges, is_each, is_long_form
from archbuilder.spec.op_layers import OP_NAMES
from archbuilder.spec.problems import diagnostics, form_hint
from archbuilder.spec.roles import PLURALS, Role, RoleFinder, arguments_of, default_of, name_of
from archbuilder.spec.signatures import Signature, bad_choice, cycle, example, raw_signature, signature_of
from archbuilder.spec.stage_units import StageUnit, stage_units
from archbuilder.spec.values import NEW_POINT, POINT

STAGE_KEYS = frozenset(Stage.model_fields)
CHANGE_KEYS = frozenset(UnitChanges.model_fields)
SUGGESTED = 200
"""The points among which the nearest to a wrong name is looked for at most."""


class References:
    """The checks of one spec; its own templates come before those of the library."""

    def __init__(self, root: Place) -> None:
        self.root = root
        self.data = root.document.data
        self.roles = RoleFinder(self._template)
        """Those of this spec's own templates."""
        self.signatures: dict[tuple[Plural, str], Signature | None] = {}
        self.context = {"units": self.names("units"), "shortcuts": self.names("shortcuts")}

    def names(self, plural: Plural) -> tuple[str, ...]:
        own = root if isinstance(root := self._own(plural), dict) else {}
        return tuple(sorted({*library.names(plural), *(key for key in own if isinstance(key, str))}))

    def check(self) -> Iterator[Diagnostic]:
        yield from self._templates()
        points = Named({"input"})
        root, at_stages = Around(HERE, points), Around(HERE | NUMBERS, points)
        yield from self._layers(self.root.at("stem"), root)
        points.names |= {"stem"} if self.data.get("stem") else set()
        yield from self._reference(self.root.at("unit"), "units", at_stages, partial=True)
        yield from self._branch(self.root.at("shortcut"), at_stages.passed())
        stages = self.data.get("stages")
        for index in range(len(stages) if isinstance(stages, list) else 0):
            yield from self._stage(self.root.at("stages", index), at_stages)
            yield from self._layers(self.root.at("stages", index, "after"), root)
            points.names.add(f"stage{index + 1}")
        yield from self._layers(self.root.at("head"), root)
        points.names |= {"head"} if self.data.get("head") else set()
        yield from self._outputs(points)

    def _own(self, plural: Plural) -> Data:
        return self.root.document.get(("templates", plural))

    def _template(self, plural: Plural, name: str) -> Data:
        """The raw data of a template: one of this spec, or else of the library."""
        own = self._own(plural)
        if isinstance(own, dict) and name in own:
            return own[name]
        return _library_template(plural, name)

    def _signature(self, plural: Plural, name: str) -> Signature | None:
        if (plural, name) not in self.signatures:
            self.signatures[plural, name] = self._read_signature(plural, name)
        return self.signatures[plural, name]

    def _read_signature(self, plural: Plural, name: str) -> Signature | None:
        own = self._own(plural)
        if isinstance(own, dict) and name in own:
            declared = own[name].get("parameters", {}) if isinstance(own[name], dict) else None
            return raw_signature(declared, self.roles.of(plural, name)) if isinstance(declared, dict) else None
        if name not in library.names(plural):
            return None
        return signature_of(library.definition(plural, name), LIBRARY.of(plural, name))

    def _templates(self) -> Iterator[Diagnostic]:
        for plural in PLURALS:
            own = self._own(plural)
            for name in own if isinstance(own, dict) else ():
                if isinstance(own[name], dict):
                    yield from self._own_template(plural, name, self.root.at("templates", plural, name))

    def _own_template(self, plural: Plural, name: str, place: Place) -> Iterator[Diagnostic]:
        template = place.document.get(place.path)
        declared = template.get("parameters")
        declared = declared if isinstance(declared, dict) else {}
        known = {*map(str, declared), *HERE, *({"stride", ARRIVING} if plural == "shortcuts" else ())}
        yield from cycle(place.at("parameters"), declared)
        points = (value["point"] for _, value in walk(template) if isinstance(value, dict) and "point" in value)
        anywhere = Around(known, Named(one for one in points if isinstance(one, str)))
        for key, value in declared.items():
            where = place.at("parameters", key)
            where = where.at("default") if is_long_form(value) else where
            if default_of(value) != "required":
                yield from self._argument(where, self.roles.of(plural, name).get(str(key), frozenset()), anywhere)
        yield from self._layers(place.at("layers"), Around(known, Named()))

    def _stage(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        stage = place.document.get(place.path)
        if not isinstance(stage, dict):
            return
        units = stage_units(stage, self.data)
        if "unit" not in stage and "unit" not in self.data:
            message = f"'{place.at('unit').dotted}' is missing, and the whole spec names no 'unit' either"
            yield Diagnostic("missing-key", message, place.span, form_hint(place.at("unit")))
        yield from self._stage_level(place, STAGE_KEYS, units, around, stage)
        for change in ("first", "last"):
            changed = [unit for unit in units if change in unit.changes]
            if changed:
                yield from self._stage_level(place.at(change), CHANGE_KEYS, changed, around)
        yield from self._units_are_complete(place, units)

    def _stage_level(
        self, where: Place, own: Set[str], units: list[StageUnit], around: Around, stage: dict[str, Data] | None = None
    ) -> Iterator[Diagnostic]:
        """What a stage says, or its `first` or `last`, to these units; keys that are not its own are arguments."""
        given = where.document.get(where.path)
        yield from self._reference(where.at("unit"), "units", around, partial=True)
        yield from self._branch(where.at("shortcut"), around.passed())
        if given.get("shortcut") is not None:
            yield from self._is_parameter(where.at("shortcut"), units, own)
        for key in given.keys() - own:
            reached = units[:1] if key == "stride" and not is_each(given[key]) else units
            yield from self._is_parameter(where.at(key), reached, own)
            names = sorted({unit.name for unit in reached if unit.name})
            yield from self._stage_argument(where.at(key), names, around, stage)

    def _is_parameter(self, where: Place, units: list[StageUnit], own: Set[str]) -> Iterator[Diagnostic]:
        """A key of a stage must be a parameter of one of the units that it is for."""
        key, used = where.path[-1], sorted({unit.name or "" for unit in units})
        parameters = [self._parameters(name) for name in used]
        known = frozenset[str]().union(*(one for one in parameters if one is not None))
        if None not in parameters and key not in known:
            names = " or ".join(name if name in self.context["units"] else "any unit" for name in used)
            message = f"'{key}' is neither a key of a stage nor a parameter of {names}"
            hint = suggest(str(key), known | own, "keys and parameters")
            if key in own or key == "stride":
                is_each_one = key != "stride" or is_each(where.document.get(where.path))
                first_only = "" if is_each_one else ", which is for the first unit only"
                message = f"{names} has no parameter '{key}'{first_only}"
                hint = suggest(str(key), known, "parameters")
            yield Diagnostic("unknown-parameter", message, where.key_span, hint)

    def _parameters(self, unit: str) -> Set[str] | None:
        """Those of a unit, or of all units where none is called so; None where they are not known."""
        if unit and unit not in self.context["units"]:
            return self._of_all_units()
        signature = self._signature("units", unit)
        return signature.parameters if signature else None

    def _of_all_units(self) -> Set[str]:
        signatures = [self._signature("units", name) for name in self.context["units"]]
        return frozenset[str]().union(*(signature.parameters for signature in signatures if signature))

    def _stage_argument(
        self, where: Place, units: list[str], around: Around, stage: dict[str, Data] | None
    ) -> Iterator[Diagnostic]:
        """An argument of the units of a stage, or one for each of them; `stage` is None for those of one unit only."""
        value = where.document.get(where.path)
        places = [where]
        if stage is not None and is_each(value):
            if not isinstance(value["each"], list):
                return  # Pydantic tells
            places = [where.at("each", index) for index in range(len(value["each"]))]
            if isinstance(stage.get("units"), int) and len(places) != stage["units"]:
                message = f"one value for each of {stage['units']} units is expected, not {len(places)}"
                yield Diagnostic("bad-each", message, where.at("each").span)
        key = str(where.path[-1])
        signatures = [signature for unit in units if (signature := self._signature("units", unit))]
        for signature in signatures:
            for place in places:
                yield from bad_choice(place, key, signature)
        roles = frozenset[Role]().union(*(one.roles.get(key, frozenset()) for one in signatures))
        for place in places:
            yield from self._argument(place, roles, around)

    def _units_are_complete(self, stage: Place, units: list[StageUnit]) -> Iterator[Diagnostic]:
        found: dict[Diagnostic, None] = {}
        for unit in units:
            signature, place = self._signature("units", unit.name or ""), stage.at(*unit.named)
            if signature is None:
                continue
            for name in sorted(signature.required - unit.given):
                message = f"'{place.at(name).dotted}' is missing, which the unit '{unit.name}' needs"
                hint = example(place.at(name), signature)
                found[Diagnostic("missing-parameter", message, place.span, hint)] = None
        yield from found

    def _reference(self, place: Place, plural: Plural, around: Around, partial: bool = False) -> Iterator[Diagnostic]:
        """A unit or shortcut by name, with arguments or without; `partial`: some may still be given elsewhere."""
        value = place.document.get(place.path)
        name = name_of(value)
        signature = self._signature(plural, name) if name else None
        if name is not None and partial and name not in self.context["units"]:
            known = self._of_all_units()
            for key in arguments_of(value).keys() - known:
                hint = suggest(str(key), known, "parameters")
                message = f"no unit has a parameter '{key}'"
                yield Diagnostic("unknown-parameter", message, place.at(name, key).key_span, hint)
        if name is None or signature is None:
            return
        arguments = arguments_of(value)
        for key in arguments:
            where = place.at(name, key)
            if key not in signature.parameters:
                hint = suggest(str(key), signature.parameters, "parameters")
                yield Diagnostic("unknown-parameter", f"'{name}' has no parameter '{key}'", where.key_span, hint)
            yield from bad_choice(where, str(key), signature)
            yield from self._argument(where, signature.roles.get(str(key), frozenset()), around)
        for key in () if partial else sorted(signature.required - arguments.keys()):
            where = place.at(name, key)
            message = f"'{where.dotted}' is missing, which '{name}' needs"
            yield Diagnostic("missing-parameter", message, place.key_span, example(where, signature))

    def _argument(self, place: Place, roles: Set[Role], around: Around) -> Iterator[Diagnostic]:
        """The value of a parameter that stands for layers, a path or a point, which its template alone can tell."""
        value = place.document.get(place.path)
        if isinstance(value, str) and value.startswith("$"):
            yield from self._expressions(place, around.names)
        elif is_each(value):
            yield Diagnostic("bad-each", EACH_ELSEWHERE, place.span)
        else:
            if "layers" in roles and value not in (None, NONE):
                yield from _form(LAYERS if isinstance(value, list) else LAYER, place, self.context)
                yield from (self._layers if isinstance(value, list) else self._layer)(place, around.passed())
            if "path" in roles:
                yield from _form(BRANCH, place, self.context)
                yield from self._branch(place, around.passed())
            yield from self._passed_point(place, roles, around)

    def _passed_point(self, place: Place, roles: Set[Role], around: Around) -> Iterator[Diagnostic]:
        """The name of a point: the template goes on from it, or sets it, or both."""
        value = place.document.get(place.path)
        if value == NONE:
            return
        if "point" in roles:
            wrong = list(_form(NEW_POINT, place, self.context))
            yield from wrong
            around.points.names |= set() if wrong else {value}
        elif "from" in roles:
            yield from _form(POINT, place, self.context)
            yield from _is_point(place, around)

    def _layers(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        layers = place.document.get(place.path)
        for index in range(len(layers) if isinstance(layers, list) else 0):
            yield from self._layer(place.at(index), around)

    def _layer(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        layer = place.document.get(place.path)
        if isinstance(layer, str) and layer.startswith("$"):
            yield from self._expressions(place, around.names)
        elif isinstance(layer, dict) and "if" in layer:
            yield from self._expressions(place.at("if"), around.names)
            branches = [around.points.choice(), around.points.choice()]
            for key, branch in zip(("then", "else"), branches, strict=True):
                yield from self._layers(place.at(key), Around(around.names, branch))
            around.points.join(*branches)
        elif isinstance(layer, dict) and "from" in layer:
            yield from self._from(place, around)
        elif isinstance(layer, dict) and "point" in layer:
            yield from self._point(place.at("point"), around)
        elif (name := name_of(layer)) in MERGES:
            yield from self._merge(place.at(str(name)), around)
        elif name in OP_NAMES:
            yield from self._expressions(place.at(str(name)), around.names)
            for key in arguments_of(layer):
                yield from self._expressions(place.at(str(name), key), around.names)
        else:
            yield from self._reference(place, "units", around)

    def _merge(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        """The paths of a merge: each sees the points from before it."""
        paths = place.document.get(place.path)
        branches: list[Named] = []
        for path in paths if isinstance(paths, dict) else ():
            branches.append(around.points.branch())
            yield from self._branch(place.at(path), Around(around.names, branches[-1]))
        around.points.join(*branches)

    def _branch(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        branch = place.document.get(place.path)
        yield from self._layers(place, around)
        yield from self._expressions(place, around.names)
        if isinstance(branch, dict) and "from" in branch:
            yield from self._from(place, around)
        else:
            yield from self._reference(place, "shortcuts", around)

    def _from(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        yield from self._expressions(place.at("from"), around.names)
        yield from _is_point(place.at("from"), around)
        yield from self._layers(place.at("layers"), around)

    def _point(self, place: Place, around: Around) -> Iterator[Diagnostic]:
        name = place.document.get(place.path)
        yield from self._expressions(place, around.names)
        if not isinstance(name, str) or name.startswith("$"):
            return
        if name in around.points.literal:
            yield Diagnostic("duplicate-point", f"there is a point '{name}' already", place.span)
        around.points.literal.add(name)
        around.points.names.add(name)

    def _expressions(self, place: Place, known: Set[str]) -> Iterator[Diagnostic]:
        value = place.document.get(place.path)
        if not isinstance(value, str) or not value.startswith("$"):
            return
        try:
            unknown = set(parse(value).names) - known
        except ExpressionError:
            return  # Pydantic tells
        for name in sorted(unknown):
            is_text = name in (*OP_NAMES, *MERGES, NONE, *self.context["units"], *self.context["shortcuts"])
            hint = f"text stands in quotes: '{name}'" if is_text else suggest(name, known, "names")
            yield Diagnostic("unknown-name", f"there is no '{name}' here", place.span, hint)

    def _outputs(self, points: Named) -> Iterator[Diagnostic]:
        outputs = self.data.get("outputs")
        known = points.names - {"input"}
        for index, output in enumerate(outputs if isinstance(outputs, list) else ()):
            if isinstance(output, str) and output not in known:
                place = self.root.at("outputs", index)
                hint = suggest(output, known, "parts and points" if points.literal else "parts")
                yield Diagnostic("unknown-output", f"this network has no '{output}'", place.span, hint)


def _library_template(plural: Plural, name: str) -> Data:
    return library.definition(plural, name).place.document.data if name in library.names(plural) else None


LIBRARY = RoleFinder(_library_template)


def _form(adapter: TypeAdapter[Any], place: Place, context: dict[str, tuple[str, ...]]) -> Iterator[Diagnostic]:
    """Whether a value is written as what it stands for."""
    try:
        adapter.validate_python(place.document.get(place.path), context=context)
    except ValidationError as error:
        yield from diagnostics(error, place)


def _is_point(place: Place, around: Around) -> Iterator[Diagnostic]:
    name, known = place.document.get(place.path), around.points.known()
    if isinstance(name, str) and name.isidentifier() and name not in known:
        hint = suggest(name, known, "points") if len(known) <= SUGGESTED else None
        yield Diagnostic("unknown-point", f"there is no point '{name}' here", place.span, hint)
