"""The learning rate of every iteration: functions of its number, which counts from zero, and of what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

from archbuilder.learning_rate.plateau import LowError, Plateau
from archbuilder.spec import learning_rate as rates
from archbuilder.spec.training import Stop


@dataclass(frozen=True)
class Length:
    """The length of a run; the last iteration of an epoch may have fewer images, the last epoch fewer iterations."""

    iterations_per_epoch: int
    iterations: int

    @classmethod
    def of(cls, stop: Stop, batch_size: int, images: int) -> Length:
        """The length of a run over so many training images."""
        per_epoch = math.ceil(images / batch_size)
        return cls(per_epoch, stop.iterations or (stop.epochs or 0) * per_epoch)

    @property
    def epochs(self) -> int:
        return math.ceil(self.iterations / self.iterations_per_epoch)


def schedule(spec: rates.LearningRate, iterations_per_epoch: int, iterations: int) -> Schedule:
    """The schedule of a run of so many iterations."""
    until = spec.warmup.until if spec.warmup else None
    return Schedule(spec, iterations_per_epoch, iterations, _plateau(spec), LowError(until) if until else None)


def _plateau(spec: rates.LearningRate) -> Plateau | None:
    if isinstance(spec, rates.Plateau):
        return Plateau(spec)
    acts = spec.plateau is not None and spec.plateau.combine == "multiplied"
    return Plateau(spec.plateau) if acts and spec.plateau else None


def spans_the_run(spec: rates.LearningRate) -> bool:
    """Whether its boundaries move with the length of the run."""
    if isinstance(spec, rates.Steps | rates.Exponential | rates.Piecewise):
        return spec.unit == "fraction"
    return isinstance(spec, rates.Linear | rates.Cosine | rates.Polynomial | rates.OneCycle)


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each iteration of a run; a plateau and a low error may change it on the way."""

    spec: rates.LearningRate
    iterations_per_epoch: int
    iterations: int
    plateau: Plateau | None = None
    low_error: LowError | None = None
    """The error that ends the warm-up, if one does."""

    def rate(self, iteration: int) -> float:
        """The rate of the update that is made after `iteration` others."""
        base = self._base(iteration)
        return (self.plateau.lowered(base) if self.plateau else base) * self._warm_up(iteration)

    def reach(self, length: float, unit: rates.Unit) -> float:
        """A number of iterations, epochs or shares of the run, in iterations."""
        return length * {"iterations": 1, "epochs": self.iterations_per_epoch, "fraction": self.iterations}[unit]

    def first(self, boundary: float, unit: rates.Unit) -> int:
        """The first iteration that has so much of the run before it."""
        return math.ceil(round(self.reach(boundary, unit), 6))

    @property
    def warm_up_ends(self) -> int:
        """The first iteration after a warm-up of known length."""
        spec = self.spec.warmup
        if spec is None:
            return 0
        return (
            self.first(spec.fraction, "fraction")
            if spec.fraction
            else (spec.iterations or (spec.epochs or 0) * self.iterations_per_epoch)
        )

    def _base(self, iteration: int) -> float:
        spec, done = self.spec, iteration / self.iterations
        match spec:
            case rates.Constant():
                return spec.rate
            case rates.Steps():
                return self._step(spec, iteration)
            case rates.Exponential():
                return spec.initial * spec.factor ** self._falls(spec, iteration)
            case rates.Piecewise():
                return self._on_lines(spec, iteration)
            case rates.Linear():
                return _between(spec.initial, spec.final, done)
            case rates.Cosine():
                return _between(spec.initial, spec.final, _half_cosine(done))
            case rates.Polynomial():
                return _between(spec.final, spec.initial, max(0.0, 1 - done) ** spec.power)
            case rates.OneCycle():
                return _cycle(spec, done, self.reach(spec.rise, spec.unit) / self.iterations)
            case rates.Plateau():
                return spec.initial
            case _:
                assert_never(spec)

    def _step(self, spec: rates.Steps, iteration: int) -> float:
        passed = [rate for start, rate in spec.drops.items() if iteration >= self.first(start, spec.unit)]
        return passed[-1] if passed else spec.initial

    def _falls(self, spec: rates.Exponential, iteration: int) -> int:
        """How often the rate has fallen, each time with the iteration that `first` gives, which rounds to 1e-6."""
        return math.floor((iteration + 5e-7) / self.reach(spec.every, spec.unit))

    def _on_lines(self, spec: rates.Piecewise, iteration: int) -> float:
        points = [(self.reach(point, spec.unit), rate) for point, rate in spec.points.items()]
        for (start, before), (end, after) in pairwise(points):
            if iteration < end:
                return _between(before, after, max(0.0, iteration - start) / (end - start))
        return points[-1][1]

    def _warm_up(self, iteration: int) -> float:
        spec = self.spec.warmup
        if spec is None:
            return 1.0
        if self.low_error:
            return 1.0 if self.low_error.reached else spec.initial
        if iteration >= self.warm_up_ends:
            return 1.0
        return spec.initial if spec.shape == "constant" else _between(spec.initial, 1.0, iteration / self.warm_up_ends)


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * min(share, 1.0)


def _half_cosine(done: float) -> float:
    """0 to 1, slowly at both ends."""
    return (1 - math.cos(math.pi * min(done, 1.0))) / 2


def _cycle(spec: rates.OneCycle, done: float, rise: float) -> float:
    rising = done < rise
    share = done / rise if rising else (done - rise) / max(1 - rise, 1e-9)
    ends = (spec.initial, spec.peak) if rising else (spec.peak, spec.final)
    return _between(*ends, _half_cosine(share) if spec.shape == "cosine" else share)
