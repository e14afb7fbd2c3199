"""The spec of a network that came without one: candidates are written out, and of those that hold, the shortest kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archbuilder.errors import SpecError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.importing.candidates import written
from archbuilder.importing.matching import Beside, Matcher, attachments
from archbuilder.importing.own import own_tiles, with_templates
from archbuilder.importing.paddings import with_named_paddings
from archbuilder.importing.steps import Row, row_of
from archbuilder.importing.text import text_of
from archbuilder.importing.tiling import Tile, library_tiles, tiled
from archbuilder.importing.writing import Writer, Yaml, defaults_of, words
from archbuilder.outline.canonical import canonical
from archbuilder.spec import library
from archbuilder.spec.loading import Spec, load_text

_ENOUGH = 0.7
"""The share of the layers that units of the library have to stand for, so that no others are looked for."""
_CLOSEST, _SECONDS = 8, 12
"""How many kinds of units of its own are tried alone, and how many beside the best of them."""


def spec_of(graph: Graph, name: str, preprocessing: str | None = None) -> Spec:
    """The shortest spec found that expands to the same network; `preprocessing` is what its weights expect."""
    wanted = canonical(graph)
    best: tuple[int, Spec] | None = None
    for data in _candidates(graph, name):
        size = words(data) 
        if best is not None and size >= best[0]:
            continue
        if preprocessing:
            data["weights"] = {"preprocessing": preprocessing}
        spec = load_text(text_of(data), name)
        if canonical(expand(spec)) == wanted:
            best = (size, spec)
    assert best is not None
    return best[1]


def _candidates(graph: Graph, name: str) -> Iterator[Yaml]:
    row = row_of(graph)
    if row is None:
        raise NotImplementedError
    row = with_named_paddings(row)
    defaults = defaults_of(row)
    plain = Writer(defaults)
    matchers = [Matcher(unit, defaults, plain) for unit in library.names("units")]
    writer = Writer(defaults, attachments([one for one in matchers if one.is_attachment]))
    matchers = [Matcher(one.name, defaults, writer) for one in matchers if not one.is_attachment]
    mine = library_tiles(row, matchers)
    cost, tiles = tiled(row, mine, writer)
    covered = {at for tile in tiles if tile.beside != Beside(None) for at in range(tile.start, tile.end)}
    yield from _written(name, row, tiles, writer)
    if len(covered) > _ENOUGH * len(row.steps) and all(span.fork in covered for span in row.spans):
        return
    ranked = []
    for kind, others in own_tiles(row):
        spent, chosen = tiled(row, [*mine, *others], writer)
        used = [tile for tile in chosen if tile.kind == kind]
        if len(used) > 1:
            told, templates = with_templates(row, chosen, writer)
            ranked.append((spent + words(list(templates.values())), kind, others, chosen))
    ranked.sort(key=lambda one: one[0])
    for _, _, _, chosen in ranked[:_CLOSEST]:
        yield from _written(name, row, chosen, writer)
    for _, kind, others, _ in ranked[:1]:
        for _, other, more, _ in ranked[1:_SECONDS]:
            _, chosen = tiled(row, [*mine, *others, *more], writer)
            yield from _written(name, row, chosen, writer)


def _written(name: str, row: Row, tiles: Sequence[Tile], writer: Writer) -> Iterator[Yaml]:
    told, templates = with_templates(row, tiles, writer)
    for grows in (True, False):
        yield written(name, row, told, writer, templates, grows=grows)
