"""Random numbers without a state: a hash of the seed, the epoch, the index of the image and the place in the list.

So a resumed run sees the very images that it would have seen.
"""

from __future__ import annotations

from math import pi

import tensorflow as tf

from archbuilder.aliases import Tensor


class StatelessRandom:
    """The random numbers of one augmentation for the images of a batch; `number` tells several of an image apart."""

    def __init__(self, indices: Tensor, epoch: Tensor, seed: int, position: int) -> None:
        self._indices = tf.cast(indices, tf.int64)
        self._key = _hash(_hash(_hash(tf.constant(seed, tf.int64)) + position) + tf.cast(epoch, tf.int64))

    def uniform(self, number: int) -> Tensor:
        """(n,) float32, at least 0 and less than 1."""
        return tf.cast(self._bits(number) // 2**8, tf.float32) * 2.0**-24

    def integer(self, number: int, below: int) -> Tensor:
        """(n,) int32, at least 0 and less than `below`, which is far below 2^32."""
        return tf.cast(self._bits(number) * below // 2**32, tf.int32)

    def normal(self, number: int) -> Tensor:
        """(n,) float32, of mean 0 and deviation 1 (Box and Muller 1958), from two uniform numbers."""
        radius = tf.sqrt(-2 * tf.math.log(1 - self.uniform(2 * number)))
        return radius * tf.cos(2 * pi * self.uniform(2 * number + 1))

    def beta(self, number: int, alpha: float) -> Tensor:
        """(n,) float32 of the distribution Beta(alpha, alpha), to 16 bits: halves the interval where it must lie."""
        share = self.uniform(number)
        found = tf.zeros_like(share)
        for power in range(1, 17):
            middle = found + 2.0**-power
            found = tf.where(tf.math.betainc(alpha, alpha, middle) <= share, middle, found)
        return found

    def _bits(self, number: int) -> Tensor:
        """(n,) int64, uniform in 32 bits."""
        key = _hash(self._key + number)
        return _hash(_hash(self._indices + key) + key)


def _hash(values: Tensor) -> Tensor:
    """Mixes the lower 32 bits of int64 values (Mueller's integer hash); no product leaves 63 bits."""
    mask, factor = 2**32 - 1, 0x45D9F3B
    values = tf.bitwise.bitwise_and(values, mask)
    for _ in range(2):
        values = tf.bitwise.bitwise_xor(values, tf.bitwise.right_shift(values, 16))
        values = tf.bitwise.bitwise_and(values * factor, mask)
    return tf.bitwise.bitwise_xor(values, tf.bitwise.right_shift(values, 16))
