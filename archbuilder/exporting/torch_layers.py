"""The ops of a graph as modules of PyTorch, and their weights in its layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

import numpy as np

from archbuilder.exporting.keras_layers import place
from archbuilder.exporting.program import Argument, Layer, Value
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.weights.weight_file import Floats

EXPRESSION = "="
"""What begins what is written in `forward`, and is no module; `{0}` is the first input, `{all}` are all."""
_FUNCTIONS: Mapping[ops.Function, str] = {
    "relu": "nn.ReLU", "relu6": "nn.ReLU6", "elu": "nn.ELU", "gelu": "nn.GELU", "silu": "nn.SiLU",
    "hard_sigmoid": "nn.Hardsigmoid", "hard_silu": "nn.Hardswish", "sigmoid": "nn.Sigmoid", "softplus": "nn.Softplus",
    "softmax": "nn.Softmax", "tanh": "nn.Tanh",
}  # fmt: skip
_NORMS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


class TorchLayers:
    """The modules of each node of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.uneven = {place(node) for node in graph.nodes if _is_uneven(graph, node)}
        """Where a window has more padding on one side than on the other, in one of the units at least."""

    def __call__(self, node: Node) -> Iterator[Layer]:
        op = node.op
        match op:
            case ops.Input():
                return
            case ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate():
                yield from self._merge(node, op)
            case ops.Dropout():
                yield _layer(node, "nn.Dropout", _first("rate", op.rate))
            case ops.StochasticDepth():
                yield _layer(node, "StochasticDepth", _first("rate", op.rate))
            case (
                ops.Conv() | ops.ConvTranspose() | ops.ChannelConv() | ops.Norm() | ops.Dense() | ops.Scale()
                | ops.Prelu()
            ):  # fmt: skip
                yield from self._weighted(node, op)
            case _:
                yield from self._plain(node, op)

    def _weighted(self, node: Node, op: ops.Weighted) -> Iterator[Layer]:
        arriving = self.graph[node.inputs[0]].shape[-1]
        match op:
            case ops.Conv():
                yield from self._conv(node, op, arriving)
            case ops.ConvTranspose():
                yield from _transposed(node, op, arriving)
            case ops.ChannelConv():
                padding = Argument("padding", "same", 0)
                yield _layer(
                    node, "ChannelConv", _first("kernel_size", op.kernel), padding, Argument("bias", op.bias, True)
                )
            case ops.Norm():
                yield _norm(node, op)
            case ops.Dense():
                callee = "nn.Linear" if len(node.shape) == 1 else "ChannelLinear"
                sizes = (_first("in_features", arriving), _first("units", op.units))
                yield _layer(node, callee, *sizes, Argument("bias", op.bias, True))
            case ops.Scale():
                yield _scale(node, op)
            case ops.Prelu():
                yield _layer(node, "nn.PReLU", _first("num_parameters", 1 if op.shared else arriving))
            case _:
                assert_never(op)

    def _conv(self, node: Node, op: ops.Conv, arriving: int) -> Iterator[Layer]:
        callee, before = "nn.Conv2d", ""
        padding: Value = _even(_pads(self.graph, node, op))
        if place(node) in self.uneven and max(op.kernel) > 1:
            if op.padding == "same":
                callee, padding = "SameConv2d", 0
            else:
                before, padding = ".pad", 0
                yield self._padded(node, op, "nn.ZeroPad2d")
        yield _layer(
            node, callee, _first("in_channels", arriving), _first("filters", op.filters),
            _first("kernel_size", _one(op.kernel)), Argument("stride", _one(op.stride), 1, positional=True),
            Argument("padding", padding, 0), Argument("dilation", _one(op.dilation), 1),
            Argument("groups", op.groups, 1), Argument("bias", op.bias, True), before=before,
        )  # fmt: skip

    def _padded(self, node: Node, op: ops.Windowed, callee: str, *more: Argument) -> Layer:
        (top, bottom), (left, right) = _pads(self.graph, node, op)
        return _layer(node, callee, _first("amount", (left, right, top, bottom)), *more, value=".pad")

    def _plain(self, node: Node, op: ops.Plain) -> Iterator[Layer]:
        match op:
            case ops.Activation():
                arguments = (Argument("dim", 1),) if op.function == "softmax" else ()
                yield _layer(node, _FUNCTIONS[op.function], *arguments)
            case ops.LeakyRelu():
                yield _layer(node, "nn.LeakyReLU", _first("slope", op.slope))
            case ops.MaxPool():
                before, padding = "", _even(_pads(self.graph, node, op))
                if place(node) in self.uneven or _too_wide(self.graph, node, op):
                    before, padding = ".pad", 0
                    yield self._padded(node, op, "nn.ConstantPad2d", _first("value", float("-inf")))
                yield _layer(node, "nn.MaxPool2d", *_sizes(op), Argument("padding", padding, 0), before=before)
            case ops.AveragePool():
                yield from self._average_pool(node, op)
            case ops.GlobalAveragePool():
                yield from _global_pool(node, "nn.AdaptiveAvgPool2d", op.flat)
            case ops.GlobalMaxPool():
                yield from _global_pool(node, "nn.AdaptiveMaxPool2d", op.flat)
            case ops.ChannelPool():
                yield _layer(node, "ChannelMean" if op.method == "average" else "ChannelMax")
            case ops.LocalResponseNorm():
                sizes = (_first("size", op.size), _first("alpha", op.alpha), _first("beta", op.beta))
                callee = "nn.LocalResponseNorm" if op.size % 2 else "LocalResponseNorm"
                yield _layer(node, callee, *sizes, _first("bias", op.bias))
            case _:
                yield from self._moved(node, op)

    def _average_pool(self, node: Node, op: ops.AveragePool) -> Iterator[Layer]:
        before, padding = "", _even(_pads(self.graph, node, op))
        is_odd = place(node) in self.uneven or _too_wide(self.graph, node, op)
        if op.padding == "same" and is_odd:
            yield _layer(node, "SameAvgPool2d", *_sizes(op))
            return
        if is_odd:
            before, padding = ".pad", 0
            yield self._padded(node, op, "nn.ZeroPad2d")
        counts = Argument("count_include_pad", op.padding != "same" or not padding, True)
        yield _layer(node, "nn.AvgPool2d", *_sizes(op), Argument("padding", padding, 0), counts, before=before)

    def _moved(self, node: Node, op: ops.Moving) -> Iterator[Layer]:
        arriving = self.graph[node.inputs[0]].shape
        match op:
            case ops.Flatten():
                is_flat = len(arriving) == 1 or arriving[:2] == (1, 1)
                yield _layer(node, "nn.Flatten" if is_flat else "ChannelsLastFlatten")
            case ops.Subsample():
                yield _layer(node, "nn.MaxPool2d", _first("kernel_size", 1), _first("stride", _one(op.stride)))
            case ops.Upsample():
                factor = Argument("scale_factor", _one(op.factor))
                yield _layer(node, "nn.Upsample", factor, Argument("mode", op.method, "nearest"))
            case ops.Pad():
                (top, bottom), (left, right) = op.amount
                callee = {"zeros": "nn.ZeroPad2d", "reflect": "nn.ReflectionPad2d", "edge": "nn.ReplicationPad2d"}
                yield _layer(node, callee[op.mode], _first("amount", (left, right, top, bottom)))
            case ops.PadChannels():
                yield _layer(node, "PadChannels", _first("channels", op.channels))
            case ops.SliceChannels():
                yield _layer(node, "SliceChannels", _first("start", op.start), _first("stop", op.stop))
            case ops.ShuffleChannels():
                yield _layer(node, "ShuffleChannels", _first("groups", op.groups))
            case _:
                assert_never(op)

    def _merge(self, node: Node, op: ops.Merge) -> Iterator[Layer]:
        count = len(node.inputs)
        match op:
            case ops.Add():
                yield self._expression(node, op, " + ".join(f"{{{index}}}" for index in range(count)))
            case ops.Concat():
                yield self._expression(node, op, "torch.cat([{all}], 1)")
            case ops.Multiply():
                spread = [self._factor(node, index) for index in range(count)]
                yield self._expression(node, op, " * ".join(spread))
            case ops.Gate():
                transform, carry, gate = (self._factor(node, index) for index in range(count))
                yield self._expression(node, op, f"{transform} * {gate} + {carry} * (1 - {gate})")
            case _:
                assert_never(op)

    def _factor(self, node: Node, index: int) -> str:
        """An input as a factor: a vector is one of the channels of the image that comes first."""
        shapes = [self.graph[name].shape for name in node.inputs]
        return f"{{{index}}}[:, :, None, None]" if len(shapes[index]) < len(shapes[0]) else f"{{{index}}}"

    def _expression(self, node: Node, op: ops.Merge, text: str) -> Layer:
        return Layer(node.name, f"{EXPRESSION}{text}", (), node.inputs, op.paths)


