"""The engine that Keras has loaded: what trains and what evaluates a network on it."""

from __future__ import annotations

from collections.abc import Callable

import keras

from archbuilder.aliases import Precision
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import UsageError
from archbuilder.graph.network import Graph
from archbuilder.machine.backend import backend
from archbuilder.training.distribution import Alone, Distribution
from archbuilder.training.environment import take_memory_as_needed
from archbuilder.training.evaluator import BATCH_SIZE, Evaluator
from archbuilder.training.learner import Learner
from archbuilder.training.memory import Need, images_at_once
from archbuilder.training.objective import Objective
from archbuilder.training.processes import are_several
from archbuilder.training.setup import Setup


def devices(note: Callable[[str], None] = lambda text: None) -> Distribution:
    """All processes that were started together, or all GPUs that are visible, or the CPU; on JAX, one device.

    Raises UsageError for several processes on JAX.
    """
    if backend() == "tensorflow":
        from archbuilder.training.tensorflow.distribution import Distribution as Devices

        return Devices.find(note)
    if are_several():
        raise UsageError("on JAX, a network is trained on one device; KERAS_BACKEND=tensorflow trains on several")
    return Alone()


def learner_for(setup: Setup, normaliser: Normaliser, distribution: Distribution) -> Learner:
    """Raises ArchbuilderError where the memory does not suffice."""
    Need.of(setup, distribution.replicas).require()
    if backend() == "tensorflow":
        from archbuilder.training.tensorflow.distribution import Distribution as Devices
        from archbuilder.training.tensorflow.learner import TensorFlowLearner

        assert isinstance(distribution, Devices)
        return TensorFlowLearner.of(setup, normaliser, distribution)
    from archbuilder.training.jax.learner import JaxLearner

    return JaxLearner.of(setup, normaliser, distribution)


def evaluator_for(
    graph: Graph,
    model: keras.Model,
    precision: Precision,
    normaliser: Normaliser,
    objective: Objective,
    most: int = BATCH_SIZE,
) -> Evaluator:
    """Evaluates a network in the precision of its training, at most so many images at once."""
    batch_size = images_at_once(graph, most)
    if backend() == "tensorflow":
        from archbuilder.training.tensorflow.forward import Forward
        from archbuilder.training.tensorflow.inference import logits_of

        return Evaluator(logits_of(Forward(graph, model, precision), normaliser), batch_size, objective)
    take_memory_as_needed()
    from archbuilder.training.jax.forward import JaxNetwork
    from archbuilder.training.jax.inference import logits_of as logits_of_jax

    network = JaxNetwork(graph, model, precision=precision)
    return Evaluator(logits_of_jax(network, normaliser, batch_size), batch_size, objective)
