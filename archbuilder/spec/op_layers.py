"""The layers that become one op each, and the defaults that a network may give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from archbuilder.graph import ops
from archbuilder.spec.base import Kind, Model
from archbuilder.spec.values import (
    CountValue,
    FactorValue,
    FlagValue,
    InitializerValue,
    LearnedValue,
    MethodValue,
    NormKindValue,
    PaddingValue,
    PadModeValue,
    PadsValue,
    PairValue,
    PoolMethodValue,
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
    """What norms use where the layer itself does not say; what a kind of norm does not have, it takes no notice of."""

    over: NormKindValue = Field(
        "batch", description="batch, layer (the channels at each place), group (of channels), or instance."
    )
    groups: PositiveValue = Field(32, description="The groups of channels, over group.")
    momentum: ShareValue = Field(0.9, description="The share of the old moving statistics that is kept, over batch.")
    epsilon: WeightValue = Field(1e-5, description="Added to the variance.")
    scale: FlagValue = Field(True, description="Whether a scale (gamma) is learned for each channel.")
    zero_scale: FlagValue = Field(False, description="Whether the scale starts at zero.")


class DenseDefaults(Model):
    """What dense layers use where the layer itself does not say."""

    bias: FlagValue = Field(True, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at; -2 keeps a gate nearly shut.")


class Op(Kind):
    """A layer that becomes one op of the graph, field by field."""

    op: ClassVar[Callable[..., ops.Op]]
    short: ClassVar[str | None] = None
    """The setting that may stand right under the name: `pad: 1`."""

    def fields(self) -> dict[str, Any]:
        """The settings of the op, expressions unevaluated."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}

    @classmethod
    def _settings_schema(cls, schema: JsonSchemaValue) -> JsonSchemaValue:
        settings = super()._settings_schema(schema)
        if cls.short is None:
            return settings
        return {"description": settings["description"], "anyOf": [settings, settings["properties"][cls.short]],
                "required": settings["required"]}  # fmt: skip

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


