"""Preprocessing: how images have to arrive for weights that other people trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from archbuilder.spec.base import Model
from archbuilder.spec.normalisation import Channels, Normalisation

Colours = Literal["rgb", "bgr"]
"""Whether the channel of red or that of blue stands first."""
Name = Literal["caffe", "tf", "torch"]


@dataclass(frozen=True)
class Preprocessing:
    """What a recipe has to say so that images arrive as some weights expect them."""

    colours: Colours
    normalise: Normalisation


PREPROCESSING: Mapping[Name, Preprocessing] = {
    "caffe": Preprocessing(
        "bgr", Channels(mean=(103.939 / 255, 116.779 / 255, 123.68 / 255), deviation=(1 / 255, 1 / 255, 1 / 255))
    ),
    "tf": Preprocessing("rgb", Channels(mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))),
    "torch": Preprocessing("rgb", Channels(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))),
}
"""By the names that `keras.applications.imagenet_utils.preprocess_input` has for them."""


class Weights(Model):
    """What is known of the weights that other people have for a network."""

    preprocessing: Name = Field(
        description="How they expect images: caffe (mean colour off, blue first), tf (-1 to 1), torch (by channel)."
    )
