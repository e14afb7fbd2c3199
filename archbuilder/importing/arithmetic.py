"""Sums, products and constants: what several layers of a file come to is one op of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose, sqrt

from archbuilder.graph import ops
from archbuilder.importing.building import Affine, Builder, Carried, Erf, Ramp, Value


def affine(builder: Builder, name: str, value: Value, made: Affine) -> Value:
    """A tensor times constants, with constants added, which wait for what makes sense of them."""
    plain = replace(value, trick=None)
    match value.trick:
        case Affine():
            return replace(value, trick=made.after(value.trick))
        case Ramp() if made.offset == (0.0,) and isclose(made.factor[0], 1 / 6, rel_tol=1e-5):
            return builder.alike(name, ops.Activation("hard_sigmoid"), plain)
        case Erf(steps=0) if made == Affine((1.0,), (1.0,)):
            return replace(value, trick=Erf(1))
        case Erf(steps=2) if made.offset == (0.0,) and isclose(made.factor[0], 0.5):
            return builder.alike(name, ops.Activation("gelu"), plain)
        case _:
            return replace(value, trick=made)


def relu6(builder: Builder, name: str, value: Value) -> Value:
    if value.trick == Affine((1.0,), (3.0,)):
        return replace(value, trick=Ramp())
    return builder.alike(name, ops.Activation("relu6"), value)


def erf(value: Value) -> Value | None:
    """The error function, where it may be part of a GELU."""
    if not isinstance(value.trick, Affine) or value.trick.offset != (0.0,):
        return None
    return replace(value, trick=Erf()) if isclose(value.trick.factor[0], 1 / sqrt(2), rel_tol=1e-5) else None


def product(builder: Builder, name: str, values: Sequence[Value]) -> Value | None:
    """The product of two tensors, where one of them is not one yet."""
    if len(values) != 2:
        return None
    for x, other in (values, values[::-1]):
        if other.trick == Erf(1) and other.node is x.node:
            if x.trick is None:
                return replace(x, trick=Erf(2))
            if isinstance(x.trick, Affine) and x.trick.offset == (0.0,) and isclose(x.trick.factor[0], 0.5):
                return builder.alike(name, ops.Activation("gelu"), replace(x, trick=None))
        if other.trick == Affine((-1.0,), (1.0,)):
            return replace(x, trick=Carried(other.node))
    return None


def total(builder: Builder, name: str, values: Sequence[Value]) -> Value | None:
    """`gate * transform + (1 - gate) * carry`, where a sum is that."""
    if len(values) != 2:
        return None
    for transformed, carried in (values, values[::-1]):
        if not isinstance(carried.trick, Carried) or not isinstance(transformed.node.op, ops.Multiply):
            continue
        gate = carried.trick.gate
        others = [one for one in transformed.node.inputs if one != gate.name]
        if gate.name in transformed.node.inputs and len(others) == 1:
            nodes = [builder.nodes[others[0]], carried.node, gate]
            return builder.add(
                name, ops.Gate(("transform", "carry", "gate")), *(Value(one, one.shape) for one in nodes)
            )
    return None
