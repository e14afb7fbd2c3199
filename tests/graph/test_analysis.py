"""Depth, stages, units and paths, read off graphs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from random import Random
from time import perf_counter

import pytest

from archbuilder.expansion.expansion import expand
from archbuilder.graph.analysis import (
    Parallel,
    activation_bytes,
    depth,
    flatten,
    is_series_parallel,
    shortcut,
    shortcut_kind,
    signature,
    stages,
    units,
)
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.repetition import Repetition, divide
from archbuilder.spec import bundled, load, load_text
from tests import zoo
from tests.graphs import NAMED, RELU, Draft, conv, exchange, pyramid, random_graph, two_heads, u_net

HEADER = """
archbuilder: 1
name: small
input: [8, 8, 3]
"""


def graph_of(text: str) -> Graph:
    return expand(load_text(HEADER + text, "small.yaml"))


def with_shortcut(name: str) -> Graph:
    stages = "[{units: 3, filters: 4}, {units: 2, filters: 8, stride: 2}]"
    return graph_of(f"unit: basic\nshortcut: {name}\nstages: {stages}")


def merges(graph: Graph) -> list[Parallel]:
    return [element for stage in stages(graph) for element in stage.series if isinstance(element, Parallel)]


MAPS = ("related/fpn_resnet50", "related/unet_resnet34")
"""They are named after the network that they stand on, and go back to its stages."""


@pytest.mark.parametrize(
    "name", [name for name in bundled() if re.search(r"(resnet|plain)\d+(_v\d)?$", name) and name not in MAPS]
)
def test_depth_is_the_number_in_the_name(name: str) -> None:
    number = re.search(r"(\d+)(_v\d)?$", name)
    assert number
    assert depth(zoo.graph_of(name)) == int(number[1])


def test_depth_leaves_projections_out() -> None:
    assert depth(with_shortcut("projection_always")) == depth(with_shortcut("none")) == 10


def test_depth_leaves_gates_out_and_takes_the_longest_path() -> None:
    gated = graph_of("""
stem:
  - multiply:
      features: [{conv: {filters: 4, kernel: 3}}]
      gate: [global_average_pool, {dense: {units: 2}}, relu, {dense: {units: 4}}, sigmoid]
  - gate:
      transform: [{conv: {filters: 4, kernel: 3}}]
      carry: []
      gate: [{conv: {filters: 4, kernel: 3}}, {conv: {filters: 4, kernel: 3}}, sigmoid]
  - concat:
      short: [{conv: {filters: 4, kernel: 1}}]
      long: [{conv: {filters: 4, kernel: 1}}, {conv: {filters: 4, kernel: 3}}]
""")
    assert depth(gated) == 1 + 1 + 2


def test_depth_is_that_of_the_deepest_output() -> None:
    text = "unit: basic\nstages: [{units: 1, filters: 4}, {units: 1, filters: 4}]\n"
    assert depth(graph_of(text + "outputs: [stage1, stage2]")) == 4
    assert depth(graph_of(text + "outputs: [stage1]")) == 2


def test_activation_memory_is_float32_of_all_but_the_input() -> None:
    graph = graph_of("stem: [{conv: {filters: 4, kernel: 3, stride: 2}}, relu]")
    assert [activation_bytes(node) for node in graph.nodes] == [0, 4 * 4 * 4 * 4, 4 * 4 * 4 * 4]


def test_stages_and_units_in_order() -> None:
    graph = expand(load("resnet20_v1"))
    assert [stage.name for stage in stages(graph)] == ["input", "stem", "stage1", "stage2", "stage3", "head"]
    assert [unit.name for unit in units(stages(graph)[3])] == ["stage2/unit1", "stage2/unit2", "stage2/unit3"]


@pytest.mark.parametrize("name", ["resnet20_v1", "resnet56_v2", "he2015/resnet20", "plain20_v1"])
def test_units_hold_every_node_once_and_in_order(name: str) -> None:
    graph = expand(load(name))
    held = [node for stage in stages(graph) for unit in units(stage) for node in unit.nodes]
    assert sorted(node.name for node in held) == sorted(node.name for node in graph.nodes)
    assert held[0] == graph.input
    assert held[-1] == graph.nodes[-1]


def test_layers_behind_the_units_are_of_the_stage_itself() -> None:
    graph = graph_of("unit: basic\nstages: [{units: 2, filters: 3, after: [flatten]}]")
    assert [unit.name for unit in units(stages(graph)[1])] == ["stage1/unit1", "stage1/unit2", "stage1"]


def test_a_merge_in_the_stem_is_not_a_unit() -> None:
    graph = graph_of("stem: [{add: {residual: [{conv: {filters: 3, kernel: 3}}], shortcut: []}}]")
    [stem] = stages(graph)[1:]
    assert [unit.name for unit in units(stem)] == ["stem"]


@pytest.mark.parametrize(
    ("shortcut", "kinds"),
    [
        ("projection", ["projection", "identity", "identity", "projection", "identity"]),
        ("projection_always", ["projection"] * 5),
        ("none", []),
    ],
)
def test_shortcut_kinds(shortcut: str, kinds: list[str]) -> None:
    assert [shortcut_kind(merge) for merge in merges(with_shortcut(shortcut))] == kinds


def test_zero_padded_shortcuts_are_free_of_parameters() -> None:
    kinds = [shortcut_kind(merge) for merge in merges(expand(load("he2015/resnet20")))]
    assert kinds == ["identity"] * 3 + ["parameter-free", "identity", "identity"] * 2


def test_the_shortcut_of_a_concat_is_its_identity_and_of_a_gate_its_carry() -> None:
    graph = graph_of("""
