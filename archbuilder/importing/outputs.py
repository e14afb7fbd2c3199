"""The outputs of a network under the names that its file gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from archbuilder.formatting import printable
from archbuilder.importing.writing import Yaml
from archbuilder.spec.values import NEW_POINT


def with_told_names(data: dict[str, Any], told: Sequence[str]) -> dict[str, Any]:
    """A spec in which points that are outputs are called as in the file; ends of parts keep the names of the parts.

    `told` has a name for each of its outputs.
    """
    taken, renamed = {*_points(data)}, {}
    for old, name in zip(data.get("outputs", ()), told, strict=False):
        if old in taken and old not in renamed and (new := _point(name)) is not None and new not in taken:
            renamed[old] = new
            taken.add(new)
    return _with_points(data, renamed) if renamed else data


def notes(ours: Sequence[str], told: Sequence[str]) -> list[str]:
    """What is to be said of outputs that have other names than in the file."""
    if len(told) < 2 or len(ours) != len(told):
        return []
    pairs = [f"'{printable(theirs)}' is {mine}" for mine, theirs in zip(ours, told, strict=True) if mine != theirs]
    return [f"of its outputs, {', '.join(pairs)}"] if pairs else []


def _point(name: str) -> str | None:
    """The name of an output as that of a point; None where nothing of it may stand there."""
    plain = re.sub(r"\W+", "_", name).strip("_")
    try:
        return NEW_POINT.validate_python(plain)
    except ValidationError:
        return None


def _points(data: Yaml) -> Iterator[str]:
    """The names that points are given."""
    for one in data.values() if isinstance(data, dict) else data:
        if isinstance(one, dict | list):
            yield from _points(one)
    if isinstance(data, dict) and isinstance(point := data.get("point"), str):
        yield point


def _with_points(data: Yaml, renamed: dict[str, str]) -> Yaml:
    if isinstance(data, list):
        return [_with_points(one, renamed) for one in data]
    if not isinstance(data, dict):
        return data
    found: dict[str, Yaml] = {}
    for key, value in data.items():
        if key in ("point", "from") and isinstance(value, str):
            found[key] = renamed.get(value, value)
        elif key == "outputs":
            found[key] = [renamed.get(one, one) for one in value]
        else:
            found[key] = _with_points(value, renamed)
    return found
