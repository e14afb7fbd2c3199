"""The units and shortcuts that ship with the package, each one YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from archbuilder.spec.document import Document, Place, parse
from archbuilder.spec.network import ShortcutTemplate, Template

Plural = Literal["units", "shortcuts"]


@dataclass(frozen=True)
class Definition:
    """A template by its name, and where it stands."""

    name: str
    template: Template
    place: Place


@cache
def names(plural: Plural) -> tuple[str, ...]:
    """The names of all units, or all shortcuts, of the library."""
    folder = files("archbuilder") / "library" / plural
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


@cache
def definition(plural: Plural, name: str) -> Definition:
    """A template of the library."""
    file = f"library/{plural}/{name}.yaml"
    document: Document = parse((files("archbuilder") / file).read_text(encoding="utf-8"), file)
    model = ShortcutTemplate if plural == "shortcuts" else Template
    context = {"units": names("units"), "shortcuts": names("shortcuts")}
    return Definition(name, model.model_validate(document.data, context=context), Place(document))
