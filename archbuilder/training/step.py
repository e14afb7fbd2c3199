"""One iteration of training, and the measuring of a network, each as one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from archbuilder.training.augment import Augmenter
from archbuilder.training.averaging import Averages
from archbuilder.training.engine import Engine, Share, add, assign, portion
from archbuilder.training.forward import Forward
from archbuilder.training.optimizers import Optimizer, decayed, penalties

Array = NDArray[Any]
Tensor = Any
Variable = Any
Normalise = Callable[[Tensor], Tensor]
"""Pixels (n, H, W, C), uint8, to float32 images."""


class Streamed(Protocol):
    """Images that are made while they are read."""

    def batches(self, size: int) -> Iterable[Array]:
        """About `size` images at a time, (n, H, W, C) or, in several crops, (n, crops, H, W, C), uint8."""
        ...


class TrainingStep:
    """Updates the weights of a network by batches of its training images, which stay on the device or are streamed.

    An iteration is a function of its arguments and the variables alone: what is random in it follows from the seed,
    the iteration (dropout), and the epoch and the index of the image (augmentation). A batch may be split into `parts`
    that pass through the network one after the other: norms then see a part at a time, the optimizer the whole batch.
    The replicas of an engine share a batch; norms then see a replica's images, or all of them where synchronised.
    With `xla`, XLA compiles the network and its gradients, for each size of a batch by itself; loops it cannot.
    """

    def __init__(
        self,
        forward: Forward,
        optimizer: Optimizer,
        pixels: Array | None,
        labels: Array,
        augment: Augmenter,
        label_smoothing: float = 0.0,
        seed: int = 0,
        parts: int = 1,
        averages: Averages | None = None,
        engine: Engine | None = None,
        synchronise_norms: bool = False,
        xla: bool = False,
    ) -> None:
        self.forward, self.optimizer, self.augment = forward, optimizer, augment
        self.label_smoothing, self.seed, self.parts, self.averages = label_smoothing, seed, parts, averages
        self.engine = engine or Engine()
        self.synchronise_norms, self.xla = synchronise_norms, xla
        self.pixels = [] if pixels is None else self.engine.on_each_device(pixels)
        self.labels = tf.constant(labels, tf.int32)
        self.totals = tf.Variable(tf.zeros(3, tf.float64), trainable=False)
        """Since the last `read`: the sum of the losses, the number of right answers and of images."""
        self._diverged = tf.Variable([-1.0, 0.0], dtype=tf.float64, trainable=False)
        self._penalties = _penalties(forward)
        self._scale = _LossScale() if forward.precision == "mixed_float16" else None
        integer = tf.TensorSpec([], tf.int32)
        signature = [tf.TensorSpec([None], tf.int32), integer, integer, tf.TensorSpec([], tf.float32)]
        if pixels is None:
            signature.append(tf.TensorSpec([None, *forward.graph.input.shape], tf.uint8))
        self._compiled = forward.compiled(self._iterate, signature)

    def __call__(self, indices: Array, epoch: int, iteration: int, rate: float, *pixels: Array) -> None:
        """One iteration over the training images at `indices` (n,), at the learning rate `rate`.

        Where they are streamed, `pixels` are these images, (n, H, W, C) uint8.
        """
        self._compiled(indices, epoch, iteration, rate, *pixels)

    def read(self) -> dict[str, float]:
        """The mean loss and the accuracy of the images since the last call, as the network saw them while training.

        The loss is the cross-entropy without what l2 adds, so that it compares with that of an evaluation. Where labels
        are mixed, the class with the largest share is the right answer.
        """
        loss, right, count = self.sums()
        self.totals.assign(tf.zeros(3, tf.float64))
        return {"loss": float(loss / count), "accuracy": float(right / count)}

    def sums(self) -> Array:
        """Since the last `read`: the sum of the losses, the number of right answers and of images."""
        sums: Array = self.totals.numpy()
        return sums

    def answers(self) -> tuple[float, float]:
        """The number of right answers since the last `read`, and of images."""
        _, right, count = self.sums()
        return float(right), float(count)

    @property
    def diverged(self) -> tuple[int, float] | None:
        """The first iteration whose loss was not a finite number, and its learning rate."""
        iteration, rate = self._diverged.numpy()
        return None if iteration < 0 else (int(iteration), float(rate))

    def variables(self) -> Mapping[str, Variable]:
        """Its own state by name, for a checkpoint within an epoch; neither the model's nor the optimizer's."""
        averages = self.averages.variables() if self.averages else {}
        scale = self._scale.variables() if self._scale else {}
        return {"totals": self.totals, **scale, **{f"average/{name}": one for name, one in averages.items()}}

    def _iterate(self, *arguments: Tensor) -> None:
        self.engine.run(self._iterate_replica, *arguments)

    def _iterate_replica(
        self, indices: Tensor, epoch: Tensor, iteration: Tensor, rate: Tensor, *streamed: Tensor
    ) -> None:
        share = Share(self.engine, tf.shape(indices)[0])
        indices = share.of(indices)
        if streamed:
            pixels = share.of_streamed(streamed[0])
        else:
            pixels = tf.gather(self.engine.of_this_device(self.pixels), indices)
        labels = tf.one_hot(tf.gather(self.labels, indices), self.forward.classes)
        images, labels = self.augment(pixels, labels, indices, epoch)
        images = tf.ensure_shape(images, (None, *self.forward.graph.input.shape))
        turn = iteration * self.engine.replicas + self.engine.replica
        totals, gradients = self._gradients_by_parts(images, labels, turn, share)
        add(self.totals, self.engine.total(totals * tf.cast(share.weight > 0, totals.dtype)))
        gradients = self.engine.total(gradients)
        if self.engine.replicas > 1 and not self.synchronise_norms:
            self.forward.agree(share.mean)
        if self._scale is None:
            self._update(gradients, rate)
        else:
            self._scale.guard(gradients, lambda unscaled: self._update(unscaled, rate))
        if self.averages:
            self.averages.update(iteration)
        self._look_for_divergence(iteration, rate)

    def _look_for_divergence(self, iteration: Tensor, rate: Tensor) -> None:
        """On the device, so that it need not be waited for in each iteration."""
        is_first = (self._diverged[0] < 0) & ~tf.math.is_finite(self.totals[0])
        here = tf.stack([tf.cast(iteration, tf.float64), tf.cast(rate, tf.float64)])
        assign(self._diverged, tf.where(is_first, here, self._diverged))

    def _gradients_by_parts(
        self, images: Tensor, labels: Tensor, turn: Tensor, share: Share
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The totals of images, and what they give to the gradients of the mean loss of the batch that they share.

        They are sums over parts, which differ by one image at most.
        """
        if self.parts == 1:
            return self._gradients(images, labels, tf.stack([self.seed, turn]), share)
        count = tf.shape(images)[0]
        parts = tf.minimum(self.parts, count)

        def add_part(part: Tensor, *sums: Tensor) -> tuple[Tensor, ...]:
            start, end = portion(count, parts, part)
            seed = tf.stack([self.seed, turn * self.parts + part])  # each part drops something else
            totals, gradients = self._gradients(images[start:end], labels[start:end], seed, share)
            weight = tf.cast(end - start, tf.float32) / tf.cast(count, tf.float32)
            new = [totals, *(weight * gradient for gradient in gradients)]
            return (part + 1, *(total + one for total, one in zip(sums, new, strict=True)))

        zeros = [tf.zeros_like(self.totals), *(tf.zeros(variable.shape) for variable in self.forward.variables)]
        _, totals, *sums = tf.while_loop(lambda part, *_: part < parts, add_part, (0, *zeros), parallel_iterations=1)
        return totals, list(sums)

    def _gradients(self, images: Tensor, labels: Tensor, seed: Tensor, share: Share) -> tuple[Tensor, Sequence[Tensor]]:
        gradients: Callable[..., tuple[Tensor, Sequence[Tensor]]] = partial(self._plain_gradients, share)
        if self.xla:
            gradients = tf.function(gradients, autograph=False, jit_compile=True)
        return gradients(images, labels, seed)

    def _plain_gradients(
        self, share: Share, images: Tensor, labels: Tensor, seed: Tensor
    ) -> tuple[Tensor, Sequence[Tensor]]:
        with tf.GradientTape() as tape:
            mean = share.mean if self.synchronise_norms else None
            logits = self.forward.logits(images, training=True, seed=seed, mean=mean)
            losses = tf.nn.softmax_cross_entropy_with_logits(_smoothed(labels, self.label_smoothing), logits)
            loss = tf.reduce_mean(losses) * share.weight  # before its gradient, which synchronised norms sum up
            scaled = loss if self._scale is None else self._scale.apply(loss)
        gradients: Sequence[Tensor] = tape.gradient(
            scaled, self.forward.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return _totals(losses, logits, tf.argmax(labels, -1, tf.int32)), gradients

    def _update(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        self.optimizer.apply(decayed(gradients, self.forward.variables, self._penalties), rate)


@dataclass(frozen=True)
class Evaluation:
    """What a network is worth on some images."""

    loss: float
    """The mean cross-entropy."""
    accuracy: float
    probabilities: Array
    """Of each image and class (n, classes)."""


class EvaluationStep:
    """Measures a network with its moving statistics, batch by batch."""

    def __init__(
        self, forward: Forward, normalise: Normalise, batch_size: int = 256, engine: Engine | None = None
    ) -> None:
        self.forward, self.normalise, self.batch_size, self.engine = forward, normalise, batch_size, engine or Engine()
        shape = (None, *forward.graph.input.shape)
        self._compiled = forward.compiled(self._logits, [tf.TensorSpec(shape, tf.uint8)])

    def __call__(self, pixels: Array | Streamed, labels: Array) -> Evaluation:
        """Loss, accuracy and probabilities on pixels (n, H, W, C), uint8, and their labels (n,)."""
        logits = self.logits(pixels)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss, right, count = _totals(losses, logits, tf.constant(labels, tf.int32)).numpy()
        return Evaluation(float(loss / count), float(right / count), tf.nn.softmax(logits).numpy())

    def probabilities(self, pixels: Array | Streamed) -> Array:
        """Of each class (n, classes)."""
        shares: Array = tf.nn.softmax(self.logits(pixels)).numpy()
        return shares

    def logits(self, pixels: Array | Streamed) -> Tensor:
        """What enters the softmax (n, classes); of several crops, the logarithms of their mean probabilities."""
        if isinstance(pixels, np.ndarray):
            starts = range(0, len(pixels), self.batch_size)
            batches: Iterable[Array] = (pixels[start : start + self.batch_size] for start in starts)
        else:
            batches = pixels.batches(self.batch_size)
        return tf.concat([self._of_batch(batch) for batch in batches], 0)

    def _of_batch(self, pixels: Array) -> Tensor:
        logits = self._compiled(pixels.reshape(-1, *pixels.shape[-3:]))
        if pixels.ndim == 4:
            return logits
        by_crop = tf.reshape(tf.nn.log_softmax(logits), (*pixels.shape[:2], -1))
        return tf.reduce_logsumexp(by_crop, 1) - np.log(pixels.shape[1]).astype(np.float32)

    def _logits(self, pixels: Tensor) -> Tensor:
        return self.engine.split(lambda part: self.forward.logits(self.normalise(part), training=False), pixels)


class _LossScale:
    """Keeps float16 gradients in range: doubles after 2000 sound iterations, halves and skips one that overflows.

    Micikevicius et al. 2018, arXiv:1710.03740, section 3.2.
    """

    PATIENCE = 2000

    def __init__(self) -> None:
        self.scale = tf.Variable(2.0**15, trainable=False)
        self.sound = tf.Variable(0, trainable=False)

    def variables(self) -> Mapping[str, Variable]:
        return {"loss_scale": self.scale, "sound_iterations": self.sound}

    def apply(self, loss: Tensor) -> Tensor:
        return loss * self.scale

    def guard(self, gradients: Sequence[Tensor], update: Callable[[Sequence[Tensor]], None]) -> None:
        """Calls `update` with the gradients of the plain loss, unless one of them is not finite."""
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        tf.cond(finite, lambda: self._go_on(gradients, update), self._draw_back)

    def _go_on(self, gradients: Sequence[Tensor], update: Callable[[Sequence[Tensor]], None]) -> Tensor:
        update([gradient / self.scale for gradient in gradients])
        sound = self.sound + 1
        assign(self.scale, tf.where(sound == self.PATIENCE, self.scale * 2, self.scale))
        assign(self.sound, sound % self.PATIENCE)
        return tf.constant(True)

    def _draw_back(self) -> Tensor:
        assign(self.scale, tf.maximum(self.scale / 2, 1.0))
        assign(self.sound, 0)
        return tf.constant(False)


def _penalties(forward: Forward) -> list[float]:
    """What the gradient of each trained variable's l2 takes times the variable."""
    pulls = {forward.weights[name]["kernel"].ref(): factor for name, factor in penalties(forward.graph).items()}
    return [pulls.get(variable.ref(), 0.0) for variable in forward.variables]


def _smoothed(labels: Tensor, smoothing: float) -> Tensor:
    """(n, K) shares of classes, of which `smoothing` is spread over all of them (arXiv:1512.00567)."""
    return labels * (1 - smoothing) + smoothing / labels.shape[-1]


def _totals(losses: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The sum of the losses, the number of right answers and the number of images, in float64."""
    right = tf.equal(tf.argmax(logits, -1, tf.int32), labels)
    sums = [tf.reduce_sum(tf.cast(part, tf.float64)) for part in (losses, right, tf.ones_like(losses))]
    return tf.stack(sums)
