"""A network that learns by JAX: the stock model as a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import keras
import numpy as np

from archbuilder.aliases import Array
from archbuilder.data.normalisation import Normaliser
from archbuilder.keras_model.build import build_model
from archbuilder.training.distribution import Distribution
from archbuilder.training.evaluator import Evaluator
from archbuilder.training.feed import Feed
from archbuilder.training.freezing import freeze
from archbuilder.training.jax.averaging import JaxAverages
from archbuilder.training.jax.forward import JaxNetwork, values
from archbuilder.training.jax.inference import logits_of
from archbuilder.training.jax.optimizers import make_optimizer
from archbuilder.training.jax.step import JaxStep
from archbuilder.training.learner import Learner
from archbuilder.training.memory import images_at_once
from archbuilder.training.run.checkpoint import require_fitting
from archbuilder.training.setup import Setup
from archbuilder.training.step_settings import StepSettings
from archbuilder.training.variables import kinds, rate_factors


@dataclass(eq=False)
class JaxLearner(Learner):
    """The stock model, and compiled pure functions that are given its variables."""

    model: keras.Model
    step: JaxStep
    evaluator: Evaluator
    feed: Feed
    distribution: Distribution
    """A single device: it counts and waits for nobody."""

    @classmethod
    def of(cls, setup: Setup, normaliser: Normaliser, distribution: Distribution) -> JaxLearner:
        training = setup.training
        model = build_model(setup.graph, training.seed)
        freeze(model, setup.graph, setup.frozen)
        network = JaxNetwork(setup.graph, model, training.seed, setup.precision)
        known = dict(kinds(setup.graph, model))
        optimizer = make_optimizer(
            training,
            values(network.trained),
            [known[one.path] for one in network.trained],
            rate_factors(training, setup.graph, model),
        )
        average = training.moving_average
        averages = JaxAverages(network, average.decay) if average else None
        images, settings = setup.feed.training_images(normaliser), StepSettings.of(training, setup.objective)
        step = JaxStep(network, optimizer, images, settings, averages)
        at_once = images_at_once(setup.graph)
        evaluator = Evaluator(logits_of(network, normaliser, at_once), at_once, setup.objective)
        return cls(model, step, evaluator, setup.feed, distribution)

    def arrays(self) -> dict[str, Array]:
        self.step.network.lay_down()
        averages = self.step.averages.averages if self.step.averages else ()
        owned = {
            **{f"optimizer/{name}": value for name, value in self.step.state.items()},
            **{f"step/average/{index}": value for index, value in enumerate(averages)},
            **{name: variable.value for name, variable in self._weights().items()},
        }
        return {"step/totals": np.array(self.step.totals()), **{name: np.array(one) for name, one in owned.items()}}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        require_fitting(arrays, self.arrays())
        for name, variable in self._weights().items():
            variable.assign(arrays[name])
        step = self.step
        step.restore_totals(arrays["step/totals"])
        step.state = {name: jnp.array(arrays[f"optimizer/{name}"]) for name in step.state}
        if step.averages:
            count = len(step.averages.averages)
            step.averages.averages = [jnp.array(arrays[f"step/average/{index}"]) for index in range(count)]

    def _weights(self) -> dict[str, keras.Variable]:
        nodes = self.step.network.weights
        return {f"model/{node}/{name}": one for node, weights in nodes.items() for name, one in weights.items()}
