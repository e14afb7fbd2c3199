"""The layers that become one op each, and the defaults that a network may give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, model_serializer

from archbuilder.graph import ops
from archbuilder.spec.base import Kind, Model
from archbuilder.spec.values import (
    FactorValue,
    FlagValue,
    InitializerValue,
    PaddingValue,
    PadsValue,
    PairValue,
    PositiveValue,
    RateValue,
    ShareValue,
    WeightValue,
    written,
)  # fmt: skip


class ConvDefaults(Model):
    """What convolutions use where the layer itself does not say."""

    padding: PaddingValue = Field(
        "same", description="same (as TensorFlow), symmetric (as PyTorch), valid, or amounts."
    )
    bias: FlagValue = Field(False, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at; -2 keeps a gate nearly shut.")


class NormDefaults(Model):
    """What batch norms use where the layer itself does not say."""

    momentum: ShareValue = Field(0.9, description="The share of the old moving statistics that is kept.")
    epsilon: WeightValue = Field(1e-5, description="Added to the variance.")
    zero_scale: FlagValue = Field(False, description="Whether the scale (gamma) starts at zero.")


class DenseDefaults(Model):
    """What dense layers use where the layer itself does not say."""

    bias: FlagValue = Field(True, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at; -2 keeps a gate nearly shut.")


class Op(Kind):
    """A layer that becomes one op of the graph, field by field."""

    op: ClassVar[Callable[..., ops.Op]]

    def fields(self) -> dict[str, Any]:
        """The settings of the op, expressions unevaluated."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}

    @model_serializer
    def _what_it_says(self) -> Any:
        """The settings that the layer itself gives, so that the defaults of the network still decide the rest."""
        said = {name: written(getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set}
        said.pop("kind", None)
        return {self.kind: said} if said else self.kind


class Conv(ConvDefaults, Op):
    """A 2D convolution."""

    op: ClassVar = ops.Conv
    kind: Literal["conv"] = "conv"
    filters: PositiveValue = Field(description="Output channels.")
    kernel: PairValue = Field(description="Its size, or [height, width].")
    stride: PairValue = Field((1, 1), description="Its stride, or [height, width].")
    dilation: PairValue = Field((1, 1), description="The spacing of its taps.")
    groups: PositiveValue = Field(1, description="Groups of channels that do not see each other.")


class Norm(NormDefaults, Op):
    """Batch normalisation."""

    op: ClassVar = ops.Norm
    kind: Literal["norm"] = "norm"


class Activation(Op):
    """An activation function, by its own name."""

    op: ClassVar = ops.Activation
    kind: ops.Function

    def fields(self) -> dict[str, Any]:
        return {"function": self.kind}


class MaxPool(Op):
    """The maximum of each window."""

    op: ClassVar = ops.MaxPool
    kind: Literal["max_pool"] = "max_pool"
    size: PairValue = Field(description="The window, or [height, width].")
    stride: PairValue = Field(description="Its stride, or [height, width].")
    padding: PaddingValue = Field("valid", description="same, symmetric, valid, or amounts.")


class AveragePool(Op):
    """The mean of each window."""

    op: ClassVar = ops.AveragePool
    kind: Literal["average_pool"] = "average_pool"
    size: PairValue = Field(description="The window, or [height, width].")
    stride: PairValue = Field(description="Its stride, or [height, width].")
    padding: PaddingValue = Field("valid", description="same, symmetric, valid, or amounts.")


class GlobalAveragePool(Op):
    """The mean over height and width."""

    op: ClassVar = ops.GlobalAveragePool
    kind: Literal["global_average_pool"] = "global_average_pool"


class Flatten(Op):
    """An image as one vector."""

    op: ClassVar = ops.Flatten
    kind: Literal["flatten"] = "flatten"


class Dense(DenseDefaults, Op):
    """A fully connected layer."""

    op: ClassVar = ops.Dense
    kind: Literal["dense"] = "dense"
    units: PositiveValue = Field(description="Output features.")


class Dropout(Op):
    """Drops single values while training."""

    op: ClassVar = ops.Dropout
    kind: Literal["dropout"] = "dropout"
    rate: RateValue = Field(description="The share that is dropped.")


class StochasticDepth(Op):
    """Drops the whole path for an image while training."""

    op: ClassVar = ops.StochasticDepth
    kind: Literal["stochastic_depth"] = "stochastic_depth"
    rate: RateValue = Field(description="The share of images that it is dropped for.")


class Scale(Op):
    """Multiplies by a constant."""

    op: ClassVar = ops.Scale
    kind: Literal["scale"] = "scale"
    factor: FactorValue = Field(description="The constant.")


class Subsample(Op):
    """Keeps every stride-th row and column."""

    op: ClassVar = ops.Subsample
    kind: Literal["subsample"] = "subsample"
    stride: PairValue = Field(description="Its stride, or [height, width].")


class Pad(Op):
    """Puts zeros around the image."""

    op: ClassVar = ops.Pad
    kind: Literal["pad"] = "pad"
    amount: PadsValue = Field(description="An amount, [rows, columns], or [[top, bottom], [left, right]].")


class PadChannels(Op):
    """Appends zero channels."""

    op: ClassVar = ops.PadChannels
    kind: Literal["pad_channels"] = "pad_channels"
    channels: PositiveValue = Field(description="How many channels there are afterwards.")


class LocalResponseNorm(Op):
    """Local response normalisation across channels (AlexNet)."""

    op: ClassVar = ops.LocalResponseNorm
    kind: Literal["local_response_norm"] = "local_response_norm"
    size: PositiveValue = Field(5, description="How many neighbouring channels are summed.")
    alpha: WeightValue = Field(1e-4, description="The weight of the mean square of those channels.")
    beta: WeightValue = Field(0.75, description="The exponent.")
    bias: WeightValue = Field(2.0, description="The constant k.")


OpLayer = (
    Conv | Norm | Activation | MaxPool | AveragePool | GlobalAveragePool | Flatten | Dense | Dropout | StochasticDepth
    | Scale | Subsample | Pad | PadChannels | LocalResponseNorm
)  # fmt: skip
OPS: tuple[type[Op], ...] = get_args(OpLayer)
OP_NAMES: tuple[str, ...] = tuple(name for one in OPS for name in get_args(one.model_fields["kind"].annotation))
