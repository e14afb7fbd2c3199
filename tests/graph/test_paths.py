"""The ways through networks against counting them one by one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from math import comb
from random import Random

import pytest

from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.graph.paths import MOST_BITS, Paths, paths
from tests import zoo
from tests.graphs import NAMED, Draft, random_graph


def one_by_one(graph: Graph) -> Counter[int]:
    """The number of ways of each length in layers, each walked back from an output."""
    found: Counter[int] = Counter()
    waiting = [(name, 0) for name in graph.outputs]
    while waiting:
        name, length = waiting.pop()
        node = graph[name]
        length += any(weight.kind == "kernel" for weight in node.weights)
        if not node.inputs:
            found[length] += 1
        kept = node.inputs[:1] if isinstance(node.op, ops.Multiply) else node.inputs
        waiting += [(source, length) for source in kept]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_ways_through_random_graphs(seed: int) -> None:
    graph = random_graph(Random(seed), 14, outputs=1 + seed % 2)
    found, counted = paths(graph), one_by_one(graph)
    assert found.count == counted.total()
    assert found.by_layers == tuple(counted[length] for length in range(max(counted) + 1))


@pytest.mark.parametrize("make", NAMED, ids=lambda make: make.__name__)
def test_ways_through_graphs_with_named_points(make: Callable[[], Graph]) -> None:
    graph = make()
    found = paths(graph)
    assert (found.count, sum(found.by_units or ())) == (one_by_one(graph).total(),) * 2


@pytest.mark.parametrize("name", ["he2015/resnet110", "he2016/resnet110", "related/se_resnet50", "related/highway19"])
def test_lengths_in_units_are_binomial(name: str) -> None:
    """Veit et al. 2016, section 3 and figure 6: each of n residual paths is passed or left aside."""
    found = paths(zoo.graph_of(name))
    units = found.count.bit_length() - 1
    assert found.count == 2**units
    if name != "related/highway19":
        assert found.by_units == tuple(comb(units, length) for length in range(units + 1))


def test_54_units_make_2_to_the_54_ways() -> None:
    assert paths(zoo.graph_of("he2015/resnet110")).count == 2**54


def test_one_way_leads_through_a_plain_network() -> None:
    assert paths(zoo.graph_of("related/vgg16")).by_layers == (*[0] * 16, 1)


def many_units(count: int) -> Paths:
    draft = Draft(4, 4, 1)
    for index in range(count):
        draft.add(f"stage1/unit{index}", ops.Scale(1.0, "scalar"))
        draft.sum("stage1", draft.nodes[-1], draft.nodes[-2], paths=("residual", "shortcut"))
    return paths(draft.graph())


def test_what_is_too_much_is_told_the_number_only() -> None:
    found = many_units(5_000)
    assert (found.count, found.by_units) == (2**5_000, None)


def test_a_number_that_json_readers_refuse_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    most = Paths(2**MOST_BITS - 1, None, None).to_json()
    assert json.loads(json.dumps(most)) == most
    monkeypatch.setattr("archbuilder.graph.paths.MOST_BITS", 1_000)  # the way there takes seconds
    found = many_units(1_500)
    assert found.count == 2**1_500
    assert json.loads(json.dumps(found.to_json())) == {"count": None, "by_units": None, "by_layers": None}
