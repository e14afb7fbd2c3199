"""The expression language: what it computes, and what it refuses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archbuilder.spec.expressions import ExpressionError, parse

NAMES = {"filters": 16, "stride": 2, "on": "reduce", "flag": True, "width": 1.1, "layers": ["norm"], "min": 7}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$filters", 16), ("${filters * 4 + 1}", 65), ("${filters // 3}", 5), ("${filters % 3}", 1), ("${-filters}", -16),
        ("${stride if on == 'reduce' else 1}", 2), ("${stride if on != 'reduce' else 1}", 1), ("${1 < stride <= 2}", True),
        ("${flag and not filters}", False), ("${filters or 3}", True), ("${true}", True), ("$on", "reduce"),
        ("${0.1 * 30}", 3), ("${filters * 0.5}", 8), ("${1 / 3}", Fraction(1, 3)), ("${filters * 0.1 * 10}", 16),
        ("${filters * width}", Fraction(88, 5)), ("${width == 1.1}", True), ("${width}", 1.1), ("${7.5 // 2}", 3),
        ("${round(2.5)}", 2), ("${round(3.5)}", 4), ("${floor(-0.5)}", -1), ("${ceil(filters / 3)}", 6),
        ("${min(3, stride, 2.5)}", 2), ("${max(8, floor((filters * width + 4) / 8) * 8)}", 16), ("${min + min(1, 2)}", 8),
        ("${layers if flag else on}", ["norm"]), ("${180 * 1.4}", 252), ("${1 / 2 < 0.6}", True), ("${-0.5}", Fraction(-1, 2)),
    ],
)  # fmt: skip
def test_value(text: str, value: Any) -> None:
    found = parse(text).evaluate(NAMES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "passed", "source"),
    [
        ("$on", ("on",), "on"), ("${layers if flag else on}", ("layers", "on"), "layers"),
        ("${layers if not flag else on if stride == 2 else filters}", ("layers", "on", "filters"), "on"),
        ("${'none' if flag else layers}", ("layers",), None), ("${filters + 1}", (), None),
    ],
)  # fmt: skip
def test_the_name_that_a_value_comes_from(text: str, passed: tuple[str, ...], source: str | None) -> None:
    expression = parse(text)
    assert expression.passed == passed
    assert expression.source(NAMES) == source


def test_names_are_without_functions() -> None:
    assert set(parse("${max(min, floor(filters / 3))}").names) == {"min", "filters"}


@pytest.mark.parametrize(
    "text",
    [
        "$", "${}", "$a b", "${a", "${a}b", "${__import__('os').system('true')}", "${a.b}", "${a[0]}", "${f(1)}",
        "${2 ** 64}", "${1e999}", "${lambda: 1}", "${[1]}", "${a := 1}", "${'a' f'{b}'}", "${9999999999999999999}",
        "${b'x'}", "${1j}", "${" + "(" * 200 + "1" + ")" * 200 + "}", "${" + "1+" * 200 + "1}", "${a\0}",
        "${min(1)}", "${min(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)}", "${round(1, 2)}", "${floor(*a)}", "${max(a, b=1)}", "${a.min(1, 2)}",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$height", "there is no 'height' here"), ("${1 // (stride - 2)}", "divides by zero"), ("${on + 1}", "needs numbers"),
        ("${on * filters}", "needs numbers"), ("${on < filters}", "have no order"), ("${flag + 1}", "needs numbers"),
        ("${9007199254740992 * 2}", "too large"), ("${1 / (stride - 2)}", "divides by zero"), ("$floor", "no 'floor' here"),
        ("${layers + 1}", "needs numbers"), ("${round(on)}", "needs numbers"), ("${min(flag, 1)}", "needs numbers"),
        ("${1 / 9007199254740992 / 9007199254740992 / 9007199254740992 / 9007199254740992 / 9007199254740992}", "many digits"),
        ("${0.5 < on}", "0.5 and 'reduce' have no order"),
    ],
)  # fmt: skip
def test_not_evaluated(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        parse(text).evaluate(NAMES)


@given(st.text(alphabet="$${}()abc 0123456789+-*/%<>=!.'\"if else and or not,:[]@\\", max_size=60))
def test_anything_is_a_value_or_an_expression_error(text: str) -> None:
    try:
        parse("${" + text + "}").evaluate({"a": 1, "b": "x"})
    except ExpressionError as error:
        assert str(error)
