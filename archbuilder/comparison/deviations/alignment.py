"""Which layers of two blocks stand side by side, and which have no counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import product, takewhile

from archbuilder.graph import ops
from archbuilder.outline.parts import Block, Item, skeleton, word

Run = tuple[int, int, int, int]
"""Where some of my layers begin and end, and where the ones of theirs in their place do."""
MOST_PAIRS = 250_000
"""The most pairs of layers that are weighed against each other."""
EQUAL, ALIKE = 3, 1
"""What a pair of layers counts that is the same, and one of the same kind."""


def runs(mine: Block, theirs: Block) -> Iterator[Run]:
    """The runs of layers that are left where most layers have a counterpart, the same ones before others of a kind."""
    begin = _common(mine, theirs)
    end = _common(mine[begin:][::-1], theirs[begin:][::-1])
    a, b = mine[begin : len(mine) - end], theirs[begin : len(theirs) - end]
    x = y = 0
    for i, j in [*(_weighed(a, b) if len(a) * len(b) <= MOST_PAIRS else _matched(a, b)), (len(a), len(b))]:
        if (x, y) != (i, j):
            yield (begin + x, begin + i, begin + y, begin + j)
        x, y = i + 1, j + 1


def _common(mine: Block, theirs: Block) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(mine, theirs, strict=False)))


def _weight(mine: Item, theirs: Item) -> int:
    """Convolutions of another size of kernel are other layers."""
    if mine == theirs:
        return EQUAL
    if isinstance(mine, ops.Conv) and isinstance(theirs, ops.Conv) and mine.kernel != theirs.kernel:
        return 0
    return ALIKE if skeleton((mine,)) == skeleton((theirs,)) else 0


def _weighed(mine: Block, theirs: Block) -> list[tuple[int, int]]:
    """The pairs of the heaviest alignment, in order; where several are, the one whose pairs stand last."""
    weights = [[_weight(a, b) for b in theirs] for a in mine]
    best = [[0] * (len(theirs) + 1) for _ in range(len(mine) + 1)]
    for i, j in product(range(len(mine)), range(len(theirs))):
        paired = weights[i][j] + best[i][j] if weights[i][j] else 0
        best[i + 1][j + 1] = max(paired, best[i][j + 1], best[i + 1][j])
    pairs, i, j = [], len(mine), len(theirs)
    while i and j:
        if weights[i - 1][j - 1] and best[i][j] == weights[i - 1][j - 1] + best[i - 1][j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _matched(mine: Block, theirs: Block) -> list[tuple[int, int]]:
    """The pairs of long blocks, layers of a kind all being alike."""
    ours, others = ([(word(item), skeleton((item,))) for item in block] for block in (mine, theirs))
    matches = SequenceMatcher(None, ours, others, autojunk=False).get_matching_blocks()
    return [(match.a + step, match.b + step) for match in matches for step in range(match.size)]
