"""The units of a stage in raw data: which template each of them is, and what it is given."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from archbuilder.spec.document import Data
from archbuilder.spec.roles import arguments_of, name_of


@dataclass(frozen=True)
class StageUnit:
    """The first unit of a stage, the last, or those between."""

    name: str | None
    """Its template, where one is named."""
    named: tuple[str, ...]
    """Where in the stage that is named; empty for the unit of the whole stage or spec."""
    changes: tuple[str, ...]
    """Which of `first` and `last` change it."""
    given: Set[str]
    """The parameters that it is given."""


def stage_units(stage: dict[str, Data], spec: dict[str, Data]) -> list[StageUnit]:
    """The units that a stage has, in order, those between as one; all, where their number is not known."""
    count = stage.get("units")
    kinds = [("first",), (), ("last",)]
    if count in (1, 2):
        kinds = [("first", "last")] if count == 1 else [("first",), ("last",)]
    return [_unit(stage, spec, [key for key in kind if isinstance(stage.get(key), dict)]) for kind in kinds]


def _unit(stage: dict[str, Data], spec: dict[str, Data], changes: list[str]) -> StageUnit:
    levels: list[tuple[tuple[str, ...], dict[str, Data]]] = [
        ((), spec),
        ((), stage),
        *(((key,), stage[key]) for key in changes),
    ]
    naming = [(path, level["unit"]) for path, level in levels if level.get("unit") is not None]
    named, reference = naming[-1] if naming else ((), None)
    given = {*stage, *arguments_of(reference), *(key for one in changes for key in stage[one])}
    given |= {"shortcut"} if spec.get("shortcut") is not None else set()
    return StageUnit(name_of(reference), named, tuple(changes), given)
