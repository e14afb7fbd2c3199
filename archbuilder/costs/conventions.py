"""The cost of one image as different tools count it: each prints another number for the same network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node


@dataclass(frozen=True, slots=True)
class Count:
    """A number, who prints it, and what it counts."""

    tool: str
    number: int
    what: str


def conventions(graph: Graph) -> tuple[Count, ...]:
    """What tools print for a network of convolutions, batch norms, global average pools and dense layers."""
    norms = sum(prod(node.shape) for node in graph.nodes if isinstance(node.op, ops.Norm))
    pools = [node for node in graph.nodes if isinstance(node.op, ops.GlobalAveragePool)]
    pooled = sum(prod(graph[node.inputs[0]].shape) for node in pools)
    left = sum(prod(node.shape) for node in pools)
    added = sum(_added(node) for node in graph.nodes)
    macs = graph.macs
    return (
        Count("papers", macs, "multiply-adds of convolutions and dense layers"),
        Count("flops", 2 * macs, "a multiply and an add each for one"),
        Count("torchinfo", macs + added, "those, biases where they are added, and one for each parameter of a norm"),
        Count("fvcore", macs + 2 * norms + pooled, "those, two for a value of a norm, one for each that is pooled"),
        Count(
            "thop", macs + 4 * norms + pooled + left, "those, four for a value of a norm, adds and divisions of pools"
        ),
    )


def _added(node: Node) -> int:
    """The values that biases are added to, and the parameters of a norm."""
    if isinstance(node.op, ops.Norm):
        return node.trainable
    return prod(node.shape) if any(weight.kind == "bias" for weight in node.weights) else 0
