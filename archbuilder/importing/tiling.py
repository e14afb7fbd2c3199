"""Which steps of a network are units of which kind, and which stand for themselves."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from archbuilder.importing.matching import Beside, Found, Matcher, Track
from archbuilder.importing.steps import Row
from archbuilder.importing.writing import Writer, Yaml, words

NEW_STAGE, SAME_STAGE, OTHER_KIND = 6.0, 0.2, 4.0
"""What a unit costs, in words: one that begins a stage, one like the unit before it, one of another kind than that."""
_LONGEST = 40
"""How many steps ahead tell whether a unit stands somewhere."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A unit in its place; what two tiles have in common lets them stand in one stage."""

    kind: str
    start: int
    end: int
    likeness: Hashable
    beside: Beside | None = None
    arguments: Mapping[str, Yaml] | None = None
    """None where they only follow from all tiles of the kind."""
    free: frozenset[str] = frozenset()
    alternative: Mapping[str, Yaml] | None = None
    """The arguments in other words, which do if all tiles have some."""


def library_tiles(row: Row, matchers: Sequence[Matcher]) -> list[Tile]:
    """All units of the library that there might be in a row."""
    track = Track(row.steps, row.by_fork, row.input)
    numbers: dict[Hashable, int] = {}
    marks = [numbers.setdefault((step, row.beside(at)), len(numbers)) for at, step in enumerate(row.steps)]
    known: dict[Hashable, Found | None] = {}
    tiles = []
    for start in (at for at in range(len(row.steps)) if row.is_cut[at]):
        for matcher in matchers:
            key = (matcher.name, *marks[start : start + _LONGEST])
            if key not in known:
                found = matcher.found(track, start)
                known[key] = found and replace(found, end=found.end - start)
            found = known[key]
            if (
                found is not None
                and row.is_cut[start + found.end]
                and not _is_bare(found)
                and (row.is_whole(start, start + found.end))
            ):
                likeness = row.shape(start + found.end)[-1]
                tiles.append(
                    Tile(
                        found.unit,
                        start,
                        start + found.end,
                        likeness,
                        found.beside,
                        found.arguments,
                        found.free,
                        found.alternative,
                    )
                )
    return tiles


def _is_bare(found: Found) -> bool:
    """Whether nothing but convolutions is left of a unit."""
    return found.beside == Beside(None) and "none" in found.arguments.values()


def tiled(row: Row, tiles: Iterable[Tile], literal: Sequence[float]) -> tuple[float, list[Tile]]:
    """The cheapest way to read a row as tiles and steps between them: what it costs, and its tiles.

    `literal` is what each step costs that stands for itself, or the sum that begins with it.
    """
    by_start: dict[int, list[Tile]] = {}
    for tile in tiles:
        by_start.setdefault(tile.start, []).append(tile)
    best: list[dict[Tile | None, tuple[float, tuple[int, Tile | None] | None]]] = [
        {} for _ in range(len(row.steps) + 1)
    ]
    best[0][None] = (0.0, None)

    def offer(at: int, last: Tile | None, cost: float, before: tuple[int, Tile | None]) -> None:
        if last not in best[at] or cost < best[at][last][0]:
            best[at][last] = (cost, before)

    for at in range(len(row.steps)):
        if not best[at]:
            continue
        cheapest = min(best[at], key=lambda last: best[at][last][0])
        end = row.by_fork[at].merge if at in row.by_fork else at + 1
        offer(end, None, best[at][cheapest][0] + literal[at], (at, cheapest))
        for tile in by_start.get(at, ()):
            for last, (cost, _) in [*best[at].items()]:
                offer(tile.end, tile, cost + _cost(tile, last), (at, last))
    last = min(best[-1], key=lambda one: best[-1][one][0])
    total, before = best[-1][last]
    found = []
    while before is not None:
        if last is not None:
            found.append(last)
        at, last = before
        before = best[at][last][1]
    return total, found[::-1]


def literal_costs(row: Row, writer: Writer) -> list[float]:
    """The words of each step that stands for itself, or of the sum that begins with it."""

    def cost(at: int) -> float:
        span = row.by_fork.get(at)
        layers = writer.layers(row.steps[at : span.merge if span else at + 1])
        beside = [3, *writer.layers(span.path)] if span else []
        return words(layers) + words(beside) + 2.0 * len(layers)

    return [cost(at) if row.is_cut[at] else 0.0 for at in range(len(row.steps))]


def _cost(tile: Tile, last: Tile | None) -> float:
    if last is not None and last.kind == tile.kind:
        return SAME_STAGE if _are_alike(last, tile) else NEW_STAGE
    return NEW_STAGE + OTHER_KIND


def in_one_way(tiles: Sequence[Tile]) -> list[Tile]:
    """Tiles with multiples in place of numbers, as far as all of a kind can say theirs so."""
    whole = {tile.kind for tile in tiles} - {tile.kind for tile in tiles if tile.alternative is None}
    return [replace(tile, arguments=tile.alternative) if tile.kind in whole else tile for tile in tiles]


def _are_alike(one: Tile, other: Tile) -> bool:
    """Whether two units are the same but for their strides, as far as both depend on their arguments."""
    if one.likeness != other.likeness:
        return False
    mine, theirs = one.arguments or {}, other.arguments or {}
    keys = {*mine, *theirs} - (one.free - {*mine}) - (other.free - {*theirs}) - {"stride"}
    return all(mine.get(key) == theirs.get(key) for key in keys)
