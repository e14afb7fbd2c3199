"""The ops of a network graph: a closed set, one frozen dataclass each.

An op knows the shape it returns, the weights it holds and the multiply-adds it costs, for one image and given
the shapes that arrive. Shapes are `(height, width, channels)` or `(features,)`.

Every op stands in one of the unions at the end. Whoever treats ops differently asks an op for what it says of itself,
or matches over a union and ends in `assert_never`, so that the type checker lists what a new op still needs. `family`
has no default: an op that does not say it is listed wherever it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt, prod
from typing import ClassVar, Literal, Self

Shape = tuple[int, ...]
Pair = tuple[int, int]
"""Height and width."""
Pads = tuple[Pair, Pair]
"""Rows before and after, columns before and after."""
Padding = Literal["same", "valid", "symmetric"] | Pads
NamedInitializer = Literal[
    "he_normal", "he_normal_fan_out", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform",
    "torch_uniform", "zeros",
]  # fmt: skip
Function = Literal[
    "relu", "relu6", "elu", "gelu", "silu", "hard_sigmoid", "hard_silu", "sigmoid", "softplus", "softmax", "tanh"
]
Probabilities = Literal["softmax", "sigmoid"]
"""The functions that make logits into probabilities."""
Family = Literal["conv", "dense", "norm", "activation", "pool", "merge", "other"]
"""What ops have in common for people: a colour in diagrams, a kind of layer in files, a word in a recipe's decay."""
NormKind = Literal["batch", "layer", "group", "instance"]
"""What the mean and the variance of a norm are over."""
Learned = Literal["none", "channel", "scalar"]
Method = Literal["nearest", "bilinear"]
PadMode = Literal["zeros", "reflect", "edge"]
PoolMethod = Literal["average", "max"]
MergeName = Literal["add", "concat", "multiply", "gate"]
"""The names of merges in the language."""
WeightKind = Literal["kernel", "bias", "scale", "shift", "moving_mean", "moving_variance"]
"""What a weight does in its op; the moving statistics are followed while training, not trained."""


_MOST_GROUPS = 10
"""The most numbers of groups that an error names."""


class ShapeError(ValueError):
    """The shapes that arrive do not fit the op."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Normal:
    """Draws from the normal distribution around zero."""

    deviation: float

    def __str__(self) -> str:
        return f"normal of deviation {self.deviation:g}"


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value everywhere."""

    value: float

    def __str__(self) -> str:
        return f"constant {self.value:g}"


Initializer = NamedInitializer | Normal | Constant


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight tensor of an op, in Keras' layout."""

    name: str
    """The attribute of the Keras layer that holds it."""
    kind: WeightKind
    shape: Shape
    l2: float = 0.0
    """Adds `l2 * sum(weight ** 2)` to the loss (Keras' meaning: a gradient of `2 * l2 * weight`)."""

    @property
    def trainable(self) -> bool:
        return self.kind not in ("moving_mean", "moving_variance")

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class _Base:
    """An op that holds no weights and costs no multiply-adds, unless a subclass says otherwise."""

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def macs(self, *inputs: Shape) -> int:
        return 0

    def untrained(self) -> Self:
        """The op without what only says how its weights start and are regularised."""
        return self

    def frozen_statistics(self) -> Self:
        """The op with its moving statistics, if it has any, as they are while training."""
        return self


@dataclass(frozen=True, slots=True)
class Elementwise(_Base):
    """An op of one input that keeps the shape, and each value in its place."""

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Input(_Base):
    """The image that arrives."""

    family: ClassVar[Family] = "other"
    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.shape


