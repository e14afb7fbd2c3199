"""One iteration of training as one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import tensorflow as tf

from archbuilder.aliases import Array, Tensor, Variable
from archbuilder.training.distribution import portion
from archbuilder.training.step_settings import StepSettings, Totals, TrainingImages
from archbuilder.training.tensorflow.averaging import Averages
from archbuilder.training.tensorflow.distribution import Distribution, ReplicaShare, add, assign
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.loss_scale import LossScale
from archbuilder.training.tensorflow.losses import losses_of, scores_of, sums, weighted
from archbuilder.training.tensorflow.optimizers import Optimizer, decayed
from archbuilder.training.variables import penalties


class TrainingStep:
    """Updates the weights of a network by batches of its training images, which stay on the device or are streamed.

    An iteration is a function of its arguments and the variables alone: what is random in it follows from the seed,
    the iteration (dropout), and the epoch and the index of the image (augmentation). A batch may be split into
    micro-batches that pass through the network one after the other: norms then see one at a time, the optimizer the
    whole batch. Replicas share a batch; norms then see a replica's images, or all of them where synchronised. XLA
    compiles the network and its gradients for each size of a batch by itself; loops it cannot.
    """

    def __init__(
        self,
        forward: Forward,
        optimizer: Optimizer,
        images: TrainingImages,
        settings: StepSettings | None = None,
        averages: Averages | None = None,
        distribution: Distribution | None = None,
    ) -> None:
        self.forward, self.optimizer, self.augment = forward, optimizer, images.augment
        self.settings, self.averages = settings or StepSettings(), averages
        self.distribution = distribution or Distribution()
        self.pixels = [] if images.pixels is None else self.distribution.on_each_device(images.pixels)
        self.labels = tf.constant(self.settings.objective.kept(images.labels, forward.classes))
        self._totals = tf.Variable(tf.zeros(3, tf.float64), trainable=False)
        """The sums of the losses and of the scores and the number of images since the last `read`."""
        self._diverged = tf.Variable([-1.0, 0.0], dtype=tf.float64, trainable=False)
        self._penalties = _penalties(forward)
        self._scale = LossScale() if forward.precision == "mixed_float16" else None
        integer = tf.TensorSpec([], tf.int32)
        signature = [tf.TensorSpec([None], tf.int32), integer, integer, tf.TensorSpec([], tf.float32)]
        if images.pixels is None:
            signature.append(tf.TensorSpec([None, *forward.graph.input.shape], tf.uint8))
        self._compiled = forward.compiled(self._iterate, signature)

    def __call__(self, indices: Array, epoch: int, iteration: int, rate: float, *pixels: Array) -> None:
        """One iteration over the training images at `indices` (n,), at the learning rate `rate`.

        Where they are streamed, `pixels` are these images, (n, H, W, C) uint8.
        """
        self._compiled(indices, epoch, iteration, rate, *pixels)

    def read(self) -> dict[str, float]:
        """The mean loss and the metric of the images since the last call, as the network saw them while training.

        The loss is that without class weights and what l2 adds, so that it compares with that of an evaluation. Where
        labels are mixed, the class with the largest part is the correct answer.
        """
        totals = self.totals()
        self._totals.assign(tf.zeros(3, tf.float64))
        return totals.means(self.settings.objective.metric)

    def totals(self) -> Totals:
        """The sums since the last `read`."""
        return Totals(*self._totals.numpy().tolist())

    @property
    def diverged(self) -> tuple[int, float] | None:
        """The first iteration whose loss was not a finite number, and its learning rate."""
        iteration, rate = self._diverged.numpy()
        return None if iteration < 0 else (int(iteration), float(rate))

    def variables(self) -> Mapping[str, Variable]:
        """Its own state by name, for a checkpoint within an epoch; neither the model's nor the optimizer's."""
        averages = self.averages.variables() if self.averages else {}
        scale = self._scale.variables() if self._scale else {}
        return {"totals": self._totals, **scale, **{f"average/{name}": one for name, one in averages.items()}}

    def _iterate(self, *arguments: Tensor) -> None:
        self.distribution.run(self._iterate_replica, *arguments)

    def _iterate_replica(
        self, indices: Tensor, epoch: Tensor, iteration: Tensor, rate: Tensor, *streamed: Tensor
    ) -> None:
        share = ReplicaShare(self.distribution, tf.shape(indices)[0])
        indices = share.of(indices)
        if streamed:
            pixels = share.of_streamed(streamed[0])
        else:
            pixels = tf.gather(self.distribution.of_this_device(self.pixels), indices)
        labels = tf.gather(self.labels, indices)
        labels = labels if self.labels.shape.rank > 1 else tf.one_hot(labels, self.forward.classes)
        images, labels = self.augment(pixels, labels, indices, epoch)
        images = tf.ensure_shape(images, (None, *self.forward.graph.input.shape))
        dropout_seed = iteration * self.distribution.replicas + self.distribution.replica
        totals, gradients = self._gradients_by_micro_batches(images, labels, dropout_seed, share)
        add(self._totals, self.distribution.total(totals * tf.cast(share.weight > 0, totals.dtype)))
        gradients = self.distribution.total(gradients)
        if self.distribution.replicas > 1 and not self.settings.synchronise_norms:
            self.forward.average_moving_statistics(share.mean)
        if self._scale is None:
            self._update(gradients, rate)
        else:
            self._scale.guard(gradients, lambda unscaled: self._update(unscaled, rate))
        if self.averages:
            self.averages.update(iteration)
        self._look_for_divergence(iteration, rate)

    def _look_for_divergence(self, iteration: Tensor, rate: Tensor) -> None:
        """Notes the first loss that is not finite; on the device, so that no iteration waits for it."""
        is_first = (self._diverged[0] < 0) & ~tf.math.is_finite(self._totals[0])
        here = tf.stack([tf.cast(iteration, tf.float64), tf.cast(rate, tf.float64)])
        assign(self._diverged, tf.where(is_first, here, self._diverged))

    def _gradients_by_micro_batches(
        self, images: Tensor, labels: Tensor, dropout_seed: Tensor, share: ReplicaShare
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The totals of images, and what they give to the gradients of the mean loss of the batch that they share.

        Both are sums over micro-batches, whose sizes differ by one image at most.
        """
        most, seed = self.settings.micro_batches, self.settings.seed
        if most == 1:
            return self._gradients(images, labels, tf.stack([seed, dropout_seed]), share)
        count = tf.shape(images)[0]
        micro_batches = tf.minimum(most, count)

        def add_one(index: Tensor, *sums: Tensor) -> tuple[Tensor, ...]:
            start, end = portion(count, micro_batches, index)
            own_seed = tf.stack([seed, dropout_seed * most + index])  # each drops something else
            totals, gradients = self._gradients(images[start:end], labels[start:end], own_seed, share)
            weight = tf.cast(end - start, tf.float32) / tf.cast(count, tf.float32)
            new = [totals, *(weight * gradient for gradient in gradients)]
            return (index + 1, *(total + one for total, one in zip(sums, new, strict=True)))

        zeros = [tf.zeros_like(self._totals), *(tf.zeros(variable.shape) for variable in self.forward.variables)]
        _, totals, *sums = tf.while_loop(
            lambda index, *_: index < micro_batches, add_one, (0, *zeros), parallel_iterations=1
        )
        return totals, list(sums)

    def _gradients(
        self, images: Tensor, labels: Tensor, seed: Tensor, share: ReplicaShare
    ) -> tuple[Tensor, Sequence[Tensor]]:
        gradients: Callable[..., tuple[Tensor, Sequence[Tensor]]] = partial(self._plain_gradients, share)
        if self.settings.xla:
            gradients = tf.function(gradients, autograph=False, jit_compile=True)
        return gradients(images, labels, seed)

    def _plain_gradients(
        self, share: ReplicaShare, images: Tensor, labels: Tensor, seed: Tensor
    ) -> tuple[Tensor, Sequence[Tensor]]:
        objective = self.settings.objective
        with tf.GradientTape() as tape:
            mean = share.mean if self.settings.synchronise_norms else None
            logits = self.forward.logits(images, training=True, seed=seed, mean=mean)
            losses = losses_of(objective, logits, labels)
            mean_loss = tf.reduce_mean(weighted(objective, losses, labels))
            loss = mean_loss * share.weight  # before its gradient, which synchronised norms sum up
            scaled = loss if self._scale is None else self._scale.apply(loss)
        gradients: Sequence[Tensor] = tape.gradient(
            scaled, self.forward.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return sums(losses, scores_of(objective, logits, labels)), gradients

    def _update(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        self.optimizer.apply(decayed(gradients, self.forward.variables, self._penalties), rate)


def _penalties(forward: Forward) -> list[float]:
    """What the gradient of each trained variable's l2 takes times the variable."""
    pulls = {forward.weights[node][name].ref(): one for (node, name), one in penalties(forward.graph).items()}
    return [pulls.get(variable.ref(), 0.0) for variable in forward.variables]
