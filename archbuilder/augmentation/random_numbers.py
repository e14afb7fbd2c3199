"""Random numbers without a state: a hash of the seed, the epoch, the index of the image and the place in the list.

So a resumed run sees the very images that it would have seen.
"""

from __future__ import annotations

from math import pi

from keras import ops

from archbuilder.aliases import Tensor
from archbuilder.augmentation.engine import betainc


class StatelessRandom:
    """The random numbers of one augmentation for the images of a batch; `number` tells several of an image apart."""

    def __init__(self, indices: Tensor, epoch: Tensor, seed: int, position: int) -> None:
        self._indices = ops.cast(indices, "uint32")
        self._key = _hash(_hash(_hash(ops.convert_to_tensor(seed, "uint32")) + position) + ops.cast(epoch, "uint32"))

    def uniform(self, number: int) -> Tensor:
        """(n,) float32, at least 0 and less than 1."""
        return ops.cast(ops.right_shift(self._bits(number), 8), "float32") * 2.0**-24

    def integer(self, number: int, below: int) -> Tensor:
        """(n,) int32, at least 0 and less than `below`, at most 2^16: the upper half of a product of 64 bits."""
        bits = self._bits(number)
        low = ops.right_shift(ops.bitwise_and(bits, ops.convert_to_tensor(0xFFFF, "uint32")) * below, 16)
        return ops.cast(ops.right_shift(ops.right_shift(bits, 16) * below + low, 16), "int32")

    def normal(self, number: int) -> Tensor:
        """(n,) float32, of mean 0 and deviation 1 (Box and Muller 1958), from two uniform numbers."""
        radius = ops.sqrt(-2 * ops.log(1 - self.uniform(2 * number)))
        return radius * ops.cos(2 * pi * self.uniform(2 * number + 1))

    def beta(self, number: int, alpha: float) -> Tensor:
        """(n,) float32 of the distribution Beta(alpha, alpha), to 16 bits: halves the interval where it must lie."""
        share = self.uniform(number)
        found = ops.zeros_like(share)
        for power in range(1, 17):
            middle = found + 2.0**-power
            found = ops.where(betainc(alpha, middle) <= share, middle, found)
        return found

    def _bits(self, number: int) -> Tensor:
        """(n,) uint32, uniform."""
        key = _hash(self._key + number)
        return _hash(_hash(self._indices + key) + key)


def _hash(values: Tensor) -> Tensor:
    """Mixes the bits of uint32 values (Mueller's integer hash); products are modulo 2^32."""
    for _ in range(2):
        values = ops.bitwise_xor(values, ops.right_shift(values, 16)) * 0x45D9F3B
    return ops.bitwise_xor(values, ops.right_shift(values, 16))
