"""What trains and what measures a network, on the backend that Keras has loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from archbuilder.aliases import Precision
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import UsageError
from archbuilder.graph.network import Graph
from archbuilder.machine.backend import backend
from archbuilder.training.environment import take_memory_as_needed
from archbuilder.training.evaluator import EvaluationStep
from archbuilder.training.setup import Setup
from archbuilder.training.tensorflow.distribution import Engine
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.learner import Learner

if TYPE_CHECKING:
    from archbuilder.training.jax.learner import JaxLearner


def learner_for(setup: Setup, normaliser: Normaliser, engine: Engine) -> Learner | JaxLearner:
    """Raises UsageError for several devices on JAX."""
    if backend() == "tensorflow":
        return Learner.of(setup, normaliser, engine)
    if engine.replicas > 1:
        raise UsageError("on JAX, a network is trained on one device; KERAS_BACKEND=tensorflow trains on several")
    from archbuilder.training.jax.learner import JaxLearner

    return JaxLearner.of(setup, normaliser, engine)


def evaluation_step(
    graph: Graph, model: keras.Model, precision: Precision, normaliser: Normaliser, batch_size: int = 256
) -> EvaluationStep:
    """Measures a network in the precision of its training."""
    if backend() == "tensorflow":
        return EvaluationStep(Forward(graph, model, precision), normaliser, batch_size)
    take_memory_as_needed()
    from archbuilder.training.jax.forward import JaxNetwork
    from archbuilder.training.jax.step import JaxEvaluationStep

    return JaxEvaluationStep(JaxNetwork(graph, model, precision=precision), normaliser, batch_size)