def _layer(node: Node, callee: str, *arguments: Argument, value: str = "", before: str = "") -> Layer:
    """A module of a node, behind one that it has made."""
    inputs = (f"{node.name}{before}",) if before else node.inputs
    return Layer(f"{node.name}{value}", callee, arguments, inputs, is_weighted=bool(node.weights))


def _first(name: str, value: Value) -> Argument:
    return Argument(name, value, positional=True)


def _one(pair: ops.Pair) -> Value:
    """A number for a pair of equal ones."""
    return pair[0] if pair[0] == pair[1] else pair


def _sizes(op: ops.MaxPool | ops.AveragePool) -> tuple[Argument, ...]:
    return (_first("kernel_size", _one(op.size)), _first("stride", _one(op.stride)))


def _pads(graph: Graph, node: Node, op: ops.Windowed) -> ops.Pads:
    height, width, _ = graph[node.inputs[0]].shape
    size, dilation = op.window
    return ops.resolve_padding((height, width), size, op.stride, op.padding, dilation)


def _is_uneven(graph: Graph, node: Node) -> bool:
    if not isinstance(node.op, ops.Windowed):
        return False
    return any(before != after for before, after in _pads(graph, node, node.op))


def _even(pads: ops.Pads) -> Value:
    """The padding of a module, which is the same on both sides."""
    return _one((pads[0][0], pads[1][0]))


