"""The shortest form of layers that can be written in several ways."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TypeVar, assert_never

from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Pads, Shape, resolve_padding
from archbuilder.outline.parts import DEPTHWISE, Item

Window = TypeVar("Window", bound=ops.Windowed)
NO_PADS: Pads = ((0, 0), (0, 0))
NEVER_NEGATIVE = ("relu", "relu6", "sigmoid", "hard_sigmoid", "softplus", "softmax")


def reduced(before: list[Item], op: Op, arriving: Shape) -> list[Item]:
    """Layers with one more behind them, in the shortest form that computes the same."""
    match op:
        case ops.Conv() | ops.AveragePool() | ops.MaxPool() if _takes_pad(before, op):
            pad = before[-1]
            assert isinstance(pad, ops.Pad)
            return reduced(before[:-1], replace(op, padding=pad.amount), _unpadded(arriving, pad.amount))
        case ops.Conv():
            return [*before, _reduced_conv(named_padding(op), arriving)]
        case ops.MaxPool():
            return _reduced_pool(before, named_padding(op), arriving)
        case ops.AveragePool():
            return _reduced_pool(before, named_padding(op), arriving)
        case ops.GlobalAveragePool(flat=False) | ops.GlobalMaxPool(flat=False) if arriving[:2] == (1, 1):
            return before
        case ops.Flatten() | ops.GlobalAveragePool() | ops.GlobalMaxPool() if prod(arriving) == arriving[-1]:
            return _reduced_vector(before, arriving)
        case ops.Norm(over="group") if op.groups == arriving[-1] and len(arriving) == 3:
            return [*before, replace(op, over="instance", groups=1)]
        case ops.SliceChannels() if before and isinstance(before[-1], ops.SliceChannels):
            first = before[-1].start
            return [*before[:-1], ops.SliceChannels(first + op.start, first + op.stop)]
        case ops.LeakyRelu(slope=0):
            return [*before, ops.Activation("relu")]
        case ops.Pad(mode=mode) if mode != "zeros" and op.amount == NO_PADS:
            return before
        case _:
            return before if _does_nothing(op, arriving) else [*before, op]


def _takes_pad(before: list[Item], op: ops.Windowed) -> bool:
    """Whether zeros before a layer are its own padding; those of a max pool do not win where nothing is negative."""
    if not before or not _is_zeros(before[-1]) or named_padding(op).padding != "valid":
        return False
    if isinstance(op, ops.MaxPool):
        source = before[-2] if len(before) > 1 else None
        return isinstance(source, ops.Activation) and source.function in NEVER_NEGATIVE
    return True


def _is_zeros(item: Item) -> bool:
    return isinstance(item, ops.Pad) and item.mode == "zeros"


def _unpadded(shape: Shape, pads: Pads) -> Shape:
    return (shape[0] - sum(pads[0]), shape[1] - sum(pads[1]), *shape[2:])


def _reduced_conv(op: ops.Conv, arriving: Shape) -> ops.Conv:
    """A convolution of each channel on its own has no number of groups, a single row or column no dilation."""
    depthwise = 1 < op.groups == arriving[-1]
    rows, columns = (1 if size == 1 else step for size, step in zip(op.kernel, op.dilation, strict=True))
    return replace(op, groups=DEPTHWISE if depthwise else op.groups, dilation=(rows, columns))


def _reduced_pool(before: list[Item], op: ops.MaxPool | ops.AveragePool, arriving: Shape) -> list[Item]:
    """A pool of 1x1 only leaves out rows and columns; one whose only window holds the whole image is a global one."""
    if op.padding == "valid" and op.size == (1, 1):
        return reduced(before, ops.Subsample(op.stride), arriving)
    if _holds_all(op, arriving):
        pool = ops.GlobalAveragePool if isinstance(op, ops.AveragePool) else ops.GlobalMaxPool
        return reduced(before, pool(flat=False), arriving)
    return [*before, op]


def _holds_all(op: ops.MaxPool | ops.AveragePool, arriving: Shape) -> bool:
    """Whether there is one window with the whole image in it, and nothing that padding adds counts in an average."""
    pads = resolved_padding(op, arriving)
    if isinstance(op, ops.AveragePool) and pads not in ("same", NO_PADS):
        return False
    added = resolve_padding((arriving[0], arriving[1]), op.size, op.stride, op.padding)
    axes = zip(arriving, op.size, added, strict=False)
    return op.output_shape(arriving)[:2] == (1, 1) and all(size - pad[0] >= n for n, size, pad in axes)


def _reduced_vector(before: list[Item], arriving: Shape) -> list[Item]:
    """One number a channel, made a vector: behind a global pool, that pool."""
    if len(arriving) == 1:
        return before
    previous = before[-1] if before else None
    if isinstance(previous, ops.GlobalAveragePool | ops.GlobalMaxPool):
        return [*before[:-1], replace(previous, flat=True)]
    return [*before, ops.GlobalAveragePool()]


def _does_nothing(op: Op, arriving: Shape) -> bool:
    if isinstance(op, ops.Scale):
        return op.factor == 1 and op.learned == "none"
    if isinstance(op, ops.Weighted | ops.Pooling | ops.Merge):
        return False
    match op:
        case ops.Subsample(stride=(1, 1)) | ops.Upsample(factor=(1, 1)) | ops.LeakyRelu(slope=1):
            return True
        case ops.Dropout() | ops.StochasticDepth():
            return op.rate == 0
        case ops.ShuffleChannels():
            return op.groups in (1, arriving[-1])
        case ops.SliceChannels():
            return op.output_shape(arriving) == arriving
        case ops.Pad():
            return op.amount == NO_PADS
        case ops.PadChannels():
            return op.channels == arriving[-1]
        case (
            ops.Elementwise() | ops.Input() | ops.Flatten() | ops.Subsample() | ops.Upsample()
            | ops.LocalResponseNorm()
        ):  # fmt: skip
            return False
        case _:
            assert_never(op)


def named_padding(op: Window) -> Window:
    """The padding by its name: `valid` where there is none whatever the size, `symmetric` where amounts are that."""
    size, dilation = op.window
    if op.padding == NO_PADS or (size == (1, 1) and isinstance(op.padding, str)):
        return replace(op, padding="valid")
    symmetric = resolve_padding((0, 0), size, (1, 1), "symmetric", dilation)
    return replace(op, padding="symmetric") if op.padding == symmetric else op


def resolved_padding(op: ops.Windowed | ops.ConvTranspose, arriving: Shape) -> Pads | str:
    """The amounts of a padding for one size; an average of `same` padding does not count what is padded, others do."""
    if isinstance(op, ops.ConvTranspose):
        return op.cuts
    size, dilation = op.window
    pads = resolve_padding((arriving[0], arriving[1]), size, op.stride, op.padding, dilation)
    uncounted = isinstance(op, ops.AveragePool) and op.padding == "same" and pads != NO_PADS
    return "same" if uncounted else pads
