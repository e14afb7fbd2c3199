"""What the trainer knows of the engine that trains: the same face for TensorFlow and JAX."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

import keras
import numpy as np

from archbuilder.aliases import Array
from archbuilder.data.dataset import Pictures
from archbuilder.training.distribution import Distribution, portion
from archbuilder.training.evaluator import Evaluation, Evaluator
from archbuilder.training.feed import Feed
from archbuilder.training.step_settings import Totals


class Averages(Protocol):
    """Moving averages of the weights."""

    def begin(self) -> None:
        """Takes the weights as they are for their averages."""

    def in_place(self) -> AbstractContextManager[None]:
        """Within it, the model holds the averages."""


class Step(Protocol):
    """One update of the weights by a batch of training images."""

    @property
    def averages(self) -> Averages | None: ...

    @property
    def diverged(self) -> tuple[int, float] | None:
        """The first iteration, counted from zero, whose loss was not a finite number, and its learning rate."""

    def __call__(self, indices: Array, epoch: int, iteration: int, rate: float, *pixels: Array) -> None: ...

    def totals(self) -> Totals: ...

    def read(self) -> dict[str, float]: ...


class Learner(Protocol):
    """A network that learns: a stock Keras model, and what updates and evaluates it.

    Each engine says how its variables are made and kept; all else is common to both.
    """

    model: keras.Model
    step: Step
    evaluator: Evaluator
    feed: Feed
    distribution: Distribution

    def iterate(self, batch: Array, epoch: int, iteration: int, rate: float, *pixels: Array) -> None:
        """Learns from the training images at `batch` (n,), whose `pixels` (n, H, W, C) come along where streamed."""
        self.step(batch, epoch, iteration, rate, *pixels)

    def totals(self) -> Totals:
        """The sums since the last `read`."""
        return self.step.totals()

    def read(self) -> dict[str, float]:
        """The mean loss and the metric of the images since the last call."""
        return self.step.read()

    @property
    def diverged(self) -> tuple[int, float] | None:
        """The first iteration, counted from zero, whose loss was not a finite number, and its learning rate."""
        return self.step.diverged

    def evaluate(self, images: Pictures, quick: bool = False) -> Evaluation:
        """What it is worth on images, which processes share among them; `quick` takes one crop of each.

        The answers of several processes are those of the images of this one.
        """
        processes = self.processes
        start, end = portion(len(images), processes, self.distribution.process)
        part = images.take(np.arange(start, max(end, start + 1))) if processes > 1 else images
        found, count = self.evaluator(self.feed.pixels(part, quick), part.labels), end - start
        loss, score, total = self.sums(found.loss * count, found.score * count, count)
        return replace(found, loss=loss / total, score=score / total) if processes > 1 else found

    def averaged(self) -> AbstractContextManager[None]:
        """Within it, the model holds the averages of its weights, where the spec has some."""
        return self.step.averages.in_place() if self.step.averages else nullcontext()

    def begin_averages(self) -> None:
        """Takes the weights as they are for their averages, once weights were put into the model."""
        if self.step.averages:
            self.step.averages.begin()

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.distribution.processes

    def rows(self, count: int) -> slice:
        """The images of a batch of `count` that this process learns from."""
        return self.distribution.rows(count)

    def sums(self, *values: float) -> list[float]:
        """Sums over all processes, each of which has to ask for them."""
        return self.distribution.sums(*values)

    def arrays(self) -> dict[str, Array]:
        """All of its variables by name, for a checkpoint."""
        ...

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Sets all of its variables; raises ArchbuilderError where they are not the same ones."""
        ...
