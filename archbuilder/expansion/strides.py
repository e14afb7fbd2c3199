"""The stride of a path: the product of those of its layers."""

from __future__ import annotations

from collections.abc import Iterable

from archbuilder import bounds
from archbuilder.graph import ops
from archbuilder.graph.network import Node


def stride_between(start: Node, end: Node, nodes: Iterable[Node]) -> int | tuple[int, int]:
    """The stride of the path to `end`, along the first path of merges; two numbers where height and width differ.

    `nodes` are those behind `start`. It is 1 where the path comes to a vector, and the largest size of the language at
    most.
    """
    if len(start.shape) != 3 or len(end.shape) != 3:
        return 1
    named = {node.name: node for node in nodes}
    height = width = 1
    node = end
    while node.name in named:
        rows, columns = _stride(node.op)
        height, width = min(height * rows, bounds.SIZE), min(width * columns, bounds.SIZE)
        node = named.get(node.inputs[0], start)
    return height if height == width else (height, width)


def _stride(op: ops.Op) -> ops.Pair:
    return op.stride if isinstance(op, ops.Windowed | ops.Subsample) else (1, 1)
