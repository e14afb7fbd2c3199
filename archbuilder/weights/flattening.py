"""The features of flattened images: PyTorch has them channel by channel, we have them place by place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archbuilder.errors import ArchbuilderError
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape

Order = NDArray[np.intp]
"""Where each feature stands in PyTorch's order."""


def arriving(graph: Graph) -> dict[str, Order]:
    """The order of the features that each node takes in, for nodes that hold weights and to which it matters.

    Raises ArchbuilderError where features of both orders come together in one.
    """
    leaving: dict[str, Order] = {}
    found: dict[str, Order] = {}
    for node in graph.nodes:
        orders = [leaving[name] for name in node.inputs if name in leaving]
        if orders and node.weights:
            found[node.name] = orders[0]
        order = _leaving(graph, node, orders, leaving)
        if order is not None:
            leaving[node.name] = order
    return found


def _leaving(graph: Graph, node: Node, orders: list[Order], leaving: dict[str, Order]) -> Order | None:
    shape = graph[node.inputs[0]].shape if node.inputs else ()
    match node.op:
        case ops.Flatten() if len(shape) == 3:
            return _by_channels(shape)
        case _ if not orders:
            return None
        case ops.Dense():
            return None
        case ops.Concat():
            return _in_a_row(graph, node, leaving)
        case ops.Norm(groups=groups) if groups > 1:
            raise _mixed(node)
        case ops.Elementwise() | ops.Flatten():
            return orders[0]
        case ops.Add() | ops.Multiply() | ops.Gate() if _same(orders, len(node.inputs)):
            return orders[0]
        case _:
            raise _mixed(node)


def _by_channels(image: Shape) -> Order | None:
    """The order of a flattened image; None where it is the same in both."""
    height, width, channels = image
    if height * width == 1 or channels == 1:
        return None
    return np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).ravel()


def _in_a_row(graph: Graph, node: Node, leaving: dict[str, Order]) -> Order:
    begin, orders = 0, []
    for name in node.inputs:
        width = graph[name].shape[-1]
        orders.append(begin + leaving.get(name, np.arange(width)))
        begin += width
    return np.concatenate(orders)


def _same(orders: list[Order], count: int) -> bool:
    return len(orders) == count and all(np.array_equal(one, orders[0]) for one in orders)


def _mixed(node: Node) -> ArchbuilderError:
    message = f"{node.name} takes in flattened images, which PyTorch orders by channels and Keras by places"
    return ArchbuilderError(f"{message}; no order of the weights makes up for that here")
