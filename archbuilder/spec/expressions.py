"""The expression language of specs: `$name` and `${...}` with integers, names, text, arithmetic, comparisons and `if`.

Parsed with `ast` and evaluated over a white list; nothing is ever executed, and numbers and lengths are bounded.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archbuilder.bounds import INTEGER, TEXT

Value = Any
"""What a name may stand for: an integer, a number, text, a truth value, or a shortcut (a name or a mapping)."""

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}  # fmt: skip
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.USub, ast.Not, ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.IfExp,
    ast.Name, ast.Load, ast.Constant, *_OPERATORS, *_COMPARISONS,
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
    names = dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name) and node.id not in _CONSTANTS)
    return Expression(text, tree, tuple(names), len(nodes))


def _admit(node: ast.AST) -> None:
    if not isinstance(node, _NODES):
        raise ExpressionError("expressions hold integers, names, text, + - * // %, comparisons, and or not, if else")
    if isinstance(node, ast.Constant) and (type(node.value) not in (int, str, bool)):
        raise ExpressionError("expressions hold integers and text only")
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value > INTEGER:
        raise ExpressionError("a number in it is too large")


def _evaluate(node: ast.expr, names: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _look_up(name, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluate(body if _evaluate(test, names) else orelse, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, names)
        case ast.UnaryOp(operand=operand):
            return -_integer(_evaluate(operand, names))
        case ast.BoolOp(op=op, values=values):
            results = (bool(_evaluate(value, names)) for value in values)
            return all(results) if isinstance(op, ast.And) else any(results)
        case ast.Compare():
            return _compare(node, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _calculate(op, _integer(_evaluate(left, names)), _integer(_evaluate(right, names)))
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
            raise ExpressionError(f"{left!r} and {right!r} have no order") from None
        left = right
    return True


def _comparable(value: Value) -> Value:
    """A value whose comparison takes no time to speak of; a shortcut with arguments equals nothing but itself."""
    if isinstance(value, str) and len(value) > TEXT:
        raise ExpressionError(f"a text of more than {TEXT} characters cannot be compared")
    return id(value) if isinstance(value, list | dict) else value


def _calculate(op: ast.operator, left: int, right: int) -> int:
    try:
        result: int = _OPERATORS[type(op)](left, right)
    except ZeroDivisionError:
        raise ExpressionError("it divides by zero") from None
    if abs(result) > INTEGER:
        raise ExpressionError("its value is too large")
    return result


def _integer(value: Value) -> int:
    if type(value) is not int:
        raise ExpressionError(f"arithmetic needs integers, not {value!r}")
    return value
