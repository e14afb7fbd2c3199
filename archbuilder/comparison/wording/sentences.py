"""The sentence about a setting that differs, in the words of papers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from archbuilder.comparison.wording.phrases import number, size
from archbuilder.comparison.wording.subjects import Subject
from archbuilder.graph import ops
from archbuilder.graph.ops import Op
from archbuilder.outline.parts import DEPTHWISE

PADDINGS = {
    "same": "same (as TensorFlow does it)",
    "symmetric": "symmetric (as PyTorch and Caffe do it)",
    "valid": "none",
}
_PLURALS = {"bias": "biases", "scale": "scales"}
_LEARNED = {
    "none": "constant",
    "channel": "learned, one number for each channel",
    "scalar": "learned, one number for all channels",
}


def described(op: Op, other: Op) -> tuple[str, ...]:
    """The settings of a layer that are told before others: those of its short description, such as `3x3 conv, 64, /2`.

    Norms of different kinds differ in what only one of them has as well.
    """
    if isinstance(op, ops.Norm) and isinstance(other, ops.Norm) and op.over != other.over:
        return ("over", "groups", "momentum")
    if isinstance(op, ops.Weighted):
        return _of_weighted(op)
    if isinstance(op, ops.Moving):
        return _of_moving(op)
    match op:
        case ops.MaxPool() | ops.AveragePool():
            return ("size", "stride")
        case ops.ChannelPool():
            return ("method",)
        case ops.Activation():
            return ("function",)
        case ops.LeakyRelu():
            return ("slope",)
        case ops.Dropout() | ops.StochasticDepth():
            return ("rate",)
        case (
            ops.Elementwise() | ops.Input() | ops.GlobalAveragePool() | ops.GlobalMaxPool() | ops.LocalResponseNorm()
            | ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate()
        ):  # fmt: skip
            return ()  # each setting is told by itself
        case _:
            assert_never(op)


def _of_weighted(op: ops.Weighted) -> tuple[str, ...]:
    match op:
        case ops.Conv():
            return ("filters", "kernel", "stride", "groups", "dilation")
        case ops.ConvTranspose():
            return ("filters", "kernel", "stride")
        case ops.ChannelConv():
            return ("kernel",)
        case ops.Dense():
            return ("units",)
        case ops.Scale():
            return ("learned",)
        case ops.Elementwise():
            return ()
        case _:
            assert_never(op)


def _of_moving(op: ops.Moving) -> tuple[str, ...]:
    match op:
        case ops.Subsample():
            return ("stride",)
        case ops.Pad():
            return ("amount",)
        case ops.PadChannels():
            return ("channels",)
        case ops.SliceChannels():
            return ("start", "stop")
        case ops.ShuffleChannels():
            return ("groups",)
        case ops.Upsample() | ops.Flatten():
            return ()
        case _:
            assert_never(op)


def values(name: str, mine: object, theirs: object) -> tuple[str, str]:
    return _value(name, mine), _value(name, theirs)


def _value(name: str, value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return "one a channel" if name == "groups" and value == DEPTHWISE else number(value)
        case (int(), int()):
            return size((value[0], value[1]))
        case ((int(), int()), (int(), int())):
            return " ".join(map(str, [*value[0], *value[1]])) + " (top, bottom, left, right)"
        case _:
            return PADDINGS.get(str(value), str(value).replace("_", " ") if name == "function" else str(value))


def span(texts: Sequence[str]) -> str:
    """Many values, by the first and the last of them."""
    different = list(dict.fromkeys(texts))
    return different[0] if len(different) == 1 else f"{different[0]} to {different[-1]}"


def sentence(about: Subject, names: tuple[str, ...], mine: str, theirs: str, name: str) -> str:
    """`convolutions have biases, those of he2015/resnet56 do not`."""
    other, do = about.of(name), "do" if about.plural else "does"
    match names:
        case ("bias" | "scale" as what,) if mine in ("yes", "no"):
            some, none = (_PLURALS[what], f"no {_PLURALS[what]}") if about.plural else (f"a {what}", f"no {what}")
            pair = (some, f"{do} not") if mine == "yes" else (none, do)
            return f"{about.text} {about.have} {pair[0]}, {other} {pair[1]}"
        case ("zero_scale",):
            at = {"yes": "zero", "no": "one"}
            return f"the scale of {about.text} is {at[mine]} at the start, that of {name} {at[theirs]}"
        case ("flat",):
            of = {"yes": "vectors" if about.plural else "a vector", "no": "images" if about.plural else "an image"}
            return f"{about.text} {about.are} {of[mine]} of one number a channel, {other} {of[theirs]}"
        case ("groups",):
            return f"{about.text} {about.have} {mine} group{'' if mine == '1' else 's'}, {other} {theirs}"
        case ("units",) if about.classes:
            return f"there are {mine} classes, {name} has {theirs}"
        case ("units",):
            return f"{about.text} {about.have} {mine} outputs, {other} {theirs}"
        case ("shared",):
            slopes = {"yes": "one slope for all channels", "no": "one for each channel"}
            return f"{about.text} {about.have} {slopes[mine]}, {other} {slopes[theirs]}"
        case ("start", "stop"):
            here, there = (text.removeprefix("slice of ") for text in (mine, theirs))
            return f"{about.text} {'take' if about.plural else 'takes'} {here}, {other} {there}"
        case ("learned",) | ("over", *_):
            return f"{about.text} {about.are} {_kind(mine)}, {other} {_kind(theirs)}"
        case ("kernel",) | ("function",) if not mine.isdigit():
            return f"{about.text} {about.are} {mine}, {other} {theirs}"
        case (single,):
            return f"{about.text} {about.have} {single.replace('_', ' ')} {mine}, {other} {theirs}"
        case _:
            each = "each a" if about.plural else "a"
            return f"{about.text} {about.are} {each} {mine}, {other} a {theirs}"


def _kind(description: str) -> str:
    """What a scale, or a norm, is: learned or fixed, or over what."""
    if description in _LEARNED:
        return _LEARNED[description]
    return "batch norm" if description == "norm" else description.replace(", ", " of ")
