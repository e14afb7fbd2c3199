"""One iteration of training, and the measuring of a network, by JAX; TensorFlow prepares the images on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor
from archbuilder.augmentation.augmenter import Augmenter
from archbuilder.data.normalisation import Normaliser
from archbuilder.training.evaluator import EvaluationStep
from archbuilder.training.jax.averaging import JaxAverages
from archbuilder.training.jax.forward import JaxNetwork, Values, assign, values
from archbuilder.training.jax.optimizers import Optimizer, decayed


class JaxInput:
    """Batches of training images: gathered or streamed, augmented and normalised."""

    def __init__(self, pixels: Array | None, labels: Array, classes: int, augment: Augmenter) -> None:
        self.pixels, self.shares, self.augment = pixels, np.eye(classes, dtype=np.float32)[labels], augment
        self._compiled = tf.function(augment, reduce_retracing=True, autograph=False)

    def __call__(self, indices: Array, epoch: int, *streamed: Array) -> tuple[Array, Array]:
        """Images (n, H, W, C) float32 and the shares of the classes in them (n, K)."""
        pixels = streamed[0] if self.pixels is None else self.pixels[indices]
        images, shares = self._compiled(pixels, self.shares[indices], indices, tf.constant(epoch))
        return images.numpy(), shares.numpy()


class JaxStep:
    """Updates the weights of a network by batches of its training images, as `TrainingStep` does."""

    def __init__(
        self,
        network: JaxNetwork,
        optimizer: Optimizer,
        batches: JaxInput,
        label_smoothing: float = 0.0,
        parts: int = 1,
        averages: JaxAverages | None = None,
    ) -> None:
        self.network, self.batches, self.optimizer, self.averages = network, batches, optimizer, averages
        self.label_smoothing, self.parts, self.state = label_smoothing, parts, optimizer.state
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
        images, shares = self.batches(indices, epoch, *pixels)
        gradients, sums = self._gradients_by_parts(images, shares, iteration)
        self._pending.append((iteration, rate, sums))
        weights, self.state = self._update(values(self.network.trained), gradients, self.state, np.float32(rate))
        assign(self.network.trained, weights)
        if self.averages:
            self.averages.update(iteration)

    def sums(self) -> Array:
        """Since the last `read`: the sum of the losses, the number of right answers and of images."""
        for iteration, rate, pending in self._pending:
            sums = np.asarray(pending, np.float64)
            if self._diverged is None and not np.isfinite(sums[0]):
                self._diverged = iteration, rate
            self._sums = self._sums + sums
        self._pending.clear()
        return self._sums

    def restore_sums(self, sums: Array) -> None:
        self._sums = np.array(sums, np.float64)
        self._pending.clear()

    def read(self) -> dict[str, float]:
        """The mean loss and the accuracy of the images since the last call."""
        loss, right, count = self.sums()
        self.restore_sums(np.zeros(3))
        return {"loss": float(loss / count), "accuracy": float(right / count)}

    def answers(self) -> tuple[float, float]:
        """The number of right answers since the last `read`, and of images."""
        _, right, count = self.sums()
        return float(right), float(count)

    @property
    def diverged(self) -> tuple[int, float] | None:
        """The first iteration whose loss was not a finite number, counted from zero, and its rate."""
        self.sums()
        return self._diverged

    def _gradients_by_parts(self, images: Array, shares: Array, iteration: int) -> tuple[Values, jax.Array]:
        """The gradients of the mean loss of a batch, as the sum over its parts, which differ by one image at most."""
        count = len(images)
        parts = min(self.parts, count)
        bounds = [part * count // parts for part in range(parts + 1)]
        # Each part drops something else.
        turns = [np.uint32(iteration * self.parts + part) for part in range(parts)]
        results = (
            self._gradients_of(images[start:end], shares[start:end], turn, np.float32((end - start) / count))
            for start, end, turn in zip(bounds, bounds[1:], turns, strict=False)
        )
        *gradients, sums = reduce(self._add, results)
        return gradients, sums

    def _gradients_of(self, images: Array, shares: Array, turn: Tensor, weight: Tensor) -> Values:
        """What images give to the gradients, and last to the sums; the moving statistics follow them."""
        trained, others = values(self.network.trained), values(self.network.others)
        gradients, (moved, sums) = self._gradients(trained, others, images, shares, turn, weight)
        assign(self.network.others, moved)
        return [*gradients, sums]

    def _loss(
        self, trained: Values, others: Values, images: Tensor, shares: Tensor, turn: Tensor, weight: Tensor
    ) -> tuple[Tensor, tuple[Values, Tensor]]:
        """The mean loss times the weight of the images, the other variables as they are afterwards, and the sums."""
        logits, moved = self.network.logits(trained, others, images, turn)
        losses = _cross_entropy(logits, shares, self.label_smoothing)
        right = jnp.argmax(logits, -1) == jnp.argmax(shares, -1)
        sums = jnp.stack([jnp.sum(losses), jnp.sum(right).astype(jnp.float32), jnp.float32(len(shares))])
        return weight * jnp.mean(losses), (moved, sums)

    def _updated(
        self, weights: Values, gradients: Values, state: Mapping[str, Tensor], rate: Tensor
    ) -> tuple[Sequence[Tensor], Mapping[str, Tensor]]:
        exact = [jnp.zeros_like(one) if idle else one for one, idle in zip(gradients, self._idle, strict=True)]
        return self.optimizer.rule(weights, decayed(exact, weights, self._penalties), state, rate)


class JaxEvaluationStep(EvaluationStep):
    """Measures a network with its moving statistics, batch by batch."""

    def __init__(self, network: JaxNetwork, normalise: Normaliser, batch_size: int = 256) -> None:
        self.network, self.normalise, self.batch_size = network, normalise, batch_size
        self._jitted = jax.jit(lambda trained, others, images: network.logits(trained, others, images)[0])
        self._compiled = self._of_pixels

    def _of_pixels(self, pixels: Array) -> Tensor:
        """All batches have one size, so that the function is compiled once: rows of zeros fill the last one up."""
        images = self.normalise(pixels).numpy()
        missing = max(0, self.batch_size - len(images))
        filled = np.pad(images, [(0, missing), *[(0, 0)] * 3])
        logits = self._jitted(values(self.network.trained), values(self.network.others), filled)
        return tf.constant(np.asarray(logits)[: len(images)])


def _cross_entropy(logits: Tensor, shares: Tensor, smoothing: float) -> Tensor:
    """Of each image; `smoothing` is the part of its shares that is spread over all classes (arXiv:1512.00567)."""
    smoothed = shares * (1 - smoothing) + smoothing / shares.shape[-1]
    return -jnp.sum(smoothed * jax.nn.log_softmax(logits), -1)
