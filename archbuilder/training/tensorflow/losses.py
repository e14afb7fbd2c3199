"""The losses of an objective by TensorFlow, as Keras has them."""

from __future__ import annotations

from typing import assert_never

import tensorflow as tf

from archbuilder.aliases import Tensor
from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError
from archbuilder.training.objective import Objective


def losses_of(objective: Objective, logits: Tensor, rows: Tensor, smooth: bool = True) -> Tensor:
    """The loss of each image, (n,), without class weights; an evaluation does not smooth labels."""
    match loss := objective.loss:
        case CrossEntropy():
            smoothing = loss.label_smoothing if smooth else 0.0
            return tf.nn.softmax_cross_entropy_with_logits(_smoothed(rows, smoothing, rows.shape[-1]), logits)
        case BinaryCrossEntropy():
            smoothed = _smoothed(rows, loss.label_smoothing if smooth else 0.0, 2)
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(smoothed, logits), -1)
        case MeanSquaredError():
            return tf.reduce_mean(tf.square(logits - rows), -1)
        case Huber():
            error = tf.abs(logits - rows)
            line = loss.delta * error - 0.5 * loss.delta**2
            return tf.reduce_mean(tf.where(error <= loss.delta, 0.5 * tf.square(error), line), -1)
        case _:
            assert_never(loss)


def scores_of(objective: Objective, logits: Tensor, rows: Tensor) -> Tensor:
    """What each image adds to the metric, (n,).

    1 for the right class, else 0; of several labels the share that is right at one half; of numbers the mean absolute
    error in their own units.
    """
    match loss := objective.loss:
        case CrossEntropy():
            return tf.equal(tf.argmax(logits, -1, tf.int32), tf.argmax(rows, -1, tf.int32))
        case BinaryCrossEntropy():
            return tf.reduce_mean(tf.cast(tf.equal(logits > 0, rows > 0.5), tf.float32), -1)
        case MeanSquaredError() | Huber():
            return tf.reduce_mean(tf.abs(logits - rows) * objective.deviations, -1)
        case _:
            assert_never(loss)


def weighted(objective: Objective, losses: Tensor, rows: Tensor) -> Tensor:
    """Losses times the class weights of their images."""
    if not objective.class_weights:
        return losses
    base, slope = objective.row_weights(rows.shape[-1])
    return losses * (base + tf.linalg.matvec(rows, slope))


def sums(losses: Tensor, scores: Tensor) -> Tensor:
    """The sum of the losses, that of the scores and the number of images, (3,) in float64."""
    each = [tf.reduce_sum(tf.cast(part, tf.float64)) for part in (losses, scores, tf.ones_like(losses))]
    return tf.stack(each)


def _smoothed(rows: Tensor, smoothing: float, count: int) -> Tensor:
    """Soft labels, of which `smoothing` is spread over all `count` answers (arXiv:1512.00567)."""
    return rows * (1 - smoothing) + smoothing / count