def _too_wide(graph: Graph, node: Node, op: ops.MaxPool | ops.AveragePool) -> bool:
    """Whether a pool has more padding than PyTorch lets it have."""
    pads = _pads(graph, node, op)
    return any(2 * max(amounts) > size for amounts, size in zip(pads, op.size, strict=True))


def _transposed(node: Node, op: ops.ConvTranspose, arriving: int) -> Iterator[Layer]:
    (top, bottom), (left, right) = op.cuts
    behind = tuple(max(s - k, 0) for k, s in zip(op.kernel, op.stride, strict=True))
    is_even = (top, left) == (bottom, right) and not any(behind)
    made = _layer(
        node, "nn.ConvTranspose2d", _first("in_channels", arriving), _first("filters", op.filters),
        _first("kernel_size", _one(op.kernel)), Argument("stride", _one(op.stride), 1, positional=True),
        Argument("padding", _one((top, left)) if is_even else 0, 0),
        Argument("output_padding", behind[0] if behind[0] == behind[1] else behind, 0),
        Argument("bias", op.bias, True), value="" if is_even else ".spread",
    )  # fmt: skip
    yield made
    if not is_even:
        amount = _first("amount", (-left, -right, -top, -bottom))
        yield _layer(node, "nn.ZeroPad2d", amount, before=".spread")


