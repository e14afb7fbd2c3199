"""What a network is worth on images, batch by batch, whatever computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, assert_never

import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor
from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError
from archbuilder.training.objective import Objective
from archbuilder.training.tensorflow.losses import losses_of, scores_of, sums

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
        return tf.concat([self._of_batch(batch) for batch in batches], 0)

    def _of_batch(self, pixels: Array) -> Tensor:
        logits = self.logits_of(pixels.reshape(-1, *pixels.shape[-3:]))
        if pixels.ndim == 4:
            return logits
        crops, count = (*pixels.shape[:2], -1), np.log(pixels.shape[1]).astype(np.float32)
        match self.objective.loss:
            case CrossEntropy():
                return tf.reduce_logsumexp(tf.reshape(tf.nn.log_softmax(logits), crops), 1) - count
            case BinaryCrossEntropy():
                is_set, is_not = (
                    tf.reduce_logsumexp(tf.reshape(tf.math.log_sigmoid(some), crops), 1) for some in (logits, -logits)
                )
                return is_set - is_not
            case MeanSquaredError() | Huber():
                return tf.reduce_mean(tf.reshape(logits, crops), 1)
            case _:
                assert_never(self.objective.loss)


def evaluated(objective: Objective, logits: Tensor, labels: Array) -> Evaluation:
    """Loss, score and answers of what enters the last activation (n, k), on labels (n,) or (n, k)."""
    if isinstance(objective.loss, CrossEntropy):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        scores = tf.equal(tf.argmax(logits, -1, tf.int32), tf.constant(labels, tf.int32))
    else:
        rows = tf.constant(objective.rows(labels, logits.shape[-1]))
        losses = losses_of(objective, logits, rows, smooth=False)
        scores = scores_of(objective, logits, rows)
    loss, score, count = sums(losses, scores).numpy()
    return Evaluation(float(loss / count), float(score / count), _answers(objective, logits))


def _answers(objective: Objective, logits: Tensor) -> Array:
    match objective.loss:
        case CrossEntropy():
            answers: Array = tf.nn.softmax(logits).numpy()
        case BinaryCrossEntropy():
            answers = tf.sigmoid(logits).numpy()
        case MeanSquaredError() | Huber():
            answers = objective.scaling.undone(logits.numpy()) if objective.scaling else logits.numpy()
        case _:
            assert_never(objective.loss)
    return answers


def logits_from(objective: Objective, answers: Array) -> Tensor:
    """What enters the last activation where these are the answers."""
    smallest = np.finfo(np.float32).tiny
    match objective.loss:
        case CrossEntropy():
            return tf.math.log(tf.maximum(answers, smallest))
        case BinaryCrossEntropy():
            return tf.math.log(tf.maximum(answers, smallest)) - tf.math.log(tf.maximum(1 - answers, smallest))
        case MeanSquaredError() | Huber():
            return tf.constant(objective.scaling.done(answers) if objective.scaling else answers)
        case _:
            assert_never(objective.loss)
