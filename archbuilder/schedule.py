"""The learning rate of every iteration: pure functions of its number, which counts from zero, and plateau's state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from archbuilder.spec import learning_rate as rates


def schedule(spec: rates.LearningRate, iterations_per_epoch: int, iterations: int) -> Schedule:
    """The schedule of a run of so many iterations."""
    plateau = Plateau(spec) if isinstance(spec, rates.Plateau) else None
    return Schedule(spec, iterations_per_epoch, iterations, plateau)


@dataclass(frozen=True)
class Schedule:
    """What a learning rate of a spec comes to in a run; only plateau's rate depends on more than the iteration."""

    spec: rates.LearningRate
    iterations_per_epoch: int
    iterations: int
    plateau: Plateau | None = None

    def rate(self, iteration: int) -> float:
        """The rate of the update that is made after `iteration` others."""
        base = self.plateau.rate if self.plateau else self._base(iteration)
        return base * self._warm_up(iteration)

    def _base(self, iteration: int) -> float:
        spec, done = self.spec, iteration / self.iterations
        match spec:
            case rates.Constant():
                return spec.rate
            case rates.Steps():
                return self._step(spec, iteration)
            case rates.Linear():
                return _between(spec.initial, spec.final, done)
            case rates.Cosine():
                return _between(spec.initial, spec.final, _half_cosine(done))
            case rates.Polynomial():
                return _between(spec.final, spec.initial, max(0.0, 1 - done) ** spec.power)
            case rates.OneCycle():
                return _cycle(spec, done)
            case rates.Plateau():
                return spec.initial
            case _:
                assert_never(spec)

    def _step(self, spec: rates.Steps, iteration: int) -> float:
        passed = [rate for start, rate in self.boundaries(spec).items() if iteration >= start]
        return passed[-1] if passed else spec.initial

    def boundaries(self, spec: rates.Steps) -> dict[int, float]:
        """The first iteration of each rate after the initial one."""
        length = {"iterations": 1, "epochs": self.iterations_per_epoch, "fraction": self.iterations}[spec.unit]
        return {math.ceil(round(boundary * length, 6)): rate for boundary, rate in spec.drops.items()}

    def _warm_up(self, iteration: int) -> float:
        spec = self.spec.warmup
        if spec is None:
            return 1.0
        length = spec.iterations or (spec.epochs or 0) * self.iterations_per_epoch
        if iteration >= length:
            return 1.0
        return spec.initial if spec.shape == "constant" else _between(spec.initial, 1.0, iteration / length)


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * min(share, 1.0)


def _half_cosine(done: float) -> float:
    """0 to 1, slowly at both ends."""
    return (1 - math.cos(math.pi * min(done, 1.0))) / 2


def _cycle(spec: rates.OneCycle, done: float) -> float:
    rising = done < spec.rise
    share = done / spec.rise if rising else (done - spec.rise) / (1 - spec.rise)
    ends = (spec.initial, spec.peak) if rising else (spec.peak, spec.final)
    return _between(*ends, _half_cosine(share) if spec.shape == "cosine" else share)


class Plateau:
    """A rate that falls whenever the watched value has not improved for some epochs."""

    def __init__(self, spec: rates.Plateau) -> None:
        self.spec = spec
        self.rate: float = spec.initial
        self._best: float | None = None
        self._waited = self._cooling = 0

    @property
    def watch(self) -> str:
        """The name of the value that `update` is to be given after each epoch."""
        return self.spec.watch

    def update(self, value: float) -> None:
        """Takes note of the watched value of an epoch; one that is not a number is no improvement."""
        cooling, self._cooling = self._cooling > 0, max(0, self._cooling - 1)
        if self._improves(value):
            self._best, self._waited = value, 0
        elif not cooling:
            self._waited += 1
            if self._waited >= self.spec.patience:
                self._fall()

    def state(self) -> dict[str, float | int | None]:
        """What a checkpoint has to hold."""
        return {"rate": self.rate, "best": self._best, "waited": self._waited, "cooling": self._cooling}

    def restore(self, state: Mapping[str, float | int | None]) -> None:
        """Goes on from what `state` gave."""
        self.rate, self._best = float(state["rate"] or 0.0), state["best"]
        self._waited, self._cooling = int(state["waited"] or 0), int(state["cooling"] or 0)

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self._best is None:
            return True
        rises = self.watch == "validation_accuracy"
        return (value - self._best if rises else self._best - value) > self.spec.min_change

    def _fall(self) -> None:
        self.rate = max(self.rate * self.spec.factor, min(self.rate, self.spec.min_rate))
        self._waited, self._cooling = 0, self.spec.cooldown
