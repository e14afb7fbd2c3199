"""A number that grows evenly from unit to unit, as the rates of stochastic depth do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import isclose

from archbuilder.importing.writing import Yaml

_RULES: tuple[tuple[str, Callable[[int, int], Fraction]], ...] = (
    ("${{{} * (index - 1) / count}}", lambda index, count: Fraction(index - 1, count)),
    ("${{{} * (index - 1) / (count - 1)}}", lambda index, count: Fraction(index - 1, max(count - 1, 1))),
    ("${{{} * index / count}}", lambda index, count: Fraction(index, count)),
)
_DIGITS = 6


def growing(values: Mapping[int, Yaml], count: int) -> Yaml | None:
    """What stands for values, each that of the unit of a number; None where they do not grow evenly."""
    numbers = {index: [*_numbers(value)] for index, value in values.items()}
    if len({len(found) for found in numbers.values()}) != 1 or len({_shape(value) for value in values.values()}) != 1:
        return None
    columns = list(zip(*numbers.values(), strict=True))
    varying = [place for place, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) != 1:
        return None
    told = dict(zip(numbers, columns[varying[0]], strict=True))
    for text, share in _RULES:
        factors = {
            round(number / share(index, count), _DIGITS) for index, number in told.items() if share(index, count)
        }
        if len(factors) == 1:
            factor = factors.pop()
            if all(
                isclose(factor * share(index, count), number, rel_tol=1e-9, abs_tol=1e-12)
                for index, number in told.items()
            ):
                return _replaced(next(iter(values.values())), [varying[0]], text.format(float(factor)))
    return None


def _numbers(value: Yaml) -> Iterator[Fraction]:
    match value:
        case dict():
            for one in value.values():
                yield from _numbers(one)
        case list():
            for one in value:
                yield from _numbers(one)
        case int() | float() if not isinstance(value, bool):
            yield Fraction(repr(value))


def _shape(value: Yaml) -> object:
    match value:
        case dict():
            return tuple((key, _shape(one)) for key, one in value.items())
        case list():
            return tuple(map(_shape, value))
        case int() | float() if not isinstance(value, bool):
            return "number"
        case _:
            return value


def _replaced(value: Yaml, left: list[int], text: str) -> Yaml:
    """The value with a text in place of one of its numbers, the one before which `left[0]` others stand."""
    match value:
        case dict():
            return {key: _replaced(one, left, text) for key, one in value.items()}
        case list():
            return [_replaced(one, left, text) for one in value]
        case int() | float() if not isinstance(value, bool):
            left[0] -= 1
            return text if left[0] == -1 else value
        case _:
            return value