def _norm(node: Node, op: ops.Norm) -> Layer:
    channels, epsilon = node.shape[-1], Argument("eps", op.epsilon, 1e-5)
    is_image = len(node.shape) == 3
    match op.over:
        case "batch":
            callee = ("nn.BatchNorm2d" if is_image else "nn.BatchNorm1d") if op.scale else "ShiftNorm"
            momentum = Argument("momentum", round(1 - op.momentum, 12), 0.1)
            return _layer(node, callee, _first("in_channels", channels), epsilon, momentum)
        case "layer":
            callee = ("ChannelNorm" if is_image else "nn.LayerNorm") if op.scale else "UnscaledLayerNorm"
            return _layer(node, callee, _first("in_channels", channels), epsilon)
        case "group" | "instance":
            groups = op.groups if op.over == "group" else channels
            callee = "nn.GroupNorm" if op.scale else "UnscaledGroupNorm"
            return _layer(node, callee, _first("num_groups", groups), _first("in_channels", channels), epsilon)
        case _:
            assert_never(op.over)


def _scale(node: Node, op: ops.Scale) -> Layer:
    if op.learned == "none":
        return _layer(node, "Scale", _first("factor", op.factor))
    count = node.shape[-1] if op.learned == "channel" else 1
    return _layer(
        node, "LearnedScale", _first("channels", count), Argument("start", op.factor, 1.0),
        Argument("bias", op.bias, False),
    )  # fmt: skip


def _global_pool(node: Node, callee: str, flat: bool) -> Iterator[Layer]:
    if not flat:
        yield _layer(node, callee, _first("size", 1))
        return
    yield _layer(node, callee, _first("size", 1), value=".pool")
    yield _layer(node, "nn.Flatten", before=".pool")


def holder(node: Node) -> str:
    """The value of the module that holds the weights of a node."""
    if isinstance(node.op, ops.ConvTranspose):
        return node.name if len([*_transposed(node, node.op, 1)]) == 1 else f"{node.name}.spread"
    return node.name


def tensors(op: ops.Op, weights: Mapping[str, Floats]) -> Mapping[str, Floats]:
    """The weights of an op by the names and in the layout of its module."""
    match op:
        case ops.Conv() | ops.ConvTranspose():
            return {name: _turned(name, array, (3, 2, 0, 1)) for name, array in _renamed(weights)}
        case ops.ChannelConv():
            return {name: _turned(name, array, (2, 1, 0)) for name, array in _renamed(weights)}
        case ops.Dense():
            return {name: _turned(name, array, (1, 0)) for name, array in _renamed(weights)}
        case ops.Norm():
            return {_NORMS[name]: array for name, array in weights.items()}
        case ops.Scale():
            return dict(_renamed(weights))
        case ops.Prelu():
            return {"weight": np.ravel(weights["alpha"])}
        case _:
            return {}


def _renamed(weights: Mapping[str, Floats]) -> Iterator[tuple[str, Floats]]:
    for name, array in weights.items():
        yield ("weight" if name == "kernel" else name), array


def _turned(name: str, array: Floats, axes: tuple[int, ...]) -> Floats:
    return np.ascontiguousarray(array.transpose(axes)) if name == "weight" else array


