"""The normalisation of a training section: the change of pixels before a network sees them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archbuilder.spec.base import Fraction, Kind, one_of
from archbuilder.spec.short import Weight, checks, problem


class PixelMean(Kind):
    """The mean image of the training set comes off."""

    kind: Literal["pixel_mean"] = "pixel_mean"


class ChannelMean(Kind):
    """The mean of each channel over the training set comes off."""

    kind: Literal["channel_mean"] = "channel_mean"


class ChannelMeanStd(Kind):
    """The mean of each channel comes off, and what is left is divided by the channel's deviation."""

    kind: Literal["channel_mean_std"] = "channel_mean_std"


class Channels(Kind):
    """Fixed means of the channels come off, and what is left is divided by fixed deviations."""

    kind: Literal["channels"] = "channels"
    mean: tuple[Fraction, ...] = Field(description="Of each channel, in units of pixel/255.")
    deviation: tuple[Weight, ...] = Field(description="Of each channel, in units of pixel/255.")

    @model_validator(mode="after")
    def _of_the_same_channels(self) -> Self:
        if len(self.mean) != len(self.deviation):
            message = f"means are given for {len(self.mean)} channels, deviations for {len(self.deviation)}"
            raise problem(message, at="channels")
        return self


class Unchanged(Kind):
    """Nothing more is done."""

    kind: Literal["none"] = "none"


Normalisation = PixelMean | ChannelMean | ChannelMeanStd | Channels | Unchanged
AnyNormalisation = Annotated[Normalisation, *checks(one_of(Normalisation, "normalisations"))]
