"""Parts of a network that keep their weights while the rest is fine-tuned, as Keras' `trainable = False` has it.

Norms in them also keep their moving statistics, and take these instead of the batch's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import keras

from archbuilder.errors import UsageError, suggest
from archbuilder.graph.naming import layer_name
from archbuilder.graph.network import Graph, Node


def freeze_norms(graph: Graph, parts: Sequence[str]) -> Graph:
    """The graph with the norms of some parts frozen; raises UsageError for one that it lacks, or where none is left."""
    if not parts:
        return graph
    weighted = [node for node in graph.nodes if node.weights]
    for part in parts:
        if not any(_is_in(node, [part]) for node in weighted):
            hint = suggest(part, _parts(weighted), "parts")
            raise UsageError(f"there is no part '{part}' with weights in {graph.name}\n  hint: {hint}")
    if all(_is_in(node, parts) for node in weighted):
        raise UsageError(f"with {', '.join(parts)} frozen, nothing of {graph.name} is left to train")
    return replace(graph, nodes=tuple(_frozen(node) if _is_in(node, parts) else node for node in graph.nodes))


def freeze(model: keras.Model, graph: Graph, parts: Sequence[str]) -> None:
    """Takes the weights of some parts out of the trainable variables of the graph's model."""
    frozen = {layer_name(node.name) for node in graph.nodes if node.weights and _is_in(node, parts)}
    for layer in model.layers:
        if layer.name in frozen:
            layer.trainable = False


def _is_in(node: Node, parts: Iterable[str]) -> bool:
    return any(f"{node.name}/".startswith(f"{part}/") for part in parts)


def _parts(nodes: Iterable[Node]) -> set[str]:
    """Stem, stages, their units and head."""
    paths = [node.name.split("/")[:-1] for node in nodes]
    return {"/".join(path[:length]) for path in paths for length in (1, 2) if length <= len(path)}


def _frozen(node: Node) -> Node:
    return replace(node, op=node.op.frozen_statistics())
