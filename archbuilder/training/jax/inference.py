"""The compiled way from pixels to logits, by JAX."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor
from archbuilder.training.evaluator import LogitsOf
from archbuilder.training.jax.forward import JaxNetwork, values


def logits_of(network: JaxNetwork, normalise: Callable[[Tensor], Tensor], batch_size: int) -> LogitsOf:
    """What an evaluator of this batch size asks for."""
    compiled = jax.jit(lambda trained, others, images: network.logits(trained, others, images)[0])

    def logits(pixels: Array) -> Tensor:
        """All batches have one size, so that the function is compiled once: rows of zeros fill the last one up."""
        images = normalise(pixels).numpy()
        missing = max(0, batch_size - len(images))
        filled = np.pad(images, [(0, missing), *[(0, 0)] * 3])
        found = compiled(values(network.trained), values(network.others), filled)
        return tf.constant(np.asarray(found)[: len(images)])

    return logits
