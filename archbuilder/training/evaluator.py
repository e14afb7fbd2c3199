"""What a network is worth on images, batch by batch, whatever computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor

LogitsOf = Callable[[Array], Tensor]
"""Pixels (n, H, W, C), uint8 -> what enters the softmax (n, classes), float32."""
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
    """The mean cross-entropy."""
    accuracy: float
    probabilities: Array
    """One for each image and class (n, classes)."""


@dataclass(frozen=True)
class Evaluator:
    """Evaluates a network with its moving statistics."""

    logits_of: LogitsOf
    batch_size: int = BATCH_SIZE

    def __call__(self, pixels: Array | Streamed, labels: Array) -> Evaluation:
        """Loss, accuracy and probabilities on pixels (n, H, W, C), uint8, and their labels (n,)."""
        logits = self.logits(pixels)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss, correct, count = sums(losses, logits, tf.constant(labels, tf.int32)).numpy()
        return Evaluation(float(loss / count), float(correct / count), tf.nn.softmax(logits).numpy())

    def probabilities(self, pixels: Array | Streamed) -> Array:
        """One for each image and class (n, classes)."""
        found: Array = tf.nn.softmax(self.logits(pixels)).numpy()
        return found

    def logits(self, pixels: Array | Streamed) -> Tensor:
        """What enters the softmax (n, classes); for several crops, the logarithms of their mean probabilities."""
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
        by_crop = tf.reshape(tf.nn.log_softmax(logits), (*pixels.shape[:2], -1))
        return tf.reduce_logsumexp(by_crop, 1) - np.log(pixels.shape[1]).astype(np.float32)


def sums(losses: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The sum of the losses, the number of correct answers and the number of images, (3,) in float64."""
    correct = tf.equal(tf.argmax(logits, -1, tf.int32), labels)
    each = [tf.reduce_sum(tf.cast(part, tf.float64)) for part in (losses, correct, tf.ones_like(losses))]
    return tf.stack(each)
