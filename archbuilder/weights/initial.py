"""The weights that a network begins with, drawn by NumPy: the distributions are those of Keras, the numbers are not."""

from __future__ import annotations

from math import prod, sqrt
from typing import Literal, assert_never
from zlib import crc32

import numpy as np

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape
from archbuilder.weights.weight_file import Floats

Distribution = Literal["truncated", "normal", "uniform"]
_CUT = 2.0
"""Of a truncated normal distribution, all that is further away, in deviations, is drawn again."""
_LEFT = 0.87962566103423978
"""The deviation of what is left of a normal distribution of deviation 1."""
_SCALED: dict[ops.NamedInitializer, tuple[float, Literal["in", "out", "mean"], Distribution]] = {
    "he_normal": (2, "in", "truncated"), "he_normal_fan_out": (2, "out", "normal"), "he_uniform": (2, "in", "uniform"),
    "glorot_normal": (1, "mean", "truncated"), "glorot_uniform": (1, "mean", "uniform"),
    "lecun_normal": (1, "in", "truncated"), "lecun_uniform": (1, "in", "uniform"),
    "torch_uniform": (1 / 3, "in", "uniform"),
}  # fmt: skip
"""The variance times the fan, which fan that is, and the distribution."""


def initial(graph: Graph, seed: int = 0) -> dict[str, dict[str, Floats]]:
    """The weights of each node; they depend on the seed and its path alone."""
    return {node.name: _of_node(node, seed) for node in graph.nodes if node.weights}


def _of_node(node: Node, seed: int) -> dict[str, Floats]:
    random = np.random.default_rng([seed, crc32(node.name.encode())])
    return {weight.name: _drawn(node.op, weight, random) for weight in node.weights}


def _drawn(op: ops.Op, weight: ops.Weight, random: np.random.Generator) -> Floats:
    match weight.kind:
        case "kernel":
            assert isinstance(op, ops.Conv | ops.ConvTranspose | ops.ChannelConv | ops.Dense)
            return _kernel(op.initializer, weight.shape, random)
        case "bias":
            assert isinstance(op, ops.Conv | ops.ConvTranspose | ops.ChannelConv | ops.Dense)
            return np.full(weight.shape, op.initial_bias, np.float32)
        case "scale":
            return np.full(weight.shape, _scale(op), np.float32)
        case "shift" | "moving_mean":
            return np.zeros(weight.shape, np.float32)
        case "moving_variance":
            return np.ones(weight.shape, np.float32)
        case _:
            assert_never(weight.kind)


def _scale(op: ops.Op) -> float:
    match op:
        case ops.Norm():
            return 0.0 if op.zero_scale else 1.0
        case ops.Scale():
            return op.factor
        case ops.Prelu():
            return op.slope
        case _:
            raise AssertionError(op)


def _kernel(initializer: ops.Initializer, shape: Shape, random: np.random.Generator) -> Floats:
    match initializer:
        case ops.Normal():
            return random.standard_normal(shape, np.float32) * np.float32(initializer.deviation)
        case ops.Constant():
            return np.full(shape, initializer.value, np.float32)
        case "zeros":
            return np.zeros(shape, np.float32)
        case _:
            return _scaled(initializer, shape, random)


def _scaled(initializer: ops.NamedInitializer, shape: Shape, random: np.random.Generator) -> Floats:
    factor, fan, distribution = _SCALED[initializer]
    field = prod(shape[:-2])
    fans = {"in": field * shape[-2], "out": field * shape[-1], "mean": field * (shape[-2] + shape[-1]) / 2}
    deviation = sqrt(factor / max(1.0, fans[fan]))
    match distribution:
        case "normal":
            return random.standard_normal(shape, np.float32) * np.float32(deviation)
        case "truncated":
            return _truncated(shape, random) * np.float32(deviation / _LEFT)
        case "uniform":
            return (2 * random.random(shape, np.float32) - 1) * np.float32(sqrt(3) * deviation)
        case _:
            assert_never(distribution)


def _truncated(shape: Shape, random: np.random.Generator) -> Floats:
    values = random.standard_normal(prod(shape), np.float32)
    while len(far := np.flatnonzero(np.abs(values) > _CUT)):
        values[far] = random.standard_normal(len(far), np.float32)
    return values.reshape(shape)
