"""A network for images of another size."""

from __future__ import annotations

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.graph.ops import Shape, ShapeError


def resized(graph: Graph, shape: Shape) -> Graph | None:
    """The same layers behind an input of another shape; None where they do not fit it."""
    if graph.input.shape == shape:
        return graph
    first = graph.input
    made: dict[str, Node] = {first.name: node(first.name, ops.Input(shape), (), first.span, first.section)}
    try:
        for one in graph.nodes[1:]:
            made[one.name] = node(one.name, one.op, [made[name] for name in one.inputs], one.span, one.section)
    except ShapeError:
        return None
    return Graph(graph.name, tuple(made.values()), graph.outputs)
