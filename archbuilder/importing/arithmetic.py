"""Sums, products and constants: what several layers of a file come to is one op of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose, sqrt

from archbuilder.graph import ops
from archbuilder.importing.building import Affine, Builder, Carried, Erf, Ramp, Response, UnreadError, Value, short


def affine(builder: Builder, name: str, value: Value, made: Affine) -> Value:
    """A tensor times constants, with constants added, which wait for what makes sense of them."""
    plain = replace(value, trick=None)
    match value.trick:
        case Affine():
            return replace(value, trick=made.after(value.trick))
        case Response(size=size) if size:
            return replace(value, trick=_scaled(value.trick, made))
        case Ramp() if made.offset == (0.0,) and isclose(made.factor[0], 1 / 6, rel_tol=1e-5):
            return builder.alike(name, ops.Activation("hard_sigmoid"), plain)
        case Erf(steps=0) if made == Affine((1.0,), (1.0,)):
            return replace(value, trick=Erf(1))
        case Erf(steps=2) if made.offset == (0.0,) and isclose(made.factor[0], 0.5):
            return builder.alike(name, ops.Activation("gelu"), plain)
        case _:
            return replace(value, trick=made)


def _scaled(response: Response, made: Affine) -> Response:
    """What a local response norm is made of, its mean scaled or moved."""
    if len(made.factor) > 1 or len(made.offset) > 1:
        raise UnreadError("a local response norm has one alpha and one bias for all channels")
    [factor], [offset] = made.factor, made.offset
    scaled = response.alpha is not None or factor != 1
    alpha = (1.0 if response.alpha is None else response.alpha) * factor if scaled else None
    return replace(response, alpha=alpha, bias=response.bias * factor + offset)


def power(value: Value, exponent: float) -> Value | None:
    """The square of an image, or what a local response norm multiplies by, where a power is that."""
    match value.trick:
        case None if exponent == 2 and len(value.shape) == 3:
            return replace(value, trick=Response())
        case Response(size=size, alpha=alpha, beta=None) if size and alpha is not None:
            return replace(value, trick=replace(value.trick, beta=-exponent))
        case _:
            return None


def response(builder: Builder, name: str, values: Sequence[Value], *, divides: bool = False) -> Value | None:
    """The squares that a local response norm begins with, or what it ends in."""
    if len(values) != 2:
        return None
    one, other = values
    if not divides and one == other and one.trick is None and len(one.shape) == 3:
        return replace(one, trick=Response())
    for x, power in ((one, other),) if divides else ((one, other), (other, one)):
        trick = power.trick
        if isinstance(trick, Response) and power.node == x.node and trick.alpha is not None and trick.beta is not None:
            beta = -trick.beta if divides else trick.beta
            op = ops.LocalResponseNorm(trick.size, *map(short, (trick.alpha, beta, trick.bias)))
            return builder.add(name, op, x)
    return None


def about(response: Response, before: int, behind: int) -> Response:
    """The mean of squares over channels before and behind each, as a local response norm has it."""
    if response.size or before != (before + behind) // 2:
        raise UnreadError("its window is not about the channel")
    return Response(before + behind + 1)


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
