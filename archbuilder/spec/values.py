"""Values of the language that may also be written as an expression, `$name` or `${...}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any, get_args

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from archbuilder.bounds import NAME, SIZE
from archbuilder.errors import suggest
from archbuilder.graph import ops
from archbuilder.spec.expressions import Expression, ExpressionError, parse

Check = Callable[[Any], Any]
"""Returns the value as the graph holds it; raises ValueError saying what is expected."""
_PART = re.compile(r"input|stem|head|stage[0-9]+")
_INITIALIZERS = get_args(ops.NamedInitializer)


def written(value: Any) -> Any:
    """A value as it is written in YAML: an expression as its text, two equal sizes as one, unless each is a pair."""
    if isinstance(value, tuple):
        values = [written(item) for item in value]
        alike = len(values) == 2 and values[0] == values[1] and not isinstance(values[0], list)
        return values[0] if alike else values
    if isinstance(value, ops.Normal):
        return {"normal": value.deviation}
    if isinstance(value, ops.Constant):
        return {"constant": value.value}
    return value.text if isinstance(value, Expression) else value


def expressible(check: Check, schema: dict[str, Any], code: str = "bad-value") -> Any:
    """The type of a field that holds what `check` accepts, or an expression for it; `code` is that of its errors."""

    def validate(value: object) -> object:
        if isinstance(value, Expression):
            return value
        if isinstance(value, str) and value.startswith("$"):
            return expression(value)
        try:
            return check(value)
        except ValueError as error:
            told = "such as half" if code == "bad-point" else _sizes_hint(value)
            hint = {"hint": told} if told else {}
            raise PydanticCustomError(code, "{message}", {"message": str(error), **hint}) from None

    alternatives = {"anyOf": [schema, {"type": "string", "pattern": r"^\$"}]}
    return Annotated[Any, PlainValidator(validate), PlainSerializer(written), WithJsonSchema(alternatives)]


def expression(text: str) -> Expression:
    try:
        return parse(text)
    except ExpressionError as error:
        raise PydanticCustomError("bad-expression", "{message}", {"message": str(error)}) from None


def _sizes_hint(value: object) -> str | None:
    sizes = sizes_in(value)
    return f"height and width are written [{sizes[0]}, {sizes[1]}]" if len(sizes) == 2 else None


def sizes_in(value: object) -> list[str]:
    """The sizes in `3x3`, as papers write them, or in `(3, 3)`, as other languages do; none in anything else."""
    is_sizes = isinstance(value, str) and re.fullmatch(r"\(?\d{1,6}( ?[xX\u00d7*,;] ?\d{1,6}){1,2}\)?", value, re.ASCII)
    return re.findall("[0-9]+", str(value)) if is_sizes else []


def shown(value: object) -> str:
    """A value the way it is written in YAML, for a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text '{value}'"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case Fraction():
            return f"{float(value):.3g}" if abs(value) < 100 else f"{float(value):.1f}"
        case _:
            return str(value)


def word(value: object) -> str:
    """A text, a number or a truth value as it stands in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(value: object) -> int:
    if _is_integer(value) and isinstance(value, int) and 0 < value <= SIZE:
        return value
    raise ValueError(_whole(value) or f"a positive integer up to {SIZE:,} is expected, not {shown(value)}")


def _count(value: object) -> int:
    if _is_integer(value) and isinstance(value, int) and 0 <= value <= SIZE:
        return value
    raise ValueError(_whole(value) or f"an integer from 0 to {SIZE:,} is expected, not {shown(value)}")


def _whole(value: object) -> str | None:
    """What to do about a number that an expression came to and that is not whole."""
    if not isinstance(value, Fraction):
        return None
    advice = "floor(...), ceil(...) or round(...) makes it one"
    return f"a positive integer is expected, not {shown(value)}: {advice}"


def _number(lowest: float, highest: float, including_highest: bool = True) -> Check:
    def check(value: object) -> float:
        is_number = isinstance(value, int | float | Fraction) and not isinstance(value, bool)
        if is_number and lowest <= value <= highest and (including_highest or value < highest):  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        border = "up to" if including_highest else "and below"
        scope = f"from {lowest:g} {border} {highest:g}" if highest < 1e30 else f"of at least {lowest:g}"
        scope = "" if lowest < -1e30 else " " + scope
        raise ValueError(f"a number{scope} is expected, not {shown(value)}")

    return check


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"true or false is expected, not {shown(value)}")


def _pair(value: object) -> ops.Pair:
    """`3`, or `[height, width]`."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return (_positive(value[0]), _positive(value[1]))
    if isinstance(value, list | tuple):
        raise ValueError("one size, or [height, width], is expected")
    return (_positive(value), _positive(value))


