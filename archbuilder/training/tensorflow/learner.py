"""A network that learns by TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any

import keras
import numpy as np

from archbuilder.aliases import Array
from archbuilder.augmentation.augmenter import augmenter
from archbuilder.data.load import Pictures
from archbuilder.data.normalisation import Normaliser
from archbuilder.data.stream import Stream
from archbuilder.keras_model.build import build_model
from archbuilder.training.evaluator import EvaluationStep
from archbuilder.training.freezing import hold
from archbuilder.training.run.checkpoint import require_fitting
from archbuilder.training.setup import Setup
from archbuilder.training.tensorflow.averaging import Averages
from archbuilder.training.tensorflow.distribution import Engine, portion
from archbuilder.training.tensorflow.forward import SHORTEST_LOOP, Forward
from archbuilder.training.tensorflow.optimizers import Optimizer, make_optimizer
from archbuilder.training.tensorflow.step import TrainingStep


@dataclass(frozen=True)
class Learner:
    """A network that learns: the stock model, and the steps that work on its variables."""

    model: keras.Model
    optimizer: Optimizer
    step: TrainingStep
    evaluation: EvaluationStep
    engine: Engine

    @classmethod
    def of(cls, setup: Setup, normaliser: Normaliser, engine: Engine) -> Learner:
        with engine.scope():
            return cls._of(setup, normaliser, engine)

    @classmethod
    def _of(cls, setup: Setup, normaliser: Normaliser, engine: Engine) -> Learner:
        training, train = setup.training, setup.train
        synchronise = training.synchronise_norms and engine.replicas > 1
        model = build_model(setup.graph, training.seed)
        hold(model, setup.graph, setup.frozen)
        # Replicas of one process cannot wait for each other within a loop, and XLA cannot compile every one.
        shortest = len(setup.graph.nodes) if synchronise or training.xla else SHORTEST_LOOP
        forward = Forward(setup.graph, model, setup.precision, shortest)
        optimizer = make_optimizer(training, setup.graph, model)
        augment = augmenter(training.augment, normaliser, training.seed)
        average, weights = training.moving_average, (part.values() for part in forward.weights.values())
        pixels = setup.pixels(train)
        step = TrainingStep(
            forward, optimizer, None if isinstance(pixels, Stream) else pixels, train.labels, augment,
            training.loss.cross_entropy.label_smoothing, training.seed, training.accumulate,
            Averages([*chain.from_iterable(weights)], average.decay) if average else None,
            engine, synchronise, training.xla,
        )  # fmt: skip
        return cls(model, optimizer, step, EvaluationStep(forward, normaliser, engine=engine), engine)

    def measure(self, setup: Setup, images: Pictures, quick: bool = False) -> tuple[float, float]:
        """The loss and the accuracy on images, which processes share among them; `quick` takes one crop of each."""
        start, end = portion(len(images), self.engine.processes, self.engine.process)
        part = images.take(np.arange(start, max(end, start + 1))) if self.engine.processes > 1 else images
        found, count = self.evaluation(setup.pixels(part, quick), part.labels), end - start
        loss, right, total = self.engine.sums(found.loss * count, found.accuracy * count, count)
        return (loss / total, right / total) if self.engine.processes > 1 else (found.loss, found.accuracy)

    def averaged(self) -> AbstractContextManager[None]:
        """The model holds the averages of its weights, where the spec has some."""
        return self.step.averages.in_place() if self.step.averages else nullcontext()

    def arrays(self) -> dict[str, Array]:
        """All of its variables by name, for a checkpoint."""
        return {name: variable.numpy() for name, variable in self._variables()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        variables = dict(self._variables())
        require_fitting(arrays, self.arrays())
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def _variables(self) -> Iterator[tuple[str, Any]]:
        for node, weights in self.step.forward.weights.items():
            for name, variable in weights.items():
                yield f"model/{node}/{name}", variable
        for part, owner in (("optimizer", self.optimizer), ("step", self.step)):
            for name, variable in owner.variables().items():
                yield f"{part}/{name}", variable
