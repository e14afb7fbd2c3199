"""What a network is worth on images, batch by batch, whatever computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, assert_never

import numpy as np
from keras import ops

from archbuilder.aliases import Array, Tensor
from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError
from archbuilder.training.losses import losses_of, scores_of, sums
from archbuilder.training.objective import Objective

LogitsOf = Callable[[Array], Tensor]
"""Pixels (n, H, W, C), uint8 -> what enters the last softmax or sigmoid (n, k), float32."""
BATCH_SIZE = 256


class Streamed(Protocol):
    """Images that are made while they are read."""

    def batches(self, size: int) -> Iterable[Array]:
        """About `size` images at a time, (n, H, W, C) or, in several crops, (n, crops, H, W, C), uint8."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What a network is worth on some images."""

    loss: float
    """The mean of the loss, without smoothing and class weights."""
    score: float
    """The accuracy, or the mean absolute error of numbers."""
    answers: Array
    """A probability for each image and class or label, or numbers in their own units (n, k)."""


@dataclass(frozen=True)
class Evaluator:
    """Evaluates a network with its moving statistics."""

    logits_of: LogitsOf
    batch_size: int = BATCH_SIZE
    objective: Objective = field(default_factory=Objective)

    def __call__(self, pixels: Array | Streamed, labels: Array) -> Evaluation:
        """Loss, score and answers on pixels (n, H, W, C), uint8, and their labels (n,) or (n, k)."""
        return evaluated(self.objective, self.logits(pixels), labels)

    def answers(self, pixels: Array | Streamed) -> Array:
        """A probability for each image and class or label, or numbers in their own units (n, k)."""
        return _answers(self.objective, self.logits(pixels))

    def logits(self, pixels: Array | Streamed) -> Tensor:
        """What enters the last activation (n, k); for several crops, that of their mean answer."""
        if isinstance(pixels, np.ndarray):
            starts = range(0, len(pixels), self.batch_size)
            batches: Iterable[Array] = (pixels[start : start + self.batch_size] for start in starts)
        else:
            batches = pixels.batches(self.batch_size)
        return ops.concatenate([self._of_batch(batch) for batch in batches], 0)

    def _of_batch(self, pixels: Array) -> Tensor:
        logits = self.logits_of(pixels.reshape(-1, *pixels.shape[-3:]))
        if pixels.ndim == 4:
            return logits
        crops, count = (*pixels.shape[:2], -1), np.log(pixels.shape[1]).astype(np.float32)
        match self.objective.loss:
            case CrossEntropy():
                return ops.logsumexp(ops.reshape(ops.log_softmax(logits), crops), 1) - count
            case BinaryCrossEntropy():
                is_set, is_not = (
                    ops.logsumexp(ops.reshape(ops.log_sigmoid(some), crops), 1) for some in (logits, -logits)
                )
                return is_set - is_not
            case MeanSquaredError() | Huber():
                return ops.mean(ops.reshape(logits, crops), 1)
            case _:
                assert_never(self.objective.loss)


def evaluated(objective: Objective, logits: Tensor, labels: Array) -> Evaluation:
    """Loss, score and answers of what enters the last activation (n, k), on labels (n,) or (n, k)."""
    if isinstance(objective.loss, CrossEntropy):
        losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        scores = ops.equal(ops.argmax(logits, -1), ops.cast(labels, "int32"))
    else:
        rows = ops.convert_to_tensor(objective.rows(labels, logits.shape[-1]))
        losses = losses_of(objective, logits, rows, smooth=False)
        scores = scores_of(objective, logits, rows)
    loss, score, count = sums(losses, scores)
    return Evaluation(float(loss / count), float(score / count), _answers(objective, logits))


def _answers(objective: Objective, logits: Tensor) -> Array:
    match objective.loss:
        case CrossEntropy():
            answers: Array = ops.convert_to_numpy(ops.softmax(logits))
        case BinaryCrossEntropy():
            answers = ops.convert_to_numpy(ops.sigmoid(logits))
        case MeanSquaredError() | Huber():
            numbers = ops.convert_to_numpy(logits)
            answers = objective.scaling.undone(numbers) if objective.scaling else numbers
        case _:
            assert_never(objective.loss)
    return answers


def logits_from(objective: Objective, answers: Array) -> Tensor:
    """What enters the last activation where these are the answers."""
    smallest = np.finfo(np.float32).tiny
    match objective.loss:
        case CrossEntropy():
            return ops.log(ops.maximum(answers, smallest))
        case BinaryCrossEntropy():
            return ops.log(ops.maximum(answers, smallest)) - ops.log(ops.maximum(1 - answers, smallest))
        case MeanSquaredError() | Huber():
            return ops.convert_to_tensor(objective.scaling.done(answers) if objective.scaling else answers)
        case _:
            assert_never(objective.loss)
