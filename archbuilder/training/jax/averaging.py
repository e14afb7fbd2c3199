"""Moving averages of a network's weights, by JAX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np

from archbuilder.aliases import Tensor
from archbuilder.training.jax.forward import JaxNetwork, Values, assign, values


class JaxAverages:
    """Moving averages of a network's weights and moving statistics."""

    def __init__(self, network: JaxNetwork, decay: float) -> None:
        self.decay = decay
        self._targets = [variable for node in network.weights.values() for variable in node.values()]
        self._compiled = jax.jit(self._moved)
        self.begin()

    def begin(self) -> None:
        """Takes the variables as they are for their averages."""
        self.averages: Values = values(self._targets)

    def update(self, iteration: int) -> None:
        """Moves the averages towards the variables; called behind the update of `iteration`, which counts from zero."""
        self.averages = self._compiled(self.averages, values(self._targets), np.float32(iteration))

    def _moved(self, averages: Values, new: Values, done: Tensor) -> Values:
        step = 1 - jnp.minimum(self.decay, (1 + done) / (10 + done))
        return [old - step * (old - one) for old, one in zip(averages, new, strict=True)]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The variables hold their averages, and afterwards again the very bits that they held before."""
        raw = values(self._targets)
        assign(self._targets, self.averages)
        try:
            yield
        finally:
            assign(self._targets, raw)