def _pads(value: object) -> ops.Pads:
    """`1`, `[rows, columns]`, or `[[top, bottom], [left, right]]`."""
    both = [value, value] if _is_integer(value) else value
    if not isinstance(both, list | tuple) or len(both) != 2:
        raise ValueError("an amount, [rows, columns], or [[top, bottom], [left, right]] is expected")
    sides = [side if isinstance(side, list | tuple) and len(side) == 2 else (side, side) for side in both]
    (top, bottom), (left, right) = sides
    return ((_count(top), _count(bottom)), (_count(left), _count(right)))


def _padding(value: object) -> ops.Padding:
    if isinstance(value, str):
        if value in ("same", "valid", "symmetric"):
            return value  # type: ignore[return-value]  # one of the three
        hint = suggest(value, ("same", "symmetric", "valid"), "known")
        raise ValueError(f"there is no padding '{value}'; {hint}, or amounts such as 1 or [2, 1]")
    return _pads(value)


def _initializer(value: object) -> ops.Initializer:
    """A name, `{normal: 0.01}` or `{constant: 0.1}`."""
    match value:
        case ops.Normal() | ops.Constant():
            return value
        case {"normal": deviation, **others} if not others:
            return ops.Normal(_number(0, 1e31)(deviation))
        case {"constant": number, **others} if not others:
            return ops.Constant(_number(-1e31, 1e31)(number))
        case _ if value in _INITIALIZERS:
            return value  # type: ignore[return-value]  # one of them
        case _:
            pass
    hint = suggest(re.sub("kaiming|msra", "he", str(value)).replace("xavier", "glorot"), _INITIALIZERS, "names")
    raise ValueError(f"there is no initializer '{value}'; {hint}; or {{normal: DEVIATION}} or {{constant: VALUE}}")


def _word(*words: str) -> Check:
    """The check of a setting that is one of a few words."""

    def check(value: object) -> object:
        if value in words:
            return value
        hint = suggest(str(value), words, "words")
        meant = f"; {hint}" if hint.startswith("did") else ""
        raise ValueError(f"one of {', '.join(words)} is expected, not {shown(value)}{meant}")

    return check


def _one_of(kind: Any) -> Any:
    """The type of a field that holds one of the texts of a Literal, or an expression for it."""
    known = get_args(kind)
    return expressible(_word(*known), {"enum": list(known)})


def _point_name(value: object) -> str:
    """The name of a point; raises ValueError where it cannot be one."""
    if not isinstance(value, str) or not value.isidentifier() or len(value) > NAME:
        raise ValueError(f"the name of a point is expected, letters, digits and underscores, not {shown(value)}")
    return value


def _new_point_name(value: object) -> str:
    name = _point_name(value)
    if _PART.fullmatch(name):
        raise ValueError(f"'{name}' is the name of a part of the network, which is a point already")
    return name


_SIZE = {"type": "integer", "minimum": 1}
_AMOUNT = {"type": "integer", "minimum": 0}
_PAIRS = {"anyOf": [_SIZE, {"type": "array", "items": _SIZE, "minItems": 2, "maxItems": 2}]}
_NORMAL = {
    "type": "object",
    "properties": {"normal": {"type": "number", "minimum": 0, "description": "The standard deviation."}},
    "required": ["normal"],
    "additionalProperties": False,
}
_CONSTANT = {
    "type": "object",
    "properties": {"constant": {"type": "number", "description": "The value of all."}},
    "required": ["constant"],
    "additionalProperties": False,
}
_PADS = {"anyOf": [_AMOUNT, {"type": "array", "minItems": 2, "maxItems": 2}]}

PositiveValue = expressible(_positive, _SIZE)
CountValue = expressible(_count, _AMOUNT)
FlagValue = expressible(_flag, {"type": "boolean"})
FactorValue = expressible(_number(-1e31, 1e31), {"type": "number"})
WeightValue = expressible(_number(0, 1e31), {"type": "number", "minimum": 0})
ShareValue = expressible(_number(0, 1), {"type": "number", "minimum": 0, "maximum": 1})
RateValue = expressible(_number(0, 1, including_highest=False), {"type": "number", "minimum": 0, "exclusiveMaximum": 1})
PairValue = expressible(_pair, _PAIRS)
PadsValue = expressible(_pads, _PADS)
PaddingValue = expressible(_padding, {"anyOf": [{"enum": ["same", "valid", "symmetric"]}, _PADS]})
InitializerValue = expressible(_initializer, {"anyOf": [{"enum": list(_INITIALIZERS)}, _NORMAL, _CONSTANT]})
NormKindValue = _one_of(ops.NormKind)
LearnedValue = _one_of(ops.Learned)
MethodValue = _one_of(ops.Method)
PadModeValue = _one_of(ops.PadMode)
PoolMethodValue = _one_of(ops.PoolMethod)
PointValue = expressible(_point_name, {"type": "string"}, "bad-point")
NewPointValue = expressible(_new_point_name, {"type": "string"}, "bad-point")
POINT: TypeAdapter[str] = TypeAdapter(PointValue)
NEW_POINT: TypeAdapter[str] = TypeAdapter(NewPointValue)
AnyValue = expressible(lambda value: value, {})
"""An argument of a template: what its parameter may be is known to the template."""
