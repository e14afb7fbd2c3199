"""What is left of a spec that has mistakes: each is made harmless, and nothing is known of what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from archbuilder.errors import Diagnostic, Span, nearest
from archbuilder.spec.document import Document, Path
from archbuilder.spec.layers import MERGES
from archbuilder.spec.network import Network
from archbuilder.spec.roles import arguments_of, name_of

FOLLOWING = frozenset({
    "missing-key", "missing-parameter", "unknown-parameter", "bad-choice", "unknown-point", "unknown-output",
})  # fmt: skip
"""What may be wrong with what is left; it follows from the mistakes."""
LIKE = 0.8
"""How like a unit's name a wrong one is that was surely meant to be that."""
_ANYTHING = "$channels"
"""An argument that nothing is known of, in a stage that begins nowhere."""
_NEEDED = {"archbuilder": 1, "name": "unnamed", "input": [32, 32, 3]}
_APART = frozenset({"summary", "source", "published", "stem", "stages", "head", "outputs", "weights", "training"})
"""The keys of a spec that can be missing without a consequence for what stands before."""


class _CannotTell(Exception):  # noqa: N818 (an end of the search)
    """A mistake on which all else depends: there are no templates."""


class Salvage:
    """A document from which mistakes are taken one by one."""

    def __init__(self, document: Document, units: Sequence[str]) -> None:
        self.document, self.data, self.units = document, deepcopy(document.data), units
        self.unknown: set[Path] = set()
        """Parts, layers and stages of which nothing is known, and the `unit` of stages whose units are not."""
        self.replaced: set[Path] = set()
        """Layers and templates in whose place stands something else, so that nothing in them is to be mended."""
        self.renamed: dict[Path, Path] = {}

    def mend(self, path: Path, code: str) -> None:
        """Makes the mistake at a path harmless, unless what was around it is gone."""
        if not any(path[:length] in self.replaced for length in range(len(path))):
            self._mend(path, code)

    def _mend(self, path: Path, code: str) -> None:
        match path:
            case ():
                self.unknown |= {("input",)} if "input" not in self.data else set()
                self.data = _NEEDED | self.data
            case ("archbuilder" | "name" | "input" as key, *_):
                self.data[key] = _NEEDED[key]
                self.unknown.add((key,))
            case ("stem" | "head", int(), *_):
                self._layer(_innermost(path, 2))
            case ("templates", _, _, "layers", int(), *_):
                self._layer(_innermost(path, 5))
            case ("stages", int(), "after", int(), *_):
                self._layer(_innermost(path, 4))
            case ("stages", int() as index, *inner):
                self.unknown.add(path[:2])
                self._stage(index, inner, code)
            case ("unit" | "shortcut" as key, *_):
                stages = self._indices(key)
                self.unknown |= {("stages", index) for index in stages}
                self._set((), path, code, stages)
            case ("templates", str(), _, *_):
                self._at(path[:2])[path[2]] = {"layers": ["relu"]}
                self.replaced.add(path[:3])
                self.unknown.add((*path[:3], "layers", 0))
            case ("templates", *_):
                raise _CannotTell
            case ("defaults", *_):
                self.data.pop("defaults", None)
                self.unknown.add(("input",))
            case (key, *_):
                self.data.pop(key, None)
                [meant, *_] = [*nearest(str(key), Network.model_fields), ""]
                self.unknown.add((meant if meant in _APART else "input",))

    def _layer(self, path: Path) -> None:
        *around, index = path
        self._at(around)[index] = "relu"
        self.replaced.add(path)
        self.unknown.add(path)

    def _stage(self, index: int, inner: Sequence[Any], code: str) -> None:
        stages = self.data["stages"]
        match inner:
            case [] | ["units"]:
                stages[index] = {**(stages[index] if isinstance(stages[index], dict) else {}), "units": 1}
            case ["first" | "last" | "after" as key]:
                stages[index].pop(key, None)
            case ["first" | "last" as change, *setting]:
                self._set(("stages", index, change), setting, code, [index])
            case _:
                self._set(("stages", index), inner, code, [index])

    def _indices(self, key: str) -> list[int]:
        """The stages that have no unit or shortcut of their own."""
        stages = self.data.get("stages")
        found = enumerate(stages if isinstance(stages, list) else ())
        return [index for index, stage in found if not isinstance(stage, dict) or stage.get(key) is None]

    def _set(self, at: Path, inner: Sequence[Any], code: str, stages: Iterable[int]) -> None:
        """Sets a unit to the one that was meant, or an argument to anything, for these stages."""
        level = self._at(at)
        match inner:
            case ["unit"] | ["unit", _]:
                name, arguments = name_of(level["unit"]) or "", arguments_of(level["unit"])
                near = nearest(name, self.units, likeness=LIKE)
                level["unit"] = {near[0]: arguments} if near else None
                if near:
                    self.renamed[*at, "unit", name] = (*at, "unit", near[0])
                else:
                    self.unknown |= {("stages", index, "unit") for index in stages}
            case ["unit", name, key, *_]:
                _forget(level["unit"][name], key, code)
            case [key, *_]:
                _forget(level, key, code)

    @property
    def left(self) -> Document:
        values, keys = self._moved(self.document.values), self._moved(self.document.keys)
        return replace(self.document, data=self.data, values=values, keys=keys)

    def _moved(self, spans: Mapping[Path, Span]) -> dict[Path, Span]:
        """The spans, also those of what stands under a name that is another now."""
        moved = dict(spans)
        for old, new in self.renamed.items():
            moved |= {(*new, *path[len(old) :]): span for path, span in spans.items() if path[: len(old)] == old}
        return moved

    def _at(self, path: Iterable[Any]) -> Any:
        data = self.data
        for part in path:
            data = data[part]
        return data


def _innermost(path: Path, end: int) -> Path:
    """The innermost layer around a mistake; the first `end` parts lead to the outermost."""
    match path[end:]:
        case (merge, _, int(), *_) if merge in MERGES:
            return _innermost(path, end + 3)
        case (merge, _, "layers", int(), *_) if merge in MERGES:
            return _innermost(path, end + 4)
        case ("then" | "else" | "layers", int(), *_):
            return _innermost(path, end + 2)
        case _:
            return path[:end]


def _forget(arguments: dict[str, Any], key: str, code: str) -> None:
    """Drops an argument that no unit has, and lets another be anything."""
    arguments[key] = _ANYTHING
    if code == "unknown-parameter":
        del arguments[key]


def salvaged(document: Document, problems: Sequence[Diagnostic], units: Sequence[str]) -> Salvage | None:
    """What is left of a document without these problems; None where all else depends on one of them."""
    paths: dict[Span | None, Path] = {}
    for path, span in sorted((*document.values.items(), *document.keys.items()), key=lambda one: len(one[0])):
        paths.setdefault(span, path)
    if not isinstance(document.data, dict) or any(one.span not in paths for one in problems):
        return None
    salvage = Salvage(document, units)
    found = {(paths[one.span], one.code) for one in problems}
    try:
        for path, code in sorted(found, key=lambda one: -len(one[0])):
            salvage.mend(path, code)
    except _CannotTell:
        return None
    return salvage
