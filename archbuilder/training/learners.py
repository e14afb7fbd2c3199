"""What trains and what measures a network, on the backend that Keras has loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from archbuilder.errors import UsageError
from archbuilder.graph.network import Graph
from archbuilder.training.backend import backend
from archbuilder.training.engine import Engine
from archbuilder.training.environment import take_memory_as_needed
from archbuilder.training.forward import Forward, Precision
from archbuilder.training.normalise import Normaliser
from archbuilder.training.setup import Learner, Setup
from archbuilder.training.step import EvaluationStep

if TYPE_CHECKING:
    from archbuilder.training.jax_learner import JaxLearner


def learner_for(setup: Setup, normaliser: Normaliser, engine: Engine) -> Learner | JaxLearner:
    """Raises UsageError for several devices on JAX."""
    if backend() == "tensorflow":
        return Learner.of(setup, normaliser, engine)
    if engine.replicas > 1:
        raise UsageError("on JAX, a network is trained on one device; KERAS_BACKEND=tensorflow trains on several")
    from archbuilder.training.jax_learner import JaxLearner

    return JaxLearner.of(setup, normaliser, engine)


def evaluation_step(
    graph: Graph, model: keras.Model, precision: Precision, normaliser: Normaliser, batch_size: int = 256
) -> EvaluationStep:
    """Measures a network in the precision of its training."""
    if backend() == "tensorflow":
        return EvaluationStep(Forward(graph, model, precision), normaliser, batch_size)
    take_memory_as_needed()
    from archbuilder.training.jax_network import JaxNetwork
    from archbuilder.training.jax_step import JaxEvaluationStep

    return JaxEvaluationStep(JaxNetwork(graph, model, precision=precision), normaliser, batch_size)
