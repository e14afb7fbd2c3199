"""A network for images of another size, or with other settings of its layers."""

from __future__ import annotations

from collections.abc import Mapping

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.graph.ops import Op, Shape, ShapeError


def resized(graph: Graph, shape: Shape) -> Graph | None:
    """The same layers behind an input of another shape; None where they do not fit it."""
    return graph if graph.input.shape == shape else with_ops(graph, {graph.input.name: ops.Input(shape)})


def with_ops(graph: Graph, new: Mapping[str, Op]) -> Graph | None:
    """The same network with other ops of some nodes; None where they do not fit each other."""
    made: dict[str, Node] = {}
    try:
        for one in graph.nodes:
            op = new.get(one.name, one.op)
            made[one.name] = node(one.name, op, [made[name] for name in one.inputs], one.span, one.section)
    except ShapeError:
        return None
    return Graph(graph.name, tuple(made.values()), graph.outputs)
