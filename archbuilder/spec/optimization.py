"""The loss, optimizer and weight decay of a training section."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from archbuilder.spec.base import Flag, Kind, Model
from archbuilder.spec.short import Factor, Weight, problem


class CrossEntropy(Kind):
    """The cross-entropy of the softmax with the labels: one class an image."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Factor = Field(0.0, description="The share of each label that is spread over all classes.")


class BinaryCrossEntropy(Kind):
    """The cross-entropy of each unit's sigmoid with its label, 0 or 1: one unit for two classes, or several labels."""

    kind: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    label_smoothing: Factor = Field(0.0, description="How far each label is drawn from 0 and 1 to one half.")


class MeanSquaredError(Kind):
    """The mean of the squared errors of standardised numbers."""

    kind: Literal["mean_squared_error"] = "mean_squared_error"


class Huber(Kind):
    """Half of the squared error of standardised numbers, and a line beyond `delta`: outliers weigh less."""

    kind: Literal["huber"] = "huber"
    delta: Weight = Field(1.0, description="The error from which on it grows in a line, in deviations of the numbers.")


Loss = CrossEntropy | BinaryCrossEntropy | MeanSquaredError | Huber


class Sgd(Kind):
    """Stochastic gradient descent, with the rate inside the velocity (`v = momentum * v - rate * gradient`)."""

    kind: Literal["sgd"] = "sgd"
    momentum: Factor = Field(0.9, description="The share of the velocity that is kept.")
    nesterov: Flag = Field(False, description="Whether the gradient is taken ahead of the velocity.")


class Adam(Kind):
    """Adam (arXiv:1412.6980), with Keras' defaults."""

    kind: Literal["adam"] = "adam"
    beta_1: Factor = Field(0.9, description="The share of the old mean of the gradients that is kept.")
    beta_2: Factor = Field(0.999, description="The share of the old mean of their squares that is kept.")
    epsilon: Weight = Field(1e-7, description="Added to the root of the mean square.")


class AdamW(Adam):
    """Adam with decoupled weight decay (arXiv:1711.05101), whose amount stands in `weight_decay`."""

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]


class RmsProp(Kind):
    """RMSProp as in Keras and TensorFlow, with epsilon under the root, and the rate inside the velocity."""

    kind: Literal["rmsprop"] = "rmsprop"
    decay: Factor = Field(0.9, description="The share of the old mean of the squared gradients that is kept.")
    momentum: Factor = Field(0.0, description="The share of the velocity that is kept.")
    epsilon: Weight = Field(1e-7, description="Added to the mean square.")


Optimizer = Sgd | Adam | AdamW | RmsProp
Weighted = Literal["conv", "dense", "norm", "bias"]


class WeightDecay(Model):
    """Pulls weights to zero; either coupled, `x * w` in the gradient, or decoupled, `w -= rate * x * w`."""

    coupled: Weight | None = Field(None, description="As the papers and PyTorch: adds it times w to the gradient.")
    decoupled: Weight | None = Field(None, description="As AdamW and SGDW: takes rate times it times w off w.")
    kinds: tuple[Weighted, ...] = Field(
        ("conv", "dense"), description="Kernels of conv and dense layers, norm (scale and shift), bias."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.coupled is None) == (self.decoupled is None):
            raise problem("weight decay is either coupled or decoupled: one of them is expected")
        return self

    @field_validator("kinds")
    @classmethod
    def _at_least_one(cls, kinds: tuple[Weighted, ...]) -> tuple[Weighted, ...]:
        if not kinds:
            raise problem("at least one of conv, dense, norm, bias is expected")
        return kinds


class Clip(Model):
    """Makes large gradients small, before coupled weight decay is added to them."""

    norm: Weight | None = Field(None, description="All gradients shrink alike until their common norm is at most this.")
    value: Weight | None = Field(None, description="Each number of a gradient is cut to between minus this and this.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.norm is None) == (self.value is None):
            raise problem("gradients are clipped either by their norm or by value: one of them is expected")
        return self


class MovingAverage(Model):
    """Averages of the weights over the last iterations, which are measured and kept in place of the weights."""

    decay: Factor = Field(
        0.999, description="The share of the old average that is kept; after n iterations at most (1 + n) / (10 + n)."
    )
