"""A network that learns by TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

import keras

from archbuilder.aliases import Array, Variable
from archbuilder.data.normalisation import Normaliser
from archbuilder.keras_model.build import build_model
from archbuilder.training.evaluator import Evaluator
from archbuilder.training.feed import Feed
from archbuilder.training.freezing import freeze
from archbuilder.training.learner import Learner
from archbuilder.training.memory import images_at_once
from archbuilder.training.run.checkpoint import require_fitting
from archbuilder.training.setup import Setup
from archbuilder.training.step_settings import StepSettings
from archbuilder.training.tensorflow.averaging import Averages
from archbuilder.training.tensorflow.distribution import Distribution
from archbuilder.training.tensorflow.forward import SHORTEST_LOOP, Forward
from archbuilder.training.tensorflow.inference import logits_of
from archbuilder.training.tensorflow.optimizers import make_optimizer
from archbuilder.training.tensorflow.step import TrainingStep


@dataclass(eq=False)
class TensorFlowLearner(Learner):
    """The stock model, and compiled functions that work on its variables."""

    model: keras.Model
    step: TrainingStep
    evaluator: Evaluator
    feed: Feed
    distribution: Distribution

    @classmethod
    def of(cls, setup: Setup, normaliser: Normaliser, distribution: Distribution) -> TensorFlowLearner:
        with distribution.scope():
            return cls._of(setup, normaliser, distribution)

    @classmethod
    def _of(cls, setup: Setup, normaliser: Normaliser, distribution: Distribution) -> TensorFlowLearner:
        training, settings = setup.training, StepSettings.of(setup.training, setup.objective)
        settings = replace(settings, synchronise_norms=settings.synchronise_norms and distribution.replicas > 1)
        model = build_model(setup.graph, training.seed)
        freeze(model, setup.graph, setup.frozen)
        # Replicas of one process cannot wait for each other within a loop, and XLA cannot compile every one.
        has_loops = not (settings.synchronise_norms or settings.xla)
        shortest = SHORTEST_LOOP if has_loops else len(setup.graph.nodes)
        forward = Forward(setup.graph, model, setup.precision, shortest)
        optimizer = make_optimizer(training, setup.graph, model)
        average, weights = training.moving_average, (part.values() for part in forward.weights.values())
        averages = Averages([*chain.from_iterable(weights)], average.decay) if average else None
        step = TrainingStep(
            forward, optimizer, setup.feed.training_images(normaliser), settings, averages, distribution
        )
        evaluator = Evaluator(
            logits_of(forward, normaliser, distribution), images_at_once(setup.graph), setup.objective
        )
        return cls(model, step, evaluator, setup.feed, distribution)

    def arrays(self) -> dict[str, Array]:
        return {name: variable.numpy() for name, variable in self._variables()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        variables = dict(self._variables())
        require_fitting(arrays, self.arrays())
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def _variables(self) -> Iterator[tuple[str, Variable]]:
        for node, weights in self.step.forward.weights.items():
            for name, variable in weights.items():
                yield f"model/{node}/{name}", variable
        for part, owner in (("optimizer", self.step.optimizer), ("step", self.step)):
            for name, variable in owner.variables().items():
                yield f"{part}/{name}", variable
