"""How many values a network holds at once, at the least: what needs more than a machine has is refused unbuilt."""

from __future__ import annotations

from math import prod

from archbuilder.graph.network import Graph


def values_at_once(graph: Graph) -> int:
    """Those for one image where no gradients are wanted: inputs and output of the layer where they are most."""
    return max(prod(node.shape) + sum(prod(graph[name].shape) for name in node.inputs) for node in graph.nodes)


def values_for_gradients(graph: Graph) -> int:
    """Those for one image that wait for the way back: what enters layers with weights, what leaves activations."""
    kept = {name for node in graph.nodes if node.weights for name in node.inputs}
    kept |= {node.name for node in graph.nodes if node.op.family == "activation" and not node.weights}
    return sum(prod(graph[name].shape) for name in kept)


def largest_layer(graph: Graph) -> int:
    """The most parameters of one layer."""
    return max(node.parameters for node in graph.nodes)
