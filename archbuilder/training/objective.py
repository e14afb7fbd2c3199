"""What a network learns: the labels of images as rows of numbers, and what an image counts by its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

import numpy as np

from archbuilder.aliases import Array
from archbuilder.data.dataset import Labels
from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, Loss, MeanSquaredError
from archbuilder.spec.training import Training

IMBALANCED = 3
"""How many times the images of the smallest class the largest has, where that is told."""
Metric = Literal["accuracy", "mae"]
"""What is measured beside the loss: the share of right answers, or the mean absolute error of numbers."""


@dataclass(frozen=True)
class Scaling:
    """What makes numbers standardised: their means come off, and what is left is divided by their deviations."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, numbers: Labels) -> Scaling:
        """That of the numbers (n, k) of a training set; numbers that are all alike keep their size."""
        exact = numbers.astype(np.float64)
        deviation = exact.std(axis=0)
        return cls(tuple(exact.mean(axis=0).tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist()))

    def done(self, numbers: Array) -> Array:
        """(n, k) float32 numbers, standardised."""
        scaled: Array = ((numbers.astype(np.float64) - self.mean) / self.deviation).astype(np.float32)
        return scaled

    def undone(self, scaled: Array) -> Array:
        """Standardised numbers as they were."""
        numbers: Array = (scaled.astype(np.float64) * self.deviation + self.mean).astype(np.float32)
        return numbers


@dataclass(frozen=True)
class Objective:
    """A loss, beside what the data says of it."""

    loss: Loss = field(default_factory=CrossEntropy)
    scaling: Scaling | None = None
    """That of numbers."""
    class_weights: tuple[float, ...] = ()
    """What the loss of an image of each class is multiplied by; none where all count alike."""

    @classmethod
    def of(cls, training: Training, train: Labels, classes: Sequence[str]) -> Objective:
        """The objective of a recipe on the labels of the images to learn from."""
        scaling = Scaling.of(train) if training.is_regression else None
        return cls(training.loss, scaling, weights_of(training.class_weights, train, classes))

    @property
    def metric(self) -> Metric:
        match self.loss:
            case CrossEntropy() | BinaryCrossEntropy():
                return "accuracy"
            case MeanSquaredError() | Huber():
                return "mae"
            case _:
                assert_never(self.loss)

    @property
    def deviations(self) -> Array:
        """What an error in standardised numbers is multiplied by, (k,)."""
        return np.array(self.scaling.deviation if self.scaling else [1.0], np.float32)

    def kept(self, labels: Labels, width: int) -> Array:
        """Labels as a step keeps them: classes (n,) int32 of which rows become one-hot, else the rows (n, width)."""
        if labels.ndim == 1:
            return labels if width > 1 else labels[:, None].astype(np.float32)
        return self.scaling.done(labels) if self.scaling else labels.astype(np.float32)

    def rows(self, labels: Labels, width: int) -> Array:
        """Labels as rows (n, width) that the loss compares with what the network returns."""
        kept = self.kept(labels, width)
        return np.eye(width, dtype=np.float32)[kept] if kept.ndim == 1 else kept

    def row_weights(self, width: int) -> tuple[Array, Array]:
        """`(base, slope)`: a row counts `base + row @ slope`, linear, so that mixed images count in between."""
        weights = np.array(self.class_weights, np.float32)
        if width == 1:
            return weights[:1], weights[1:] - weights[:1]
        return np.zeros(1, np.float32), weights


def weights_of(
    given: Literal["balanced"] | Mapping[str, float] | Sequence[float] | None, train: Labels, classes: Sequence[str]
) -> tuple[float, ...]:
    """The weight of each class; `balanced` is n / (k * n_c), of a class without images 0."""
    if given is None:
        return ()
    if given == "balanced":
        counts = np.bincount(train, minlength=len(classes))
        shares = np.where(counts > 0, len(train) / (len(classes) * np.maximum(counts, 1)), 0.0)
        return tuple(shares.tolist())
    if isinstance(given, Mapping):
        return tuple(given.get(name, 1.0) for name in classes)
    return tuple(float(weight) for weight in given)


def is_imbalanced(counts: Array) -> bool:
    """Whether one class has several times the images of another."""
    return bool(counts.max() >= IMBALANCED * counts.min())
