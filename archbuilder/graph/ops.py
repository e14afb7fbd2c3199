"""The ops of a network graph: a closed set, one frozen dataclass each.

An op knows the shape it returns, the weights it holds and the multiply-adds it costs, for one image and given
the shapes that arrive. Shapes are `(height, width, channels)` or `(features,)`.

Every op stands in one of the unions at the end. Whoever treats ops differently asks an op for what it says of itself,
or matches over a union and ends in `assert_never`, so that the type checker lists what a new op still needs. `family`
has no default: an op that does not say it is listed wherever it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
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
Family = Literal["conv", "dense", "norm", "activation", "pool", "merge", "other"]
"""What ops have in common for people: a colour in diagrams, a kind of layer in files, a word in a recipe's decay."""
MergeName = Literal["add", "concat", "multiply", "gate"]
"""The names of merges in the language."""
WeightKind = Literal["kernel", "bias", "scale", "shift", "moving_mean", "moving_variance"]
"""What a weight does in its op; the moving statistics are followed while training, not trained."""


class ShapeError(ValueError):
    """The shapes that arrive do not fit the op."""


@dataclass(frozen=True, slots=True)
class Normal:
    """Draws from the normal distribution around zero."""

    deviation: float

    def __str__(self) -> str:
        return f"normal of deviation {self.deviation:g}"


Initializer = NamedInitializer | Normal


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
class Norm(Elementwise):
    """Batch normalisation over all but the channels; `momentum` is the share of the old moving statistics kept."""

    family: ClassVar[Family] = "norm"
    momentum: float
    epsilon: float
    zero_scale: bool
    """Whether the scale starts at zero, so that a residual path starts as nothing."""
    frozen: bool = False
    """Whether the moving statistics stay as they are while training, and take the place of the batch's."""

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (inputs[0][-1],)
        moving = (Weight("moving_mean", "moving_mean", shape), Weight("moving_variance", "moving_variance", shape))
        return (Weight("gamma", "scale", shape), Weight("beta", "shift", shape), *moving)

    def untrained(self) -> Self:
        return replace(self, zero_scale=False)

    def frozen_statistics(self) -> Self:
        return replace(self, frozen=True)


@dataclass(frozen=True, slots=True)
class Activation(Elementwise):
    """An activation function, element by element (softmax: over the channels)."""

    family: ClassVar[Family] = "activation"
    function: Function


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
class GlobalAveragePool(_Base):
    """The mean over height and width `(H, W, C) -> (C,)`."""

    family: ClassVar[Family] = "pool"

    def output_shape(self, *inputs: Shape) -> Shape:
        return (spatial(inputs[0])[2],)


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
    """Multiplies by a constant."""

    family: ClassVar[Family] = "other"
    factor: float


@dataclass(frozen=True, slots=True)
class Subsample(_Base):
    """Keeps every `stride`-th row and column, from the first on."""

    family: ClassVar[Family] = "other"
    stride: Pair

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        return (*windows((height, width), (1, 1), self.stride, "valid"), channels)


@dataclass(frozen=True, slots=True)
class Pad(_Base):
    """Zeros around the image."""

    family: ClassVar[Family] = "other"
    amount: Pads

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = spatial(inputs[0])
        return (height + sum(self.amount[0]), width + sum(self.amount[1]), channels)


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

    paths: tuple[str, ...]
    """The name of the path behind each input."""

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) > 1:
            raise ShapeError(describe(self.paths, inputs))
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Add(_Merge):
    """The sum of all paths."""

    family: ClassVar[Family] = "merge"


@dataclass(frozen=True, slots=True)
class Multiply(_Merge):
    """The product of all paths; a path of shape `(C,)` or `(1, 1, C)` weighs the channels of the first."""

    family: ClassVar[Family] = "merge"

    def output_shape(self, *inputs: Shape) -> Shape:
        channels = inputs[0][-1]
        if any(shape not in (inputs[0], (channels,), (1, 1, channels)) for shape in inputs):
            raise ShapeError(describe(self.paths, inputs))
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Concat(_Merge):
    """The channels of all paths, one path after the other."""

    family: ClassVar[Family] = "merge"

    def output_shape(self, *inputs: Shape) -> Shape:
        if len({shape[:-1] for shape in inputs}) > 1:
            raise ShapeError(describe(self.paths, inputs))
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))


@dataclass(frozen=True, slots=True)
class Gate(_Merge):
    """`gate * transform + (1 - gate) * carry`: inputs in the order transform, carry, gate (arXiv:1505.00387, eq. 3)."""

    family: ClassVar[Family] = "merge"


Windowed = Conv | MaxPool | AveragePool
"""Ops that look at the image through windows of a size, a stride and a padding."""
Plain = (
    Activation | MaxPool | AveragePool | GlobalAveragePool | Flatten | Scale | Subsample | Pad | PadChannels
    | LocalResponseNorm
)  # fmt: skip
"""Ops of one input that hold no weights and do the same while training."""
Weighted = Conv | Norm | Dense
"""Ops that hold weights."""
Dropping = Dropout | StochasticDepth
"""Ops that drop something while training, as often as their `rate` says."""
Merge = Add | Multiply | Concat | Gate
Op = Input | Plain | Weighted | Dropping | Merge


def spatial(shape: Shape) -> tuple[int, int, int]:
    """The shape of an image; raises ShapeError for a vector."""
    if len(shape) != 3:
        raise ShapeError(f"needs height, width and channels, but {show(shape)} arrives")
    return (shape[0], shape[1], shape[2])


def show(shape: Shape) -> str:
    """`32x32x3`, the way papers write it."""
    return "x".join(map(str, shape))


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
