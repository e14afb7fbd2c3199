"""The losses of an objective by JAX, as Keras has them."""

from __future__ import annotations

from typing import assert_never

import jax
import jax.numpy as jnp
import numpy as np

from archbuilder.aliases import Array, Tensor
from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError
from archbuilder.training.objective import Objective


def losses_of(objective: Objective, logits: Tensor, rows: Tensor, smooth: bool = True) -> Tensor:
    """The loss of each image, (n,), without class weights; an evaluation does not smooth labels."""
    match loss := objective.loss:
        case CrossEntropy():
            smoothing = loss.label_smoothing if smooth else 0.0
            return -jnp.sum(_smoothed(rows, smoothing, rows.shape[-1]) * jax.nn.log_softmax(logits), -1)
        case BinaryCrossEntropy():
            smoothed = _smoothed(rows, loss.label_smoothing if smooth else 0.0, 2)
            return jnp.mean(jax.nn.softplus(logits) - smoothed * logits, -1)
        case MeanSquaredError():
            return jnp.mean(jnp.square(logits - rows), -1)
        case Huber():
            error = jnp.abs(logits - rows)
            line = loss.delta * error - 0.5 * loss.delta**2
            return jnp.mean(jnp.where(error <= loss.delta, 0.5 * jnp.square(error), line), -1)
        case _:
            assert_never(loss)


def scores_of(objective: Objective, logits: Tensor, rows: Tensor) -> Tensor:
    """What each image adds to the metric, (n,), as for TensorFlow."""
    match loss := objective.loss:
        case CrossEntropy():
            return jnp.argmax(logits, -1) == jnp.argmax(rows, -1)
        case BinaryCrossEntropy():
            return jnp.mean((logits > 0) == (rows > 0.5), -1)
        case MeanSquaredError() | Huber():
            return jnp.mean(jnp.abs(logits - rows) * objective.deviations, -1)
        case _:
            assert_never(loss)


def weighted(objective: Objective, losses: Tensor, rows: Tensor) -> Tensor:
    """Losses times the class weights of their images."""
    if not objective.class_weights:
        return losses
    base, slope = objective.row_weights(rows.shape[-1])
    return losses * (base + rows @ slope)


def sums(losses: Tensor, scores: Tensor) -> Array:
    """The sum of the losses, that of the scores and the number of images, (3,) in float64."""
    parts: Array = np.array([np.asarray(part, np.float64).sum() for part in (losses, scores, np.ones(len(losses)))])
    return parts


def _smoothed(rows: Tensor, smoothing: float, count: int) -> Tensor:
    """Soft labels, of which `smoothing` is spread over all `count` answers (arXiv:1512.00567)."""
    return rows * (1 - smoothing) + smoothing / count
