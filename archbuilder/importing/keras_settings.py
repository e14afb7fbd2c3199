"""The settings of Keras layers, read as data: sizes, numbers, initializers and regularisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from archbuilder.aliases import Json
from archbuilder.bounds import SIZE
from archbuilder.graph import ops
from archbuilder.importing.building import UnreadError, short

Note = Callable[[str], None]
_SCALINGS: dict[tuple[float, str, str], ops.NamedInitializer] = {
    (2.0, "fan_in", "truncated_normal"): "he_normal", (2.0, "fan_in", "uniform"): "he_uniform",
    (1.0, "fan_avg", "truncated_normal"): "glorot_normal", (1.0, "fan_avg", "uniform"): "glorot_uniform",
    (1.0, "fan_in", "truncated_normal"): "lecun_normal", (1.0, "fan_in", "uniform"): "lecun_uniform",
    (2.0, "fan_out", "untruncated_normal"): "he_normal_fan_out",
    (2.0, "fan_out", "truncated_normal"): "he_normal_fan_out",
}  # fmt: skip
"""What drawing by scale, mode and distribution is called."""
_FUNCTIONS = {"swish": "silu", "hard_swish": "hard_silu"}
"""Functions that Keras also knows by another name."""


def integer(value: object, most: int = SIZE) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most:
        return value
    raise UnreadError("one of its sizes is no positive integer, or too large")


def count(value: object) -> int:
    """An integer that may be 0."""
    return 0 if value == 0 and not isinstance(value, bool) else integer(value)


def number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e31:
        return float(value)
    raise UnreadError("one of its settings is no number")


def rate(value: object) -> float:
    """A share from 0 up to, but not including, 1."""
    if not 0 <= (found := short(number(value))) < 1:
        raise UnreadError("its rate is no share")
    return found


def pair(value: object) -> ops.Pair:
    both = value if isinstance(value, list | tuple) else [value, value]
    return (integer(both[0]), integer(both[1]))


def pads(value: object) -> ops.Pads:
    """The amounts of padding or cropping: rows before and after, columns before and after."""
    both = value if isinstance(value, list | tuple) else [value, value]
    (top, bottom), (left, right) = (one if isinstance(one, list | tuple) else (one, one) for one in both)
    return ((count(top), count(bottom)), (count(left), count(right)))


def padding(config: Json) -> ops.Padding:
    found = config["padding"]
    if found in ("same", "valid"):
        return found  # type: ignore[no-any-return]
    raise UnreadError("its padding is neither same nor valid")


def activation(config: Json) -> ops.Function | None:
    """The function of an `activation=`; None for one that changes nothing."""
    told = config.get("activation", "linear")
    if isinstance(told, dict) and told.get("class_name") == "function":  # one by its name, as it is registered
        told = told.get("config")
    if told in (None, "linear"):
        return None
    for function in get_args(ops.Function):
        if function == _FUNCTIONS.get(told if isinstance(told, str) else "", told):
            found: ops.Function = function
            return found
    raise UnreadError(f"its activation is {told if isinstance(told, str) else 'no stock one'}")


def kernel(config: Json, note: Note, prefix: str = "kernel") -> dict[str, Any]:
    """How a kernel starts and is regularised, and what its bias starts at."""
    return {
        "initializer": initializer(config.get(f"{prefix}_initializer"), note),
        "l2": l2(config.get(f"{prefix}_regularizer"), note),
        "initial_bias": constant(config.get("bias_initializer"), note) if config.get("use_bias") else 0.0,
    }


def initializer(config: Any, note: Note) -> ops.Initializer:
    """The initializer of a kernel; one that has no name in the language becomes Keras' default."""
    name, settings = _called(config)
    match name:
        case "zeros" | "constant" | "ones":
            value = constant(config, note)
            return ops.Constant(value) if value else "zeros"
        case "random_normal" | "truncated_normal":
            if name == "truncated_normal":
                note("kernels that start from a cut normal distribution start from a whole one here")
            return ops.Normal(short(number(settings.get("stddev", 0.05))))
        case "variance_scaling":
            scale, mode, distribution = (settings.get(key) for key in ("scale", "mode", "distribution"))
            if (found := _SCALINGS.get((short(number(scale)), str(mode), str(distribution)))) is not None:
                return found
            if (mode, distribution) == ("fan_in", "uniform") and abs(number(scale) - 1 / 3) < 1e-6:
                return "torch_uniform"
        case _ if name in get_args(ops.NamedInitializer):
            return name  # type: ignore[return-value]
        case _:
            pass
    if config is not None:
        note("how some kernels start has no word in the language: glorot_uniform is assumed")
    return "glorot_uniform"


def constant(config: Any, note: Note) -> float:
    """The number that a weight starts at."""
    name, settings = _called(config)
    if name in ("zeros", "", "ones"):
        return 1.0 if name == "ones" else 0.0
    if name == "constant" and isinstance(settings.get("value"), int | float):
        return short(number(settings["value"]))
    note("how some biases and scales start has no word in the language: the usual numbers are assumed")
    return 0.0


def l2(config: Any, note: Note) -> float:
    if not config:
        return 0.0
    name, settings = _called(config)
    if name in ("l2", "l1l2", "l1_l2") and not settings.get("l1"):
        return short(number(settings.get("l2", 0.0)))
    note("a regulariser other than l2 is left out")
    return 0.0


def _called(config: Any) -> tuple[str, dict[str, Any]]:
    """The name of something registered, such as `he_normal` of `HeNormal`, and its settings."""
    match config:
        case {"class_name": str() as name, "config": dict() as settings}:
            pass
        case str() as name:
            settings = {}
        case _:
            return "", {}
    found = "".join(f"_{one.lower()}" if one.isupper() else one for one in name).strip("_")
    return {"random_constant": "constant"}.get(found, found).replace("l1_l2", "l1l2"), settings
