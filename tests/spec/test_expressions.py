"""The expression language: what it computes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archbuilder.spec.expressions import ExpressionError, parse

NAMES = {"filters": 16, "stride": 2, "on": "reduce", "flag": True}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$filters", 16), ("${filters * 4 + 1}", 65), ("${filters // 3}", 5), ("${filters % 3}", 1), ("${-filters}", -16),
        ("${stride if on == 'reduce' else 1}", 2), ("${stride if on != 'reduce' else 1}", 1), ("${1 < stride <= 2}", True),
        ("${flag and not filters}", False), ("${filters or 3}", True), ("${true}", True), ("$on", "reduce"),
    ],
)  # fmt: skip
def test_value(text: str, value: Any) -> None:
    assert parse(text).evaluate(NAMES) == value


@pytest.mark.parametrize(
    "text",
    [
        "$", "${}", "$a b", "${a", "${a}b", "${__import__('os').system('true')}", "${a.b}", "${a[0]}", "${f(1)}",
        "${2 ** 64}", "${1 / 2}", "${1.5}", "${lambda: 1}", "${[1]}", "${a := 1}", "${'a' f'{b}'}", "${9999999999999999999}",
        "${b'x'}", "${1j}", "${" + "(" * 200 + "1" + ")" * 200 + "}", "${" + "1+" * 200 + "1}", "${a\0}",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$width", "there is no 'width' here"), ("${1 // (stride - 2)}", "divides by zero"), ("${on + 1}", "needs integers"),
        ("${on * filters}", "needs integers"), ("${on < filters}", "have no order"), ("${flag + 1}", "needs integers"),
        ("${9007199254740992 * 2}", "too large"),
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
