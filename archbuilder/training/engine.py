"""The engine that Keras has loaded: what trains and what evaluates a network on it."""

from __future__ import annotations

import keras

from archbuilder.aliases import Precision
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import UsageError
from archbuilder.graph.network import Graph
from archbuilder.machine.backend import backend
from archbuilder.training.environment import take_memory_as_needed
from archbuilder.training.evaluator import BATCH_SIZE, Evaluator
from archbuilder.training.learner import Learner
from archbuilder.training.memory import Need, images_at_once
from archbuilder.training.objective import Objective
from archbuilder.training.setup import Setup
from archbuilder.training.tensorflow.distribution import Distribution
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.inference import logits_of
from archbuilder.training.tensorflow.learner import TensorFlowLearner


def learner_for(setup: Setup, normaliser: Normaliser, distribution: Distribution) -> Learner:
    """Raises UsageError for several devices on JAX, ArchbuilderError where the memory does not suffice."""
    Need.of(setup, distribution.replicas).require()
    if backend() == "tensorflow":
        return TensorFlowLearner.of(setup, normaliser, distribution)
    if distribution.replicas > 1:
        raise UsageError("on JAX, a network is trained on one device; KERAS_BACKEND=tensorflow trains on several")
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
        return Evaluator(logits_of(Forward(graph, model, precision), normaliser), batch_size, objective)
    take_memory_as_needed()
    from archbuilder.training.jax.forward import JaxNetwork
    from archbuilder.training.jax.inference import logits_of as logits_of_jax

    network = JaxNetwork(graph, model, precision=precision)
    return Evaluator(logits_of_jax(network, normaliser, batch_size), batch_size, objective)
