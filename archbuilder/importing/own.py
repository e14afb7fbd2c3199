"""Units that the library does not have: stretches of one form become a template of the spec's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archbuilder.graph import ops
from archbuilder.importing.matching import Beside
from archbuilder.importing.steps import CARRY, Fork, Leaf, Row, Span, Step, Steps, gate, leaves, without_carry
from archbuilder.importing.tiling import Tile
from archbuilder.importing.writing import Writer, Yaml, layer, named_paths, plain, settings_of, words

_LONGEST = 24
_MOST_KINDS, _MOST_STEPS = 24, 20_000
"""How many forms are looked at closely, at most, and in how many steps all together."""
_PARAMETER = 10
"""What a parameter of its own costs, in words, before an expression of others is taken for it."""


@dataclass(frozen=True)
class Form:
    """What stretches have in common that may be one unit: their layers, and where a sum ends in them."""

    skeleton: Hashable
    merge: int | None


def own_tiles(row: Row, taken: Sequence[Tile] = ()) -> list[tuple[str, list[Tile]]]:
    """Forms that come at least twice beside tiles that are there, those first that say most, each with its tiles."""
    places: dict[Form, list[tuple[int, int, Span | None]]] = defaultdict(list)
    marks: list[Hashable] = [_mark(step) for step in row.steps]
    carried: list[Hashable] = [_mark(step) for step in without_carry(row.steps)]
    covered = [False] * len(row.steps)
    for tile in taken:
        covered[tile.start : tile.end] = [True] * (tile.end - tile.start)
    for start, end, span in _stretches(row, covered):
        has_carry = span is None and gate(row.steps[start:end]) is not None
        form = Form(tuple((carried if has_carry else marks)[start:end]), span.merge - start if span else None)
        places[form].append((start, end, span))
    plain = {form.skeleton: stretches for form, stretches in places.items() if form.merge is None}
    for form, stretches in places.items():  # units without a sum are those of the form that has one
        if form.merge is not None:
            stretches += plain.get(form.skeleton, ())
    found = []
    for form, stretches in places.items():
        forks = {span.fork - start for start, _, span in stretches if span}
        if len(stretches) > 1 and len(forks) <= 2 and _begins_well(row, form, stretches):
            found.append((form, stretches))
    found.sort(key=lambda one: _weight(one[1]), reverse=True)
    most = min(_MOST_KINDS, 1 + _MOST_STEPS // (len(row.steps) + 1))
    return [_tiles_of(row, stretches) for _, stretches in found[:most]]


def _weight(stretches: Sequence[tuple[int, int, Span | None]]) -> int:
    """How many steps are in stretches of one form that do not overlap."""
    done = total = 0
    for start, end, _ in sorted(stretches, key=lambda one: one[0]):
        if start >= done:
            total, done = total + end - start, end
    return total - max((end - start for start, end, _ in stretches), default=0)


def _begins_well(row: Row, form: Form, stretches: Sequence[tuple[int, int, Span | None]]) -> bool:
    """Whether a unit begins at a fork or before it; a plain one with a weight."""
    if form.merge is not None:
        return True
    first = row.steps[stretches[0][0]]
    return isinstance(first, Fork) or isinstance(first.op, ops.Conv | ops.Dense | ops.Norm)


def _stretches(row: Row, covered: Sequence[bool]) -> Iterator[tuple[int, int, Span | None]]:
    """All stretches between cuts that are not long and hold one sum at most."""
    for start in range(len(row.steps)):
        if not row.is_cut[start]:
            continue
        span = None
        for end in range(start + 1, min(start + _LONGEST, len(row.steps)) + 1):
            if covered[end - 1]:
                break
            if (begun := row.by_fork.get(end - 1)) is not None:
                if span is not None:
                    break
                span = begun
            if row.is_cut[end] and row.is_whole(start, end):
                yield start, end, span


def _mark(step: Step) -> Hashable:
    """The kind of a step: convolutions of one place, of several, and of each channel on its own are three kinds."""
    if isinstance(step, Fork):
        return (step.word, tuple(tuple(map(_mark, path)) for path in step.paths))
    if isinstance(step.op, ops.Conv):
        is_depthwise = 1 < step.op.groups == step.arriving[-1]
        return ("conv", "depthwise" if is_depthwise else max(step.op.kernel) > 1)
    return step.word


def _tiles_of(row: Row, stretches: Sequence[tuple[int, int, Span | None]]) -> tuple[str, list[Tile]]:
    kind = "own {}:{}".format(*stretches[0])
    tiles = []
    for start, end, span in stretches:
        gated = gate(row.steps[start:end])
        beside = Beside(span.path if span else gated.paths[CARRY] if gated else None)
        tiles.append(Tile(kind, start, end, _likeness(row.steps[start:end]), beside))
    return kind, tiles


def _likeness(steps: Steps) -> Hashable:
    """What units of one stage share: all settings but the stride of the first of them."""
    return tuple(
        tuple(value for key, value in settings_of(leaf.op).items() if key not in ("stride", "padding", "groups"))
        for leaf in leaves(without_carry(steps))
    )


def with_templates(row: Row, tiles: Sequence[Tile], writer: Writer) -> tuple[list[Tile], dict[str, Yaml]]:
    """Tiles with their arguments, and the templates of those that the library does not have."""
    templates: dict[str, Yaml] = {}
    told: dict[Tile, Tile] = {}
    for kind in dict.fromkeys(tile.kind for tile in tiles if tile.arguments is None):
        mine = [tile for tile in tiles if tile.kind == kind]
        template, arguments, has_shortcut = _template(row, mine, writer)
        name = _name(row, mine, templates)
        templates[name] = template
        for tile, said in zip(mine, arguments, strict=True):
            beside = tile.beside if has_shortcut else None
            told[tile] = Tile(name, tile.start, tile.end, tile.likeness, beside, said)
    return [told.get(tile, tile) for tile in tiles], templates


def _name(row: Row, tiles: Sequence[Tile], taken: Mapping[str, Yaml]) -> str:
    """A name for a template that says what it is."""
    steps = [step for tile in tiles for step in row.steps[tile.start : tile.end]]
    is_depthwise = any(isinstance(mark := _mark(step), tuple) and mark[:2] == ("conv", "depthwise") for step in steps)
    is_residual = any(tile.beside is not None and tile.beside.steps is not None for tile in tiles)
    if any(isinstance(step, Fork) and step.word == "gate" for step in steps):
        name = "gated_unit"
    elif is_residual:
        name = "inverted_residual_unit" if is_depthwise else "residual_unit"
    elif any(isinstance(step, Fork) and step.word == "concat" for step in steps):
        name = "branching_unit"
    else:
        name = "separable_unit" if is_depthwise else "plain_unit"
    return name if name not in taken else f"{name}{sum(one.startswith(name) for one in taken) + 1}"


def _template(row: Row, tiles: Sequence[Tile], writer: Writer) -> tuple[Yaml, list[dict[str, Yaml]], bool]:
    """The cheapest template for some tiles, the arguments of each, and whether it takes a shortcut."""
    bases = _bases(row, tiles)
    found = [_Template(row, tiles, writer, base).made() for base in bases]
    return min(
        found,
        key=lambda one: words(one[0]) + words([*map(repr, {str(said): said for said in one[1]})]) + words(one[1]) / 4,
    )


def _bases(row: Row, tiles: Sequence[Tile]) -> list[tuple[int, ...] | None]:
    """The numbers of channels that may be called filters: those of each convolution that varies."""
    vectors: dict[tuple[int, ...], None] = {}
    stretches = (without_carry(row.steps[tile.start : tile.end]) for tile in tiles)
    for column in zip(*(tuple(leaves(steps)) for steps in stretches), strict=True):
        op = column[0].op
        if isinstance(op, ops.Conv | ops.Dense):
            key = "filters" if isinstance(op, ops.Conv) else "units"
            vector = tuple(getattr(leaf.op, key) for leaf in column)
            if len(set(vector)) > 1:
                vectors[vector] = None
    return [*vectors] or [None]


class _Template:
    """Writes the template of some tiles with one vector of numbers as its filters."""

    def __init__(self, row: Row, tiles: Sequence[Tile], writer: Writer, base: tuple[int, ...] | None) -> None:
        self.row, self.tiles, self.writer, self.base = row, tiles, writer, base
        self.vectors: dict[str, list[Any]] = {}
        """The value of each parameter in each tile."""
        self.carries = False
        """Whether a gate carries what the shortcut is."""
        if base is not None:
            self.vectors["filters"] = [*base]

    def made(self) -> tuple[Yaml, list[dict[str, Yaml]], bool]:
        spans = [self._span(tile) for tile in self.tiles]
        begun = next((span for span in spans if span), None)
        shortcut = None
        if begun is None:
            layers = self._layers([self.row.steps[tile.start : tile.end] for tile in self.tiles])
        else:
            layers, shortcut = self._with_sum(spans)
        parameters: dict[str, Yaml] = {}
        for key, vector in self.vectors.items():
            parameters[key] = "required" if key == "filters" else self._usual(key, vector)
        takes = shortcut == "$shortcut" or self.carries
        if takes:
            parameters["shortcut"] = "identity"
        arguments = [
            {key: plain(vector[at]) for key, vector in self.vectors.items() if plain(vector[at]) != parameters[key]}
            for at in range(len(self.tiles))
        ]
        template = {**({"parameters": parameters} if parameters else {"parameters": {}}), "layers": layers}
        return template, arguments, takes

    def _usual(self, key: str, vector: Sequence[Any]) -> Yaml:
        if key == "stride":
            return 1
        values = [plain(value) for value in vector]
        return max(values, key=values.count)

    def _span(self, tile: Tile) -> Span | None:
        inside = (self.row.by_fork.get(at) for at in range(tile.start, tile.end))
        return next((span for span in inside if span), None)

    def _with_sum(self, spans: Sequence[Span | None]) -> tuple[list[Yaml], Yaml]:
        forks = sorted({span.fork - tile.start for span, tile in zip(spans, self.tiles, strict=True) if span})
        merge = next(span.merge - tile.start for span, tile in zip(spans, self.tiles, strict=True) if span)
        early, late = forks[0], forks[-1]
        shared: list[Yaml] = []
        inner: list[Yaml] = []
        if early != late:
            between = self._layers([self._cut(tile, early, late) for tile in self.tiles])
            self.vectors["shared"] = [
                span is not None and span.fork - tile.start == late
                for span, tile in zip(spans, self.tiles, strict=True)
            ]
            shared = [{"if": "$shared", "then": between}]
            inner = [{"if": "${not shared}", "then": between}]
        before = self._layers([self._cut(tile, 0, early) for tile in self.tiles])
        residual = inner + self._layers([self._cut(tile, late, merge) for tile in self.tiles])
        behind = self._layers([self._cut(tile, merge, None) for tile in self.tiles])
        shortcut = self._shortcut(spans)
        return [*before, *shared, {"add": {"residual": residual, "shortcut": shortcut}}, *behind], shortcut

    def _shortcut(self, spans: Sequence[Span | None]) -> Yaml:
        """A parameter, unless the shape alone says whether there is an identity."""
        keeps = []
        for tile in self.tiles:
            end = self.row.steps[tile.end - 1].leaving
            keeps.append(end == self.row.shape(tile.start))
        plainly = all(span is None or not span.path for span in spans)
        if plainly and None in spans and [span is not None for span in spans] == keeps and "filters" in self.vectors:
            channels = [self.row.steps[tile.end - 1].leaving[-1] for tile in self.tiles]
            if channels == self.vectors["filters"]:
                test = "stride == 1 and channels == filters" if "stride" in self.vectors else "channels == filters"
                return f"${{'identity' if {test} else 'none'}}"
        return "$shortcut"

    def _cut(self, tile: Tile, start: int, end: int | None) -> Steps:
        return self.row.steps[tile.start + start : tile.end if end is None else tile.start + end]

    def _layers(self, columns: Sequence[Steps]) -> list[Yaml]:
        return [self._layer(column) for column in zip(*columns, strict=True)]

    def _path(self, columns: Sequence[Steps]) -> Yaml:
        """The layers of a path of a merge; the shortcut, where it is not the same path in all tiles."""
        if len({tuple(map(_mark, steps)) for steps in columns}) > 1:
            self.carries = True
            return "$shortcut"
        return self._layers(columns)

    def _layer(self, column: Sequence[Step]) -> Yaml:
        first = column[0]
        if isinstance(first, Fork):
            forks = [step for step in column if isinstance(step, Fork)]
            paths = [self._path([step.paths[at] for step in forks]) for at in range(len(first.paths))]
            [attached] = self.writer.layers(tuple(column[:1]))
            is_unit = not isinstance(attached, dict) or first.word not in attached
            if is_unit and all(self.writer.layers((step,)) == [attached] for step in column):
                return attached
            return {first.word: named_paths(first.word, paths)}
        found = [step for step in column if isinstance(step, Leaf)]
        settings = dict.fromkeys(settings_of(first.op))
        usual = self.writer.defaults.of_op(first.op)
        said = {}
        for key in settings:
            values = [getattr(step.op, key) for step in found]
            if all(value == values[0] for value in values):
                if key == "groups" and len(found) > 1 and values[0] > 1 and values[0] == found[0].arriving[-1]:
                    said[key] = "$channels"
                elif key not in usual or usual[key] != values[0]:
                    said[key] = values[0]
            else:
                said[key] = self._told(key, values, [step.arriving[-1] for step in found])
        return layer(first.word, said, {})

    def _told(self, key: str, values: Sequence[Any], channels: Sequence[int]) -> Yaml:
        """What stands for a setting that is not the same in all tiles."""
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            if [*values] == [*channels]:
                return "$channels"
            for name, numbers in (("filters", self.base), ("channels", channels)):
                if numbers is None:
                    continue
                if [*values] == [*numbers]:
                    return f"${name}"
                if (factor := _factor(values, numbers)) > 1:
                    return f"${{{name} * {factor}}}"
                if (factor := _factor(numbers, values)) > 1:
                    return f"${{{name} // {factor}}}"
        for name, vector in self.vectors.items():
            if vector == [*values]:
                return f"${name}"
        stem = "inside" if key in ("filters", "units") else key
        taken = sum(name.rstrip("0123456789") == stem for name in self.vectors)
        name = f"{stem}{taken + 1}" if taken else stem
        self.vectors[name] = [*values]
        return f"${name}"


def _factor(large: Sequence[int], small: Sequence[int]) -> int:
    """How many times as large numbers are as others; 0 where they are not."""
    factor = large[0] // small[0]
    return factor if all(a == b * factor for a, b in zip(large, small, strict=True)) else 0