stem:
  - concat: {new: [{conv: {filters: 3, kernel: 3}}], old: []}
  - gate: {transform: [{conv: {filters: 6, kernel: 3}}], carry: [], gate: [{conv: {filters: 6, kernel: 3}}, sigmoid]}
  - concat: {left: [{conv: {filters: 3, kernel: 3}}], right: [{conv: {filters: 3, kernel: 1}}]}
""")
    assert [shortcut(merge) for merge in merges(graph)] == [1, 1, None]
    assert [shortcut_kind(merge) for merge in merges(graph)] == ["identity", "identity", None]


def test_paths_begin_at_the_fork_even_behind_shared_layers() -> None:
    graph = graph_of("""
stem:
  - norm
  - relu
  - add:
      residual:
        - conv: {filters: 3, kernel: 3}
        - multiply: {features: [], gate: [global_average_pool, {dense: {units: 3}}, sigmoid]}
      shortcut: [{conv: {filters: 3, kernel: 1}}]
""")
    [merge] = merges(graph)
    residual, projection = merge.paths
    assert merge.fork == "stem/relu1"
    assert [node.name for node in flatten(projection)] == ["stem/shortcut/conv1"]
    assert [element.name for element in residual] == ["stem/residual/conv1", "stem/residual/multiply1"]
    inner = residual[1]
    assert isinstance(inner, Parallel)
    assert inner.fork == "stem/residual/conv1"


def unit_signatures(graph: Graph) -> list[list[int]]:
    """For each stage, which of its units are alike, numbered in order of appearance."""
    numbered = []
    for stage in stages(graph):
        known: list[object] = []
        for unit in units(stage):
            value = signature(graph, unit.nodes)
            known += [] if value in known else [value]
        numbered.append([known.index(signature(graph, unit.nodes)) for unit in units(stage)])
    return numbered


def test_equal_units_share_a_signature() -> None:
    assert unit_signatures(expand(load("resnet20_v1")))[2:5] == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert unit_signatures(expand(load("resnet20_v2", ["stages.0.units=3"])))[2] == [0, 1, 1]


def test_the_rate_of_stochastic_depth_makes_no_difference_and_others_do() -> None:
    stochastic = "{stochastic_depth: {rate: 0.1}}, relu, {stochastic_depth: {rate: 0.2}}, relu"
    dropout = "{dropout: {rate: 0.1}}, relu, {dropout: {rate: 0.2}}, relu"
    for layers, alike in [(stochastic, True), (dropout, False)]:
        graph = graph_of(f"stem: [{layers}]")
        first, second = signature(graph, graph.nodes[1:3]), signature(graph, graph.nodes[3:5])
        assert (first == second) is alike


# Graphs that are not series-parallel.


@pytest.mark.parametrize("name", bundled())
def test_what_is_bundled_is_series_parallel_but_maps(name: str) -> None:
    assert is_series_parallel(zoo.graph_of(name)) == (name not in MAPS)


@pytest.mark.parametrize("make", NAMED)
def test_these_are_not(make: Callable[[], Graph]) -> None:
    assert not is_series_parallel(make())


def closed(graph: Graph) -> bool:
    """Whether the series of the sections, one behind the other, have the edges of the graph and no others."""

    def end(elements: Sequence[Node | Parallel], start: str) -> str | None:
        for element in elements:
            if isinstance(element, Parallel):
                if tuple(end(path, start) for path in element.paths) != element.merge.inputs:
                    return None
            elif element.inputs not in ((), (start,)):
                return None
            start = element.name
        return start

    place = graph.input.name
    held: list[str] = []
    for section in chain.from_iterable(map(units, stages(graph))):
        held += [node.name for node in flatten(section.series)]
        last = end(section.series, place)
        if last is None:
            return False
        place = last
    return sorted(held) == sorted(node.name for node in graph.nodes)


def test_where_series_hold_is_known() -> None:
    """Small random graphs: what is called series-parallel is what its series tell, edge by edge."""
    random, counts = Random(0), [0, 0]
    for _ in range(2000):
        graph = random_graph(random, random.choice((1, 2, 3, 4)), weights=False)
        assert is_series_parallel(graph) is closed(graph), graph
        counts[is_series_parallel(graph)] += 1
    assert min(counts) > 200


def test_merges_too_deep_within_each_other_have_no_series() -> None:
    """Each adds what came before the first to what is inside of it: a walk through the paths would be as deep."""
    draft = Draft(4, 4, 2)
    start = draft.add("stem", RELU)
    for _ in range(50):
        draft.sum("stem", draft.add("stem", RELU), start)
    assert is_series_parallel(draft.graph())
    for _ in range(50):
        draft.sum("stem", draft.add("stem", RELU), start)
    assert not is_series_parallel(draft.graph())


def test_many_paths_from_one_layer_end() -> None:
    draft, began = Draft(4, 4, 2), perf_counter()
    ends = [draft.add("stem", RELU, behind=draft.input) for _ in range(5000)]
    sums = [draft.sum("stem", one, draft.input) for one in ends]
    draft.sum("stem", *sums)
    assert is_series_parallel(draft.graph())
    assert perf_counter() - began < 20


@pytest.mark.parametrize("make", NAMED)
def test_sections_hold_every_node_once(make: Callable[[], Graph]) -> None:
    graph = make()
    held = [node.name for stage in stages(graph) for unit in units(stage) for node in unit.nodes]
    assert sorted(held) == sorted(node.name for node in graph.nodes)


def test_units_are_not_merged() -> None:
    assert [unit.name for unit in units(stages(exchange())[2])] == [
        "stage1/transition1", "stage1/unit1", "stage1/unit2", "stage1/unit3",
    ]  # fmt: skip


def test_a_unit_is_one_wherever_its_layers_stand() -> None:
    draft = Draft(4, 4, 2)
    first = draft.add("stage1/unit1", RELU)
    second = draft.add("stage1/unit2", RELU, behind=first)
    again = draft.add("stage1/unit1", conv(2), behind=first)
    draft.add("stage1", RELU, behind=draft.sum("stage1", second, again))
    [_, stage] = stages(draft.graph())
    assert [(unit.name, len(unit.nodes)) for unit in units(stage)] == [
        ("stage1/unit1", 2), ("stage1/unit2", 1), ("stage1", 2),
    ]  # fmt: skip


def test_paths_are_no_sections_and_units_behind_those_of_a_stage_are() -> None:
    graph = graph_of("""
