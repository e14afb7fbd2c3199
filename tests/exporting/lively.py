"""Weights that hide nothing: no scale is one, and no shift, bias or mean is zero, as they are where a training begins."""

from __future__ import annotations

import numpy as np

from archbuilder.graph.network import Graph
from archbuilder.weights.initial import initial
from archbuilder.weights.weight_file import Floats

RANGES = {
    "scale": (0.5, 1.5), "shift": (-0.5, 0.5), "bias": (-0.5, 0.5), "moving_mean": (-0.5, 0.5),
    "moving_variance": (0.5, 1.5),
}  # fmt: skip


def lively(graph: Graph, seed: int = 0) -> dict[str, dict[str, Floats]]:
    random, weights = np.random.default_rng(seed), initial(graph, seed)
    for node in graph.nodes:
        for weight in node.weights:
            if weight.kind in RANGES:
                values = random.uniform(*RANGES[weight.kind], weight.shape).astype(np.float32)
                weights[node.name][weight.name] = values
    return weights
