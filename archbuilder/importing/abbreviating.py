"""What layers one after the other come to again and again, such as a convolution with its norm, by one name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from archbuilder.importing.writing import Yaml, words
from archbuilder.spec import op_layers
from archbuilder.spec.layers import MERGES

NAME = "convolution"
_MAY_DIFFER = ("filters", "kernel", "stride", "padding")
_LONGEST = 3
_LEAST_GAIN = 20
"""How many words a name has to save, so that it is worth to be looked up."""
_Key: TypeAlias = "tuple[str, ...]"
_Change: TypeAlias = "Callable[[list[Yaml]], list[Yaml]]"


def abbreviated(data: Yaml) -> Yaml | None:
    """A spec in which layers that begin with a convolution have a name of their own; None where that saves little."""
    usual = {"stride": 1, "padding": op_layers.ConvDefaults.model_fields["padding"].default}
    usual |= {key: value for key, value in data.get("defaults", {}).get("conv", {}).items() if key in usual}
    places: dict[_Key, list[Mapping[str, Yaml]]] = defaultdict(list)

    def note(layers: list[Yaml]) -> list[Yaml]:
        for at in range(len(layers)):
            for key in _keys(layers, at):
                places[key].append(layers[at]["conv"])
        return layers

    _changed(data, note)
    found = [(_saved(key, convs, usual), key) for key, convs in places.items()]
    gain, key = max(found, default=(0, ()))
    taken = data.get("templates", {}).get("units", {})
    if gain < _LEAST_GAIN or NAME in taken:
        return None
    parameters = _parameters(places[key], usual)
    first = places[key][0]
    conv = {name: f"${name}" if name in parameters else value for name, value in first.items()}
    conv |= {name: f"${name}" for name in parameters}
    template = {"parameters": parameters, "layers": [{"conv": conv}, *key[1:]]}

    def name(layers: list[Yaml]) -> list[Yaml]:
        return [*_named(layers, key, parameters, usual)]

    made = _changed(data, name)
    templates = made.get("templates", {})
    told = {
        "units": {NAME: template, **templates.get("units", {})},
        **{k: v for k, v in templates.items() if k != "units"},
    }
    begin = {name: made[name] for name in ("archbuilder", "name", "input", "defaults") if name in made}
    return {
        **begin,
        "templates": told,
        **{name: one for name, one in made.items() if name not in ("templates", *begin)},
    }


def _keys(layers: Sequence[Yaml], at: int) -> Iterator[_Key]:
    """What the layers from one on have in common with others that a name may stand for as well."""
    first = layers[at]
    if not isinstance(first, dict) or "conv" not in first:
        return
    rest = {key: value for key, value in first["conv"].items() if key not in _MAY_DIFFER}
    for end in range(at + 2, min(at + _LONGEST, len(layers)) + 1):
        if not isinstance(word := layers[end - 1], str) or word.startswith("$"):
            return
        yield (repr(rest), *layers[at + 1 : end])


def _parameters(convs: Sequence[Mapping[str, Yaml]], usual: Mapping[str, Yaml]) -> dict[str, Yaml]:
    """The settings that are not the same everywhere, each with the most common value, and the filters."""
    found: dict[str, Yaml] = {"filters": "required"}
    for key in _MAY_DIFFER[1:]:
        values = [conv.get(key, usual.get(key)) for conv in convs]
        texts = Counter(map(repr, values))
        if len(texts) > 1:
            most = texts.most_common(1)[0][0]
            found[key] = next(value for value in values if repr(value) == most)
    return found


def _saved(key: _Key, convs: Sequence[Mapping[str, Yaml]], usual: Mapping[str, Yaml]) -> int:
    parameters = _parameters(convs, usual)
    before = sum(words({"conv": conv}) + len(key) - 1 for conv in convs)
    after = sum(words(_call(conv, parameters, usual)) for conv in convs)
    return before - after


def _call(conv: Mapping[str, Yaml], parameters: Mapping[str, Yaml], usual: Mapping[str, Yaml]) -> Yaml:
    values = {key: conv.get(key, usual.get(key)) for key in parameters}
    return {NAME: {key: value for key, value in values.items() if value != parameters[key]}}


def _named(
    layers: Sequence[Yaml], key: _Key, parameters: Mapping[str, Yaml], usual: Mapping[str, Yaml]
) -> Iterator[Yaml]:
    at = 0
    while at < len(layers):
        if key in _keys(layers, at):
            yield _call(layers[at]["conv"], parameters, usual)
            at += len(key)
        else:
            yield layers[at]
            at += 1


def _changed(data: Yaml, change: _Change) -> Yaml:
    """A spec whose lists of layers have been changed, innermost first."""

    def layers(found: Any) -> Any:
        return change([layer(one) for one in found]) if isinstance(found, list) else found

    def layer(one: Yaml) -> Yaml:
        if not isinstance(one, dict):
            return one
        if "if" in one:
            return {key: value if key == "if" else layers(value) for key, value in one.items()}
        [(kind, said)] = one.items()
        return {kind: {path: layers(value) for path, value in said.items()}} if kind in MERGES else one

    def templates(found: Mapping[str, Yaml]) -> dict[str, Yaml]:
        return {name: {**one, "layers": layers(one["layers"])} for name, one in found.items()}

    made = {key: layers(value) if key in ("stem", "head") else value for key, value in data.items()}
    if "templates" in data:
        made["templates"] = {kind: templates(found) for kind, found in data["templates"].items()}
    if "stages" in data:
        made["stages"] = [
            {key: layers(value) if key == "after" else value for key, value in stage.items()}
            for stage in data["stages"]
        ]
    return made
