"""The receptive field of each node: the pixels of the image that its values depend on, over all paths.

A position of a node sees, along each axis, a span of pixels. Spans repeat: behind an upsampling there are several kinds
of positions, and behind all of them the image has moved on by a whole number of pixels. What comes through a global
pool or a dense layer is the same span at every position. All is as if the image had no border (Araujo et al. 2019,
"Computing receptive fields of convolutional neural networks").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import assert_never

from archbuilder.aliases import Json
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Op, Shape

Number = int | Fraction
Span = tuple[Number, Number]
"""The first and the last pixel."""
MOST_PHASES = 32
"""The kinds of positions that are told apart; where there are more, all spans are as wide as the widest."""
MOST_STRIDES = 8
"""The effective strides that one node may have side by side; with more, it sees the same at every position."""


@dataclass(frozen=True, slots=True)
class Windows:
    """What the positions along an axis see; after as many as there are spans, all is `jump` pixels further.

    None is a position that sees nothing: the zeros between the pixels of a transposed convolution.
    """

    spans: tuple[Span | None, ...]
    jump: Number

    @property
    def stride(self) -> Fraction:
        """How many pixels a position is from the next one."""
        return Fraction(self.jump) / len(self.spans)

    @property
    def width(self) -> int:
        """The number of pixels of the widest span."""
        return max((floor(last) - ceil(first) + 1 for first, last in filter(None, self.spans)), default=0)

    def at(self, position: int) -> Span | None:
        period, phase = divmod(position, len(self.spans))
        span = self.spans[phase]
        return span and (span[0] + period * self.jump, span[1] + period * self.jump)

    def over(self, positions: Sequence[int]) -> Span | None:
        """The span of several positions together; those at both ends, a period each, decide."""
        count = len(self.spans)
        return hull(map(self.at, {*positions[:count], *positions[-count:]}))

    def coarse(self) -> Windows:
        """The same with one kind of position, whose span holds those of all."""
        stride, spans = self.stride, [(place, span) for place, span in enumerate(self.spans) if span]
        first = min((span[0] - stride * place for place, span in spans), default=Fraction(0))
        last = max((span[1] - stride * place for place, span in spans), default=Fraction(0))
        return Windows(((first, last),), stride)


@dataclass(frozen=True, slots=True)
class Move:
    """The positions that an op looks at: from `floor(i * rate + low)` to `floor(i * rate + high)` by `step`."""

    rate: Fraction
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    step: int = 1

    def positions(self, position: int) -> range:
        return range(floor(position * self.rate + self.low), floor(position * self.rate + self.high) + 1, self.step)


Axis = Mapping[Fraction, Windows]
"""The windows of each effective stride; those of stride 0 are the same at every position."""
Axes = tuple[Axis, Axis]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one value of a node sees, height and width."""

    size: tuple[int, int]
    """The pixels over all paths; behind a global pool or a dense layer those of the image that it sees.

    A path through a global pool that only weighs others (squeeze-and-excitation) is left to `whole_image`.
    """
    smallest: tuple[int, int]
    """Those along the path that sees least."""
    stride: tuple[Fraction | None, Fraction | None]
    """The pixels between neighbours; None where all positions see the same, or no one stride holds."""
    padding: tuple[Number | None, Number | None]
    """How far the first window begins before the image."""
    whole_image: bool
    """Whether some path sees the whole image from every position."""

    def to_json(self) -> Json:
        return {
            "size": list(self.size), "smallest": list(self.smallest), "stride": list(map(_plain, self.stride)),
            "padding": list(map(_plain, self.padding)), "whole_image": self.whole_image,
        }  # fmt: skip


def receptive_fields(graph: Graph) -> dict[str, ReceptiveField]:
    """The receptive field of each node, by its name."""
    widest, narrowest = windows(graph), _windows_by(graph, _narrowest)
    image = graph.input.shape
    return {node.name: _field(widest[node.name], narrowest[node.name], node.shape, image) for node in graph.nodes}


def windows(graph: Graph) -> dict[str, Axes]:
    """What the positions of each node see over all paths, along rows and columns."""
    return _windows_by(graph, _together)


