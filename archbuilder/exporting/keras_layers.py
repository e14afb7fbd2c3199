"""The ops of a graph as calls of stock Keras layers; whatever holds weights has the name that our own model gives it.

It is `keras_model.build` in writing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from archbuilder.exporting.program import Argument, Code, Config, Layer, Value
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node

_NOTHING = ((0, 0), (0, 0))
_NUMBER = re.compile(r"\d+$")


class KerasLayers:
    """The layers of each node of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.padded = {place(node) for node in graph.nodes if _needs_padding(graph, node)}
        """Where a convolution or a pool is behind a padding of its own, in one of the units at least."""
        usual = Counter(self._kind(node) for node in {place(one): one for one in graph.nodes}.values())
        self.none = "same" if usual["same"] > usual["valid"] else "valid"
        """What Keras is told where there is nothing to pad."""

    def __call__(self, node: Node) -> Iterator[Layer]:
        op = node.op
        match op:
            case ops.Input():
                return
            case ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate():
                yield from self._merge(node, op)
            case ops.Dropout():
                yield _layer(node, "layers.Dropout", _first("rate", op.rate))
            case ops.StochasticDepth():
                shape = (None,) + (1,) * len(node.shape)
                yield _layer(node, "layers.Dropout", _first("rate", op.rate), Argument("noise_shape", shape, None))
            case (
                ops.Conv() | ops.ConvTranspose() | ops.ChannelConv() | ops.Norm() | ops.Dense() | ops.Scale()
                | ops.Prelu()
            ):  # fmt: skip
                yield from self._weighted(node, op)
            case _:
                yield from self._plain(node, op)

    def _weighted(self, node: Node, op: ops.Weighted) -> Iterator[Layer]:
        match op:
            case ops.Conv():
                yield from self._conv(node, op)
            case ops.ConvTranspose():
                padding = "same" if op.padding == "same" else "valid"
                sizes = (*_windows("filters", op.filters, op.kernel, op.stride), Argument("padding", padding, "valid"))
                made = _layer(node, "layers.Conv2DTranspose", *sizes, *_kernel_and_bias(op))
                yield from _with_result(
                    made, None if padding == "same" else "layers.Cropping2D", _first("cropping", _amount(op.cuts))
                )
            case ops.ChannelConv():
                features = node.shape[-1]
                yield _layer(node, "layers.Reshape", _first("target_shape", (features, 1)), value=".sequence")
                conv = _behind(
                    node, ".sequence", "layers.Conv1D", _first("filters", 1), _first("kernel_size", op.kernel),
                    Argument("padding", "same", "valid"), *_kernel_and_bias(op),
                )  # fmt: skip
                yield from _with_result(conv, "layers.Reshape", _first("target_shape", node.shape))
            case ops.Norm():
                yield _norm(node, op)
            case ops.Dense():
                yield _layer(node, "layers.Dense", _first("units", op.units), *_kernel_and_bias(op))
            case ops.Scale():
                yield from _scale(node, op)
            case ops.Prelu():
                axes = tuple(range(1, len(node.shape) + op.shared))
                shared = Argument("shared_axes", axes, None)
                yield _layer(node, "layers.PReLU", Argument("alpha_initializer", _constant(op.slope), "zeros"), shared)
            case _:
                assert_never(op)

    def _conv(self, node: Node, op: ops.Conv) -> Iterator[Layer]:
        before = ""
        padding = self._padding(node, op)
        if padding == "apart":
            before, padding = ".pad", "valid"
            amount = _first("padding", _amount(self._pads(node, op)))
            yield _layer(node, "layers.ZeroPadding2D", amount, value=before)
        made = _behind(
            node, before, "layers.Conv2D", *_windows("filters", op.filters, op.kernel, op.stride),
            Argument("padding", padding, "valid"), Argument("dilation_rate", _one(op.dilation), 1),
            Argument("groups", op.groups, 1), *_kernel_and_bias(op),
        )  # fmt: skip
        yield made if before else _layer(node, made.callee, *made.arguments)

    def _kind(self, node: Node) -> str:
        """What Keras is told of a convolution that has something to pad."""
        op = node.op
        if not isinstance(op, ops.Conv) or max(op.kernel) == 1:
            return ""
        return "valid" if op.padding == "valid" or place(node) in self.padded else "same"

    def _padding(self, node: Node, op: ops.Windowed) -> str:
        """The padding of Keras that does it, or `apart`."""
        if place(node) in self.padded:
            return "apart"
        if isinstance(op, ops.AveragePool):
            return "same" if op.padding == "same" else "valid"
        pads, same = (_pads(self.graph, node, op, padding) for padding in (op.padding, "same"))
        if pads != same:
            return "valid"
        return (
            self.none if isinstance(op, ops.Conv) and pads == _NOTHING else "same" if max(map(max, pads)) else "valid"
        )

    def _pads(self, node: Node, op: ops.Windowed) -> ops.Pads:
        return _pads(self.graph, node, op, op.padding)

    def _plain(self, node: Node, op: ops.Plain) -> Iterator[Layer]:
        match op:
            case ops.Activation(function="relu"):
                yield _layer(node, "layers.ReLU")
            case ops.Activation():
                yield _layer(node, "layers.Activation", _first("activation", op.function))
            case ops.LeakyRelu():
                yield _layer(node, "layers.LeakyReLU", _first("negative_slope", op.slope))
            case ops.MaxPool() | ops.AveragePool():
                yield from self._pool(node, op)
            case ops.GlobalAveragePool():
                yield _layer(node, "layers.GlobalAveragePooling2D", Argument("keepdims", not op.flat, False))
            case ops.GlobalMaxPool():
                yield _layer(node, "layers.GlobalMaxPooling2D", Argument("keepdims", not op.flat, False))
            case ops.ChannelPool():
                name = "mean" if op.method == "average" else "max"
                last = (Argument("axis", -1), Argument("keepdims", True, False))
                yield _layer(node, f"ops.{name}", *last)
            case ops.LocalResponseNorm():
                sizes = (_first("size", op.size), _first("alpha", op.alpha), _first("beta", op.beta))
                yield _layer(node, "local_response_norm", *sizes, _first("bias", op.bias))
            case _:
                yield from self._moved(node, op)

    def _pool(self, node: Node, op: ops.MaxPool | ops.AveragePool) -> Iterator[Layer]:
        callee = "layers.MaxPooling2D" if isinstance(op, ops.MaxPool) else "layers.AveragePooling2D"
        padding, before = self._padding(node, op), ""
        if padding == "apart":
            padding, before = "valid", ".pad"
            pads = self._pads(node, op)
            if isinstance(op, ops.MaxPool):
                width = Argument("pad_width", ((0, 0), *pads, (0, 0)), positional=True)
                yield _layer(node, "ops.pad", width, Argument("constant_values", float("-inf")), value=before)
            else:
                yield _layer(node, "layers.ZeroPadding2D", _first("padding", _amount(pads)), value=before)
        sizes = (_first("pool_size", _one(op.size)), _first("strides", _one(op.stride)))
        made = _behind(node, before, callee, *sizes, Argument("padding", padding, "valid"))
        yield made if before else _layer(node, made.callee, *made.arguments)

    def _moved(self, node: Node, op: ops.Moving) -> Iterator[Layer]:
        match op:
            case ops.Flatten():
                yield _layer(node, "layers.Flatten")
            case ops.Subsample():
                yield _layer(node, "layers.MaxPooling2D", _first("pool_size", 1), _first("strides", _one(op.stride)))
            case ops.Upsample():
                how = Argument("interpolation", op.method, "nearest")
                yield _layer(node, "layers.UpSampling2D", _first("size", _one(op.factor)), how)
            case ops.Pad():
                yield from _pad(node, op)
            case ops.PadChannels():
                yield _layer(node, "pad_channels", _first("channels", op.channels))
            case ops.SliceChannels():
                yield _layer(node, "slice_channels", _first("start", op.start), _first("stop", op.stop))
            case ops.ShuffleChannels():
                yield _layer(node, "shuffle_channels", _first("groups", op.groups))
            case _:
                assert_never(op)

    def _merge(self, node: Node, op: ops.Merge) -> Iterator[Layer]:
        match op:
            case ops.Add():
                yield _merged(node, "layers.Add")
            case ops.Concat():
                yield _merged(node, "layers.Concatenate")
            case ops.Multiply():
                yield from self._spread(node, op, "layers.Multiply")
            case ops.Gate():
                yield from self._spread(node, op, "gated")
            case _:
                assert_never(op)

    def _spread(self, node: Node, op: ops.Multiply | ops.Gate, callee: str) -> Iterator[Layer]:
        """A merge whose inputs have as many axes as the first."""
        shapes = [self.graph[name].shape for name in node.inputs]
        inputs = []
        for name, path, shape in zip(node.inputs, op.paths, shapes, strict=True):
            if len(shape) < len(shapes[0]):
                value = f"{node.name}.{path}"
                target = _first("target_shape", (1, 1, shape[-1]))
                yield Layer(value, "layers.Reshape", (target,), (name,))
                name = value
            inputs.append(name)
        yield Layer(node.name, callee, (), tuple(inputs), op.paths)


