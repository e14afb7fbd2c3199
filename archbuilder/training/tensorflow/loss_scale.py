"""The scale of the loss that keeps float16 gradients in range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from archbuilder.aliases import Tensor, Variable
from archbuilder.training.tensorflow.distribution import assign


class LossScale:
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
