"""The layers of a Keras model as its configuration lists them, those of models within it among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from archbuilder.aliases import Json
from archbuilder.bounds import DEPTH, LAYERS
from archbuilder.importing.building import UnreadError

_MODELS = ("Functional", "Model", "Sequential")


@dataclass(frozen=True)
class Call:
    """A layer and what it is called with; `path` is its name, behind those of the models that it stands in."""

    kind: str
    path: str
    config: Json
    sources: tuple[str, ...]
    """The paths of the layers whose results it takes."""
    arguments: tuple[Any, ...] = ()
    """All that it is called with by position; a tensor is None."""
    keywords: Json | None = None
    stored: str = ""
    """Where its weights stand in the file of a `.keras` archive."""


@dataclass(frozen=True)
class Model:
    """The layers of a model in its order, its inputs and its outputs by their paths."""

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    called: tuple[str, ...]
    """The names of the outputs: those that the model gives them itself, or those of their layers."""


def model_of(description: object) -> Model:
    """The model that a configuration describes."""
    match description:
        case {"class_name": str() as kind, "config": dict() as config} if kind in _MODELS:
            return _model(kind, config, "", "layers", 0)
        case {"class_name": str() as other}:
            raise UnreadError(f"it is a {other} model, and functional ones are read")
        case _:
            raise UnreadError("its config.json describes no model")


def _model(kind: str, config: Json, prefix: str, stored: str, depth: int) -> Model:
    if depth > DEPTH:
        raise UnreadError("models stand too deep within each other")
    layers = config.get("layers")
    if not isinstance(layers, list):
        raise UnreadError("it lists no layers")
    if len(layers) > LAYERS:
        raise UnreadError(f"it has more than {LAYERS:,} layers")
    if kind == "Sequential":
        layers = _one_by_one(layers, config)
    calls: list[Call] = []
    renamed: dict[str, tuple[str, ...]] = {}
    """The results of the models within this one, by the path of the model."""
    counts: dict[str, int] = {}
    for layer in layers:
        call = _call(layer, prefix)
        key = _snake(call.kind)
        index = counts.get(key, 0)
        counts[key] = index + 1
        place = f"{stored}/{key}_{index}" if index else f"{stored}/{key}"
        sources = tuple(renamed.get(source, (source,))[0] for source in call.sources)
        call = replace(call, sources=sources, stored=place)
        if call.kind not in _MODELS:
            calls.append(call)
            continue
        inner = _model(call.kind, call.config, f"{call.path}/", f"{place}/layers", depth + 1)
        if len(inner.inputs) != len(sources) or len(inner.outputs) != 1:
            raise UnreadError(f"its model '{call.path}' has several inputs or outputs")
        entries = dict(zip(inner.inputs, sources, strict=True))
        calls += [
            replace(one, sources=tuple(entries.get(source, source) for source in one.sources))
            for one in inner.calls if one.path not in entries
        ]  # fmt: skip
        renamed[call.path] = tuple(entries.get(one, one) for one in inner.outputs)
    inputs = tuple(call.path for call in calls if call.kind == "InputLayer" and call.path.startswith(prefix)
                   and call.path.removeprefix(prefix).count("/") == 0)  # fmt: skip
    if kind == "Sequential":
        ends = [layers[-1]["name"]] if layers else []
        called = ends
    else:
        ends = list(_ends(told := config.get("output_layers")))
        called = [*map(str, told)] if isinstance(told, dict) and len(told) == len(ends) else ends
    outputs = tuple(renamed.get(f"{prefix}{end}", (f"{prefix}{end}",))[0] for end in ends)
    if not outputs:
        raise UnreadError("it does not say which layers are its outputs")
    return Model(tuple(calls), inputs, outputs, tuple(called))


def _one_by_one(layers: list[Any], config: Json) -> list[Any]:
    """The layers of a sequential model, each called with the one before it."""
    found: list[Json] = []
    for layer in layers:
        match layer:
            case {"class_name": str() as kind, "config": {"name": str() as name, **_others}}:
                pass
            case _:
                raise UnreadError("one of its layers is not described")
        if not found and kind != "InputLayer":
            shape = layer["config"].get("batch_input_shape") or config.get("build_input_shape")
            if shape is None and kind in _MODELS:
                shape = layer["config"].get("build_input_shape")
            if not isinstance(shape, list):
                raise UnreadError("it does not say of what size its images are")
            found.append({"class_name": "InputLayer", "name": "the input", "config": {"batch_shape": shape},
                          "inbound_nodes": []})  # fmt: skip
        calls = [{"args": [_tensor(found[-1]["name"])], "kwargs": {}}] if found else []
        found.append({**layer, "name": name, "inbound_nodes": calls})
    return found


def _tensor(name: str) -> Json:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def _ends(outputs: object) -> Iterator[str]:
    match outputs:
        case [str() as name, int(), int()]:
            yield name
        case list():
            for one in outputs:
                yield from _ends(one)
        case dict():
            for one in outputs.values():
                yield from _ends(one)
        case _:
            raise UnreadError("it does not say which layers are its outputs")


def _call(layer: object, prefix: str) -> Call:
    match layer:
        case {"class_name": str() as kind, "config": dict() as config, "inbound_nodes": list() as calls, **others}:
            name = others.get("name", config.get("name"))
        case _:
            name = None
    if not isinstance(name, str):
        raise UnreadError("one of its layers is not described")
    path = f"{prefix}{name}"
    if len(calls) > 1 or (not calls and kind != "InputLayer"):
        raise UnreadError(f"its layer '{path}' is used {len(calls)} times, and layers that are used once are read")
    if not calls:
        return Call(kind, path, config, ())
    try:
        arguments, keywords = _arguments(calls[0])
        sources = tuple(f"{prefix}{one}" for one in _sources(arguments))
        plain = tuple(None if _is_tensor(one) or isinstance(one, list) else one for one in arguments)
    except (KeyError, TypeError, IndexError):
        raise UnreadError(f"its layer '{path}' ({kind}) lacks a setting, or an input") from None
    return Call(kind, path, config, sources, plain, keywords)


def _arguments(call: Any) -> tuple[list[Any], Json]:
    if isinstance(call, list):  # as Keras 2 writes it: a list of [name, node, tensor, keywords]
        tensors = [call] if isinstance(call[0], str) else call
        found = [_tensor(one[0]) for one in tensors]
        return [found if len(found) > 1 else found[0]], tensors[0][3] if len(tensors[0]) > 3 else {}
    return call["args"], call.get("kwargs") or {}


def _sources(arguments: Any) -> Iterator[str]:
    """The names of the layers whose results stand among the arguments."""
    for one in arguments:
        if _is_tensor(one):
            name, _, tensor = one["config"]["keras_history"]
            if tensor != 0:
                raise UnreadError("it takes a result of a layer that has several")
            yield name
        elif isinstance(one, list):
            yield from _sources(one)


def _is_tensor(value: object) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _snake(name: str) -> str:
    """How Keras names the weights of a kind of layer: `conv2d`, `batch_normalization`."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
