"""Moving averages of a network's weights, by JAX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax.numpy as jnp

from archbuilder.aliases import Tensor
from archbuilder.training.jax.forward import Held, JaxNetwork, Values, assign, values


class JaxAverages:
    """Moving averages of a network's weights and moving statistics."""

    def __init__(self, network: JaxNetwork, decay: float) -> None:
        self.network, self.decay = network, decay
        self._targets = [variable for node in network.weights.values() for variable in node.values()]
        places = {one.path: (part, index) for part, some in network.parts.items() for index, one in enumerate(some)}
        self._places = [places[variable.path] for variable in self._targets]
        self.begin()

    def begin(self) -> None:
        """Takes the variables as they are for their averages."""
        self.averages: Values = [jnp.array(one, copy=True) for one in values(self._targets)]

    def moved(self, averages: Values, held: Held, iteration: Tensor) -> Values:
        """The averages, moved towards the weights that `iteration` left behind, which counts from zero."""
        done = iteration.astype(jnp.float32)
        step = 1 - jnp.minimum(self.decay, (1 + done) / (10 + done))
        new = (held[part][index] for part, index in self._places)
        return [old - step * (old - one) for old, one in zip(averages, new, strict=True)]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The variables hold their averages, and afterwards again the very bits that they held before."""
        self.network.lay_down()
        raw = values(self._targets)
        assign(self._targets, self.averages)
        try:
            yield
        finally:
            assign(self._targets, raw)
