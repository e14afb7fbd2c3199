"""One iteration of training, and the measuring of a network, each as one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import tensorflow as tf

from archbuilder.aliases import Array, Tensor, Variable
from archbuilder.augmentation.augmenter import Augmenter
from archbuilder.training.evaluator import _totals
from archbuilder.training.tensorflow.averaging import Averages
from archbuilder.training.tensorflow.distribution import Engine, Share, add, assign, portion
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.loss_scale import _LossScale
from archbuilder.training.tensorflow.optimizers import Optimizer, decayed, penalties


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


def _penalties(forward: Forward) -> list[float]:
    """What the gradient of each trained variable's l2 takes times the variable."""
    pulls = {forward.weights[node][name].ref(): one for (node, name), one in penalties(forward.graph).items()}
    return [pulls.get(variable.ref(), 0.0) for variable in forward.variables]


def _smoothed(labels: Tensor, smoothing: float) -> Tensor:
    """(n, K) shares of classes, of which `smoothing` is spread over all of them (arXiv:1512.00567)."""
    return labels * (1 - smoothing) + smoothing / labels.shape[-1]
