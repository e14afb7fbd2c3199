"""The words for ops: their name in the language, and the description that papers use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from archbuilder.formatting import counted
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Op, Pair

_SCALES: dict[ops.Learned, str] = {"none": "scale", "channel": "learned scale", "scalar": "learned scalar"}


def left_out(graph: Graph) -> Iterator[str]:
    """A sentence that names the parts with layers that lead to no output, if there are any."""
    if graph.left_out:
        parts = dict.fromkeys(name.partition("/")[0] for name in graph.left_out)
        yield f"no output depends on {counted(len(graph.left_out), 'layer')} of {', '.join(parts)}: left out"


def op_name(op: Op) -> str:
    """The name of an op in the language, such as `max_pool`; an activation's is its function."""
    if isinstance(op, ops.Activation):
        return op.function
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(op).__name__).lower()


def node_words(node: Node) -> str:
    """Describes a node like `words`, and also says whether a convolution is depthwise, which its op alone does not."""
    if isinstance(node.op, ops.Conv) and node.op.groups > 1 and node.weights[0].shape[2] == 1:
        return f"depthwise {words(replace(node.op, groups=1))}"
    return words(node.op)


def words(op: Op) -> str:
    """The description of an op in papers' figures, such as `3x3 conv, 64, /2`."""
    if isinstance(op, ops.Weighted):
        return _weighted(op)
    if isinstance(op, ops.Moving):
        return _moving(op)
    match op:
        case ops.MaxPool() | ops.AveragePool():
            return f"{_square(op.size)} {_plain(op)}{_stride(op.stride)}"
        case ops.ChannelPool():
            return f"{op.method} over channels"
        case ops.LeakyRelu(slope=number) | ops.Dropout(rate=number) | ops.StochasticDepth(rate=number):
            return f"{_plain(op)}, {number:.4g}"
        case (
            ops.Input() | ops.Activation() | ops.GlobalAveragePool() | ops.GlobalMaxPool() | ops.LocalResponseNorm()
            | ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate()
        ):  # fmt: skip
            return _plain(op)
        case _:
            assert_never(op)


def _weighted(op: ops.Weighted) -> str:
    match op:
        case ops.Conv():
            return _conv(op)
        case ops.ConvTranspose():
            return f"{_square(op.kernel)} transposed conv, {op.filters}{_stride(op.stride)}"
        case ops.ChannelConv():
            return f"conv over {op.kernel} channels"
        case ops.Norm():
            return _norm(op)
        case ops.Dense():
            return f"dense, {op.units}"
        case ops.Scale():
            return f"{_SCALES[op.learned]}, {op.factor}"
        case ops.Prelu():
            return "prelu"
        case _:
            assert_never(op)


def _moving(op: ops.Moving) -> str:
    match op:
        case ops.Subsample():
            return f"subsample{_stride(op.stride)}"
        case ops.Upsample():
            return f"{op.method} upsample{_stride(op.factor, 'x')}"
        case ops.Pad():
            mode = "" if op.mode == "zeros" else f"{op.mode} "
            return f"{mode}pad, {ops.show_pads(op.amount)}"
        case ops.SliceChannels():
            return f"slice of channels {op.start} to {op.stop - 1}"
        case ops.PadChannels(channels=number) | ops.ShuffleChannels(groups=number):
            return f"{_plain(op)}, {number}"
        case ops.Flatten():
            return _plain(op)
        case _:
            assert_never(op)


def _plain(op: Op) -> str:
    return op_name(op).replace("_", " ")


def _conv(op: ops.Conv) -> str:
    groups = f", {op.groups} groups" if op.groups > 1 else ""
    dilation = f", dilation {_square(op.dilation)}" if op.dilation != (1, 1) else ""
    return f"{_square(op.kernel)} conv, {op.filters}{_stride(op.stride)}{groups}{dilation}"


def _norm(op: ops.Norm) -> str:
    match op.over:
        case "batch":
            return "norm"
        case "group":
            return f"group norm, {op.groups}"
        case "layer" | "instance":
            return f"{op.over} norm"
        case _:
            assert_never(op.over)


def _square(size: Pair) -> str:
    return f"{size[0]}x{size[1]}"


def _stride(stride: Pair, sign: str = "/") -> str:
    if stride == (1, 1):
        return ""
    return f", {sign}{stride[0]}" if stride[0] == stride[1] else f", {sign}{_square(stride)}"