@dataclass(frozen=True, slots=True)
class Conv(_Base):
    """A 2D convolution `(H, W, C) -> (H', W', filters)`; `groups` splits the channels (groups = C is depthwise)."""

    family: ClassVar[Family] = "conv"
    filters: int
    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int
    bias: bool
    initializer: Initializer
    l2: float
    """That of the kernel."""
    initial_bias: float = 0.0

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        if channels % self.groups or self.filters % self.groups:
            raise ShapeError(f"{channels} channels and {self.filters} filters do not divide into {self.groups} groups")
        if max(self.stride) > 1 and max(self.dilation) > 1:
            hint = "stride: 1 keeps the dilation, dilation: 1 the stride, such as first: {dilation: 1} in a stage"
            raise ShapeError("Keras has no convolution with a stride and a dilation", hint)
        rows, columns = windows((height, width), self.kernel, self.stride, self.padding, self.dilation)
        return (rows, columns, self.filters)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", "kernel", (*self.kernel, inputs[0][2] // self.groups, self.filters), self.l2)
        return (kernel, Weight("bias", "bias", (self.filters,))) if self.bias else (kernel,)

    def macs(self, *inputs: Shape) -> int:
        rows, columns, filters = self.output_shape(*inputs)
        return rows * columns * filters * prod(self.kernel) * (inputs[0][2] // self.groups)

    def untrained(self) -> Self:
        return replace(self, initializer="zeros", initial_bias=0.0, l2=0.0)

    @property
    def window(self) -> tuple[Pair, Pair]:
        """Its size and its dilation."""
        return self.kernel, self.dilation


@dataclass(frozen=True, slots=True)
class ConvTranspose(_Base):
    """A transposed 2D convolution `(H, W, C) -> (H * stride, W * stride, filters)`: each pixel spreads as a kernel.

    All kernels together come to the full image; what padding a convolution would add is cut off that. `same` leaves
    `stride` times the size, `valid` cuts nothing.
    """

    family: ClassVar[Family] = "conv"
    filters: int
    kernel: Pair
    stride: Pair
    padding: Padding
    bias: bool
    initializer: Initializer
    l2: float
    """That of the kernel."""
    initial_bias: float = 0.0

    def output_shape(self, *inputs: Shape) -> Shape:
        (height, width, _), cuts = spatial(inputs[0]), self.cuts
        rows, columns = self.full_size((height, width))
        size = (rows - sum(cuts[0]), columns - sum(cuts[1]))
        if min(size) < 1:
            raise ShapeError(f"of {show((rows, columns))}, a padding of {show_pads(cuts)} leaves nothing")
        return (*size, self.filters)

    def full_size(self, size: Pair) -> Pair:
        """The size of what all kernels come to; kernels shorter than the stride leave zeros behind them."""
        rows, columns = (
            n * s + max(k - s, 0) for n, k, s in zip(size, self.kernel, self.stride, strict=True)
        )  # fmt: skip
        return (rows, columns)

    @property
    def cuts(self) -> Pads:
        """The rows and columns that are cut off the full image."""
        if self.padding == "same":
            excess = [max(k - s, 0) for k, s in zip(self.kernel, self.stride, strict=True)]
            rows, columns = ((one // 2, one - one // 2) for one in excess)
            return (rows, columns)
        return resolve_padding((0, 0), self.kernel, self.stride, self.padding)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", "kernel", (*self.kernel, self.filters, inputs[0][2]), self.l2)
        return (kernel, Weight("bias", "bias", (self.filters,))) if self.bias else (kernel,)

    def macs(self, *inputs: Shape) -> int:
        return prod(inputs[0]) * self.filters * prod(self.kernel)

    def untrained(self) -> Self:
        return replace(self, initializer="zeros", initial_bias=0.0, l2=0.0)


@dataclass(frozen=True, slots=True)
class ChannelConv(_Base):
    """A convolution along the channels of a vector `(C,) -> (C,)`, padded with zeros (arXiv:1910.03151)."""

    family: ClassVar[Family] = "conv"
    kernel: int
    bias: bool
    initializer: Initializer
    l2: float
    """That of the kernel."""
    initial_bias: float = 0.0

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            hint = "put global_average_pool before it"
            raise ShapeError(f"needs one number a channel, but {show(inputs[0])} arrives", hint)
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", "kernel", (self.kernel, 1, 1), self.l2)
        return (kernel, Weight("bias", "bias", (1,))) if self.bias else (kernel,)

    def macs(self, *inputs: Shape) -> int:
        return inputs[0][0] * self.kernel

    def untrained(self) -> Self:
        return replace(self, initializer="zeros", initial_bias=0.0, l2=0.0)


@dataclass(frozen=True, slots=True)
class Norm(Elementwise):
    """Takes off a mean, divides by a deviation, and learns a scale, if it has one, and a shift for each channel.

    Mean and variance are those of each channel over the batch (arXiv:1502.03167), of the channels at each place
    (arXiv:1607.06450), or of each image over a group of channels (arXiv:1803.08494), or over each channel.
    """

    family: ClassVar[Family] = "norm"
    momentum: float
    """The share of the old moving statistics that is kept; 0 where there are none."""
    epsilon: float
    zero_scale: bool
    """Whether the scale starts at zero, so that a residual path starts as nothing."""
    over: NormKind = "batch"
    groups: int = 1
    """The groups of a norm over groups; 1 for all others."""
    scale: bool = True
    """Whether it learns a scale; Inception's do not."""
    frozen: bool = False
    """Whether the moving statistics stay as they are while training, and take the place of the batch's."""

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = spatial(inputs[0]) if self.over == "instance" else inputs[0]
        require_groups(shape[-1], self.groups)
        return shape

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (inputs[0][-1],)
        scale = (Weight("gamma", "scale", shape),) if self.scale else ()
        learned = (*scale, Weight("beta", "shift", shape))
        if not self.is_over_batch:
            return learned
        moving = (Weight("moving_mean", "moving_mean", shape), Weight("moving_variance", "moving_variance", shape))
        return (*learned, *moving)

    def untrained(self) -> Self:
        return replace(self, zero_scale=False)

    def frozen_statistics(self) -> Self:
        return replace(self, frozen=self.is_over_batch)

    @property
    def is_over_batch(self) -> bool:
        """Whether an image sees the others of its batch, and moving statistics take their place afterwards."""
        return self.over == "batch"


@dataclass(frozen=True, slots=True)
class Activation(Elementwise):
    """An activation function, element by element (softmax: over the channels)."""

    family: ClassVar[Family] = "activation"
    function: Function


@dataclass(frozen=True, slots=True)
class LeakyRelu(Elementwise):
    """The value where it is positive, `slope` times the value where it is not."""

    family: ClassVar[Family] = "activation"
    slope: float


@dataclass(frozen=True, slots=True)
class Prelu(Elementwise):
    """A leaky ReLU that learns its slope: one for each channel, or one that all share (arXiv:1502.01852)."""

    family: ClassVar[Family] = "activation"
    slope: float
    """What it starts at."""
    shared: bool

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        ones, channels = (1,) * (len(inputs[0]) - 1), 1 if self.shared else inputs[0][-1]
        return (Weight("alpha", "scale", (*ones, channels)),)

    def untrained(self) -> Self:
        return replace(self, slope=0.0)


@dataclass(frozen=True, slots=True)
class _Pool(_Base):
    size: Pair
    stride: Pair
    padding: Padding

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        return (*windows((height, width), self.size, self.stride, self.padding), channels)

    @property
    def window(self) -> tuple[Pair, Pair]:
        """Its size and its dilation."""
        return self.size, (1, 1)


@dataclass(frozen=True, slots=True)
class MaxPool(_Pool):
    """The maximum of each window; what padding adds never wins."""

    family: ClassVar[Family] = "pool"

    def output_shape(self, *inputs: Shape) -> Shape:
        if isinstance(self.padding, tuple):
            for size, amounts in zip(self.size, self.padding, strict=True):
                if max(amounts) >= size:
                    raise ShapeError(f"padding of {max(amounts)} leaves windows of {size} without a value")
        return _Pool.output_shape(self, *inputs)


@dataclass(frozen=True, slots=True)
class AveragePool(_Pool):
    """The mean of each window; `same` leaves its padding out of the mean, symmetric and explicit padding count as 0."""

    family: ClassVar[Family] = "pool"


@dataclass(frozen=True, slots=True)
class _GlobalPool(_Base):
    flat: bool = True
    """Whether a vector comes out, not an image of one place."""

    def output_shape(self, *inputs: Shape) -> Shape:
        *_, channels = spatial(inputs[0])
        return (channels,) if self.flat else (1, 1, channels)


@dataclass(frozen=True, slots=True)
class GlobalAveragePool(_GlobalPool):
    """The mean over height and width `(H, W, C) -> (C,)` or `(1, 1, C)`."""

    family: ClassVar[Family] = "pool"


@dataclass(frozen=True, slots=True)
class GlobalMaxPool(_GlobalPool):
    """The maximum over height and width `(H, W, C) -> (C,)` or `(1, 1, C)`."""

    family: ClassVar[Family] = "pool"


@dataclass(frozen=True, slots=True)
class ChannelPool(_Base):
    """The mean or the maximum over the channels at each place `(H, W, C) -> (H, W, 1)`."""

    family: ClassVar[Family] = "pool"
    method: PoolMethod

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, _ = spatial(inputs[0])
        return (height, width, 1)


@dataclass(frozen=True, slots=True)
class Flatten(_Base):
    """`(H, W, C) -> (H * W * C,)`, channels varying fastest."""

    family: ClassVar[Family] = "other"

    def output_shape(self, *inputs: Shape) -> Shape:
        return (prod(inputs[0]),)


@dataclass(frozen=True, slots=True)
class Dense(_Base):
    """A fully connected layer `(features,) -> (units,)`; over an image, at each position alike."""

    family: ClassVar[Family] = "dense"
    units: int
    bias: bool
    initializer: Initializer
    l2: float
    initial_bias: float = 0.0

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*inputs[0][:-1], self.units)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", "kernel", (inputs[0][-1], self.units), self.l2)
        return (kernel, Weight("bias", "bias", (self.units,))) if self.bias else (kernel,)

    def macs(self, *inputs: Shape) -> int:
        return prod(inputs[0]) * self.units

    def untrained(self) -> Self:
        return replace(self, initializer="zeros", initial_bias=0.0, l2=0.0)


@dataclass(frozen=True, slots=True)
class Dropout(Elementwise):
    """Sets a share of the values to 0 while training and scales the rest by `1 / (1 - rate)`."""

    family: ClassVar[Family] = "other"
    rate: float


@dataclass(frozen=True, slots=True)
class StochasticDepth(Elementwise):
    """Drops a whole path for an image while training and scales it by `1 / (1 - rate)` otherwise (arXiv:1603.09382)."""

    family: ClassVar[Family] = "other"
    rate: float


@dataclass(frozen=True, slots=True)
class Scale(Elementwise):
    """Multiplies by a constant, or by a number that is learned: one for each channel, or one for all.

    A bias of as many numbers, which starts at zero, is added behind a learned one.
    """

    family: ClassVar[Family] = "other"
    factor: float
    """The constant, or what the learned numbers start at."""
    learned: Learned = "none"
    bias: bool = False

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        if self.learned == "none":
            return ()
        shape = (inputs[0][-1] if self.learned == "channel" else 1,)
        kernel = Weight("kernel", "scale", shape)
        return (kernel, Weight("bias", "shift", shape)) if self.bias else (kernel,)

    def untrained(self) -> Self:
        return self if self.learned == "none" else replace(self, factor=0.0)


@dataclass(frozen=True, slots=True)
class Subsample(_Base):
    """Keeps every `stride`-th row and column, from the first on."""

    family: ClassVar[Family] = "other"
    stride: Pair

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        return (*windows((height, width), (1, 1), self.stride, "valid"), channels)


@dataclass(frozen=True, slots=True)
class Upsample(_Base):
    """Makes images `factor` times as large; `bilinear` takes pixels by their middle, as PyTorch does by default."""

    family: ClassVar[Family] = "other"
    factor: Pair
    method: Method

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        return (height * self.factor[0], width * self.factor[1], channels)


@dataclass(frozen=True, slots=True)
class Pad(_Base):
    """Puts rows and columns around the image: zeros, its mirror without the border itself, or its border again."""

    family: ClassVar[Family] = "other"
    amount: Pads
    mode: PadMode = "zeros"

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        if self.mode == "reflect":
            for size, amounts in zip((height, width), self.amount, strict=True):
                if max(amounts) >= size:
                    raise ShapeError(f"to reflect {max(amounts)} needs more than {size} to be there")
        return (height + sum(self.amount[0]), width + sum(self.amount[1]), channels)

    def mirrored(self) -> Iterator[Pads]:
        """Amounts to mirror, the border included, one after the other, until the border fills all that is added.

        Before each there is one row more than was added so far that is the border, so that amounts double.
        """
        done = 0
        while (most := max(map(max, self.amount))) > done:
            step = min(done + 1, most - done)
            (top, bottom), (left, right) = (
                (min(step, max(before - done, 0)), min(step, max(after - done, 0))) for before, after in self.amount
            )
            yield ((top, bottom), (left, right))
            done += step


@dataclass(frozen=True, slots=True)
class PadChannels(_Base):
    """Zero channels after the ones that arrive, until there are `channels`."""

    family: ClassVar[Family] = "other"
    channels: int

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        if channels > self.channels:
            raise ShapeError(f"{channels} channels arrive, more than the {self.channels} to pad to")
        return (height, width, self.channels)


@dataclass(frozen=True, slots=True)
class SliceChannels(_Base):
    """The channels from `start` on, up to `stop` without it."""

    family: ClassVar[Family] = "other"
    start: int
    stop: int

    def output_shape(self, *inputs: Shape) -> Shape:
        if self.stop > (channels := inputs[0][-1]):
            last = {"start": self.start, "stop": channels} if self.start < channels else {"stop": channels}
            hint = f"such as slice_channels: {{{', '.join(f'{key}: {value}' for key, value in last.items())}}}"
            raise ShapeError(f"{channels} channels arrive, fewer than the {self.stop} to stop before", hint)
        return (*inputs[0][:-1], self.stop - self.start)


@dataclass(frozen=True, slots=True)
class ShuffleChannels(_Base):
    """The first channel of each group, then the second of each, and so on (arXiv:1707.01083)."""

    family: ClassVar[Family] = "other"
    groups: int

    def output_shape(self, *inputs: Shape) -> Shape:
        require_groups(inputs[0][-1], self.groups)
        return inputs[0]


@dataclass(frozen=True, slots=True)
class LocalResponseNorm(_Base):
    """`x / (bias + alpha / size * sum of squares over size channels) ** beta`, as in Caffe and PyTorch.

    Krizhevsky et al. 2012, section 3.3, does not divide by the size.
    """

    family: ClassVar[Family] = "norm"
    size: int
    alpha: float
    beta: float
    bias: float

    def output_shape(self, *inputs: Shape) -> Shape:
        return spatial(inputs[0])


@dataclass(frozen=True, slots=True)
class _Merge(_Base):
    """Several paths from one point, brought together again."""

    rule: ClassVar[str]
    """Which shapes fit."""
    paths: tuple[str, ...]
    """The name of the path behind each input."""

    def output_shape(self, *inputs: Shape) -> Shape:
        if not self.fit(*inputs):
            raise ShapeError(describe(self.paths, inputs), self.rule)
        return inputs[0]

    def fit(self, *inputs: Shape) -> bool:
        return len(set(inputs)) == 1


@dataclass(frozen=True, slots=True)
class Add(_Merge):
    """The sum of all paths."""

    family: ClassVar[Family] = "merge"
    rule: ClassVar[str] = "what is added has one shape: a 1x1 conv changes channels, a stride or an upsample the size"


@dataclass(frozen=True, slots=True)
class Multiply(_Merge):
    """The product of all paths.

    A path of shape `(C,)` or `(1, 1, C)` weighs the channels of the first, one of `(H, W, 1)` its places.
    """

    family: ClassVar[Family] = "merge"
    rule: ClassVar[str] = (
        "the first path has the shape of the result; others have that, too, or one number a channel, or one channel"
    )

    def fit(self, *inputs: Shape) -> bool:
        return all(weighs(shape, inputs[0]) for shape in inputs)


@dataclass(frozen=True, slots=True)
class Concat(_Merge):
    """The channels of all paths, one path after the other."""

    family: ClassVar[Family] = "merge"
    rule: ClassVar[str] = "all paths have one height and width: a stride or an upsample changes them"

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*_Merge.output_shape(self, *inputs)[:-1], sum(shape[-1] for shape in inputs))

    def fit(self, *inputs: Shape) -> bool:
        return len({shape[:-1] for shape in inputs}) == 1


@dataclass(frozen=True, slots=True)
class Gate(_Merge):
    """`gate * transform + (1 - gate) * carry`: inputs in the order transform, carry, gate (arXiv:1505.00387, eq. 3).

    A gate of shape `(C,)` or `(1, 1, C)` is one for each channel, one of `(H, W, 1)` for each place.
    """

    family: ClassVar[Family] = "merge"
    rule: ClassVar[str] = (
        "transform and carry have one shape; the gate has that, too, or one number a channel, or one channel"
    )

    def fit(self, *inputs: Shape) -> bool:
        transform, carry, gate = inputs
        return transform == carry and weighs(gate, transform)


Windowed = Conv | MaxPool | AveragePool
"""Ops that look at the image through windows of a size, a stride and a padding."""
Pooling = MaxPool | AveragePool | GlobalAveragePool | GlobalMaxPool | ChannelPool
"""Ops that bring many values together in one."""
Moving = Flatten | Subsample | Upsample | Pad | PadChannels | SliceChannels | ShuffleChannels
"""Ops that leave values out, put them elsewhere or repeat them."""
Plain = Activation | LeakyRelu | Pooling | Moving | LocalResponseNorm
"""Ops of one input that hold no weights and do the same while training."""
Weighted = Conv | ConvTranspose | ChannelConv | Norm | Dense | Scale | Prelu
"""Ops that hold weights; a scale only where it is learned."""
Dropping = Dropout | StochasticDepth
"""Ops that drop something while training, as often as their `rate` says."""
Commutative = Add | Multiply
"""Merges whose paths may come in any order."""
Merge = Commutative | Concat | Gate
Op = Input | Plain | Weighted | Dropping | Merge


def spatial(shape: Shape) -> tuple[int, int, int]:
    """The shape of an image; raises ShapeError for a vector."""
    if len(shape) != 3:
        raise ShapeError(f"needs height, width and channels, but {show(shape)} arrives")
    return (shape[0], shape[1], shape[2])


def weighs(factor: Shape, shape: Shape) -> bool:
    """Whether what has the shape of a factor may weigh an image or a vector: all of it, its channels or its places."""
    *size, channels = shape
    return factor in (shape, (channels,), (1, 1, channels), (*size, 1))


def show(shape: Shape) -> str:
    """`32x32x3`, the way papers write it."""
    return "x".join(map(str, shape))


def show_pads(amount: Pads) -> str:
    """`3` where all sides are alike, else rows before and after, columns before and after."""
    sides = [*amount[0], *amount[1]]
    return str(sides[0]) if len(set(sides)) == 1 else " ".join(map(str, sides))


def require_groups(channels: int, groups: int) -> None:
    """Raises ShapeError, with groups that would do, where channels do not divide into so many groups."""
    if channels % groups:
        small = [number for number in range(1, isqrt(channels) + 1) if channels % number == 0]
        fitting = {*small, *(channels // number for number in small)}
        nearest = sorted(sorted(fitting, key=lambda number: abs(number - groups))[:_MOST_GROUPS])
        hint = f"numbers of groups that do: {', '.join(map(str, nearest))}"
        raise ShapeError(f"{channels} channels do not divide into {groups} groups", hint)


def describe(paths: tuple[str, ...], inputs: tuple[Shape, ...]) -> str:
    return ", ".join(f"{path} {show(shape)}" for path, shape in zip(paths, inputs, strict=True))


def windows(size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)) -> Pair:
    """How many windows fit along height and width; raises ShapeError where none does."""
    pads = resolve_padding(size, kernel, stride, padding, dilation)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    rooms = [n + sum(pad) - span for n, pad, span in zip(size, pads, spans, strict=True)]
    if min(rooms) < 0:
        raise ShapeError(f"a window of {show((spans[0], spans[1]))} does not fit into {show(size)}")
    return (rooms[0] // stride[0] + 1, rooms[1] // stride[1] + 1)


def resolve_padding(size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)) -> Pads:
    """The rows and columns that a padding adds; `same` as TensorFlow does it, `symmetric` as PyTorch and Caffe do."""
    if isinstance(padding, tuple):
        return padding
    pads = [_pads_along(*axis, padding) for axis in zip(size, kernel, stride, dilation, strict=True)]
    return (pads[0], pads[1])


def _pads_along(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Pair:
    span = (kernel - 1) * dilation + 1
    match padding:
        case "valid":
            return (0, 0)
        case "symmetric":
            return ((span - 1) // 2, (span - 1) // 2)
        case _:
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
            return (total // 2, total - total // 2)


def gives_probabilities(op: Op) -> bool:
    """Whether an op at the end of a network makes logits into probabilities: of one class, or each by itself."""
    return probabilities(op) is not None


def probabilities(op: Op) -> Probabilities | None:
    """The function by which an op makes probabilities of logits; None where it does not."""
    match op:
        case Activation(function="softmax" | "sigmoid" as function):
            return function
        case _:
            return None
