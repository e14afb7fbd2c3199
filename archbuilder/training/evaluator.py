"""What a network is worth on images, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor
from archbuilder.training.tensorflow.distribution import Engine
from archbuilder.training.tensorflow.forward import Forward

Normalise = Callable[[Tensor], Tensor]
"""Pixels (n, H, W, C), uint8, to float32 images."""


class Streamed(Protocol):
    """Images that are made while they are read."""

    def batches(self, size: int) -> Iterable[Array]:
        """About `size` images at a time, (n, H, W, C) or, in several crops, (n, crops, H, W, C), uint8."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What a network is worth on some images."""

    loss: float
    """The mean cross-entropy."""
    accuracy: float
    probabilities: Array
    """Of each image and class (n, classes)."""


class EvaluationStep:
    """Measures a network with its moving statistics, batch by batch."""

    def __init__(
        self, forward: Forward, normalise: Normalise, batch_size: int = 256, engine: Engine | None = None
    ) -> None:
        self.forward, self.normalise, self.batch_size, self.engine = forward, normalise, batch_size, engine or Engine()
        shape = (None, *forward.graph.input.shape)
        self._compiled = forward.compiled(self._logits, [tf.TensorSpec(shape, tf.uint8)])

    def __call__(self, pixels: Array | Streamed, labels: Array) -> Evaluation:
        """Loss, accuracy and probabilities on pixels (n, H, W, C), uint8, and their labels (n,)."""
        logits = self.logits(pixels)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss, right, count = _totals(losses, logits, tf.constant(labels, tf.int32)).numpy()
        return Evaluation(float(loss / count), float(right / count), tf.nn.softmax(logits).numpy())

    def probabilities(self, pixels: Array | Streamed) -> Array:
        """Of each class (n, classes)."""
        shares: Array = tf.nn.softmax(self.logits(pixels)).numpy()
        return shares

    def logits(self, pixels: Array | Streamed) -> Tensor:
        """What enters the softmax (n, classes); of several crops, the logarithms of their mean probabilities."""
        if isinstance(pixels, np.ndarray):
            starts = range(0, len(pixels), self.batch_size)
            batches: Iterable[Array] = (pixels[start : start + self.batch_size] for start in starts)
        else:
            batches = pixels.batches(self.batch_size)
        return tf.concat([self._of_batch(batch) for batch in batches], 0)

    def _of_batch(self, pixels: Array) -> Tensor:
        logits = self._compiled(pixels.reshape(-1, *pixels.shape[-3:]))
        if pixels.ndim == 4:
            return logits
        by_crop = tf.reshape(tf.nn.log_softmax(logits), (*pixels.shape[:2], -1))
        return tf.reduce_logsumexp(by_crop, 1) - np.log(pixels.shape[1]).astype(np.float32)

    def _logits(self, pixels: Tensor) -> Tensor:
        return self.engine.split(lambda part: self.forward.logits(self.normalise(part), training=False), pixels)


def _totals(losses: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The sum of the losses, the number of right answers and the number of images, in float64."""
    right = tf.equal(tf.argmax(logits, -1, tf.int32), labels)
    sums = [tf.reduce_sum(tf.cast(part, tf.float64)) for part in (losses, right, tf.ones_like(losses))]
    return tf.stack(sums)
