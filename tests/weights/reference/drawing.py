"""Images, weights and mixtures of logits, drawn by a name alone: the same wherever they are drawn."""

from __future__ import annotations

import re
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
MIXTURES = 8
EVERY = 16


def images(height: int, width: int) -> Array:
    """Two images of coloured noise, each around a colour of its own."""
    noise = np.random.default_rng(_seed("noise")).standard_normal((2, height, width, 3), dtype=np.float32)
    return noise + np.array([[[[1, -1, 0]]], [[[-1, 0.5, 1.5]]]], np.float32)


def weight(name: str, shape: tuple[int, ...], gain: float) -> NDArray[np.float32] | NDArray[np.int64]:
    """A tensor of torch (`layer1.0.bn1.weight`) or Keras (`conv1_bn/gamma`), in its layout.

    Kernels keep the size of activations behind ReLUs, and nothing else gets near zero: in any depth they still depend
    on the image. Other activations and gates take away more, for which the `gain` of norms makes up.
    """
    random = np.random.default_rng(_seed(name))
    match re.split(r"[./]", name)[-1]:
        case "num_batches_tracked":
            return np.zeros(shape, np.int64)
        case "bias" | "beta" | "running_mean" | "moving_mean":
            return _normal(random, shape, 0.1)
        case "running_var" | "moving_variance":
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        case "weight" if len(shape) > 1:
            return _normal(random, shape, (2 / np.prod(shape[1:])) ** 0.5)
        case "kernel" if shape[-1] == 1:  # depthwise
            return _normal(random, shape, (2 / np.prod(shape[:2])) ** 0.5)
        case "kernel":
            return _normal(random, shape, (2 / np.prod(shape[:-1])) ** 0.5)
        case "weight" | "gamma" | "layer_scale" | "variable":  # the last is Keras' layer scale
            return random.uniform(0.5 * gain, gain, shape).astype(np.float32)
    raise ValueError(f"nobody has said how {name} is drawn")


def told(logits: Array) -> Array:
    """What is kept of logits `(2, classes)`: some of them, and mixtures of all."""
    mixture = _normal(np.random.default_rng(_seed("mixture")), (logits.shape[1], MIXTURES), logits.shape[1] ** -0.5)
    return np.concatenate([logits[:, ::EVERY], logits @ mixture], axis=1)


def difference(found: Array, expected: Array) -> float:
    """The largest difference, relative to the largest number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _normal(random: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return random.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def _seed(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big")
