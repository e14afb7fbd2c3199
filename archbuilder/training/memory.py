"""Whether the memory of the device holds a network while it is trained or evaluated.

What is counted is the least of the estimate in `graph/memory.py`: what would fit is never refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archbuilder.costs.memory import slots_of
from archbuilder.errors import ArchbuilderError
from archbuilder.graph.memory import (
    FLOAT,
    largest_layer,
    training_memory,
    values_at_once,
    values_for_gradients,
    width_of,
)
from archbuilder.graph.network import Graph
from archbuilder.machine import hardware
from archbuilder.machine.backend import backend
from archbuilder.training.environment import computes_on_gpu
from archbuilder.training.evaluator import BATCH_SIZE
from archbuilder.training.setup import Setup

NO_GRADIENTS = ("not supported on CPU", "do not yet support dilation")
"""What TensorFlow says on a CPU, without oneDNN, of the gradients of convolutions of groups and of dilated ones."""

EXHAUSTED = ("ResourceExhaustedError", "RESOURCE_EXHAUSTED")
"""What TensorFlow and JAX say where the memory is full."""


@dataclass(frozen=True)
class Need:
    """The bytes that a training takes: for its weights, and for each image that passes through the network at once."""

    weights: int
    image: int
    batch_size: int
    passes: int
    """One after the other or side by side: into so many is a batch split."""

    @classmethod
    def of(cls, setup: Setup, replicas: int = 1) -> Need:
        graph, training = setup.graph, setup.training
        values = values_at_once(graph) if setup.frozen else values_for_gradients(graph)
        found = training_memory(
            graph, setup.precision, slots_of(training.optimizer), training.moving_average is not None
        )
        learning = 0 if setup.frozen else found.optimizer + FLOAT * largest_layer(graph)
        batch_size = min(training.batch_size, len(setup.train))
        image = width_of(setup.precision) * values
        return cls(found.weights + learning, image, batch_size, training.accumulate * replicas)

    @property
    def total(self) -> int:
        return self.weights + self.image * -(-self.batch_size // self.passes)

    def require(self) -> None:
        """Raises ArchbuilderError where the device has less memory than that."""
        there = device_memory()
        if there is None or self.total <= there:
            return
        fits = (there - self.weights) // self.image * self.passes
        hint = f": try --set training.batch_size={_power_of_two(fits)}" if fits > 0 else ", whatever the batch size is"
        what = f"training at batch size {self.batch_size} needs at least {hardware.gib(self.total)} of memory"
        raise ArchbuilderError(f"{what}, and there are {hardware.gib(there)}{hint}")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raises ArchbuilderError with what to try where the memory, or the kernels, of the device do not suffice."""
        try:
            yield
        except _errors() as error:
            text = f"{type(error).__name__}: {error}"
            if any(part in text for part in EXHAUSTED):
                raise ArchbuilderError(f"out of memory at batch size {self.batch_size}: {self._way_out}") from error
            if not any(part in text for part in NO_GRADIENTS):
                raise
            raise ArchbuilderError(
                "on this processor, TensorFlow has no gradients of dilated convolutions and of groups unless oneDNN is "
                "on: set TF_ENABLE_ONEDNN_OPTS=1 in the environment"
            ) from error

    @property
    def _way_out(self) -> str:
        if self.batch_size == 1:
            return "it is 1"
        if self.weights > self.image * self.batch_size:
            return "most of it is for the weights, whatever the batch size is"
        return f"try a new run with --set training.batch_size={self.batch_size // 2}"


def images_at_once(graph: Graph, most: int = BATCH_SIZE) -> int:
    """How many images are evaluated at once: so many that half of the memory holds what the largest layer needs."""
    there, image = device_memory(), FLOAT * values_at_once(graph)
    if there is None or image * most <= there // 2:
        return most
    return min(most, _power_of_two(max(1, there // 2 // image)))


def device_memory() -> int | None:
    """The memory of the graphics cards that compute, or that of the machine where none does; None where unknown."""
    if computes_on_gpu():
        return sum(amount for _, amount in hardware.nvidia_cards()) * 2**20 or None
    return hardware.memory()


def _errors() -> tuple[type[Exception], ...]:
    """What the engine raises where memory or kernels are missing."""
    if backend() == "jax":
        import jax

        return (jax.errors.JaxRuntimeError,)
    import tensorflow as tf

    return tf.errors.ResourceExhaustedError, tf.errors.InvalidArgumentError


def _power_of_two(number: int) -> int:
    """The largest that is not above a number."""
    return 1 << (number.bit_length() - 1)
