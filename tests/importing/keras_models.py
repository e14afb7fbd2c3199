"""Keras models as their configurations alone: those of the files here, with other names, in another order."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archbuilder.aliases import Array

FILES = Path(__file__).parent / "files"


def description(name: str) -> dict[str, Any]:
    with zipfile.ZipFile(FILES / f"{name}.keras") as archive:
        found: dict[str, Any] = json.loads(archive.read("config.json"))
    return found


def saved(model: object, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(model))
    return path


def disguised(model: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same model with names that mean nothing, its layers in another order that goes as well."""
    draws = random.Random(seed)
    layers = [*model["config"]["layers"]]
    names = {
        one["name"]: f"{draws.choice(['7', 'stage1', '$x', 'ä', 'if', 'unit'])} {draws.random()}" for one in layers
    }
    left, order, there = layers, list[Any](), set[str]()
    while left:
        ready = [one for one in left if {*sources(one["inbound_nodes"])} <= there]
        taken = draws.choice(ready)
        left = [one for one in left if one is not taken]
        order.append(taken)
        there.add(taken["name"])
    config = {**model["config"], "name": "$nothing", "layers": order}
    text = json.loads(json.dumps({**model, "config": config}), object_hook=lambda data: _renamed(data, names))
    ends = text["config"]["output_layers"]
    flat = [ends] if isinstance(ends[0], str) else ends
    text["config"]["output_layers"] = [[names[name], node, tensor] for name, node, tensor in flat]
    return text  # type: ignore[no-any-return]


def sources(calls: Any) -> list[str]:
    """The names of the layers that stand in a call."""
    if isinstance(calls, dict):
        if "keras_history" in calls:
            return [calls["keras_history"][0]]
        return [name for one in calls.values() for name in sources(one)]
    return [name for one in calls for name in sources(one)] if isinstance(calls, list) else []


def _renamed(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    if "keras_history" in data:
        name, *places = data["keras_history"]
        return {**data, "keras_history": [names[name], *places]}
    if data.get("name") in names:
        return {**data, "name": names[data["name"]]}
    return data


def tensor(name: str) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def layer(kind: str, name: str, *inputs: str, **config: Any) -> dict[str, Any]:
    tensors = [tensor(one) for one in inputs]
    calls = [{"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}] if tensors else []
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls}


def functional(layers: list[dict[str, Any]], output: str, name: str = "model") -> dict[str, Any]:
    config = {"name": name, "layers": layers, "output_layers": [output, 0, 0]}
    return {"class_name": "Functional", "config": config}


def conv(name: str, source: str, filters: int, kernel: int = 3, stride: int = 1, **others: Any) -> dict[str, Any]:
    settings = {"kernel_size": [kernel, kernel], "strides": [stride, stride], "padding": "same",
                "dilation_rate": [1, 1], "groups": 1, "use_bias": False, "activation": "linear"}  # fmt: skip
    return layer("Conv2D", name, source, filters=filters, **{**settings, **others})


def norm(name: str, source: str, **others: Any) -> dict[str, Any]:
    settings = {"axis": -1, "momentum": 0.99, "epsilon": 1e-3, "center": True, "scale": True}
    return layer("BatchNormalization", name, source, **{**settings, **others})


def image(side: int = 16) -> dict[str, Any]:
    return layer("InputLayer", "image", batch_shape=[None, side, side, 3])


def by_layer(weights: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """Weights that were found, as `layer/weight`, by their layers."""
    found: dict[str, dict[str, Any]] = {}
    for name, array in weights.items():
        layer, _, weight = name.rpartition("/")
        found.setdefault(layer, {})[weight] = array
    return found