class ConvTranspose(Op):
    """A transposed 2D convolution, which makes images `stride` times as large."""

    op: ClassVar = ops.ConvTranspose
    kind: Literal["conv_transpose"] = "conv_transpose"
    filters: PositiveValue = Field(description="Output channels.")
    kernel: PairValue = Field(description="Its size, or [height, width].")
    stride: PairValue = Field((1, 1), description="How many times as large images become, or [height, width].")
    padding: PaddingValue = Field("same", description="What is cut off: same, symmetric, valid (nothing), or amounts.")
    bias: FlagValue = Field(False, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at.")


class ChannelConv(Op):
    """A convolution along the channels of a pooled vector, as in efficient channel attention."""

    op: ClassVar = ops.ChannelConv
    kind: Literal["channel_conv"] = "channel_conv"
    kernel: PositiveValue = Field(description="How many neighbouring channels it sees.")
    bias: FlagValue = Field(False, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at.")


class Norm(NormDefaults, Op):
    """Normalisation over the batch, the channels at each place, groups of channels, or each channel of an image."""

    op: ClassVar = ops.Norm
    kind: Literal["norm"] = "norm"

    def fields(self) -> dict[str, Any]:
        """Without what its kind does not have: equal norms are equal ops, whatever the defaults say of others."""
        unused = {} if self.over == "batch" else {"momentum": 0.0}
        unscaled = {"zero_scale": False} if self.scale is False else {}
        return super().fields() | unused | unscaled | ({} if self.over == "group" else {"groups": 1})


class Activation(Op):
    """An activation function, by its own name."""

    op: ClassVar = ops.Activation
    kind: ops.Function

    def fields(self) -> dict[str, Any]:
        return {"function": self.kind}


class LeakyRelu(Op):
    """ReLU that lets some of what is negative pass."""

    op: ClassVar = ops.LeakyRelu
    kind: Literal["leaky_relu"] = "leaky_relu"
    slope: WeightValue = Field(0.01, description="What negative values are multiplied by.")


class Prelu(Op):
    """ReLU that learns how much of what is negative passes."""

    op: ClassVar = ops.Prelu
    kind: Literal["prelu"] = "prelu"
    slope: FactorValue = Field(0.25, description="What the slope of negative values starts at.")
    shared: FlagValue = Field(False, description="Whether all channels share one slope.")


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
    flat: FlagValue = Field(True, description="Whether a vector comes out; else an image of one place.")


class GlobalMaxPool(Op):
    """The maximum over height and width."""

    op: ClassVar = ops.GlobalMaxPool
    kind: Literal["global_max_pool"] = "global_max_pool"
    flat: FlagValue = Field(True, description="Whether a vector comes out; else an image of one place.")


class ChannelPool(Op):
    """The mean or the maximum over the channels, at each place."""

    op: ClassVar = ops.ChannelPool
    kind: Literal["channel_pool"] = "channel_pool"
    short: ClassVar = "method"
    method: PoolMethodValue = Field(description="average or max.")


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
    """Multiplies by a constant, or by learned numbers."""

    op: ClassVar = ops.Scale
    kind: Literal["scale"] = "scale"
    factor: FactorValue = Field(description="The constant, or what the learned numbers start at.")
    learned: LearnedValue = Field("none", description="none, channel (a number for each), or scalar (one for all).")
    bias: FlagValue = Field(False, description="Whether as many numbers are learned that are added.")

    @field_validator("bias")
    @classmethod
    def _of_a_learned_one(cls, bias: object, info: ValidationInfo) -> object:
        if bias is True and info.data.get("learned") == "none":
            context = {"message": "a constant scale has no bias", "hint": "such as learned: channel beside it"}
            raise PydanticCustomError("bad-value", "{message}", context)
        return bias


class Subsample(Op):
    """Keeps every stride-th row and column."""

    op: ClassVar = ops.Subsample
    kind: Literal["subsample"] = "subsample"
    stride: PairValue = Field(description="Its stride, or [height, width].")


class Upsample(Op):
    """Makes images larger."""

    op: ClassVar = ops.Upsample
    kind: Literal["upsample"] = "upsample"
    factor: PairValue = Field(description="How many times as large they become, or [height, width].")
    method: MethodValue = Field("nearest", description="nearest or bilinear.")


class Pad(Op):
    """Puts rows and columns around the image."""

    op: ClassVar = ops.Pad
    kind: Literal["pad"] = "pad"
    short: ClassVar = "amount"
    amount: PadsValue = Field(description="An amount, [rows, columns], or [[top, bottom], [left, right]].")
    mode: PadModeValue = Field(
        "zeros", description="zeros, reflect (the mirror of the image), or edge (its border again)."
    )


class PadChannels(Op):
    """Appends zero channels."""

    op: ClassVar = ops.PadChannels
    kind: Literal["pad_channels"] = "pad_channels"
    channels: PositiveValue = Field(description="How many channels there are afterwards.")


class SliceChannels(Op):
    """Some of the channels."""

    op: ClassVar = ops.SliceChannels
    kind: Literal["slice_channels"] = "slice_channels"
    start: CountValue = Field(0, description="The first one, counted from 0.")
    stop: PositiveValue = Field(description="The one behind the last.")

    @field_validator("stop")
    @classmethod
    def _behind_the_start(cls, stop: object, info: ValidationInfo) -> object:
        start = info.data.get("start")
        if isinstance(start, int) and isinstance(stop, int) and stop <= start:
            message = f"a stop behind the start is expected, not {stop} behind {start}"
            hint = "the stop itself is not taken: channels 0 to 15 are {start: 0, stop: 16}"
            raise PydanticCustomError("bad-value", "{message}", {"message": message, "hint": hint})
        return stop


class ShuffleChannels(Op):
    """Lets the channels of groups take turns."""

    op: ClassVar = ops.ShuffleChannels
    kind: Literal["shuffle_channels"] = "shuffle_channels"
    groups: PositiveValue = Field(description="How many groups there are.")


class LocalResponseNorm(Op):
    """Local response normalisation across channels (AlexNet)."""

    op: ClassVar = ops.LocalResponseNorm
    kind: Literal["local_response_norm"] = "local_response_norm"
    size: PositiveValue = Field(5, description="How many neighbouring channels are summed.")
    alpha: WeightValue = Field(1e-4, description="The weight of the mean square of those channels.")
    beta: WeightValue = Field(0.75, description="The exponent.")
    bias: WeightValue = Field(2.0, description="The constant k.")


OpLayer = (
    Conv | ConvTranspose | ChannelConv | Norm | Activation | LeakyRelu | Prelu | MaxPool | AveragePool
    | GlobalAveragePool | GlobalMaxPool | ChannelPool | Flatten | Dense | Dropout | StochasticDepth | Scale | Subsample
    | Upsample | Pad | PadChannels | SliceChannels | ShuffleChannels | LocalResponseNorm
)  # fmt: skip
OPS: tuple[type[Op], ...] = get_args(OpLayer)
OP_NAMES: tuple[str, ...] = tuple(name for one in OPS for name in get_args(one.model_fields["kind"].annotation))
SHORT: dict[str, str] = {one.model_fields["kind"].default: one.short for one in OPS if one.short}
"""The setting that may stand right under the name of a layer, by that name."""
