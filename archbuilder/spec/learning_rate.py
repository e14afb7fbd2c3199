"""The learning rates of a spec; what each comes to at an iteration stands in `archbuilder.learning_rate.schedules`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from archbuilder.spec.base import Fraction, Kind, Model, Positive, one_of
from archbuilder.spec.values import shown

Rate = Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)]
PositiveRate = Annotated[float, Field(strict=True, gt=0, le=1000, allow_inf_nan=False)]
Change = Annotated[float, Field(strict=True, ge=0, le=1000)]
Unit = Literal["iterations", "epochs", "fraction"]
Watched = Literal["validation_loss", "validation_accuracy", "validation_mae"]


def _problem(message: str, at: object = None) -> PydanticCustomError:
    """An error at the value, or at the key `at` of the mapping that it is."""
    return PydanticCustomError("bad-rate", "{message}", {"message": message} | ({} if at is None else {"at": at}))


class Until(Model):
    """The end of a warm-up that nobody knows beforehand."""

    training_error: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        description="It ends when the share of wrong answers, as the network gives them while training, is below this."
    )
    every: Positive = Field(100, description="Looked at every so many iterations, as the mean over these.")


class WarmUp(Model):
    """A factor on the first rates, which rises to 1; the schedule itself goes on underneath."""

    iterations: Positive | None = Field(None, description="How long it lasts.")
    epochs: Positive | None = Field(None, description="How long it lasts, in epochs.")
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = Field(
        None, description="How long it lasts, as a share of the run."
    )
    until: Until | None = Field(None, description="Until an error is reached, however long that takes.")
    initial: Fraction = Field(0.1, description="The factor on the very first rate.")
    shape: Literal["linear", "constant"] = Field("linear", description="linear rises to 1; constant stays, then jumps.")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if sum(one is not None for one in (self.iterations, self.epochs, self.fraction, self.until)) != 1:
            raise _problem("a warm-up lasts iterations, epochs, a fraction, or until an error: one of them is expected")
        if self.until and self.shape != "constant":
            raise _problem("until an error is reached, nobody knows how fast to rise: `shape: constant` is expected")
        return self


class PlateauRule(Model):
    """When a rate falls, and by how much: whenever a value has not improved for some epochs."""

    watch: Watched = Field("validation_loss", description="The value that is to improve.")
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(0.1, description="What the rate is multiplied by.")
    patience: Positive = Field(10, description="How many epochs without improvement make the rate fall.")
    cooldown: Annotated[int, Field(strict=True, ge=0, le=2**31)] = Field(
        0, description="How many epochs after a fall are not counted."
    )
    min_rate: Rate = Field(0.0, description="The rate does not fall below it.")
    min_change: Change = Field(1e-4, description="A smaller improvement does not count as one.")


class PlateauBeside(PlateauRule):
    """Plateau beside a fixed schedule. Both decide the rate, so the spec says how they combine."""

    combine: Literal["multiplied", "overruled"] = Field(
        description="multiplied: what plateau has come to multiplies the schedule's rate. overruled: the schedule sets "
        "the rate anew each epoch, as in Keras' CIFAR-10 example, so that plateau never acts."
    )

    @model_validator(mode="before")
    @classmethod
    def _combined(cls, data: object) -> object:
        if isinstance(data, dict) and "combine" not in data:
            raise _problem(
                "a fixed schedule and plateau would both decide the rate; say how they combine: `combine: multiplied`, "
                "or `combine: overruled`, as in Keras' CIFAR-10 example, where plateau never acts"
            )
        return data


class Schedule(Kind):
    """A learning rate with an optional warm-up."""

    warmup: WarmUp | None = Field(None, description="Smaller rates at the beginning.")


class Fixed(Schedule):
    """A learning rate that follows from the iteration."""

    plateau: PlateauBeside | None = Field(None, description="Falls of the rate besides, and how the two combine.")


class Constant(Fixed):
    """The same rate in every iteration."""

    kind: Literal["constant"] = "constant"
    rate: PositiveRate = Field(description="The rate.")


def _table(value: object) -> object:
    """Numbers as keys; a text that is a number counts as one, since that is how JSON writes keys."""
    if not isinstance(value, dict):
        raise _problem(f"a mapping from boundaries to rates is expected, not {shown(value)}")
    return {_boundary(key): rate for key, rate in value.items()}


def _boundary(key: object) -> int | float:
    try:
        number = float(key) if isinstance(key, str | int | float) and not isinstance(key, bool) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0 <= number < 1e15:
        raise _problem(f"a boundary is a positive number, not '{key}'", at=key)
    return int(number) if number.is_integer() else number


def _require_rising(table: dict[int | float, float], unit: Unit | None) -> None:
    for before, after in pairwise(table):
        if after <= before:
            raise _problem(f"boundaries rise, but {after} stands behind {before}", at=after)
    for boundary in table:
        if unit == "iterations" and isinstance(boundary, float):
            raise _problem(f"a number of iterations is whole, not {boundary}", at=boundary)


Table = Annotated[dict[int | float, Rate], BeforeValidator(_table)]


class Steps(Fixed):
    """A rate that changes at boundaries.

    A boundary says how many iterations or epochs, or which share of the run, have been made before its rate acts for
    the first time. `81` in epochs therefore acts from the epoch that is number 81 counted from zero.
    """

    kind: Literal["steps"] = "steps"
    initial: PositiveRate = Field(description="The rate before the first boundary.")
    unit: Unit = Field("iterations", description="What boundaries count: iterations, epochs, or fraction of the run.")
    drops: Table = Field(
        description="The rate from each boundary on; a boundary says how much of the run has been made before it."
    )

    @field_validator("drops")
    @classmethod
    def _boundaries_rise(cls, drops: dict[int | float, float], info: ValidationInfo) -> dict[int | float, float]:
        _require_rising(drops, info.data.get("unit"))
        for boundary in drops:
            if boundary == 0:
                raise _problem("a boundary is a positive number, not '0'", at=boundary)
            if info.data.get("unit") == "fraction" and boundary >= 1:
                raise _problem(f"a fraction of the run lies between 0 and 1, not at {boundary}", at=boundary)
        return drops


class Exponential(Fixed):
    """A rate that is multiplied by the same factor again and again, each time after the same number of epochs."""

    kind: Literal["exponential"] = "exponential"
    initial: PositiveRate = Field(description="The rate before it falls for the first time.")
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(description="What the rate is multiplied by.")
    every: Annotated[float, Field(strict=True, ge=1e-6, le=2**31)] = Field(description="How long it is between two.")
    unit: Unit = Field("epochs", description="What `every` counts: iterations, epochs, or fraction of the run.")


class Piecewise(Fixed):
    """A rate along straight lines between points; before the first and after the last it stays what it is there."""

    kind: Literal["piecewise"] = "piecewise"
    unit: Unit = Field("iterations", description="What points count: iterations, epochs, or fraction of the run.")
    points: Table = Field(description="The rate at each point; a point says how much of the run has been made before.")

    @field_validator("points")
    @classmethod
    def _points_rise(cls, points: dict[int | float, float], info: ValidationInfo) -> dict[int | float, float]:
        _require_rising(points, info.data.get("unit"))
        if len(points) < 2 or not any(points.values()):
            raise _problem("two points or more are expected, one of them above 0")
        if info.data.get("unit") == "fraction" and (last := [*points][-1]) > 1:
            raise _problem(f"a fraction of the run lies between 0 and 1, not at {last}", at=last)
        return points


class Linear(Fixed):
    """The rate goes from one value to another along a line, over the whole run."""

    kind: Literal["linear"] = "linear"
    initial: PositiveRate = Field(description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")


class Cosine(Fixed):
    """The rate goes from one value to another along half a cosine, over the whole run (arXiv:1608.03983, eq. 5)."""

    kind: Literal["cosine"] = "cosine"
    initial: PositiveRate = Field(description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")


class Polynomial(Fixed):
    """The rate goes from one value to another along a power of the share of the run that is left."""

    kind: Literal["polynomial"] = "polynomial"
    initial: PositiveRate = Field(description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")
    power: Annotated[float, Field(strict=True, gt=0, le=100)] = Field(2.0, description="The exponent.")


class OneCycle(Fixed):
    """Up to a peak and down again (arXiv:1708.07120), the momentum left as it is."""

    kind: Literal["one_cycle"] = "one_cycle"
    peak: PositiveRate = Field(description="The highest rate.")
    initial: Rate = Field(0.0, description="The rate of the first iteration.")
    final: Rate = Field(0.0, description="The rate that the end of the run comes to.")
    unit: Unit = Field("fraction", description="What `rise` counts: iterations, epochs, or fraction of the run.")
    rise: Annotated[float, Field(strict=True, gt=0, le=2**31)] = Field(0.3, description="How long it is to the peak.")
    shape: Literal["linear", "cosine"] = Field("linear", description="How it goes up and down.")

    @field_validator("rise")
    @classmethod
    def _rises_within_the_run(cls, rise: float, info: ValidationInfo) -> float:
        if info.data.get("unit") == "fraction" and rise >= 1:
            raise _problem(f"a fraction of the run lies between 0 and 1, not at {rise}")
        return rise


class Plateau(Schedule, PlateauRule):
    """A rate that falls whenever a value has not improved for some epochs."""

    kind: Literal["plateau"] = "plateau"
    initial: PositiveRate = Field(description="The rate at the beginning.")


AnySchedule = Constant | Steps | Exponential | Piecewise | Linear | Cosine | Polynomial | OneCycle | Plateau


def _one_schedule(value: object) -> object:
    if isinstance(value, dict) and len(value) > 1 and "plateau" in value:
        fixed = next(str(name) for name in value if name != "plateau")
        raise _problem(
            f"a fixed schedule and plateau would both decide the rate; to have both, `plateau` stands within `{fixed}` "
            "and says how they combine",
            at="plateau",
        )
    return value


LearningRate = Annotated[
    AnySchedule, *one_of(AnySchedule, "learning rates").__metadata__, BeforeValidator(_one_schedule)
]
