"""A network with some of its steps read as units, written out as a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from archbuilder.graph.network import Graph
from archbuilder.importing.shortcuts import Named, Place, named
from archbuilder.importing.stages import Unit, common, grown, is_begun_otherwise, stages
from archbuilder.importing.steps import Fork, Leaf, Row, Steps, gate
from archbuilder.importing.tiling import Tile, in_one_way
from archbuilder.importing.trunks import Trunk, layers_of
from archbuilder.importing.writing import Writer, Yaml, named_paths
from archbuilder.spec import library
from archbuilder.spec.expressions import Expression

TAP = "tap"
"""What points are called, with a number, that are no ends of parts."""


def written(
    name: str, graph: Graph, trunk: Trunk, tiles: Sequence[Tile], writer: Writer, units: Mapping[str, Yaml],
    *, grows: bool,
) -> Yaml:  # fmt: skip
    """The spec of a network; `units` are templates of its own. Where `grows`, numbers may be expressions."""
    tiles, row = in_one_way(tiles), trunk.row
    shortcuts = named([_place(row, tile) for tile in tiles], writer)
    places = {point: f"{TAP}{number}" for number, point in enumerate(sorted({*trunk.points.values()}), 1)}
    found = _Written(row, writer, places)
    head: dict[str, Any] = {"archbuilder": 1, "name": name, "input": [*row.input]}
    if told := writer.defaults.yaml():
        head["defaults"] = told
    own = {key: one for key, one in units.items() if any(tile.kind == key for tile in tiles)}
    templates = {"units": own, "shortcuts": dict(shortcuts.templates)}
    if said := {key: one for key, one in templates.items() if one}:
        head["templates"] = said
    stem_ends = tiles[0].start if tiles else len(row.steps)
    body: dict[str, Any] = {"stem": found.between(0, stem_ends)}
    places |= {0: "input"} if 0 in places else {}
    ends_here = stem_ends == len(row.steps) and trunk.end in trunk.outputs
    places |= {stem_ends: "stem"} if stem_ends in places and stem_ends and not ends_here else {}
    if tiles:
        body |= _parts(row, tiles, shortcuts, units, grows)
        _put_between(body["stages"], found, tiles)
        body["head"] = found.between(tiles[-1].end, len(row.steps))
        if not trunk.points:
            _end_alike(body)
    body.setdefault("head", [])
    if places.get(len(row.steps), "").startswith(TAP):
        body["head"].append({"point": places[len(row.steps)]})
    names = {node: places[point] for node, point in trunk.points.items()}
    body["head"] += layers_of(trunk, graph, names, writer)
    if len(trunk.outputs) > 1:
        body["outputs"] = [names[one] for one in trunk.outputs]
    return {**head, **{key: value for key, value in body.items() if value not in ([], None)}}


def _place(row: Row, tile: Tile) -> Place | None:
    """The path beside which a unit's shortcut stands."""
    if tile.beside is None:
        return None
    spans = [span for span in row.spans if tile.start <= span.fork and span.merge <= tile.end]
    start, end = (spans[0].fork, spans[0].merge) if spans else (tile.start, tile.end)
    if not spans and (gated := gate(row.steps[start:end])) is not None:
        return Place(gated.paths[0], gated.arriving, tile.beside)
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
    lines = _lines(row, tiles, units, mixed=True)
    if len({line["first"]["unit"] if is_begun_otherwise(line) else None for line in lines}) > 1:
        lines = _lines(row, tiles, units, mixed=False)
    shared = common(lines, usual)
    unit = shared.unit
    if growing:
        unit = {unit: growing} if isinstance(unit, str) else {key: {**said, **growing} for key, said in unit.items()}
    return {"unit": unit, "shortcut": shared.shortcut, "stages": [dict(line) for line in shared.lines]}


def _lines(row: Row, tiles: Sequence[Tile], units: Sequence[Unit], *, mixed: bool) -> list[Yaml]:
    """The stages of all units, which end where something else stands between them."""
    ends = [
        at for at, tile in enumerate(tiles)
        if at and (tile.start != tiles[at - 1].end or tile.start in row.points)
    ] + [len(tiles)]  # fmt: skip
    runs = [units[begin:end] for begin, end in pairwise([0, *ends])]
    return [line for run in runs for line in stages(run, mixed=mixed, marked=len(runs) > 1)]


def _usual(kind: str, own: Mapping[str, Yaml]) -> dict[str, Yaml]:
    """The defaults of a unit's parameters that are plain values."""
    if kind in own:
        return {key: value for key, value in own[kind]["parameters"].items() if value != "required"}
    parameters = library.definition("units", kind).template.parameters
    return {
        key: one.default
        for key, one in parameters.items()
        if not one.required and not isinstance(one.default, Expression)
    }


def _put_between(lines: list[Yaml], found: _Written, tiles: Sequence[Tile]) -> None:
    """What stands between units comes behind the stage before it, whose end is a point by its name."""
    at = 0
    for number, line in enumerate(lines, 1):
        at += line["units"]
        end = tiles[at].start if at < len(tiles) else tiles[-1].end
        if between := found.between(tiles[at - 1].end, end):
            line["after"] = between
        if end in found.points:
            found.points[end] = f"stage{number}"


def _end_alike(body: dict[str, Any]) -> None:
    """What ends every stage but the last, and begins the head, ends the last one as well."""
    *others, last = body["stages"]
    after = others[0].get("after") if others else None
    head = body["head"]
    if after and all(line.get("after") == after for line in others) and head[: len(after)] == after:
        last["after"], body["head"] = after, head[len(after) :]


class _Written:
    """Steps that stand for themselves, with the sums that are among them."""

    def __init__(self, row: Row, writer: Writer, points: dict[int, str]) -> None:
        self.row, self.writer, self.points = row, writer, points
        """`points` are the names of those that something else goes on from, by their places."""

    def between(self, start: int, end: int) -> list[Yaml]:
        layers: list[Yaml] = []
        plain: list[Leaf | Fork] = []
        at = start
        while at < end:
            if self.points.get(at, "").startswith(TAP):
                layers += [*self.writer.layers(tuple(plain)), {"point": self.points[at]}]
                plain = []
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
