"""The ops of a graph as nodes of ONNX, each called by the path of its node; images are `(n, C, H, W)` within.

What needs more than one node has the path and a word behind a colon for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import numpy as np
from onnx import ModelProto, TensorProto, helper

from archbuilder.aliases import Array
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.weights.weight_file import Floats, NodeWeights

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_SIMPLE: Mapping[ops.Function, tuple[str, Mapping[str, Any]]] = {
    "relu": ("Relu", {}), "elu": ("Elu", {"alpha": 1.0}), "gelu": ("Gelu", {"approximate": "none"}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}), "hard_silu": ("HardSwish", {}),
    "sigmoid": ("Sigmoid", {}), "softplus": ("Softplus", {}), "softmax": ("Softmax", {"axis": 1}), "tanh": ("Tanh", {}),
}  # fmt: skip
"""The functions that are one node."""


class Draft:
    """A model of ONNX that is being written; constants are made in their place, since a copy takes as long."""

    def __init__(self, name: str) -> None:
        self.model = ModelProto()
        self.graph = self.model.graph
        self.graph.name = name
        self._constants: set[str] = set()

    def add(self, kind: str, inputs: Sequence[str], result: str, **attributes: Any) -> str:
        """A node that is called by its result."""
        self.graph.node.append(helper.make_node(kind, inputs, [result], result, **attributes))
        return result

    def floats(self, name: str, values: Array) -> str:
        return self._constant(name, TensorProto.FLOAT, np.asarray(values, "<f4"))

    def integers(self, *values: int) -> str:
        """Integers that a node takes as an input, such as axes; the same ones are kept once."""
        return self._constant(f"integers:{' '.join(map(str, values))}", TensorProto.INT64, np.array(values, "<i8"))

    def _constant(self, name: str, kind: int, values: Array) -> str:
        if name not in self._constants:
            self._constants.add(name)
            self.graph.initializer.add(name=name, data_type=kind, dims=values.shape, raw_data=values.tobytes())
        return name


def tensor_of(graph: Graph, name: str) -> str:
    """The tensor that holds the result of a node: those that drop something while training are left out."""
    while isinstance(graph[name].op, ops.Dropping):
        [name] = graph[name].inputs
    return name


def write(draft: Draft, graph: Graph, weights: NodeWeights) -> None:
    """Writes all nodes of a graph but its input."""
    for node in graph.nodes[1:]:
        _Nodes(graph, draft, node, weights.get(node.name, {})).write()


class _Nodes:
    """Writes what one node becomes."""

    def __init__(self, graph: Graph, draft: Draft, node: Node, weights: Mapping[str, Floats]) -> None:
        self.draft, self.node, self.weights = draft, node, weights
        self.inputs = [tensor_of(graph, name) for name in node.inputs]
        self.shapes = [graph[name].shape for name in node.inputs]

    @property
    def shape(self) -> ops.Shape:
        """That of what arrives first."""
        return self.shapes[0]

    @property
    def size(self) -> ops.Pair:
        """The height and the width of the image that arrives."""
        return ops.spatial(self.shape)[:2]

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    def write(self) -> None:
        op = self.node.op
        match op:
            case ops.Input() | ops.Dropout() | ops.StochasticDepth():
                pass
            case ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate():
                self._merge(op)
            case (
                ops.Conv() | ops.ConvTranspose() | ops.ChannelConv() | ops.Norm() | ops.Dense() | ops.Scale()
                | ops.Prelu()
            ):  # fmt: skip
                self._weighted(op)
            case _:
                self._plain(op)

    def _add(self, kind: str, *constants: str, **attributes: Any) -> str:
        """The node of the result, of what arrives and of constants."""
        return self.draft.add(kind, [*self.inputs, *constants], self.node.name, **attributes)

    def _part(self, word: str, kind: str, *inputs: str, **attributes: Any) -> str:
        """A further node."""
        return self.draft.add(kind, inputs, f"{self.node.name}:{word}", **attributes)

    def _constant(self, part: str, values: Array) -> str:
        return self.draft.floats(f"{self.node.name}:{part}", values)

    def _bias(self) -> tuple[str, ...]:
        return (self._constant("bias", self.weights["bias"]),) if "bias" in self.weights else ()

    def _weighted(self, op: ops.Weighted) -> None:
        match op:
            case ops.Conv():
                pads = ops.resolve_padding(self.size, op.kernel, op.stride, op.padding, op.dilation)
                kernel = self._constant("kernel", self.weights["kernel"].transpose(3, 2, 0, 1))
                self._add(
                    "Conv", kernel, *self._bias(), kernel_shape=op.kernel, strides=op.stride, dilations=op.dilation,
                    group=op.groups, pads=_pads(pads),
                )  # fmt: skip
            case ops.ConvTranspose():
                kernel = self._constant("kernel", self.weights["kernel"].transpose(3, 2, 0, 1))
                rest = [max(s - k, 0) for s, k in zip(op.stride, op.kernel, strict=True)]
                self._add(
                    "ConvTranspose", kernel, *self._bias(), kernel_shape=op.kernel, strides=op.stride,
                    pads=_pads(op.cuts), output_padding=rest,
                )  # fmt: skip
            case ops.ChannelConv():
                self._channel_conv(op)
            case ops.Norm():
                self._norm(op)
            case ops.Dense():
                self._dense(op)
            case ops.Scale():
                self._scale(op)
            case ops.Prelu():
                self._add("PRelu", self._constant("alpha", self._by_channel(self.weights["alpha"].ravel())))
            case _:
                assert_never(op)

    def _by_channel(self, values: Array) -> Array:
        """One number a channel, or one for all, in the shape that goes with what arrives."""
        return values.reshape(-1, 1, 1) if self.is_image else values

    def _channel_conv(self, op: ops.ChannelConv) -> None:
        axis, before = self.draft.integers(1), (op.kernel - 1) // 2
        sequence = self._part("sequence", "Unsqueeze", self.inputs[0], axis)
        kernel = self._constant("kernel", self.weights["kernel"].transpose(2, 1, 0))
        conv = self._part("conv", "Conv", sequence, kernel, *self._bias(), pads=[before, op.kernel - 1 - before])
        self.draft.add("Squeeze", [conv, axis], self.node.name)

    def _dense(self, op: ops.Dense) -> None:
        kernel = self.weights["kernel"]
        if self.is_image:  # at each place alike: a convolution of one pixel
            self._add("Conv", self._constant("kernel", kernel.T[:, :, None, None]), *self._bias(), kernel_shape=(1, 1))
        else:
            self._add("Gemm", self._constant("kernel", kernel), *self._bias())

    def _scale(self, op: ops.Scale) -> None:
        if op.learned == "none":
            self._add("Mul", self._constant("factor", np.array(op.factor)))
            return
        factor = self._constant("kernel", self._by_channel(self.weights["kernel"]))
        if not op.bias:
            self._add("Mul", factor)
            return
        scaled = self._part("scaled", "Mul", self.inputs[0], factor)
        bias = self._constant("bias", self._by_channel(self.weights["bias"]))
        self.draft.add("Add", [scaled, bias], self.node.name)

    def _norm(self, op: ops.Norm) -> None:
        channels = self.shape[-1]
        scale = self._constant("gamma", self.weights.get("gamma", np.ones(channels)))
        learned = (scale, self._constant("beta", self.weights["beta"]))
        match op.over:
            case "batch":
                moving = [self._constant(part, self.weights[part]) for part in ("moving_mean", "moving_variance")]
                self._add("BatchNormalization", *learned, *moving, epsilon=op.epsilon)
            case "layer":
                self._layer_norm(op, learned)
            case "group":
                result = self._add("GroupNormalization", *learned, num_groups=op.groups, epsilon=op.epsilon)
                # ONNX does not infer the shape of this one, and what follows could not be quantised.
                shape = ("batch", channels, *self.shape[:-1])
                self.draft.graph.value_info.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, shape))
            case "instance":
                self._add("InstanceNormalization", *learned, epsilon=op.epsilon)
            case _:
                assert_never(op.over)

    def _layer_norm(self, op: ops.Norm, learned: tuple[str, str]) -> None:
        """Over the last axis, which is where channels are turned to."""
        if not self.is_image:
            self._add("LayerNormalization", *learned, axis=-1, epsilon=op.epsilon)
            return
        last = self._part("turned", "Transpose", self.inputs[0], perm=CHANNELS_LAST)
        normed = self._part("normed", "LayerNormalization", last, *learned, axis=-1, epsilon=op.epsilon)
        self.draft.add("Transpose", [normed], self.node.name, perm=CHANNELS_FIRST)

    def _plain(self, op: ops.Plain) -> None:
        match op:
            case ops.Activation():
                self._activation(op.function)
            case ops.LeakyRelu():
                self._add("LeakyRelu", alpha=op.slope)
            case ops.MaxPool():
                self._add("MaxPool", kernel_shape=op.size, strides=op.stride, pads=_pads(self._pads(op)))
            case ops.AveragePool():
                self._average_pool(op)
            case ops.GlobalAveragePool():
                self._add("ReduceMean", self.draft.integers(2, 3), keepdims=int(not op.flat))
            case ops.GlobalMaxPool():
                self._add("ReduceMax", self.draft.integers(2, 3), keepdims=int(not op.flat))
            case ops.ChannelPool():
                kind = "ReduceMean" if op.method == "average" else "ReduceMax"
                self._add(kind, self.draft.integers(1), keepdims=1)
            case ops.LocalResponseNorm():
                self._local_response_norm(op)
            case _:
                self._moved(op)

    def _local_response_norm(self, op: ops.LocalResponseNorm) -> None:
        """Over an even number of channels, which ONNX Runtime refuses, by a mean along them as along a third axis."""
        if op.size % 2:
            self._add("LRN", size=op.size, alpha=op.alpha, beta=op.beta, bias=op.bias)
            return
        axis, before = self.draft.integers(1), (op.size - 1) // 2
        squares = self._part("volume", "Unsqueeze", self._part("squares", "Mul", *self.inputs * 2), axis)
        means = self._part(
            "means", "AveragePool", squares, kernel_shape=(op.size, 1, 1), count_include_pad=1,
            pads=(before, 0, 0, op.size - 1 - before, 0, 0),
        )  # fmt: skip
        alpha, bias, beta = (self._constant(word, np.array(getattr(op, word))) for word in ("alpha", "bias", "beta"))
        scaled = self._part("scaled", "Mul", self._part("flat", "Squeeze", means, axis), alpha)
        power = self._part("power", "Pow", self._part("base", "Add", scaled, bias), beta)
        self._add("Div", power)

    def _activation(self, function: ops.Function) -> None:
        match function:
            case "relu6":
                self._add("Clip", *(self.draft.floats(f"float:{end}", np.array(end)) for end in (0, 6)))
            case "silu":
                gate = self._part("sigmoid", "Sigmoid", self.inputs[0])
                self._add("Mul", gate)
            case (
                "relu" | "elu" | "gelu" | "hard_sigmoid" | "hard_silu" | "sigmoid" | "softplus" | "softmax" | "tanh"
            ):  # fmt: skip
                kind, attributes = _SIMPLE[function]
                self._add(kind, **attributes)
            case _:
                assert_never(function)

    def _pads(self, op: ops.Windowed) -> ops.Pads:
        window, dilation = op.window
        return ops.resolve_padding(self.size, window, op.stride, op.padding, dilation)

    def _average_pool(self, op: ops.AveragePool) -> None:
        """`same` leaves its padding out of the mean; all else are zeros, and may be more than a window."""
        pads = self._pads(op)
        if any(max(amounts) >= size for amounts, size in zip(pads, op.size, strict=True)):
            self.inputs = [self._part("pad", "Pad", self.inputs[0], self.draft.integers(*_all_pads(pads)))]
            pads = ((0, 0), (0, 0))
        self._add(
            "AveragePool", kernel_shape=op.size, strides=op.stride, pads=_pads(pads),
            count_include_pad=int(op.padding != "same"),
        )  # fmt: skip

    def _moved(self, op: ops.Moving) -> None:
        integers = self.draft.integers
        match op:
            case ops.Flatten():
                self._flatten()
            case ops.Subsample():
                self._add("Slice", integers(0, 0), integers(*self.size), integers(2, 3), integers(*op.stride))
            case ops.Upsample():
                self._upsample(op)
            case ops.Pad():
                mode = {"zeros": "constant", "reflect": "reflect", "edge": "edge"}[op.mode]
                self._add("Pad", integers(*_all_pads(op.amount)), mode=mode)
            case ops.PadChannels():
                self._add("Pad", integers(0, 0, 0, 0, 0, op.channels - self.shape[-1], 0, 0))
            case ops.SliceChannels():
                self._add("Slice", integers(op.start), integers(op.stop), integers(1))
            case ops.ShuffleChannels():
                self._shuffle(op)
            case _:
                assert_never(op)

    def _flatten(self) -> None:
        """Channels vary fastest, so they come last before; where there is one place alone, they do so anyway."""
        if self.is_image and self.size != (1, 1):
            self.inputs = [self._part("turned", "Transpose", self.inputs[0], perm=CHANNELS_LAST)]
        self._add("Flatten", axis=1)

    def _upsample(self, op: ops.Upsample) -> None:
        scales = self.draft.floats(f"scales:{op.factor[0]} {op.factor[1]}", np.array((1, 1, *op.factor)))
        match op.method:
            case "nearest":
                how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            case "bilinear":
                how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            case _:
                assert_never(op.method)
        self._add("Resize", "", scales, **how)

    def _shuffle(self, op: ops.ShuffleChannels) -> None:
        *size, channels = self.shape
        integers, places = self.draft.integers, range(3, 3 + len(size))
        groups = self._part("groups", "Reshape", self.inputs[0], integers(0, op.groups, channels // op.groups, *size))
        turned = self._part("turned", "Transpose", groups, perm=(0, 2, 1, *places))
        self.draft.add("Reshape", [turned, integers(0, channels, *size)], self.node.name)

    def _merge(self, op: ops.Merge) -> None:
        match op:
            case ops.Add():
                self._add("Add" if len(self.inputs) == 2 else "Sum")
            case ops.Concat():
                self._add("Concat", axis=1)
            case ops.Multiply():
                self._multiply()
            case ops.Gate():
                self._gate()
            case _:
                assert_never(op)

    def _multiply(self) -> None:
        product, *others = self._of_one_rank()
        for number, other in enumerate(others, 1):
            is_last = number == len(others)
            name = self.node.name if is_last else f"{self.node.name}:product{number}"
            product = self.draft.add("Mul", [product, other], name)
        if not others:
            self.draft.add("Identity", [product], self.node.name)

    def _gate(self) -> None:
        transform, carry, gate = self._of_one_rank()
        rest = self._part("rest", "Sub", self.draft.floats("float:1", np.array(1)), gate)
        transformed = self._part("transformed", "Mul", transform, gate)
        carried = self._part("carried", "Mul", carry, rest)
        self.draft.add("Add", [transformed, carried], self.node.name)

    def _of_one_rank(self) -> list[str]:
        """What arrives, vectors as images of one place where others are images."""
        pairs = enumerate(zip(self.inputs, self.shapes, strict=True))
        return [
            name if len(shape) == len(self.shape)
            else self._part(f"image{index}", "Unsqueeze", name, self.draft.integers(2, 3))
            for index, (name, shape) in pairs
        ]  # fmt: skip


def _pads(pads: ops.Pads) -> list[int]:
    """First what comes before, of rows and columns, then what comes behind."""
    (top, bottom), (left, right) = pads
    return [top, left, bottom, right]


def _all_pads(pads: ops.Pads) -> tuple[int, ...]:
    """The same for images and channels, too."""
    (top, bottom), (left, right) = pads
    return (0, 0, top, left, 0, 0, bottom, right)
