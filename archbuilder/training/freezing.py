"""Parts of a network that keep their weights while the rest is fine-tuned, as Keras' `trainable = False` has it.

Norms in them also keep their moving statistics, and take these instead of the batch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import keras

from archbuilder.errors import UsageError
from archbuilder.graph.naming import layer_name
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.parts import hint_for, is_in, left


def freeze_norms(graph: Graph, parts: Sequence[str]) -> Graph:
    """The graph with the norms of some parts frozen; raises UsageError for one that it lacks, or where none is left."""
    if not parts:
        return graph
    known = left(graph, ())
    for part in parts:
        if part not in known:
            raise UsageError(f"there is no part '{part}' with weights in {graph.name}\n  hint: {hint_for(graph, part)}")
    if not left(graph, parts):
        raise UsageError(f"with {', '.join(parts)} frozen, nothing of {graph.name} is left to train")
    return replace(graph, nodes=tuple(_frozen(node) if is_in(node, parts) else node for node in graph.nodes))


def freeze(model: keras.Model, graph: Graph, parts: Sequence[str]) -> None:
    """Takes the weights of some parts out of the trainable variables of the graph's model."""
    frozen = {layer_name(node.name) for node in graph.nodes if node.weights and is_in(node, parts)}
    for layer in model.layers:
        if layer.name in frozen:
            layer.trainable = False


def _frozen(node: Node) -> Node:
    return replace(node, op=node.op.frozen_statistics())
