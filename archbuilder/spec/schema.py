"""The JSON schema of specs as they stand in YAML, for editors that complete keys and show what they mean.

A spec with templates of its own, or that extends a file, may name units, shortcuts and parameters that no schema knows.
All others may name those of the library and of other people only, and what these need has to be given. So there are
two schemas in one, of which the first key that tells them apart chooses: JSON schema has no other way for a word here
to mean more there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from archbuilder.spec import library, others
from archbuilder.spec.layers import MERGES, WORDS
from archbuilder.spec.library import Plural
from archbuilder.spec.loading import SUFFIXES, bundled, locate
from archbuilder.spec.network import Network, Parameter, Stage, UnitChanges
from archbuilder.spec.op_layers import OP_NAMES
from archbuilder.spec.references import LIBRARY
from archbuilder.spec.roles import Role
from archbuilder.spec.training import Training
from archbuilder.spec.values import word, written

Schema = dict[str, Any]
EXPRESSION: Schema = {"type": "string", "pattern": r"^\$"}
BUNDLED = "Bundled"
"""What the definitions are called by that know the library only."""


def json_schema() -> Schema:
    """JSON schema, draft 2020-12; a spec that extends another need not say again what that says."""
    raw = Network.model_json_schema()
    open_, closed = (_with_names(_plain(raw), only_library) for only_library in (False, True))
    schema: Schema = {key: open_[key] for key in ("title", "description", "type", "additionalProperties")}
    schema["properties"] = {
        key: {"description": value["description"], **({"default": value["default"]} if "default" in value else {})}
        for key, value in open_["properties"].items()
    }
    schema["properties"]["extends"] = _extends()
    schema["required"] = ["archbuilder"]
    schema["if"] = {
        "not": {"required": ["templates"]},
        "properties": {"extends": {"enum": [name for name in bundled() if not _has_templates(name)]}},
    }
    schema["then"] = {"$ref": f"#/$defs/{BUNDLED}Network"}
    schema["else"] = {"$ref": "#/$defs/Network"}
    schema["$defs"] = {
        **open_["$defs"],
        **{f"{BUNDLED}{name}": _renamed(one, BUNDLED) for name, one in closed["$defs"].items()},
        "Network": {"properties": open_["properties"], **_whole(raw["required"])},
        f"{BUNDLED}Network": {
            "properties": _renamed(closed["properties"], BUNDLED),
            **_whole(raw["required"]),
            "allOf": [*_complete()],
        },
    }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _plain(schema: Any, requires: bool = True) -> Any:
    """Unions as plain `anyOf`: what tells their members apart, the key they stand under, is part of each member.

    `requires` is false for parts that merge with those of a spec that is extended, key by key.
    """
    if isinstance(schema, list):
        return [_plain(item, requires) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"discriminator"} if requires else {"discriminator", "required"}
    kept = {key: _plain(value, requires) for key, value in schema.items() if key not in dropped}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return kept


def _with_names(schema: Schema, only_library: bool) -> Schema:
    """The schema with the names of units and shortcuts, and the parameters of units as keys of a stage."""
    for part in ("Training", *Training.model_json_schema()["$defs"]):
        schema["$defs"][part] = _plain(schema["$defs"][part], requires=False)
    schema["$defs"]["Layer"] = schema["properties"]["stem"]["items"]
    for model in (Stage, UnitChanges):
        stage = schema["$defs"][model.__name__]
        stage["properties"] |= _parameters_of_units(each=model is Stage)
        stage["additionalProperties"] = not only_library or bool(others.names("units"))
    made: Schema = _named(schema, only_library)
    return made


def _named(schema: Any, only_library: bool) -> Any:
    """Whatever holds `names` becomes the schema of these names, with arguments or without."""
    if isinstance(schema, list):
        return [_named(item, only_library) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(plural := schema.get("names"), str):
        rest = {key: value for key, value in schema.items() if key != "names"}
        return {**rest, "anyOf": [*_uses(plural, only_library)]}  # type: ignore[arg-type]
    return {key: _named(value, only_library) for key, value in schema.items()}


def _uses(plural: Plural, only_library: bool) -> Iterator[Schema]:
    names, theirs = library.names(plural), others.names(plural)
    yield {"enum": [*names, *theirs]}
    yield from ({"type": "object", "properties": {name: {"type": ["object", "null"]}}, "required": [name],
                 "additionalProperties": False} for name in theirs)  # fmt: skip
    for name in names:
        template = library.definition(plural, name).template
        roles = LIBRARY.of(plural, name)
        arguments = {
            key: _parameter(one, [name], roles.get(key, frozenset())) for key, one in template.parameters.items()
        }
        settings = {"type": ["object", "null"], "description": template.summary, "properties": arguments,
                    "additionalProperties": False}  # fmt: skip
        yield {"type": "object", "properties": {name: settings}, "required": [name], "additionalProperties": False}
    if not only_library:
        free = {"type": "string", "not": {"enum": [*OP_NAMES, *MERGES, *WORDS, *names]}, "pattern": r"^[^$]"}
        yield free
        yield {"type": "object", "propertyNames": free, "additionalProperties": {"type": ["object", "null"]},
               "minProperties": 1, "maxProperties": 1}  # fmt: skip


def _parameter(parameter: Parameter, templates: list[str], roles: Set[Role]) -> Schema:
    default = word(written(parameter.default)) if isinstance(parameter.default, str | int | float) else None
    said = "required" if parameter.required else f"default {default}" if default is not None else "optional"
    schema: Schema = {"description": f"A parameter of {', '.join(templates)}; {said}."}
    if roles == {"layers"}:
        layer = {"$ref": "#/$defs/Layer"}
        schema["anyOf"] = [layer, {"type": "array", "items": layer}, {"enum": ["none", None]}]
    if parameter.choices:
        schema["anyOf"] = [{"enum": list(parameter.choices)}, EXPRESSION]
    return schema


def _parameters_of_units(each: bool) -> Schema:
    """All parameters of all units; a stage may also give one value to each of its units."""
    units = {name: library.definition("units", name).template.parameters for name in library.names("units")}
    found: Schema = {}
    for key in dict.fromkeys(key for parameters in units.values() for key in parameters if key != "shortcut"):
        having = [name for name, parameters in units.items() if key in parameters]
        roles = frozenset[Role]().union(*(LIBRARY.of("units", name).get(key, ()) for name in having))
        schema = _parameter(units[having[0]][key], having, roles)
        if each and "anyOf" in schema:
            schema["anyOf"] = [*schema["anyOf"], {"type": "object", "required": ["each"]}]
        found[key] = schema
    return found


def _extends() -> Schema:
    endings = "|".join(suffix.removeprefix(".") for suffix in SUFFIXES)
    return {
        "description": "A bundled spec, one of other people's, or a file beside this one.",
        "anyOf": [{"enum": [*bundled(), *others.names("specs")]}, {"type": "string", "pattern": rf"\.({endings})$"}],
    }


def _has_templates(name: str) -> bool:
    """Whether a bundled spec brings templates along, by itself or by what it extends."""
    text = locate(name).read_text("utf-8")
    if extended := re.search(r"^extends: *([^\s#]+)", text, re.MULTILINE):
        return "\ntemplates:" in text or _has_templates(extended[1])
    return "\ntemplates:" in text


def _whole(required: list[str]) -> Schema:
    """What a spec needs that extends no other."""
    return {"if": {"not": {"required": ["extends"]}}, "then": {"required": required}}


def _complete() -> Iterator[Schema]:
    """What stages need where nothing is inherited: a unit, and the parameters without which it cannot be."""
    alone = {"not": {"required": ["extends"]}}
    without_unit = {"not": {"required": ["unit"], "properties": {"unit": {"not": {"type": "null"}}}}}
    every = {"properties": {"stages": {"items": {"required": ["unit"]}}}}
    yield {"if": {"allOf": [alone, without_unit]}, "then": every}
    for name in library.names("units"):
        needed = [key for key, one in library.definition("units", name).template.parameters.items() if one.required]
        for key in needed:
            lacks = {"anyOf": [{"const": name}, {"type": "object", "required": [name], "not": {"properties": {
                name: {"type": "object", "required": [key]}}}}]}  # fmt: skip
            named = {"required": ["unit"], "properties": {"unit": lacks}}
            plain = {"not": {"anyOf": [{"required": ["first"]}, {"required": ["last"]}]}}
            given = {"required": [key]}
            yield {"if": alone, "then": {"properties": {"stages": {"items": {
                "if": {"allOf": [named, plain]}, "then": given}}}}}  # fmt: skip
            inherits = {"allOf": [{"not": {"required": ["unit"]}}, plain]}
            yield {"if": {"allOf": [alone, named]}, "then": {"properties": {"stages": {"items": {
                "if": inherits, "then": given}}}}}  # fmt: skip


def _renamed(schema: Any, prefix: str) -> Any:
    """The schema with references to definitions of another name."""
    match schema:
        case list():
            return [_renamed(item, prefix) for item in schema]
        case Mapping():
            return {
                key: value.replace("#/$defs/", f"#/$defs/{prefix}", 1) if key == "$ref" else _renamed(value, prefix)
                for key, value in schema.items()
            }
        case _:
            return schema
