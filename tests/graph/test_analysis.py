"""Depth, stages, units and paths, read off graphs."""

from __future__ import annotations

import re

import pytest

from archbuilder.expansion.expansion import expand
from archbuilder.graph.analysis import (
    Parallel,
    activation_bytes,
    depth,
    flatten,
    shortcut,
    shortcut_kind,
    signature,
    stages,
    units,
)
from archbuilder.graph.network import Graph
from archbuilder.spec import bundled, load, load_text
from tests import zoo

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


@pytest.mark.parametrize("name", [name for name in bundled() if re.search(r"(resnet|plain)\d+(_v\d)?$", name)])
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
