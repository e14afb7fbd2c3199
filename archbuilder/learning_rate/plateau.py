"""Reactions to the run itself: a rate that falls on a plateau, patience, and a warm-up until the error is low."""

from __future__ import annotations

import math
from collections.abc import Mapping

from archbuilder.spec import learning_rate as rates

State = Mapping[str, float | int | None]
"""The part of a checkpoint that holds one of these reactions."""


class Patience:
    """Counts the epochs since a value improved; one that is not a number never improves."""

    def __init__(self, watch: rates.Watched, min_change: float) -> None:
        self.watch, self.min_change = watch, min_change
        self.waited = 0
        self._best: float | None = None

    def note(self, value: float, counts: bool = True) -> None:
        """Takes note of the value of an epoch; one that does not count may improve, but is not waited for."""
        if self._improves(value):
            self._best, self.waited = value, 0
        elif counts:
            self.waited += 1

    def begin_anew(self) -> None:
        """Waits for an improvement on the best so far as if none had been waited for."""
        self.waited = 0

    def state(self) -> State:
        return {"best": self._best, "waited": self.waited}

    def restore(self, state: State) -> None:
        self._best, self.waited = state["best"], int(state["waited"] or 0)

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self._best is None:
            return True
        rises = self.watch == "validation_accuracy"
        return (value - self._best if rises else self._best - value) > self.min_change


class Plateau:
    """Falls of a rate, whenever the watched value has not improved for some epochs."""

    def __init__(self, spec: rates.PlateauRule) -> None:
        self.spec = spec
        self.watch: rates.Watched = spec.watch
        """The name of the value that `update` is to be given after each epoch."""
        self._factor = 1.0
        self._patience = Patience(spec.watch, spec.min_change)
        self._cooling = 0

    def lowered(self, rate: float) -> float:
        """The rate after the falls so far; one that is below `min_rate` stays."""
        return max(rate * self._factor, min(rate, self.spec.min_rate))

    def update(self, value: float) -> None:
        """Takes note of the watched value of an epoch."""
        self._patience.note(value, counts=not self._cooling)
        self._cooling = max(0, self._cooling - 1)
        if self._patience.waited >= self.spec.patience:
            self._factor *= self.spec.factor
            self._patience.waited, self._cooling = 0, self.spec.cooldown

    def state(self) -> State:
        """The values that a checkpoint has to hold."""
        return {**self._patience.state(), "factor": self._factor, "cooling": self._cooling}

    def restore(self, state: State) -> None:
        """Goes on from what `state` gave."""
        self._patience.restore(state)
        self._factor, self._cooling = float(state["factor"] or 0.0), int(state["cooling"] or 0)


class LowError:
    """Whether the training error has been low enough once, looked at every few iterations as the mean over these."""

    def __init__(self, spec: rates.Until) -> None:
        self.spec, self.reached = spec, False
        self._right = self._count = 0.0

    def is_due(self, iteration: int) -> bool:
        """Whether `look` is to be called after so many iterations."""
        return not self.reached and iteration % self.spec.every == 0

    def look(self, right: float, count: float) -> None:
        """Takes note of the right answers among the images since the epoch began."""
        error = 1 - (right - self._right) / (count - self._count)
        self.reached = error < self.spec.training_error
        self._right, self._count = right, count

    def end_epoch(self, right: float, count: float) -> None:
        """The two begin at zero again; what was not looked at yet is carried over."""
        self._right, self._count = self._right - right, self._count - count

    def state(self) -> State:
        """The values that a checkpoint has to hold."""
        return {"reached": self.reached, "right": self._right, "count": self._count}

    def restore(self, state: State) -> None:
        """Goes on from what `state` gave."""
        self.reached = bool(state["reached"])
        self._right, self._count = float(state["right"] or 0), float(state["count"] or 0)
