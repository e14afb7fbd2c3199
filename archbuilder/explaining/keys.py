"""The keys of a spec, and the models that stand behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archbuilder.spec.base import Kind
from archbuilder.spec.network import Network


@dataclass(frozen=True, slots=True)
class Key:
    """A field, and the model that it is one of."""

    field: FieldInfo
    owner: type[BaseModel]


@cache
def all_keys() -> dict[tuple[str, ...], Key]:
    """All keys of a spec by their paths; places in lists are left out."""
    return dict(_below((), Network))


def _below(path: tuple[str, ...], model: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], Key]]:
    for key, field in model.model_fields.items():
        if key == "kind":
            continue
        yield (*path, key), Key(field, model)
        if key not in ("templates", "unit", "shortcut", "stem", "head", "after", "layers"):
            for member in models_in(field.annotation):
                inner = (*path, key, *(kinds_of(member) if issubclass(member, Kind) else ()))
                yield from _below(inner, member)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return list(dict.fromkeys(one for part in get_args(annotation) for one in models_in(part)))


def kinds_of(model: type[BaseModel]) -> tuple[str, ...]:
    return get_args(model.model_fields["kind"].annotation)


def literals_of(annotation: Any) -> tuple[str, ...]:
    """The texts that a field may hold."""
    return tuple(one for one in get_args(annotation) if isinstance(one, str))
