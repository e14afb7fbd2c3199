"""Batch norms folded into the convolutions before them, where nothing else sees what lies between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from archbuilder.exporting.handover import Handover
from archbuilder.graph import ops
from archbuilder.graph.network import Node, node
from archbuilder.graph.repetition import norms_behind_convolutions
from archbuilder.weights.weight_file import Floats


def folded(handover: Handover) -> Handover:
    """The same function with fewer layers: a convolution that a norm follows has a bias, and the norm is gone."""
    graph, weights = handover.graph, {**handover.weights}
    norms = norms_behind_convolutions(graph, graph.nodes)
    taken = {norm.name: name for name, norm in norms.items()}
    nodes: dict[str, Node] = {}
    for one in graph.nodes:
        if one.name in taken:
            del weights[one.name]
            continue
        inputs = tuple(taken.get(name, name) for name in one.inputs)
        nodes[one.name] = replace(one, inputs=inputs)
        if (norm := norms.get(one.name)) is not None:
            assert isinstance(one.op, ops.Conv)
            behind = node(one.name, replace(one.op, bias=True), [nodes[name] for name in inputs], section=one.section)
            nodes[one.name] = behind
            weights[one.name] = _together(norm, handover.weights[one.name], handover.weights[norm.name])
    outputs = tuple(replace(one, node=taken.get(one.node, one.node)) for one in handover.outputs)
    short = replace(graph, nodes=tuple(nodes.values()), outputs=tuple(one.node for one in outputs))
    return replace(handover, graph=short, weights=weights, outputs=outputs)


def _together(norm: Node, conv: Mapping[str, Floats], moments: Mapping[str, Floats]) -> dict[str, Floats]:
    """Kernel and bias of one convolution that does what a convolution and its norm do, computed in float64."""
    assert isinstance(norm.op, ops.Norm)
    wide = {name: array.astype(np.float64) for name, array in {**conv, **moments}.items()}
    factor = wide.get("gamma", 1.0) / np.sqrt(wide["moving_variance"] + norm.op.epsilon)
    bias = wide["beta"] + (wide.get("bias", 0.0) - wide["moving_mean"]) * factor
    return {"kernel": (wide["kernel"] * factor).astype(np.float32), "bias": bias.astype(np.float32)}
