"""The expression language of specs: `$name` and `${...}` with numbers, names, text, arithmetic, comparisons and `if`.

Parsed with `ast` and evaluated over a white list; nothing is ever executed, and numbers and lengths are bounded.
Decimals are exact: `0.1 * 30` is 3.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from archbuilder.bounds import FRACTION, INTEGER, TEXT

Value = Any
"""What a name may stand for: a number, text, a truth value, or layers (a name, a mapping or a list)."""

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Div: Fraction,
}  # fmt: skip
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "min": (min, 9), "max": (max, 9), "round": (round, 1), "floor": (math.floor, 1), "ceil": (math.ceil, 1),
}  # fmt: skip
"""Each with how many numbers it takes at most; `round` takes halves to the even number, as NumPy does."""
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.USub, ast.Not, ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.IfExp,
    ast.Call, ast.Name, ast.Load, ast.Constant, *_OPERATORS, *_COMPARISONS,
)  # fmt: skip
_CONSTANTS = {"true": True, "false": False}


class ExpressionError(ValueError):
    """An expression that cannot be read, or not be evaluated."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; `text` is as it stands in the YAML."""

    text: str
    tree: ast.expr = field(compare=False, repr=False)
    names: tuple[str, ...] = field(compare=False, repr=False)
    """The names that must be given to evaluate it, the outermost first."""
    size: int = field(compare=False, repr=False)
    """How many parts it has."""

    @property
    def passed(self) -> tuple[str, ...]:
        """The names whose value it may be, as it is: `a` and `b` of `a if c else b`."""
        return tuple(dict.fromkeys(leaf.id for leaf in _leaves(self.tree) if isinstance(leaf, ast.Name)))

    @property
    def texts(self) -> set[str]:
        """The texts in it: `a` of `'a' if flag else 'b'`, and `b`."""
        constants = (node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        return {value for value in constants if isinstance(value, str)}

    def source(self, names: Mapping[str, Value]) -> str | None:
        """The name whose value it is, as it is; None where the value is made in the expression."""
        tree = self.tree
        while isinstance(tree, ast.IfExp):
            tree = tree.body if _evaluate(tree.test, names) else tree.orelse
        return tree.id if isinstance(tree, ast.Name) else None

    @property
    def is_bare(self) -> bool:
        """Whether it is a name and nothing else."""
        return isinstance(self.tree, ast.Name)

    def evaluate(self, names: Mapping[str, Value]) -> Value:
        """The value; raises ExpressionError for an unknown name, a wrong type, a zero divisor or too large a number."""
        return _evaluate(self.tree, names)


def parse(text: str) -> Expression:
    """Reads `$name` or `${...}`; raises ExpressionError with what is wrong in it."""
    if len(text) > TEXT:
        raise ExpressionError(f"an expression has at most {TEXT} characters")
    whole = re.fullmatch(r"\$(?:\{(.*)\}|([A-Za-z_]\w*))", text, re.DOTALL)
    if not whole:
        raise ExpressionError("an expression is $name, or ${...} around all of the value")
    source = (whole[1] or whole[2] or "").strip()
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError(f"'{source}' is not an expression") from None
    nodes = list(ast.walk(tree))
    for node in nodes:
        _admit(node)
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    named = (node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    names = dict.fromkeys(name for name in named if name not in _CONSTANTS)
    return Expression(text, tree, tuple(names), len(nodes))


def _leaves(tree: ast.expr) -> list[ast.expr]:
    """The parts of an expression that may be its value."""
    return [*_leaves(tree.body), *_leaves(tree.orelse)] if isinstance(tree, ast.IfExp) else [tree]


def _admit(node: ast.AST) -> None:
    if not isinstance(node, _NODES):
        raise ExpressionError(
            "expressions hold numbers, names, text, + - * / // %, comparisons, and or not, if else, "
            "and the functions " + ", ".join(_FUNCTIONS)
        )
    if isinstance(node, ast.Call):
        _admit_call(node)
    if isinstance(node, ast.Constant) and type(node.value) not in (int, float, str, bool):
        raise ExpressionError("expressions hold numbers and text only")
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value > INTEGER:
        raise ExpressionError("a number in it is too large")


def _admit_call(node: ast.Call) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _FUNCTIONS:
        raise ExpressionError(f"there is no function '{name}'; known: {', '.join(_FUNCTIONS)}")
    most = _FUNCTIONS[name][1]
    if node.keywords or not min(most, 2) <= len(node.args) <= most:
        raise ExpressionError(f"{name} takes {'one number' if most == 1 else f'2 to {most} numbers'}")


def _evaluate(node: ast.expr, names: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=float(value)):
            return _exact(value)
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _look_up(name, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluate(body if _evaluate(test, names) else orelse, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, names)
        case ast.UnaryOp(operand=operand):
            return -_number(_evaluate(operand, names))
        case ast.BoolOp(op=op, values=values):
            results = (bool(_evaluate(value, names)) for value in values)
            return all(results) if isinstance(op, ast.And) else any(results)
        case ast.Compare():
            return _compare(node, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _calculate(_OPERATORS[type(op)], _evaluate(left, names), _evaluate(right, names))
        case ast.Call(func=ast.Name(id=name), args=args):
            return _calculate(_FUNCTIONS[name][0], *(_evaluate(one, names) for one in args))
        case _:
            raise ExpressionError("this cannot be evaluated")


def _look_up(name: str, names: Mapping[str, Value]) -> Value:
    if name in names:
        return names[name]
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    raise ExpressionError(f"there is no '{name}' here; known: {', '.join(sorted(names)) or 'nothing'}")


def _compare(node: ast.Compare, names: Mapping[str, Value]) -> bool:
    left = _comparable(_evaluate(node.left, names))
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = _comparable(_evaluate(comparator, names))
        try:
            if not _COMPARISONS[type(op)](left, right):
                return False
        except TypeError:
            raise ExpressionError(f"{_told(left)} and {_told(right)} have no order") from None
        left = right
    return True


def _told(value: Value) -> str:
    return repr(float(value) if isinstance(value, Fraction) else value)


def _comparable(value: Value) -> Value:
    """A value whose comparison takes no time to speak of; layers with arguments equal nothing but themselves."""
    if isinstance(value, str) and len(value) > TEXT:
        raise ExpressionError(f"a text of more than {TEXT} characters cannot be compared")
    if isinstance(value, float):
        return _exact(value)
    return id(value) if isinstance(value, list | dict) else value


def _calculate(function: Callable[..., Any], *operands: Value) -> int | Fraction:
    try:
        result: int | Fraction = function(*map(_number, operands))
    except ZeroDivisionError:
        raise ExpressionError("it divides by zero") from None
    return _bounded(result)


def _bounded(value: int | Fraction) -> int | Fraction:
    """A number as an integer where it is whole."""
    numerator, denominator = value.as_integer_ratio()
    if abs(numerator) > INTEGER * denominator:
        raise ExpressionError("its value is too large")
    if abs(numerator) >= FRACTION or denominator >= FRACTION:
        raise ExpressionError("its value has too many digits")
    return numerator if denominator == 1 else value


def _number(value: Value) -> int | Fraction:
    if type(value) is float:
        return _exact(value)
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        raise ExpressionError(f"arithmetic needs numbers, not {value!r}")
    return value


def _exact(value: float) -> int | Fraction:
    """The decimal that stands in the YAML or in the expression, exactly."""
    if not math.isfinite(value):
        raise ExpressionError("its value is too large")
    return _bounded(Fraction(repr(value)))
