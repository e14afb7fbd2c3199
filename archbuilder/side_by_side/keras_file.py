"""The network of a .keras file of stock layers, read from its description alone: nothing in the file is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from archbuilder.aliases import Json
from archbuilder.bounded_files import BadFileError, open_archive
from archbuilder.bounds import LAYERS, SIDE, SIZE
from archbuilder.errors import MissingError
from archbuilder.formatting import printable
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.graph.ops import Op, Shape, ShapeError

MEMBER, MOST_BYTES = "config.json", 2**24


_Make = Callable[[Json, Shape, list[str]], "Op | None"]
"""Makes the op of a layer of its settings, the shape that arrives, and the names of what does."""


class _UnreadError(Exception):
    """Why a layer is not read."""


def graph_of_keras_file(path: Path, name: str) -> Graph:
    """The network of a file, each layer under its own name; raises MissingError where it cannot be read.

    How its weights start and are regularised is left out.
    """
    try:
        with open_archive(path) as archive:
            description = json.loads(archive.read(MEMBER, MOST_BYTES))
        return _network(description, name)
    except (BadFileError, _UnreadError) as error:
        raise MissingError(f"{path} is not read: {printable(str(error))}") from None
    except (ValueError, RecursionError):
        raise MissingError(f"{path} is not read: its {MEMBER} is damaged") from None


def _network(description: object, name: str) -> Graph:
    match description:
        case {"class_name": "Functional", "config": {"layers": list() as layers, "output_layers": list() as outputs}}:
            pass
        case {"class_name": str() as other}:
            raise _UnreadError(f"it is a {other} model, and functional ones are read")
        case _:
            raise _UnreadError(f"its {MEMBER} describes no model")
    if len(layers) > LAYERS:
        raise _UnreadError(f"it has more than {LAYERS:,} layers")
    nodes: dict[str, Node] = {}
    places: dict[str, Node] = {}
    borders: dict[str, ops.Pads] = {}
    for layer in layers:
        _read(layer, nodes, places, borders)
    ends = [outputs] if outputs and isinstance(outputs[0], str) else outputs
    try:
        names = tuple(places[end[0]].name for end in ends)
        return Graph(name, tuple(nodes.values()), names)
    except (KeyError, TypeError, IndexError):
        raise _UnreadError("it does not say which layers are its outputs") from None


def _read(layer: object, nodes: dict[str, Node], places: dict[str, Node], borders: dict[str, ops.Pads]) -> None:
    """Adds the nodes of a layer; `places` has the last one of each layer, by the layer's name.

    `borders` are those that wait for the max pool behind them, in which they never win.
    """
    match layer:
        case {"class_name": str() as kind, "name": str() as name, "config": dict() as config,
              "inbound_nodes": list() as calls}:  # fmt: skip
            pass
        case _:
            raise _UnreadError("one of its layers is not described")
    if len(calls) > 1 or (not calls and kind != "InputLayer"):
        raise _UnreadError(f"its layer '{name}' is used {len(calls)} times, and layers that are used once are read")
    try:
        sources = _sources(calls[0]) if calls else []
        inputs = [places[source] for source in sources]
        if kind == "Pad":
            places[name], borders[name] = inputs[0], _border(config, calls[0])
            return
        ops_of = [one for one in _ops(kind, config, inputs) if one is not None]
        if border := next((borders[source] for source in sources if source in borders), None):
            ops_of = [_bordered(one, border) for one in ops_of]
        last = inputs[0] if inputs else None
        for number, op in enumerate(ops_of):
            own = name.replace(".", "/") if number == 0 else f"{name.replace('.', '/')}_{number}"
            before = inputs if isinstance(op, ops.Merge) else [last] if last else []
            last = nodes[own] = node(own, op, before)
        assert last is not None
        places[name] = last
    except (KeyError, TypeError, IndexError):
        raise _UnreadError(f"its layer '{name}' ({kind}) lacks a setting, or an input") from None
    except (_UnreadError, ShapeError) as error:
        raise _UnreadError(f"its layer '{name}' ({kind}): {error}") from None


def _border(config: Json, call: Json) -> ops.Pads:
    """The rows and columns of minus infinity around an image."""
    is_lowest = config["mode"] == "constant" and call["kwargs"].get("constant_values") == float("-inf")
    batch, rows, columns, channels = config["pad_width"]
    if not is_lowest or [*batch, *channels] != [0, 0, 0, 0]:
        raise _UnreadError("it pads with something else than minus infinity, or other axes than rows and columns")
    top, bottom, left, right = (_integer(side + 1) - 1 for side in (*rows, *columns))
    return ((top, bottom), (left, right))


def _bordered(op: Op, border: ops.Pads) -> Op:
    if isinstance(op, ops.MaxPool) and op.padding == "valid":
        return replace(op, padding=border)
    raise _UnreadError("a border of minus infinity stands before it, and it is no max pool")


def _sources(call: Any) -> list[str]:
    """The names of the layers that a layer is called with."""
    first = call["args"][0]
    tensors = first if isinstance(first, list) else [first]
    return [tensor["config"]["keras_history"][0] for tensor in tensors]


def _ops(kind: str, config: Json, inputs: list[Node]) -> list[Op | None]:
    """The ops that a layer stands for, one after the other; none for one that changes nothing that is counted."""
    shape = inputs[0].shape if inputs else ()
    if config.get("data_format", "channels_last") != "channels_last" and kind != "ZeroPadding2D":
        raise _UnreadError("its channels come first")
    if (make := _LAYERS.get(kind)) is None:
        raise _UnreadError("this kind of layer is not read")
    op = make(config, shape, [one.name for one in inputs])
    function = config.get("activation", "linear") if kind != "Activation" else "linear"
    return [op, None if function == "linear" else _activation({"activation": function})]


def _activation(config: Json) -> Op | None:
    function = config["activation"]
    if function == "linear":
        return None
    if function not in get_args(ops.Function):
        raise _UnreadError(f"its activation is {function if isinstance(function, str) else 'no stock one'}")
    return ops.Activation(function)


def _integer(value: object, most: int = SIZE) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most:
        return value
    raise _UnreadError("one of its sizes is no positive integer, or too large")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e31:
        return float(value)
    raise _UnreadError("one of its settings is no number")


def _pair(value: object) -> ops.Pair:
    both = value if isinstance(value, list) else [value, value]
    return (_integer(both[0]), _integer(both[1]))


def _padding(config: Json) -> ops.Padding:
    padding = config["padding"]
    if padding == "same":
        return "same"
    if padding == "valid":
        return "valid"
    raise _UnreadError("its padding is neither same nor valid")


def _input(config: Json, shape: Shape, names: list[str]) -> Op:
    _, *sizes = config["batch_shape"]
    return ops.Input(tuple(_integer(size, SIDE) for size in sizes))


def _conv(config: Json, shape: Shape, names: list[str]) -> Op:
    return ops.Conv(
        _integer(config["filters"]), _pair(config["kernel_size"]), _pair(config["strides"]), _padding(config),
        _pair(config["dilation_rate"]), _integer(config["groups"]), bool(config["use_bias"]), "zeros", 0.0,
    )  # fmt: skip


def _depthwise(config: Json, shape: Shape, names: list[str]) -> Op:
    channels = shape[-1]
    return ops.Conv(
        channels * _integer(config["depth_multiplier"]), _pair(config["kernel_size"]), _pair(config["strides"]),
        _padding(config), _pair(config["dilation_rate"]), channels, bool(config["use_bias"]), "zeros", 0.0,
    )  # fmt: skip


def _dense(config: Json, shape: Shape, names: list[str]) -> Op:
    return ops.Dense(_integer(config["units"]), bool(config["use_bias"]), "zeros", 0.0)


def _norm(config: Json, shape: Shape, names: list[str]) -> Op:
    if config["axis"] not in (-1, [-1], len(shape), [len(shape)]) or not config["center"]:
        raise _UnreadError("it is over another axis, or has no shift")
    epsilon, scale = _number(config["epsilon"]), bool(config["scale"])
    if "momentum" in config:
        return ops.Norm(_number(config["momentum"]), epsilon, False, scale=scale)
    if (groups := config.get("groups")) is None:
        return ops.Norm(0.0, epsilon, False, "layer", scale=scale)
    if groups in (-1, shape[-1]):
        return ops.Norm(0.0, epsilon, False, "instance", scale=scale)
    return ops.Norm(0.0, epsilon, False, "group", _integer(groups), scale)


def _scale(config: Json, shape: Shape, names: list[str]) -> Op:
    """A number for each channel, as a learned scale is saved."""
    axes = "abcde"[: len(shape) + 1]
    if config["equation"] != f"{axes},{axes[-1]}->{axes}":
        raise _UnreadError("it is no scale of the channels")
    return ops.Scale(1.0, "channel", config["bias_axes"] is not None)


def _relu(config: Json, shape: Shape, names: list[str]) -> Op:
    slope, most = _number(config.get("negative_slope") or 0), config.get("max_value")
    if config.get("threshold") or (most and (most != 6 or slope)):
        raise _UnreadError("it has a threshold, or another greatest value than 6")
    return ops.Activation("relu6") if most else ops.LeakyRelu(slope) if slope else ops.Activation("relu")


def _pool(kind: type[ops.MaxPool | ops.AveragePool]) -> _Make:
    return lambda config, shape, names: kind(_pair(config["pool_size"]), _pair(config["strides"]), _padding(config))


def _pad(config: Json, shape: Shape, names: list[str]) -> Op:
    (top, bottom), (left, right) = config["padding"]
    sides = [_integer(side + 1) - 1 for side in (top, bottom, left, right)]
    if config.get("data_format") == "channels_first":
        if sides[:3] != [0, 0, 0]:
            raise _UnreadError("its channels come first")
        return ops.PadChannels(shape[-1] + sides[3])
    return ops.Pad(((sides[0], sides[1]), (sides[2], sides[3])))


def _dropout(config: Json, shape: Shape, names: list[str]) -> Op:
    rate, noise = _number(config["rate"]), config.get("noise_shape")
    if noise is None:
        return ops.Dropout(rate)
    if all(one == 1 for one in noise[1:]):
        return ops.StochasticDepth(rate)
    raise _UnreadError("it drops parts of another shape")


def _reshape(config: Json, shape: Shape, names: list[str]) -> Op | None:
    """A vector that is to weigh the channels of an image stays a vector."""
    if config["target_shape"] in ([1, 1, shape[-1]], [*shape]) and len(shape) in (1, 3):
        return None
    raise _UnreadError("it changes more than the number of axes")


def _merge(kind: type[ops.Add | ops.Multiply | ops.Concat]) -> _Make:
    def make(config: Json, shape: Shape, names: list[str]) -> Op:
        if kind is ops.Concat and config["axis"] not in (-1, len(shape)):
            raise _UnreadError("it joins another axis than channels")
        return kind(tuple("shortcut" if "/shortcut/" in name else f"path{at}" for at, name in enumerate(names, 1)))

    return make


def _global(op: Op) -> _Make:
    def make(config: Json, shape: Shape, names: list[str]) -> Op:
        if config.get("keepdims"):
            raise _UnreadError("it keeps height and width")
        return op

    return make


_LAYERS: Mapping[str, _Make] = {
    "InputLayer": _input, "Conv2D": _conv, "DepthwiseConv2D": _depthwise, "Dense": _dense,
    "EinsumDense": _scale, "BatchNormalization": _norm, "LayerNormalization": _norm, "GroupNormalization": _norm,
    "Activation": lambda config, shape, names: _activation(config), "ReLU": _relu, "LeakyReLU": _relu,
    "Softmax": lambda config, shape, names: ops.Activation("softmax"),
    "MaxPooling2D": _pool(ops.MaxPool), "AveragePooling2D": _pool(ops.AveragePool),
    "GlobalAveragePooling2D": _global(ops.GlobalAveragePool()), "GlobalMaxPooling2D": _global(ops.GlobalMaxPool()),
    "ZeroPadding2D": _pad, "Flatten": lambda config, shape, names: ops.Flatten(), "Dropout": _dropout,
    "Reshape": _reshape,
    "Add": _merge(ops.Add), "Multiply": _merge(ops.Multiply), "Concatenate": _merge(ops.Concat),
}  # fmt: skip
"""How the layers are read that are."""
