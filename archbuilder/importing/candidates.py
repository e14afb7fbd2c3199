"""A network with some of its steps read as units, written out as a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archbuilder.importing.shortcuts import Named, Place, named
from archbuilder.importing.stages import Unit, common, grown, stages
from archbuilder.importing.steps import Fork, Leaf, Row, Steps
from archbuilder.importing.tiling import Tile, in_one_way
from archbuilder.importing.writing import Writer, Yaml, named_paths
from archbuilder.spec import library
from archbuilder.spec.expressions import Expression


def written(
    name: str, row: Row, tiles: Sequence[Tile], writer: Writer, units: Mapping[str, Yaml],
    *, grows: bool,
) -> Yaml:  # fmt: skip
    """The spec of a network; `units` are templates of its own. Where `grows`, numbers may be expressions."""
    tiles = in_one_way(tiles)
    shortcuts = named([_place(row, tile) for tile in tiles], writer)
    found = _Written(row, writer, tiles)
    head: dict[str, Any] = {"archbuilder": 1, "name": name, "input": [*row.input]}
    if told := writer.defaults.yaml():
        head["defaults"] = told
    own = {key: one for key, one in units.items() if any(tile.kind == key for tile in tiles)}
    templates = {"units": own, "shortcuts": dict(shortcuts.templates)}
    if said := {key: one for key, one in templates.items() if one}:
        head["templates"] = said
    body: dict[str, Any] = {"stem": found.between(0, tiles[0].start if tiles else len(row.steps))}
    if tiles:
        body |= _parts(row, tiles, shortcuts, units, grows)
        _put_between(body["stages"], found, tiles)
        body["head"] = found.between(tiles[-1].end, len(row.steps))
        _end_alike(body)
    return {**head, **{key: value for key, value in body.items() if value not in ([], None)}}


def _place(row: Row, tile: Tile) -> Place | None:
    """The path beside which a unit's shortcut stands."""
    if tile.beside is None:
        return None
    spans = [span for span in row.spans if tile.start <= span.fork and span.merge <= tile.end]
    start, end = (spans[0].fork, spans[0].merge) if spans else (tile.start, tile.end)
    return Place(row.steps[start:end], row.shape(start), tile.beside)


def _parts(row: Row, tiles: Sequence[Tile], shortcuts: Named, own: Mapping[str, Yaml], grows: bool) -> dict[str, Yaml]:
    usual = {tile.kind: _usual(tile.kind, own) for tile in tiles}
    units = []
    for tile, shortcut in zip(tiles, shortcuts.names, strict=True):
        said = {**(tile.arguments or {}), **({"shortcut": shortcut} if shortcut else {})}
        units.append(Unit(tile.kind, said, usual[tile.kind], tile.free - {*said}))
    growing = dict(grown(units)) if grows else {}
    units = [replace(one, arguments={key: one.arguments[key] for key in one.arguments if key not in growing})
             for one in units]  # fmt: skip
    lines: list[Yaml] = []
    begin = 0
    for at in range(1, len(tiles) + 1):
        if at == len(tiles) or tiles[at].start != tiles[at - 1].end:
            lines += stages(units[begin:at])
            begin = at
    shared = common(lines, usual)
    unit = shared.unit
    if growing:
        unit = {unit: growing} if isinstance(unit, str) else {key: {**said, **growing} for key, said in unit.items()}
    return {"unit": unit, "shortcut": shared.shortcut, "stages": [dict(line) for line in shared.lines]}


def _usual(kind: str, own: Mapping[str, Yaml]) -> dict[str, Yaml]:
    """The defaults of a unit's parameters that are plain values."""
    if kind in own:
        return {key: value for key, value in own[kind]["parameters"].items() if value != "required"}
    parameters = library.definition("units", kind).template.parameters
    return {
        key: one.default for key, one in parameters.items() if not one.required and not isinstance(one.default, Expression)
    }


def _put_between(lines: list[Yaml], found: _Written, tiles: Sequence[Tile]) -> None:
    """What stands between units comes behind the stage before it."""
    at = 0
    for line in lines:
        at += line["units"]
        if at < len(tiles) and tiles[at].start != tiles[at - 1].end:
            line["after"] = found.between(tiles[at - 1].end, tiles[at].start)


def _end_alike(body: dict[str, Any]) -> None:
    """What ends every stage but the last, and begins the head, ends the last one as well."""
    *others, last = body["stages"]
    after = others[0].get("after") if others else None
    head = body["head"]
    if after and all(line.get("after") == after for line in others) and head[: len(after)] == after:
        last["after"], body["head"] = after, head[len(after) :]


class _Written:
    """Steps that stand for themselves, with the sums that are among them."""

    def __init__(self, row: Row, writer: Writer, tiles: Sequence[Tile]) -> None:
        self.row, self.writer = row, writer

    def between(self, start: int, end: int) -> list[Yaml]:
        layers: list[Yaml] = []
        plain: list[Leaf | Fork] = []
        at = start
        while at < end:
            span = self.row.by_fork.get(at)
            if span is None:
                plain.append(self.row.steps[at])
                at += 1
                continue
            layers += self.writer.layers(tuple(plain))
            plain = []
            layers.append(self._sum(span.path, self.row.steps[span.fork : span.merge]))
            at = span.merge
        return layers + self.writer.layers(tuple(plain))

    def _sum(self, beside: Steps, own: Steps) -> Yaml:
        return {"add": named_paths("add", [self.writer.layers(beside), self.writer.layers(own)])}
