"""Checks a Keras model against the graph that it was built from, and saves it so that no half-written file is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archbuilder.graph.naming import layer_name, result_name
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import show

if TYPE_CHECKING:
    import keras


def differences(graph: Graph, model: keras.Model) -> list[str]:
    """Where Keras' shapes and parameter counts, layer by layer and in all, differ from the graph's."""
    layers = {layer.name: layer for layer in model.layers}  # get_layer searches through them all
    found = [one for node in graph.nodes for one in _layer_differences(node, layers)]
    trainable = sum(_size(weight) for weight in model.trainable_weights)
    if (trainable, model.count_params()) != (graph.trainable, graph.parameters):
        found.append(
            f"parameters: {graph.trainable:,} / {graph.parameters:,}, in Keras {trainable:,} / {model.count_params():,}"
        )
    return found


def _layer_differences(node: Node, layers: Mapping[str, keras.Layer]) -> list[str]:
    layer = layers[layer_name(node.name)]
    shape = tuple(layers.get(result_name(node.name), layer).output.shape[1:])
    weights = sorted((tuple(weight.shape), weight.trainable) for weight in layer.weights if weight.dtype == "float32")
    expected = sorted((weight.shape, weight.trainable) for weight in node.weights)
    found = [] if shape == node.shape else [f"{node.name}: {show(node.shape)}, in Keras {show(shape)}"]
    return found if weights == expected else [*found, f"{node.name}: weights {expected}, in Keras {weights}"]


def _size(weight: keras.Variable) -> int:
    size = 1
    for side in weight.shape:
        size *= int(side)
    return size