def _layer(node: Node, callee: str, *arguments: Argument, value: str = "") -> Layer:
    return Layer(f"{node.name}{value}", callee, arguments, node.inputs, is_weighted=bool(node.weights))


def _behind(node: Node, before: str, callee: str, *arguments: Argument, value: str = "") -> Layer:
    """A further layer of a node, behind one that it has made."""
    inputs = (f"{node.name}{before}",)
    return Layer(f"{node.name}{value}", callee, arguments, inputs, is_weighted=bool(node.weights))


def _with_result(made: Layer, callee: str | None, argument: Argument) -> Iterator[Layer]:
    """A layer with weights, which has the name of its node, and one behind it that shapes what the node returns."""
    if callee is None:
        yield made
        return
    weighted = replace(made, value=f"{made.value}.weighted", name=made.value)
    yield weighted
    yield Layer(made.value, callee, (argument,), (weighted.value,), name=f"{made.value}.result")


def _merged(node: Node, callee: str) -> Layer:
    assert isinstance(node.op, ops.Merge)
    return Layer(node.name, callee, (), node.inputs, node.op.paths)


def place(node: Node) -> str:
    """Where a layer stands in the template that it is of."""
    *scopes, last = node.name.split("/")
    numbered = [index for index, scope in enumerate(scopes) if _NUMBER.search(scope)]
    inner = scopes[numbered[-1] :] if numbered else scopes
    return "/".join([*(_NUMBER.sub("", scope) for scope in inner), last])


