"""The text of a spec as a person lays it out: a layer a line, a stage a line, as far as lines reach."""

from __future__ import annotations

from collections.abc import Iterator

from archbuilder.importing.writing import Yaml
from archbuilder.spec.document import flow

_WIDTH = 110
_MOST_COLLECTIONS = 7
"""How many collections stand on one line, at most: more than that is not read at a glance."""
_ALWAYS_BLOCK = ("stem", "head", "stages", "layers", "templates", "defaults", "units", "shortcuts", "residual")


def text_of(data: Yaml) -> str:
    """The document of a spec."""
    return "\n".join(_mapping(data, 0)) + "\n"


def _mapping(data: dict[str, Yaml], indent: int) -> Iterator[str]:
    space = " " * indent
    for key, value in data.items():
        text = f"{space}{flow(key)}: "
        if _is_block(key, value, len(text)):
            yield text.rstrip()
            yield from _block(value, indent + 2)
        else:
            yield text + flow(value)


def _block(value: Yaml, indent: int) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(value, indent)
        return
    for one in value:
        space = " " * indent
        if _fits(one, indent + 2) or not isinstance(one, dict):
            yield f"{space}- {_layer(one) if _is_layer(one) else flow(one)}"
        else:
            first, *rest = _mapping(one, indent + 2)
            yield f"{space}- {first.lstrip()}"
            yield from rest


def _is_layer(value: Yaml) -> bool:
    """Whether a mapping is a layer under its name, which needs no braces around it."""
    return isinstance(value, dict) and len(value) == 1 and "units" not in value


def _layer(value: dict[str, Yaml]) -> str:
    [(key, settings)] = value.items()
    return f"{flow(key)}: {flow(settings)}"


def _is_block(key: str, value: Yaml, used: int) -> bool:
    if not isinstance(value, dict | list) or not value:
        return False
    if key in _ALWAYS_BLOCK and not (key == "residual" and all(isinstance(one, str) for one in value)):
        return True
    return not _fits(value, used)


def _fits(value: Yaml, used: int) -> bool:
    return used + len(flow(value)) <= _WIDTH and _collections(value) <= _MOST_COLLECTIONS


def _collections(value: Yaml) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_collections, value.values()))
    return 1 + sum(map(_collections, value)) if isinstance(value, list) else 0
