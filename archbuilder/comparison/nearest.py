"""The network, of several, that a network is or is nearest to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from heapq import nsmallest

from archbuilder.comparison.comparison import compare
from archbuilder.comparison.result import Comparison
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.graph.words import words
from archbuilder.outline.from_graph import canonical
from archbuilder.spec import Spec, bundled, load

CANDIDATES = 6
"""The number of networks, those with the most layers alike, that are compared in full."""


def nearest_bundled(mine: Graph) -> Comparison:
    """The comparison with the nearest of the bundled networks.

    Networks that have more units than mine has layers are passed over: they are neither it nor near.
    """
    specs = {name: load(name) for name in bundled()}
    small = {name: spec for name, spec in specs.items() if _units(spec) <= len(mine.nodes)}
    return nearest(mine, (replace(expand(spec), name=name) for name, spec in (small or specs).items()))


def _units(spec: Spec) -> int:
    return sum(stage.units for stage in spec.network.stages)


def nearest(mine: Graph, others: Iterable[Graph]) -> Comparison:
    """The comparison with the network of the fewest deviations, and of these the one with the most layers alike."""
    known = {graph.name: graph for graph in others}
    if same := _same(mine, known):
        return replace(compare(mine, known[same[0]]), searched=True, also=same[1:])
    layers = _layers(mine)
    distances = {name: _distance(layers, _layers(graph)) for name, graph in known.items()}
    candidates = nsmallest(CANDIDATES, known, key=distances.__getitem__)
    found = {name: compare(mine, known[name]) for name in candidates}
    best = min(candidates, key=lambda name: (len(found[name].deviations), distances[name]))
    return replace(found[best], searched=True)


def _same(mine: Graph, known: Mapping[str, Graph]) -> tuple[str, ...]:
    """The names of all networks that it is, its own only if there is no other.

    What is the same has as many parameters and multiply-adds, so that few networks need to be looked at closely.
    """
    form, costs = canonical(mine), (mine.trainable, mine.macs)
    likely = {name: graph for name, graph in known.items() if (graph.trainable, graph.macs) == costs}
    same = tuple(name for name, graph in likely.items() if canonical(graph) == form)
    return tuple(name for name in same if name != mine.name) or same


def _layers(graph: Graph) -> Counter[tuple[object, ...]]:
    """How often a network has each layer, as it is described in a few words and by the shape that it returns."""
    return Counter((words(node.op), node.shape) for node in graph.nodes)


def _distance(mine: Counter[tuple[object, ...]], theirs: Counter[tuple[object, ...]]) -> float:
    """The share of layers that have no counterpart, from 0 to 1."""
    unpaired = (mine - theirs).total() + (theirs - mine).total()
    return unpaired / (mine.total() + theirs.total())