def _needs_padding(graph: Graph, node: Node) -> bool:
    """Whether Keras' own padding does not do what a layer does."""
    op = node.op
    if not isinstance(op, ops.Windowed) or op.padding in ("same", "valid"):
        return False
    pads = _pads(graph, node, op, op.padding)
    if pads == _NOTHING:
        return False
    return isinstance(op, ops.AveragePool) or pads != _pads(graph, node, op, "same")


def _pads(graph: Graph, node: Node, op: ops.Windowed, padding: ops.Padding) -> ops.Pads:
    height, width, _ = graph[node.inputs[0]].shape
    size, dilation = op.window
    return ops.resolve_padding((height, width), size, op.stride, padding, dilation)


def _first(name: str, value: Value) -> Argument:
    return Argument(name, value, positional=True)


def _windows(name: str, count: int, kernel: ops.Pair, stride: ops.Pair) -> tuple[Argument, ...]:
    strides = Argument("strides", _one(stride), 1, positional=True)
    return (_first(name, count), _first("kernel_size", _one(kernel)), strides)


def _one(pair: ops.Pair) -> Value:
    """A number for a pair of equal ones."""
    return pair[0] if pair[0] == pair[1] else pair


def _amount(pads: ops.Pads) -> Value:
    """A number where all sides are alike, or one for each axis where its two sides are."""
    (top, bottom), (left, right) = pads
    if top == bottom and left == right:
        return _one((top, left))
    return pads


