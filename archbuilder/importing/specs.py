"""The spec of a network that came without one: of the candidates that hold, the shortest."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from archbuilder.errors import ArchbuilderError, SpecError
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.importing.abbreviating import abbreviated
from archbuilder.importing.candidates import written
from archbuilder.importing.matching import Beside, Matcher, attachments
from archbuilder.importing.outputs import with_told_names
from archbuilder.importing.own import own_tiles, with_templates
from archbuilder.importing.paddings import with_named_paddings
from archbuilder.importing.steps import row_of
from archbuilder.importing.text import text_of
from archbuilder.importing.tiling import Tile, library_tiles, literal_costs, tiled
from archbuilder.importing.trunks import Trunk, trunks, whole
from archbuilder.importing.writing import Defaults, Writer, Yaml, defaults_of, words
from archbuilder.outline.canonical import canonical
from archbuilder.spec import library
from archbuilder.spec.loading import Spec, load_text

_MOST_WORDS = 20_000
"""How much is loaded of candidates, all together, once one holds."""
_LOOSE = 2
"""What belongs to no stage costs, in words, beside those that it consists of."""
_ENOUGH = 0.7
"""The share of the layers that units of the library have to stand for, so that no others are looked for."""
_CLOSEST, _FIRSTS, _SECONDS = 8, 4, 6
"""How many kinds of units of its own are tried alone, beside how many of them others are, and how many others."""


def spec_of(graph: Graph, name: str, preprocessing: str | None = None, outputs: Sequence[str] = ()) -> Spec:
    """The shortest spec found that expands to the same network.

    `preprocessing` is what its weights expect, and `outputs` are the names that its outputs are to have.

    Raises ArchbuilderError where none holds, since the network is beyond the bounds of specs.
    """
    wanted = canonical(_with_rounded_rates(graph))
    best: tuple[int, Spec] | None = None
    why, spent = "", 0
    for data in _candidates(graph, name):
        size = words(data) + _LOOSE * _loose(data)
        if best is not None and size >= best[0]:
            continue
        if best is not None and spent > _MOST_WORDS:
            break
        spent += size
        if preprocessing:
            data["weights"] = {"preprocessing": preprocessing}
        try:
            spec = _proven(with_told_names(data, outputs), name, wanted)
        except SpecError as error:
            why = error.diagnostics[0].message
            continue
        if spec is not None:
            best = (size, spec)
    if best is None:
        raise ArchbuilderError(f"no spec was found that is the same network{why and ': ' + why}")
    shorter = abbreviated(best[1].document.data)
    return (shorter and _proven(shorter, name, wanted)) or best[1]


def _proven(data: Yaml, name: str, wanted: Hashable) -> Spec | None:
    """The spec of a candidate; None where it is another network."""
    spec = load_text(text_of(data), name)
    return spec if canonical(_with_rounded_rates(expand(spec))) == wanted else None


def _loose(data: Yaml) -> int:
    """How much belongs to no stage: convolutions between them, and units of another kind, each a stage of its own."""
    stages = data.get("stages", ())
    layers = [layer for stage in stages for layer in stage.get("after", ())]
    alone = [stage for stage in stages if stage["units"] == 1 and "unit" in stage]
    return len(alone) + sum(isinstance(layer, dict) and "conv" in layer for layer in layers)


def _with_rounded_rates(graph: Graph) -> Graph:
    """A graph in which rates that differ in how they were rounded are the same."""
    nodes = tuple(
        replace(one, op=replace(one.op, rate=float(f"{one.op.rate:.12g}"))) if isinstance(one.op, ops.Dropping) else one
        for one in graph.nodes
    )
    return replace(graph, nodes=nodes)


def _candidates(graph: Graph, name: str) -> Iterator[Yaml]:
    row = row_of(graph)
    found = [whole(row, graph)] if row is not None else []
    if row is None or any(isinstance(one.op, ops.Upsample | ops.ConvTranspose) for one in graph.nodes):
        found += trunks(graph)
    for trunk in found:
        row = with_named_paddings(trunk.row)
        yield from _of_trunk(_Source(name, graph, replace(trunk, row=row), defaults_of(row)))


@dataclass(frozen=True)
class _Source:
    """What candidates are written of."""

    name: str
    graph: Graph
    trunk: Trunk
    defaults: Defaults

    def written(self, tiles: Sequence[Tile], writer: Writer) -> Iterator[Yaml]:
        told, templates = with_templates(self.trunk.row, tiles, writer)
        for grows in (True, False):
            yield written(self.name, self.graph, self.trunk, told, writer, templates, grows=grows)


def _of_trunk(source: _Source) -> Iterator[Yaml]:
    """Candidates with units of the library alone and, where these are few, with others beside them."""
    row, defaults = source.trunk.row, source.defaults
    plain = Writer(defaults)
    matchers = [Matcher(unit, defaults, plain) for unit in library.names("units")]
    writer = Writer(defaults, attachments([one for one in matchers if one.is_attachment]))
    mine = library_tiles(row, [Matcher(one.name, defaults, writer) for one in matchers if not one.is_attachment])
    literal = literal_costs(row, writer)
    _, tiles = tiled(row, mine, literal)
    yield from source.written(tiles, writer)
    covered = {at for tile in tiles if tile.beside != Beside(None) for at in range(tile.start, tile.end)}
    if len(covered) > _ENOUGH * len(row.steps) and all(span.fork in covered for span in row.spans):
        return
    ranked: list[tuple[float, list[Tile], list[Tile]]] = []
    for kind, others in own_tiles(row):
        spent, chosen = tiled(row, [*mine, *others], literal)
        if sum(tile.kind == kind for tile in chosen) > 1:
            _, templates = with_templates(row, chosen, writer)
            ranked.append((spent + words([*templates.values()]), others, chosen))
    ranked.sort(key=lambda one: one[0])
    for _, _, chosen in ranked[:_CLOSEST]:
        yield from source.written(chosen, writer)
    for _, first, chosen in ranked[:_FIRSTS]:
        for _, others in own_tiles(row, chosen)[:_SECONDS]:
            _, both = tiled(row, [*mine, *first, *others], literal)
            if len(both) > len(chosen):
                yield from source.written(both, writer)
