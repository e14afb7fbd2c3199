"""Which mappings of a spec are one thing, so that another kind replaces them whole instead of being merged in."""

from __future__ import annotations

from collections.abc import Sequence, Set

from archbuilder.spec.document import Path
from archbuilder.spec.network import LONG_FORM

CHOICES = frozenset({
    ("training", "data", "source"), ("training", "data", "test"), ("training", "data", "validation"),
    ("training", "data", "on_unreadable"), ("training", "stop"), ("training", "loss"), ("training", "optimizer"),
    ("training", "learning_rate"),
})  # fmt: skip
"""Where a mapping names one of several kinds."""
TABLES = frozenset(
    {("training", "learning_rate", "steps", "drops"), ("training", "learning_rate", "piecewise", "points")}
)
"""Where the keys of a mapping are data, so that those of another spec have no place among them."""


def is_one_thing(path: Path, keys: Set[object]) -> bool:
    """Whether a mapping of these keys is replaced by that of a spec that extends it."""
    return path in TABLES or is_choice(path, keys)


def is_choice(path: Path, keys: Set[object]) -> bool:
    """Whether a mapping names one of several kinds: of a recipe, or of the layers that stand for an argument.

    Below a unit, a shortcut and the parameters of a template, names and their settings take turns, but for lists.
    """
    match path:
        case ("unit" | "shortcut", *inner):
            return _is_before_name(inner)
        case ("stages", int(), "first" | "last", _, *inner) | ("stages", int(), _, *inner):
            return _is_before_name(inner) and path[2:] not in (("first",), ("last",))
        case ("templates", _, _, "parameters", _):
            return not keys <= LONG_FORM
        case ("templates", _, _, "parameters", _, "default", *inner) | ("templates", _, _, "parameters", _, *inner):
            return _is_before_name(inner)
        case _:
            return path in CHOICES


def _is_before_name(inner: Sequence[object]) -> bool:
    return len(inner) % 2 == 0 and not any(isinstance(part, int) for part in inner)
