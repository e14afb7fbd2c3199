"""One iteration of training by JAX; TensorFlow prepares the images on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor
from archbuilder.training.jax.averaging import JaxAverages
from archbuilder.training.jax.forward import JaxNetwork, Values, assign, values
from archbuilder.training.jax.losses import losses_of, scores_of, weighted
from archbuilder.training.jax.optimizers import Optimizer, decayed
from archbuilder.training.objective import Objective
from archbuilder.training.step_settings import StepSettings, Totals, TrainingImages


class JaxInput:
    """Batches of training images: gathered or streamed, augmented and normalised."""

    def __init__(self, images: TrainingImages, width: int, objective: Objective) -> None:
        self.pixels, self.soft_labels = images.pixels, objective.rows(images.labels, width)
        self._compiled = tf.function(images.augment, reduce_retracing=True, autograph=False)

    def __call__(self, indices: Array, epoch: int, *streamed: Array) -> tuple[Array, Array]:
        """Images (n, H, W, C) float32 and their soft labels (n, K)."""
        pixels = streamed[0] if self.pixels is None else self.pixels[indices]
        images, soft_labels = self._compiled(pixels, self.soft_labels[indices], indices, tf.constant(epoch))
        return images.numpy(), soft_labels.numpy()


class JaxStep:
    """Updates the weights of a network by batches of its training images, as `TrainingStep` does."""

    def __init__(
        self,
        network: JaxNetwork,
        optimizer: Optimizer,
        batches: JaxInput,
        settings: StepSettings | None = None,
        averages: JaxAverages | None = None,
    ) -> None:
        self.network, self.batches, self.optimizer, self.averages = network, batches, optimizer, averages
        self.settings, self.state = settings or StepSettings(), optimizer.state
        self._sums: Array = np.zeros(3)
        self._diverged: tuple[int, float] | None = None
        self._pending: list[tuple[int, float, jax.Array]] = []
        """The sums of iterations that nobody has asked for: reading them waits for the device."""
        self._penalties, self._idle = network.penalties(), network.idle()
        self._gradients = jax.jit(jax.grad(self._loss, has_aux=True))
        self._add = jax.jit(lambda some, more: [one + other for one, other in zip(some, more, strict=True)])
        self._update = jax.jit(self._updated)

    def __call__(self, indices: Array, epoch: int, iteration: int, rate: float, *pixels: Array) -> None:
        """One iteration over the training images at `indices` (n,), at the learning rate `rate`."""
        images, soft_labels = self.batches(indices, epoch, *pixels)
        gradients, sums = self._gradients_by_micro_batches(images, soft_labels, iteration)
        self._pending.append((iteration, rate, sums))
        weights, self.state = self._update(values(self.network.trained), gradients, self.state, np.float32(rate))
        assign(self.network.trained, weights)
        if self.averages:
            self.averages.update(iteration)

    def totals(self) -> Totals:
        """The sums since the last `read`."""
        for iteration, rate, pending in self._pending:
            sums = np.asarray(pending, np.float64)
            if self._diverged is None and not np.isfinite(sums[0]):
                self._diverged = iteration, rate
            self._sums = self._sums + sums
        self._pending.clear()
        return Totals(*self._sums.tolist())

    def restore_totals(self, sums: Array) -> None:
        self._sums = np.array(sums, np.float64)
        self._pending.clear()

    def read(self) -> dict[str, float]:
        """The mean loss and the metric of the images since the last call."""
        totals = self.totals()
        self.restore_totals(np.zeros(3))
        return totals.means(self.settings.objective.metric)

    @property
    def diverged(self) -> tuple[int, float] | None:
        """The first iteration whose loss was not a finite number, counted from zero, and its rate."""
        self.totals()
        return self._diverged

    def _gradients_by_micro_batches(
        self, images: Array, soft_labels: Array, iteration: int
    ) -> tuple[Values, jax.Array]:
        """The gradients of the mean loss of a batch, and its sums: both over micro-batches of nearly equal size."""
        count, most = len(images), self.settings.micro_batches
        number = min(most, count)
        bounds = [index * count // number for index in range(number + 1)]
        seeds = [np.uint32(iteration * most + index) for index in range(number)]  # each drops something else
        results = (
            self._gradients_of(images[start:end], soft_labels[start:end], seed, np.float32((end - start) / count))
            for start, end, seed in zip(bounds, bounds[1:], seeds, strict=False)
        )
        *gradients, sums = reduce(self._add, results)
        return gradients, sums

    def _gradients_of(self, images: Array, soft_labels: Array, dropout_seed: Tensor, weight: Tensor) -> Values:
        """What images give to the gradients, and last to the sums; the moving statistics follow them."""
        trained, others = values(self.network.trained), values(self.network.others)
        gradients, (moved, sums) = self._gradients(trained, others, images, soft_labels, dropout_seed, weight)
        assign(self.network.others, moved)
        return [*gradients, sums]

    def _loss(
        self, trained: Values, others: Values, images: Tensor, soft_labels: Tensor, dropout_seed: Tensor, weight: Tensor
    ) -> tuple[Tensor, tuple[Values, Tensor]]:
        """The mean loss times the weight of the images, the other variables as they are afterwards, and the sums."""
        logits, moved = self.network.logits(trained, others, images, dropout_seed)
        objective = self.settings.objective
        losses, scores = losses_of(objective, logits, soft_labels), scores_of(objective, logits, soft_labels)
        sums = jnp.stack([jnp.sum(losses), jnp.sum(scores).astype(jnp.float32), jnp.float32(len(soft_labels))])
        return weight * jnp.mean(weighted(objective, losses, soft_labels)), (moved, sums)

    def _updated(
        self, weights: Values, gradients: Values, state: Mapping[str, Tensor], rate: Tensor
    ) -> tuple[Sequence[Tensor], Mapping[str, Tensor]]:
        exact = [jnp.zeros_like(one) if idle else one for one, idle in zip(gradients, self._idle, strict=True)]
        return self.optimizer.rule(weights, decayed(exact, weights, self._penalties), state, rate)