def _windows_by(graph: Graph, choose: Callable[[Sequence[Axis]], Axis]) -> dict[str, Axes]:
    start: Axis = {Fraction(1): Windows(((0, 0),), 1)}
    axes: dict[str, Axes] = {}
    for node in graph.nodes:
        arriving = [axes[name] for name in node.inputs] or [(start, start)]
        joined = (choose([rows for rows, _ in arriving]), choose([columns for _, columns in arriving]))
        shape = graph[node.inputs[0]].shape if node.inputs else node.shape
        axes[node.name] = _behind(node.op, joined, shape)
    return axes


def last_map(graph: Graph) -> Node:
    """The last node with several positions: what is behind it sees all of them. The image, where there is no other."""
    maps = [node for node in graph.nodes if len(node.shape) == 3 and max(node.shape[:2]) > 1]
    return maps[-1] if maps else graph.input


def hull(spans: Iterable[Span | None]) -> Span | None:
    """The span from the first to the last pixel of all."""
    found = [span for span in spans if span]
    return (min(span[0] for span in found), max(span[1] for span in found)) if found else None


def _behind(op: Op, axes: Axes, shape: Shape) -> Axes:
    """What is seen behind an op, given what is seen of what arrives and its shape."""
    if len(shape) != 3:
        return axes
    sizes = (shape[0], shape[1])
    match op:
        case ops.GlobalAveragePool() | ops.GlobalMaxPool() | ops.Flatten():
            return (_everywhere(axes[0], sizes[0]), _everywhere(axes[1], sizes[1]))
        case ops.Norm(over="group" | "instance"):
            rows, columns = (_everywhere(axis, size) for axis, size in zip(axes, sizes, strict=True))
            return (_together([axes[0], rows]), _together([axes[1], columns]))
        case ops.Conv() | ops.MaxPool() | ops.AveragePool() | ops.ConvTranspose() | ops.Subsample() | ops.Upsample():
            rows, columns = (
                _moved(axis, _move(op, index, sizes), sizes[index]) for index, axis in enumerate(axes)
            )  # fmt: skip
            return (rows, columns)
        case ops.Pad(amount=amount):
            rows, columns = (
                _moved(axis, Move(Fraction(1), Fraction(-before), Fraction(-before)), size)
                for axis, (before, _), size in zip(axes, amount, sizes, strict=True)
            )
            return (rows, columns)
        case (
            ops.Input() | ops.Norm() | ops.Activation() | ops.LeakyRelu() | ops.Prelu() | ops.ChannelPool()
            | ops.ChannelConv() | ops.Dense() | ops.Dropout() | ops.StochasticDepth() | ops.Scale()
            | ops.PadChannels() | ops.SliceChannels() | ops.ShuffleChannels() | ops.LocalResponseNorm()
            | ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate()
        ):  # fmt: skip
            return axes
        case _:
            assert_never(op)


def _move(
    op: ops.Windowed | ops.ConvTranspose | ops.Subsample | ops.Upsample, axis: int, sizes: tuple[int, int]
) -> Move:
    match op:
        case ops.Conv() | ops.MaxPool() | ops.AveragePool():
            size, dilation = op.window
            before = ops.resolve_padding(sizes, size, op.stride, op.padding, dilation)[axis][0]
            end = (size[axis] - 1) * dilation[axis] - before
            return Move(Fraction(op.stride[axis]), Fraction(-before), Fraction(end), dilation[axis])
        case ops.ConvTranspose():
            stride, cut = op.stride[axis], op.cuts[axis][0]
            low = Fraction(cut - op.kernel[axis] + stride, stride)
            return Move(Fraction(1, stride), low, Fraction(cut, stride))
        case ops.Subsample():
            return Move(Fraction(op.stride[axis]))
        case ops.Upsample():
            rate = Fraction(1, op.factor[axis])
            if op.method == "nearest":
                return Move(rate)
            return Move(rate, (rate - 1) / 2, Fraction(1, 2))
        case _:
            assert_never(op)


def _moved(axis: Axis, move: Move, size: int) -> Axis:
    if move == Move(Fraction(1)):
        return axis
    moved = [_windows(windows, move) for windows in axis.values()]
    found = {windows.stride: windows for windows in moved}
    return found if len(found) <= MOST_STRIDES else _everywhere(axis, size)


