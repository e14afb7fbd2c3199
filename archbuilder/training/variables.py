"""What a recipe says of the variables of a stock model: their kinds, the factors of their rates, and their l2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import keras

from archbuilder.graph import ops
from archbuilder.graph.naming import layer_name
from archbuilder.graph.network import Graph
from archbuilder.graph.parts import factor_of
from archbuilder.spec import optimization
from archbuilder.spec.training import Training


def kinds(graph: Graph, model: keras.Model) -> Iterator[tuple[str, optimization.Weighted]]:
    """The path of each trainable variable, and what weight decay calls it."""
    layers = {layer.name: layer for layer in model.layers}
    for node in graph.nodes:
        for weight in node.weights:
            if (kind := _kind(node.op, weight)) is not None:
                yield getattr(layers[layer_name(node.name)], weight.name).path, kind


def rate_factors(training: Training, graph: Graph, model: keras.Model) -> list[float]:
    """What the rate of each trainable variable is multiplied by."""
    found = {layer_name(node.name): factor_of(node, training.rate_factors) for node in graph.nodes if node.weights}
    by_path = {variable.path: found.get(layer.name, 1.0) for layer in model.layers for variable in layer.variables}
    return [by_path[variable.path] for variable in model.trainable_variables]


def _kind(op: ops.Op, weight: ops.Weight) -> optimization.Weighted | None:
    match weight.kind:
        case "kernel":
            return "conv" if op.family == "conv" else "dense"
        case "bias":
            return "bias"
        case "scale" | "shift":
            return "norm"
        case "moving_mean" | "moving_variance":
            return None
        case _:
            assert_never(weight.kind)


def penalties(graph: Graph) -> dict[tuple[str, str], float]:
    """The factor of each weight's l2, by node and name: its gradient gains that many times the weight."""
    return {(node.name, weight.name): 2 * weight.l2 for node in graph.nodes for weight in node.weights if weight.l2}
