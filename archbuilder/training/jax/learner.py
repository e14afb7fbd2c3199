"""A network that learns by JAX: the same face as that of `Learner`, behind it the stock model as a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import keras
import numpy as np

from archbuilder.aliases import Array
from archbuilder.augmentation.augmenter import augmenter
from archbuilder.data.dataset import Pictures
from archbuilder.data.normalisation import Normaliser
from archbuilder.data.stream import Stream
from archbuilder.keras_model.build import build_model
from archbuilder.training.freezing import hold
from archbuilder.training.jax.averaging import JaxAverages
from archbuilder.training.jax.forward import JaxNetwork, values
from archbuilder.training.jax.optimizers import make_optimizer
from archbuilder.training.jax.step import JaxEvaluationStep, JaxInput, JaxStep
from archbuilder.training.run.checkpoint import require_fitting
from archbuilder.training.setup import Setup
from archbuilder.training.tensorflow.distribution import Engine
from archbuilder.training.tensorflow.optimizers import kinds


@dataclass(frozen=True)
class JaxLearner:
    """A network that learns: the stock model, and the steps that work on its variables."""

    model: keras.Model
    step: JaxStep
    evaluation: JaxEvaluationStep
    engine: Engine
    """One of a single device: it counts and waits for nobody."""

    @classmethod
    def of(cls, setup: Setup, normaliser: Normaliser, engine: Engine) -> JaxLearner:
        training, train = setup.training, setup.train
        model = build_model(setup.graph, training.seed)
        hold(model, setup.graph, setup.frozen)
        network = JaxNetwork(setup.graph, model, training.seed, setup.precision)
        known = dict(kinds(setup.graph, model))
        optimizer = make_optimizer(training, values(network.trained), [known[one.path] for one in network.trained])
        pixels, average = setup.pixels(train), training.moving_average
        augment = augmenter(training.augment, normaliser, training.seed)
        kept, classes = None if isinstance(pixels, Stream) else pixels, len(setup.data.classes)
        batches = JaxInput(kept, train.labels, classes, augment)
        step = JaxStep(
            network, optimizer, batches, training.loss.cross_entropy.label_smoothing, training.accumulate,
            JaxAverages(network, average.decay) if average else None,
        )  # fmt: skip
        return cls(model, step, JaxEvaluationStep(network, normaliser), engine)

    def measure(self, setup: Setup, images: Pictures, quick: bool = False) -> tuple[float, float]:
        """The loss and the accuracy on images; `quick` takes one crop of each."""
        found = self.evaluation(setup.pixels(images, quick), images.labels)
        return found.loss, found.accuracy

    def averaged(self) -> AbstractContextManager[None]:
        """The model holds the averages of its weights, where the spec has some."""
        return self.step.averages.in_place() if self.step.averages else nullcontext()

    def arrays(self) -> dict[str, Array]:
        """All of its variables by name, for a checkpoint."""
        averages = self.step.averages.averages if self.step.averages else ()
        owned = {
            **{f"optimizer/{name}": value for name, value in self.step.state.items()},
            **{f"step/average/{index}": value for index, value in enumerate(averages)},
            **{name: variable.value for name, variable in self._weights().items()},
        }
        return {"step/totals": self.step.sums(), **{name: np.array(value) for name, value in owned.items()}}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        require_fitting(arrays, self.arrays())
        for name, variable in self._weights().items():
            variable.assign(arrays[name])
        step = self.step
        step.restore_sums(arrays["step/totals"])
        step.state = {name: arrays[f"optimizer/{name}"] for name in step.state}
        if step.averages:
            count = len(step.averages.averages)
            step.averages.averages = [arrays[f"step/average/{index}"] for index in range(count)]

    def _weights(self) -> dict[str, keras.Variable]:
        nodes = self.step.network.weights
        return {f"model/{node}/{name}": one for node, weights in nodes.items() for name, one in weights.items()}
