"""The learning rates of a spec; what each comes to at an iteration stands in `archbuilder.schedule`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from archbuilder.spec.base import Fraction, Kind, Model, Positive, one_of
from archbuilder.spec.values import shown

Rate = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]
PositiveRate = Annotated[float, Field(strict=True, gt=0, le=1000, allow_inf_nan=False)]
Unit = Literal["iterations", "epochs", "fraction"]


def _problem(message: str, at: object = None) -> PydanticCustomError:
    """An error at the value, or at the key `at` of the mapping that it is."""
    return PydanticCustomError("bad-rate", "{message}", {"message": message} | ({} if at is None else {"at": at}))


class WarmUp(Model):
    """A factor on the first rates, which rises to 1; the schedule itself goes on underneath."""

    iterations: Positive | None = Field(None, description="How long it lasts.")
    epochs: Positive | None = Field(None, description="How long it lasts, in epochs.")
    initial: Fraction = Field(0.1, description="The factor on the very first rate.")
    shape: Literal["linear", "constant"] = Field("linear", description="linear rises to 1; constant stays, then jumps.")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.iterations is None) == (self.epochs is None):
            raise _problem("a warm-up lasts either iterations or epochs: one of them is expected")
        return self


class Schedule(Kind):
    """A learning rate with an optional warm-up."""

    warmup: WarmUp | None = Field(None, description="Smaller rates at the beginning.")


class Constant(Schedule):
    """The same rate in every iteration."""

    kind: Literal["constant"] = "constant"
    rate: PositiveRate = Field(description="The rate.")


def _drops(value: object) -> object:
    """Numbers as keys; a text that is a number counts as one, since that is how JSON writes keys."""
    if not isinstance(value, dict):
        raise _problem(f"a mapping from boundaries to rates is expected, not {shown(value)}")
    return {_boundary(key): rate for key, rate in value.items()}


def _boundary(key: object) -> int | float:
    try:
        number = float(key) if isinstance(key, str | int | float) and not isinstance(key, bool) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0 < number < 1e15:
        raise _problem(f"a boundary is a positive number, not '{key}'", at=key)
    return int(number) if number.is_integer() else number


class Steps(Schedule):
    """A rate that changes at boundaries.

    A boundary says how many iterations or epochs, or which share of the run, have been made before its rate acts for
    the first time. `81` in epochs therefore acts from the epoch that is number 81 counted from zero.
    """

    kind: Literal["steps"] = "steps"
    initial: PositiveRate = Field(description="The rate before the first boundary.")
    unit: Unit = Field("iterations", description="What boundaries count: iterations, epochs, or fraction of the run.")
    drops: Annotated[dict[int | float, Rate], BeforeValidator(_drops)] = Field(
        description="The rate from each boundary on; a boundary says how much of the run has been made before it."
    )

    @field_validator("drops")
    @classmethod
    def _boundaries_rise(cls, drops: dict[int | float, float], info: ValidationInfo) -> dict[int | float, float]:
        for before, after in pairwise(drops):
            if after <= before:
                raise _problem(f"boundaries rise, but {after} stands behind {before}", at=after)
        for boundary in drops:
            if info.data.get("unit") == "fraction" and boundary >= 1:
                raise _problem(f"a fraction of the run lies between 0 and 1, not at {boundary}", at=boundary)
            if info.data.get("unit") == "iterations" and isinstance(boundary, float):
                raise _problem(f"a number of iterations is whole, not {boundary}", at=boundary)
        return drops


class Linear(Schedule):
    """From one rate to another along a line, over the whole run."""

    kind: Literal["linear"] = "linear"
    initial: PositiveRate = Field(description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")


class Cosine(Schedule):
    """From one rate to another along half a cosine, over the whole run (arXiv:1608.03983, equation 5, no restarts)."""

    kind: Literal["cosine"] = "cosine"
    initial: PositiveRate = Field(description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")


class Polynomial(Schedule):
    """From one rate to another along a power of the share of the run that is left."""

    kind: Literal["polynomial"] = "polynomial"
    initial: PositiveRate = Field(description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")
    power: Annotated[float, Field(strict=True, gt=0, le=100)] = Field(2.0, description="The exponent.")


class OneCycle(Schedule):
    """Up to a peak and down again (arXiv:1708.07120), the momentum left as it is."""

    kind: Literal["one_cycle"] = "one_cycle"
    peak: PositiveRate = Field(description="The highest rate.")
    initial: Rate = Field(0.0, description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")
    rise: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        0.3, description="The share of the run up to the peak."
    )
    shape: Literal["linear", "cosine"] = Field("linear", description="How it goes up and down.")


class Plateau(Schedule):
    """A rate that falls whenever a value has not improved for some epochs."""

    kind: Literal["plateau"] = "plateau"
    initial: PositiveRate = Field(description="The rate at the beginning.")
    watch: Literal["validation_loss", "validation_accuracy"] = Field(
        "validation_loss", description="The value that is to improve."
    )
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(0.1, description="What the rate is multiplied by.")
    patience: Positive = Field(10, description="How many epochs without improvement make the rate fall.")
    cooldown: Annotated[int, Field(strict=True, ge=0, le=2**31)] = Field(
        0, description="How many epochs after a fall are not counted."
    )
    min_rate: Rate = Field(0.0, description="The rate does not fall below it.")
    min_change: Annotated[float, Field(strict=True, ge=0, le=1000)] = Field(
        1e-4, description="A smaller improvement does not count as one."
    )


AnySchedule = Constant | Steps | Linear | Cosine | Polynomial | OneCycle | Plateau
LearningRate = Annotated[AnySchedule, *one_of(AnySchedule, "learning rates").__metadata__]
