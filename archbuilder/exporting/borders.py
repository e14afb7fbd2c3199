"""Max pools whose border is repeated, where the ranges of integers could not hold minus infinity."""

from __future__ import annotations

from dataclasses import replace

from archbuilder.exporting.handover import Handover
from archbuilder.graph import ops
from archbuilder.graph.network import Node, node


def with_repeated_borders(handover: Handover) -> Handover:
    """The same function: a window that reaches beyond the border has the border in it, so that its maximum stays.

    Padding that is that of `same` stays, since pools have it themselves.
    """
    nodes: dict[str, Node] = {}
    for one in handover.graph.nodes:
        if (
            isinstance(one.op, ops.MaxPool)
            and (pads := _explicit(one.op, handover.graph[one.inputs[0]].shape)) is not None
        ):
            border = f"{one.name}_border"
            nodes[border] = node(border, ops.Pad(pads, "edge"), [nodes[one.inputs[0]]], section=one.section)
            pool = replace(one.op, padding="valid")
            nodes[one.name] = node(one.name, pool, [nodes[border]], section=one.section)
        else:
            nodes[one.name] = one
    return replace(handover, graph=replace(handover.graph, nodes=tuple(nodes.values())))


def _explicit(op: ops.MaxPool, shape: ops.Shape) -> ops.Pads | None:
    """What is padded, where that is something, and not that of `same`."""
    height, width, _ = shape
    window, dilation = op.window
    pads, same = (
        ops.resolve_padding((height, width), window, op.stride, padding, dilation) for padding in (op.padding, "same")
    )
    return pads if pads != same and pads != ((0, 0), (0, 0)) else None