MODULES = {
    "SameConv2d": '''
class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow does: the odd row and column come last."""

    def forward(self, x):
        x = same_padded(x, self.kernel_size, self.stride, self.dilation)
        return super().forward(x)
''',
    "SameAvgPool2d": '''
class SameAvgPool2d(nn.Module):
    """The mean of each window, without what TensorFlow's padding adds."""

    def __init__(self, kernel_size, stride):
        super().__init__()
        self.windows = [
            (one, one) if isinstance(one, int) else one for one in (kernel_size, stride)
        ]

    def forward(self, x):
        means, shares = (
            F.avg_pool2d(same_padded(one, *self.windows), *self.windows)
            for one in (x, torch.ones_like(x[:1, :1]))
        )
        return means / shares
''',
    "StochasticDepth": '''
class StochasticDepth(nn.Module):
    """Drops whole paths of images while training (arXiv:1603.09382)."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or not self.rate:
            return x
        kept = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * kept / (1 - self.rate)
''',
    "ChannelConv": '''
class ChannelConv(nn.Conv1d):
    """A convolution along the channels of a vector."""

    def __init__(self, kernel_size, **settings):
        super().__init__(1, 1, kernel_size, **settings)

    def forward(self, x):
        return super().forward(x[:, None])[:, 0]
''',
    "ChannelLinear": '''
class ChannelLinear(nn.Linear):
    """A dense layer at each place of an image."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
''',
    "ShiftNorm": '''
class ShiftNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm that learns a shift, and no scale."""

    def __init__(self, num_features, **settings):
        super().__init__(num_features, **settings)
        self.register_parameter("weight", None)

    def _check_input_dim(self, x):
        pass
''',
    "ChannelNorm": '''
class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels at each place of an image."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
''',
    "UnscaledLayerNorm": '''
class UnscaledLayerNorm(nn.Module):
    """Layer norm over the channels that learns a shift, and no scale."""

    def __init__(self, num_channels, eps=1e-5):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.eps = eps

    def forward(self, x):
        x = x.movedim(1, -1)
        return F.layer_norm(x, x.shape[-1:], None, self.bias, self.eps).movedim(-1, 1)
''',
    "UnscaledGroupNorm": '''
class UnscaledGroupNorm(nn.GroupNorm):
    """Group norm that learns a shift, and no scale."""

    def __init__(self, num_groups, num_channels, **settings):
        super().__init__(num_groups, num_channels, **settings)
        self.register_parameter("weight", None)
''',
    "Scale": '''
class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor
''',
    "LearnedScale": '''
class LearnedScale(nn.Module):
    """Multiplies each channel by a number that is learned, or all by one."""

    def __init__(self, channels, start=1.0, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), start))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x):
        shape = (-1, *[1] * (x.ndim - 2))
        x = x * self.weight.view(shape)
        return x if self.bias is None else x + self.bias.view(shape)
''',
    "ChannelMean": '''
class ChannelMean(nn.Module):
    """The mean over the channels at each place."""

    def forward(self, x):
        return x.mean(1, keepdim=True)
''',
    "ChannelMax": '''
class ChannelMax(nn.Module):
    """The maximum over the channels at each place."""

    def forward(self, x):
        return x.amax(1, keepdim=True)
''',
    "ChannelsLastFlatten": '''
class ChannelsLastFlatten(nn.Module):
    """All values of an image in one row, its channels varying fastest."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)
''',
    "PadChannels": '''
class PadChannels(nn.Module):
    """Zero channels after those that arrive, until there are `channels`."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        return F.pad(x, (0, 0, 0, 0, 0, self.channels - x.shape[1]))
''',
    "SliceChannels": '''
class SliceChannels(nn.Module):
    """The channels from `start` on, up to `stop` without it."""

    def __init__(self, start, stop):
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x):
        return x[:, self.start : self.stop]
''',
    "ShuffleChannels": '''
class ShuffleChannels(nn.Module):
    """The first channel of each group, then the second of each, and so on."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
''',
    "LocalResponseNorm": '''
class LocalResponseNorm(nn.Module):
    """Each channel divided by a power of the mean square of the channels around it."""

    def __init__(self, size, alpha, beta, bias):
        super().__init__()
        self.size, self.alpha, self.beta, self.bias = size, alpha, beta, bias

    def forward(self, x):
        before = (self.size - 1) // 2
        squares = F.pad(x.square(), (0, 0, 0, 0, before, self.size - 1 - before))
        total = sum(squares[:, at : at + x.shape[1]] for at in range(self.size))
        return x * (self.bias + self.alpha / self.size * total) ** -self.beta
''',
}
"""Modules that PyTorch has not, by their names."""
SAME_PADDED = '''
def same_padded(x, kernel_size, stride, dilation=(1, 1)):
    """Zeros around an image, so that windows of a stride reach all of it."""
    pads = []
    for size, k, s, d in zip(x.shape[2:], kernel_size, stride, dilation):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pads = [total // 2, total - total // 2, *pads]
    return F.pad(x, pads)
'''
