"""The network, of several, that a network is or is nearest to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from heapq import nsmallest

from archbuilder.comparison.comparison import compare, identity
from archbuilder.comparison.result import Comparison, NoneNear
from archbuilder.comparison.sketch import Sketch, bundled_sketches, sketch
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Costs, Graph
from archbuilder.graph.ops import Shape
from archbuilder.outline.canonical import canonical
from archbuilder.outline.resizing import resized
from archbuilder.spec import load

CANDIDATES = 6
"""The number of networks, those with the most layers alike, that are compared in full."""
NEAR = 0.5
"""The largest share of layers without a counterpart at which one network is near another."""
NEAR_BUT_FOR_WIDTHS = 0.1
"""The same where layers of other widths are counterparts, too."""
GraphOf = Callable[[str], Graph]


def nearest_bundled(mine: Graph) -> Comparison | NoneNear:
    """The comparison with the nearest of the bundled networks."""
    return _nearest(mine, bundled_sketches(), lambda name: replace(expand(load(name)), name=name))


def nearest(mine: Graph, others: Iterable[Graph]) -> Comparison | NoneNear:
    """The comparison with the network of the fewest deviations, and of these the one with the most layers alike.

    A network that is another but for the size of its images is nearest to that one.
    """
    known = {graph.name: graph for graph in others}
    return _nearest(mine, [sketch(graph) for graph in known.values()], known.__getitem__)


def _nearest(mine: Graph, known: Sequence[Sketch], graph_of: GraphOf) -> Comparison | NoneNear:
    here = [one for one in known if one.input == mine.input.shape]
    elsewhere = [one for one in known if one.input != mine.input.shape]
    if same := _same(mine, here, graph_of) or _same(mine, elsewhere, graph_of):
        return replace(compare(mine, graph_of(same[0])), searched=True, also=same[1:])
    outline = sketch(mine)
    near = {one.name: one.distance(outline) for one in known if _is_near(outline, one)}
    if not near:
        return NoneNear(identity(mine))
    found = {name: compare(mine, graph_of(name)) for name in nsmallest(CANDIDATES, near, key=near.__getitem__)}
    best = min(found, key=lambda name: (found[name].is_op_by_op, len(found[name].deviations), near[name]))
    return replace(found[best], searched=True)


def _is_near(mine: Sketch, theirs: Sketch) -> bool:
    return mine.distance(theirs) <= NEAR or mine.distance_without_widths(theirs) <= NEAR_BUT_FOR_WIDTHS


def _same(mine: Graph, known: Sequence[Sketch], graph_of: GraphOf) -> tuple[str, ...]:
    """The names of all networks that mine is at the size of their images, its own only if there is no other.

    What is the same has as many parameters and multiply-adds, so that few networks need to be looked at closely.
    """

    @cache
    def at(shape: Shape) -> tuple[Graph, Costs] | None:
        fitted = resized(mine, shape)
        return None if fitted is None else (fitted, fitted.costs)

    def is_same(one: Sketch) -> bool:
        found = at(one.input)
        if found is None or (found[1].trainable, found[1].macs) != (one.trainable, one.macs):
            return False
        return canonical(found[0]) == canonical(graph_of(one.name))

    same = tuple(one.name for one in known if is_same(one))
    return tuple(name for name in same if name != mine.name) or same
