"""The compiled way from pixels to logits, by JAX."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from archbuilder.aliases import Array, Tensor
from archbuilder.training.evaluator import LogitsOf
from archbuilder.training.jax.forward import JaxNetwork, values


def logits_of(network: JaxNetwork, normalise: Callable[[Tensor], Tensor], batch_size: int) -> LogitsOf:
    """What an evaluator of this batch size asks for."""
    compiled = jax.jit(lambda trained, others, images: network.logits(trained, others, normalise(images))[0])

    def logits(pixels: Array) -> Tensor:
        """All batches have one size, so that the function is compiled once: black images fill the last one up."""
        network.lay_down()
        missing = max(0, batch_size - len(pixels))
        filled = np.pad(pixels, [(0, missing), *[(0, 0)] * 3])
        return compiled(values(network.trained), values(network.others), filled)[: len(pixels)]

    return logits