def _windows(windows: Windows, move: Move) -> Windows:
    count, step = move.rate.denominator, move.rate.numerator
    repeats = len(windows.spans) // gcd(len(windows.spans), step)
    if repeats * count > MOST_PHASES:
        return _coarsely(windows.coarse(), move)
    spans = tuple(windows.over(move.positions(place)) for place in range(repeats * count))
    return Windows(spans, windows.jump * (repeats * step // len(windows.spans)))


def _coarsely(windows: Windows, move: Move) -> Windows:
    """What the positions see at most, taken for one kind: flooring takes off less than one."""
    [span] = windows.spans
    assert span is not None
    whole = lcm(move.rate.denominator, move.low.denominator)
    low, high = move.low - Fraction(whole - 1, whole), move.high
    spans = ((span[0] + windows.jump * low, span[1] + windows.jump * high),)
    return Windows(spans, windows.jump * move.rate)


def _everywhere(axis: Axis, size: int) -> Axis:
    """What all positions see together, as every one sees it behind a global pool."""
    span = hull(windows.over(range(size)) for windows in axis.values())
    return {Fraction(0): Windows((span,), 0)}


def _together(axes: Sequence[Axis]) -> Axis:
    """What any of several paths sees."""
    found: dict[Fraction, Windows] = {}
    for axis in axes:
        for stride, windows in axis.items():
            found[stride] = _union(found[stride], windows) if stride in found else windows
    return found


def _union(one: Windows, other: Windows) -> Windows:
    if one == other:
        return one
    count = lcm(len(one.spans), len(other.spans))
    if count > MOST_PHASES:
        return _union(one.coarse(), other.coarse())
    spans = tuple(hull((one.at(place), other.at(place))) for place in range(count))
    return Windows(spans, one.jump * (count // len(one.spans)))


def _narrowest(axes: Sequence[Axis]) -> Axis:
    """What the path sees that sees least."""
    found: dict[Fraction, Windows] = {}
    for axis in axes:
        for stride, windows in axis.items():
            if stride not in found or windows.width < found[stride].width:
                found[stride] = windows
    return found


def _field(widest: Axes, narrowest: Axes, shape: Shape, image: Shape) -> ReceptiveField:
    sizes = shape[:2] if len(shape) == 3 else (1, 1)
    pairs = list(zip(widest, sizes, image, strict=False))
    rows, columns = (_size(axis, size, limit) for axis, size, limit in pairs)
    least_rows, least_columns = (
        min(_size({stride: windows}, size, limit) for stride, windows in axis.items())
        for axis, size, limit in zip(narrowest, sizes, image, strict=False)
    )
    strides = [_stride(axis) for axis in widest]
    pads = [_padding(axis) for axis in widest]
    whole = all(_seen_everywhere(axis) >= limit for axis, limit in zip(widest, image, strict=False))
    return ReceptiveField(
        (rows, columns), (least_rows, least_columns), (strides[0], strides[1]), (pads[0], pads[1]), whole
    )  # fmt: skip


def _size(axis: Axis, size: int, limit: int) -> int:
    """The pixels of the widest window that moves; where none does, those of the image that all positions see."""
    moving = [windows for stride, windows in axis.items() if stride]
    if not moving:
        return min(_seen_everywhere(axis), limit)
    if len(moving) == 1:
        return moving[0].width
    count = lcm(*(len(windows.spans) for windows in moving))
    places = range(size)
    spans = [hull(one.at(place) for one in moving) for place in {*places[:count], *places[-count:]}]
    return max((floor(last) - ceil(first) + 1 for first, last in filter(None, spans)), default=0)


def _seen_everywhere(axis: Axis) -> int:
    span = axis[Fraction(0)].at(0) if Fraction(0) in axis else None
    return floor(span[1]) - max(ceil(span[0]), 0) + 1 if span else 0


def _stride(axis: Axis) -> Fraction | None:
    strides = [stride for stride in axis if stride]
    return strides[0] if len(strides) == 1 else None


def _padding(axis: Axis) -> Number | None:
    span = hull(windows.at(0) for stride, windows in axis.items() if stride)
    return -span[0] if span else None


def _plain(number: Number | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number == int(number) else float(number)
