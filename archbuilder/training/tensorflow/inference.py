"""The compiled way from pixels to logits, by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from archbuilder.aliases import Tensor
from archbuilder.training.evaluator import LogitsOf
from archbuilder.training.tensorflow.distribution import Distribution
from archbuilder.training.tensorflow.forward import Forward


def logits_of(
    forward: Forward, normalise: Callable[[Tensor], Tensor], distribution: Distribution | None = None
) -> LogitsOf:
    """What an evaluator asks for; the devices of this process share the images."""
    devices = distribution or Distribution()

    def logits(pixels: Tensor) -> Tensor:
        return devices.split(lambda part: forward.logits(normalise(part), training=False), pixels)

    return forward.compiled(logits, [tf.TensorSpec((None, *forward.graph.input.shape), tf.uint8)])
