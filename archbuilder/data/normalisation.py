"""The normalisation of pixels: `(x / 255 - offset) * scale`, fitted on the training images.

Where blue is to come first, it does so before all else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from archbuilder.aliases import Array, Tensor
from archbuilder.bounded_arrays import open_own_arrays
from archbuilder.data.dataset import Pixels
from archbuilder.graph.ops import show
from archbuilder.machine.backend import backend
from archbuilder.spec import normalisation
from archbuilder.spec.preprocessing import Colours

Floats = npt.NDArray[np.float32]
Moments = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Offset and scale in units of pixel / 255, each of a shape that broadcasts to (H, W, C)."""

    offset: Floats
    scale: Floats
    turns: bool = False
    """Whether the channels are put in the other order first."""

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, H, W, C) uint8 -> (n, H, W, C) float32."""
        from keras import ops

        pixels = pixels[..., ::-1] if self.turns else pixels
        if backend() == "jax" and pixels.dtype == np.uint8:
            return self._products_of(pixels) - self.shift
        return ops.cast(pixels, "float32") * self.factor - self.shift

    @property
    def factor(self) -> Floats:
        """What pixels are multiplied by, after which `shift` comes off."""
        return self.scale / np.float32(255)

    @property
    def shift(self) -> Floats:
        return self.offset * self.scale

    def normalised(self, pixels: Pixels) -> Floats:
        """The same as a call, by NumPy."""
        turned = pixels[..., ::-1] if self.turns else pixels
        return np.ascontiguousarray(turned.astype(np.float32) * self.factor - self.shift)

    def _products_of(self, pixels: Tensor) -> Tensor:
        """Pixels times the scale, from a table: XLA would round such a product only together with what follows."""
        from keras import ops

        table = (np.arange(256, dtype=np.float32)[:, None] * self.factor.reshape(-1)).astype(np.float32)
        channels = np.arange(pixels.shape[-1]) % table.shape[1]
        return ops.convert_to_tensor(table)[ops.cast(pixels, "int32"), channels]

    def undone(self, images: Floats) -> Pixels:
        """The nearest pixels that give such images."""
        pixels: Pixels = ((images / self.scale + self.offset) * 255).round().clip(0, 255).astype(np.uint8)
        return pixels[..., ::-1] if self.turns else pixels

    def save(self, path: Path) -> None:
        """Writes a NumPy archive to exactly this path."""
        with path.open("wb") as file:
            arrays: dict[str, Any] = {"offset": self.offset, "scale": self.scale}
            if self.turns:
                arrays["turns"] = np.ones(1, np.uint8)
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Normaliser:
        """Raises BadFileError where there is no such archive; links are not followed."""
        with open_own_arrays(path) as archive:
            return cls(archive.read("offset"), archive.read("scale"), "turns" in archive)

    def problem(self, shape: tuple[int, ...]) -> str | None:
        """Why it cannot be laid over images (H, W, C); nothing where it can."""
        for name, values in (("offset", self.offset), ("scale", self.scale)):
            if values.dtype != np.float32:
                return f"its {name} is not in float32"
            if not (np.isfinite(values).all() and (name == "offset" or values.all())):
                return f"its {name} holds numbers that no {name} has"
            if not _broadcasts(values.shape, shape):
                return f"its {name} is not made for images of {show(shape)}"
        return None


def _broadcasts(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    pairs = zip(own[::-1], shape[::-1], strict=False)
    return len(own) <= len(shape) and all(side in (1, whole) for side, whole in pairs)


def fit(how: normalisation.Normalisation, batches: Iterable[Pixels], colours: Colours = "rgb") -> Normaliser:
    """The normaliser of a training set, given in batches (n, H, W, C), which are read only where they are needed."""
    turns = colours == "bgr"
    offset, scale = _offset_and_scale(how, (batch[..., ::-1] for batch in batches) if turns else batches)
    return Normaliser(offset.astype(np.float32), scale.astype(np.float32), turns)


def _offset_and_scale(how: normalisation.Normalisation, batches: Iterable[Pixels]) -> tuple[Moments, Moments]:
    match how:
        case normalisation.Unchanged():
            return np.zeros(1), np.ones(1)
        case normalisation.Channels():
            return np.array(how.mean), 1 / np.array(how.deviation)
        case normalisation.PixelMean():
            return _mean_image(batches), np.ones(1)
        case normalisation.ChannelMean():
            return _channel_moments(batches)[0], np.ones(1)
        case normalisation.ChannelMeanStd():
            mean, deviation = _channel_moments(batches)
            return mean, 1 / np.where(deviation > 0, deviation, 1.0)  # a channel that never changes stays as it is
        case _:
            assert_never(how)


def _mean_image(batches: Iterable[Pixels]) -> Moments:
    total, count = np.zeros((), np.uint64), 0
    for pixels in batches:
        total, count = total + pixels.sum(axis=0, dtype=np.uint64), count + len(pixels)
    mean: Moments = total / count / 255
    return mean


def _channel_moments(batches: Iterable[Pixels]) -> tuple[Moments, Moments]:
    """Mean and deviation of each channel / 255, from counts of the 256 values: exact, and small in memory."""
    counts: Array = np.zeros((), np.int64)
    for pixels in batches:
        channels = np.moveaxis(pixels, -1, 0)
        counts = counts + np.array([np.bincount(channel.ravel(), minlength=256) for channel in channels])
    values, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    return mean, np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
