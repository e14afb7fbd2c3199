"""What is done to pixels before a network sees them: `(x / 255 - offset) * scale`, fitted on the training images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Tensor = Any
How = Literal["pixel_mean", "channel_mean_std", "none"]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Offset and scale in units of pixel / 255, each of a shape that broadcasts to (H, W, C)."""

    offset: Floats
    scale: Floats

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, H, W, C) uint8 -> (n, H, W, C) float32."""
        return tf.cast(pixels, tf.float32) * (self.scale / np.float32(255)) - self.offset * self.scale

    def save(self, path: Path) -> None:
        """Writes a NumPy archive to exactly this path."""
        with path.open("wb") as file:
            np.savez(file, offset=self.offset, scale=self.scale)

    @classmethod
    def load(cls, path: Path) -> Normaliser:
        with np.load(path, allow_pickle=False) as archive:
            return cls(archive["offset"], archive["scale"])


def fit(how: How, pixels: Pixels) -> Normaliser:
    """The normaliser of a training set, (n, H, W, C)."""
    match how:
        case "none":
            offset, scale = np.zeros(1), np.ones(1)
        case "pixel_mean":
            offset, scale = pixels.sum(axis=0, dtype=np.uint64) / len(pixels) / 255, np.ones(1)
        case "channel_mean_std":
            offset, deviation = _channel_moments(pixels)
            scale = 1 / np.where(deviation > 0, deviation, 1.0)  # a channel that never changes stays as it is
        case _:
            assert_never(how)
    return Normaliser(offset.astype(np.float32), scale.astype(np.float32))


def _channel_moments(pixels: Pixels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and deviation of each channel / 255, from counts of the 256 values: exact, and small in memory."""
    counts = np.array([np.bincount(pixels[..., channel].ravel(), minlength=256) for channel in range(pixels.shape[-1])])
    values, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    return mean, np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