def _kernel_and_bias(op: ops.Conv | ops.ConvTranspose | ops.ChannelConv | ops.Dense) -> tuple[Argument, ...]:
    l2 = Code(f"keras.regularizers.L2({op.l2!r})") if op.l2 else None
    return (
        Argument("use_bias", op.bias, True),
        Argument("kernel_initializer", _initializer(op.initializer), "glorot_uniform"),
        Argument("kernel_regularizer", l2, None),
        Argument("bias_initializer", _constant(op.initial_bias), "zeros"),
    )


def _initializer(initializer: ops.Initializer) -> Value:
    """A text, or a configuration of which Keras makes another initializer for each layer.

    One object would draw the same numbers for all layers of one shape.
    """
    match initializer:
        case ops.Normal():
            return Config("NORMAL", "RandomNormal", (("stddev", initializer.deviation),))
        case ops.Constant():
            return _constant(initializer.value)
        case "he_normal_fan_out":
            return _scaling("HE_NORMAL_FAN_OUT", 2.0, "fan_out", "untruncated_normal")
        case "torch_uniform":
            return _scaling("TORCH_UNIFORM", 1 / 3, "fan_in", "uniform")
        case _:
            return initializer


def _scaling(name: str, scale: float, mode: str, distribution: str) -> Config:
    return Config(name, "VarianceScaling", (("scale", scale), ("mode", mode), ("distribution", distribution)))


def _constant(value: float) -> Value:
    return Config("CONSTANT", "Constant", (("value", value),)) if value else "zeros"


def _norm(node: Node, op: ops.Norm) -> Layer:
    settings = [
        Argument("epsilon", op.epsilon, 0.001), Argument("scale", op.scale, True),
        Argument("gamma_initializer", "zeros" if op.zero_scale else "ones", "ones"),
    ]  # fmt: skip
    match op.over:
        case "batch":
            return _layer(node, "layers.BatchNormalization", Argument("momentum", op.momentum, 0.99), *settings)
        case "layer":
            return _layer(node, "layers.LayerNormalization", *settings)
        case "group" | "instance":
            groups = op.groups if op.over == "group" else node.shape[-1]
            return _layer(node, "layers.GroupNormalization", _first("groups", groups), *settings)
        case _:
            assert_never(op.over)


def _scale(node: Node, op: ops.Scale) -> Iterator[Layer]:
    if op.learned == "none":
        yield _layer(node, "layers.Rescaling", _first("scale", op.factor))
        return
    shares = op.learned == "scalar"
    shape = (*node.shape, 1) if shares else node.shape
    axes = "abcde"[: len(shape) + 1]
    arguments = (
        _first("equation", f"{axes},{axes[-1]}->{axes}"), _first("output_shape", shape),
        Argument("bias_axes", axes[-1] if op.bias else None, None),
        Argument("kernel_initializer", _constant(op.factor), "glorot_uniform"),
    )  # fmt: skip
    if not shares:
        yield _layer(node, "layers.EinsumDense", *arguments)
        return
    yield _layer(node, "layers.Reshape", _first("target_shape", shape), value=".single")
    scaled = _behind(node, ".single", "layers.EinsumDense", *arguments)
    yield from _with_result(scaled, "layers.Reshape", _first("target_shape", node.shape))


def _pad(node: Node, op: ops.Pad) -> Iterator[Layer]:
    match op.mode:
        case "zeros":
            yield _layer(node, "layers.ZeroPadding2D", _first("padding", _amount(op.amount)))
        case "reflect":
            yield _layer(node, "ops.pad", _all_axes(op.amount), Argument("mode", "reflect"))
        case "edge":
            before = ""
            amounts = list(op.mirrored())
            for index, amount in enumerate(amounts):
                inputs = (f"{node.name}{before}",) if before else node.inputs
                before = f".edge{index + 1}" if index + 1 < len(amounts) else ""
                arguments = (_all_axes(amount), Argument("mode", "symmetric"))
                yield Layer(f"{node.name}{before}", "ops.pad", arguments, inputs)
        case _:
            assert_never(op.mode)


def _all_axes(amount: ops.Pads) -> Argument:
    return Argument("pad_width", ((0, 0), *amount, (0, 0)), positional=True)
