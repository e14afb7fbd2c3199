"""One iteration of training by JAX: from indices of training images to new weights, all on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from archbuilder.aliases import Array, Tensor
from archbuilder.training.jax.averaging import JaxAverages
from archbuilder.training.jax.forward import Held, JaxNetwork, Values
from archbuilder.training.jax.losses import losses_of, scores_of, weighted
from archbuilder.training.jax.optimizers import Optimizer, decayed
from archbuilder.training.step_settings import StepSettings, Totals, TrainingImages

State = Mapping[str, Tensor]


class JaxStep:
    """Updates the weights of a network by batches of its training images, as `TrainingStep` does.

    The images, the weights and what the optimizer knows stay on the device; nothing waits for it until somebody asks
    for sums or weights. On a GPU an iteration is one compiled function. On a CPU its parts are compiled each by itself,
    since XLA rounds differently across their borders.
    """

    def __init__(
        self,
        network: JaxNetwork,
        optimizer: Optimizer,
        images: TrainingImages,
        settings: StepSettings | None = None,
        averages: JaxAverages | None = None,
    ) -> None:
        self.network, self.optimizer, self.averages = network, optimizer, averages
        self.settings = settings or StepSettings()
        self.state: State = {name: jnp.array(value) for name, value in optimizer.state.items()}
        self._augment = images.augment
        self._pixels = None if images.pixels is None else jax.device_put(images.pixels)
        self._labels = jax.device_put(self.settings.objective.kept(images.labels, network.width))
        self._sums: Array = np.zeros(3)
        self._diverged: tuple[int, float] | None = None
        self._pending: list[tuple[int, float, jax.Array]] = []
        """The sums of iterations that nobody has asked for: reading them waits for the device."""
        self._penalties, self._idle = network.penalties(), network.idle()
        self._prepared = jax.jit(self._batch)
        self._gradients = jax.jit(jax.grad(self._loss, has_aux=True))
        self._add = jax.jit(lambda some, more: [one + other for one, other in zip(some, more, strict=True)])
        self._update = jax.jit(self._updated, donate_argnums=(0, 2))
        self._average = averages and jax.jit(averages.moved, donate_argnums=0)
        on_cpu = jax.default_backend() == "cpu"
        self._compiled = self._iterate if on_cpu else jax.jit(self._iterate, donate_argnums=(0, 1, 2))

    def __call__(self, indices: Array, epoch: int, iteration: int, rate: float, *pixels: Array) -> None:
        """One iteration over the training images at `indices` (n,), at the learning rate `rate`.

        Where they are streamed, `pixels` are these images, (n, H, W, C) uint8.
        """
        numbers = np.array([epoch, iteration], np.uint32)
        averages = self.averages.averages if self.averages else ()
        held, self.state, averages, sums = self._compiled(
            self.network.take_up(), self.state, averages, (self._pixels, self._labels), indices, numbers,
            np.float32(rate), *pixels,
        )  # fmt: skip
        self.network.hold(held)
        if self.averages:
            self.averages.averages = averages
        self._pending.append((iteration, rate, sums))

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

    def _iterate(
        self, held: Held, state: State, averages: Values, images: tuple[Tensor | None, Tensor], indices: Tensor,
        numbers: Tensor, rate: Tensor, *pixels: Tensor,
    ) -> tuple[Held, State, Values, Tensor]:  # fmt: skip
        """The weights, the optimizer's state and the averages behind an iteration, and the sums of its batch.

        The gradients of the mean loss are sums over micro-batches, whose sizes differ by one image at most.
        """
        batch, soft_labels = self._prepared(images, indices, numbers[0], *pixels)
        count, most, others = len(indices), self.settings.micro_batches, held["others"]
        number, found = min(most, count), list[Tensor]()
        for index in range(number):
            start, end = index * count // number, (index + 1) * count // number
            seed = numbers[1] * np.uint32(most) + np.uint32(index)  # each drops something else
            weight = np.float32((end - start) / count)
            part = batch[start:end], soft_labels[start:end]
            gradients, (others, sums) = self._gradients(held["trained"], others, *part, seed, weight)
            found = self._add(found, [*gradients, sums]) if found else [*gradients, sums]
        *gradients, sums = found
        trained, state = self._update(held["trained"], gradients, state, rate)
        held = {"trained": trained, "others": others}
        if self._average:
            averages = self._average(averages, held, numbers[1])
        return held, state, averages, sums

    def _batch(
        self, images: tuple[Tensor | None, Tensor], indices: Tensor, epoch: Tensor, *streamed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The images (n, H, W, C) float32 that are learned from, and their soft labels (n, K)."""
        pixels, labels = images[0], images[1][indices]
        rows = labels if labels.ndim > 1 else jax.nn.one_hot(labels, self.network.width, dtype=jnp.float32)
        batch, soft_labels = self._augment(streamed[0] if pixels is None else pixels[indices], rows, indices, epoch)
        return batch, soft_labels

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
