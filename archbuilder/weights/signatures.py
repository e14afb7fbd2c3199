"""What a layer is by its weights alone, on both sides: layers of a file and nodes of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import assert_never

import numpy as np

from archbuilder.graph.network import Node
from archbuilder.graph.ops import Shape
from archbuilder.weights.weight_file import UNSURE, Kind, Layer, StoredTensor

_NORM = {"gamma", "beta", "moving_mean", "moving_variance"}


@dataclass(frozen=True)
class Signature:
    """The kind and the shapes of a layer; a dense kernel is that of a 1x1 convolution."""

    kind: str
    kernel: Shape
    """The kernel of a convolution; the channels of a norm; the sizes of anything else."""
    parts: frozenset[str]

    @property
    def arriving(self) -> int:
        return self.kernel[-2] if self.kind == "kernel" else 0

    @property
    def leaving(self) -> int:
        return self.kernel[-1] if self.kernel else 0

    def with_arriving(self, channels: int) -> Signature:
        return replace(self, kernel=(*self.kernel[:-2], channels, self.kernel[-1]))

    def with_leaving(self, channels: int) -> Signature:
        return replace(self, kernel=(*self.kernel[:-1], channels))


def of_node(node: Node) -> Signature:
    return _signature(kind(node), {weight.name: weight.shape for weight in node.weights})


def of_layer(layer: Layer) -> Signature:
    return _signature(layer.kind, {name: tensor.array.shape for name, tensor in layer.tensors.items()})


def _signature(kind: Kind, shapes: Mapping[str, Shape]) -> Signature:
    parts = frozenset(shapes)
    if kind in ("conv", "dense") and "kernel" in shapes and parts <= {"kernel", "bias"}:
        shape = shapes["kernel"]
        missing = 4 - len(shape) if prod(shape[:-2]) == 1 else 0
        return Signature("kernel", (*(1,) * missing, *shape), parts)
    if kind == "norm" and parts <= _NORM and len(set(shapes.values())) == 1:
        return Signature("norm", next(iter(shapes.values())), parts)
    known = kind == "other"
    return Signature("other" if known else "unknown", tuple(map(prod, shapes.values())), frozenset())


def kind(node: Node) -> Kind:
    match node.op.family:
        case "conv" | "dense" | "norm" as family:
            return family
        case "activation" | "pool" | "merge" | "other":
            return "other"
        case family:
            assert_never(family)


def as_wanted(layers: Iterable[Layer], nodes: Iterable[Node]) -> tuple[Layer, ...]:
    """The layers with norms that scale by one, or shift by zero, where the file leaves that out and the graph does not;
    with the only learned vector of a norm as its shift where the graph has norms that only shift; and with learned
    numbers that one module of the file holds together, each for itself, unless a node holds them all.
    """
    wanted = {of_node(node) for node in nodes}
    return tuple(one for layer in layers for one in _as_wanted(layer, wanted))


def _as_wanted(layer: Layer, wanted: set[Signature]) -> Iterable[Layer]:
    if UNSURE in layer.tensors:
        shifted = replace(layer, tensors={"beta" if k == UNSURE else k: one for k, one in layer.tensors.items()})
        return (shifted if of_layer(shifted) in wanted else layer,)
    signature = of_layer(layer)
    if signature in wanted or signature.kind in ("kernel", "unknown"):
        return (layer,)
    if signature.kind == "norm":
        filled = _filled(layer, signature.kernel)
        return (filled,) if of_layer(filled) in wanted else (layer,)
    if len(layer.tensors) < 2:
        return (layer,)
    return [replace(layer, name=f"{layer.name}.{part}", tensors={part: one}) for part, one in layer.tensors.items()]


def _filled(layer: Layer, shape: Shape) -> Layer:
    neutral: dict[str, StoredTensor] = {
        part: StoredTensor(f"{layer.name}.{part}", np.full(shape, value, np.float32), shape)
        for part, value in (("gamma", 1), ("beta", 0))
    }
    return replace(layer, tensors={**neutral, **layer.tensors})


def fitted(node: Node, layer: Layer) -> Layer:
    """The layer by the names and the shapes of the node's weights.

    Kernels of dense layers and of 1x1 convolutions are each other's; learned scales and slopes are shaped in many ways,
    such as `(C,)`, `(C, 1, 1)` or `(1, 1, C)`.
    """
    if of_layer(layer) != of_node(node):
        return layer
    given = layer.tensors
    tensors = list(given.values()) if layer.kind == "other" else [given[weight.name] for weight in node.weights]
    pairs = zip(node.weights, tensors, strict=True)
    return replace(layer, tensors={w.name: replace(t, array=t.array.reshape(w.shape)) for w, t in pairs})