stem: [{add: {left: [{two: {}}], right: []}}, {two: {}}]
unit: basic
stages: [{units: 1, filters: 3, after: [{two: {}}, relu]}]
templates: {units: {two: {layers: [relu, tanh]}}}
""")
    sections = {node.name: node.section for node in graph.nodes}
    assert sections["stem/left/two1/relu1"] == sections["stem/add1"] == "stem"
    assert sections["stem/two1/tanh1"] == "stem/two1"
    assert sections["stage1/unit1/residual/conv1"] == "stage1/unit1"
    assert sections["stage1/two1/tanh1"] == "stage1/two1"
    assert sections["stage1/relu1"] == "stage1"


def test_depth_of_graphs_with_several_ends() -> None:
    assert depth(two_heads()) == 1 + 6 + 2
    assert depth(u_net()) == 1 + 12 + 3
    assert depth(pyramid()) == 1 + 16 + 2


def test_rows_of_equal_units_end_where_something_goes_elsewhere() -> None:
    draft = Draft(4, 4, 2)
    ends = [draft.unit(f"stage1/unit{index}", 2) for index in range(1, 7)]
    draft.sum("head", ends[-1], ends[2])
    rows = [part.units for part in divide(draft.graph(), 2) if isinstance(part, Repetition)]
    assert [[unit[-1].section for unit in row] for row in rows] == [
        ["stage1/unit1", "stage1/unit2", "stage1/unit3"], ["stage1/unit4", "stage1/unit5", "stage1/unit6"],
    ]  # fmt: skip
    inner = Graph("inner", draft.graph().nodes, (*draft.graph().outputs, "stage1/unit2/residual/conv1"))
    rows = [part.units for part in divide(inner, 1) if isinstance(part, Repetition)]
    assert "stage1/unit2" not in [unit[-1].section for row in rows for unit in row]
