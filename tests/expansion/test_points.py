"""Named points: where a path may start, which names are seen where, and what moves them."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.graph.network import Graph
from tests.expansion.test_passed import HEAD, SPECS, expand, names

UNIT = """
templates:
  units:
    u:
      parameters: {source: none, out: none, body: []}
      layers:
        - conv: {filters: 4, kernel: 1}
        - point: own
        - if: "${source != 'none'}"
          then: [{from: $source}]
        - $body
        - tanh
        - if: "${out != 'none'}"
          then: [{point: $out}]
"""


def inputs(graph: Graph, name: str) -> tuple[str, ...]:
    return graph[name].inputs


@pytest.mark.parametrize(
    ("stem", "name", "start"),
    [
        ("[relu, point: a, norm, from: a, tanh]", "stem/tanh1", "stem/relu1"),
        ("[relu, point: a, norm, {from: a, layers: [tanh]}]", "stem/tanh1", "stem/relu1"),
        ("[relu, {from: input, layers: [tanh]}]", "stem/tanh1", "input"),
        ("[{if: true, then: [relu, point: a]}, norm, from: a, tanh]", "stem/tanh1", "stem/relu1"),
        ("[add: {x: [relu, point: a, norm], y: []}, from: a, tanh]", "stem/tanh1", "stem/x/relu1"),
        ("[relu, point: a, add: {x: [{from: a, layers: [tanh]}], y: [norm]}]", "stem/x/tanh1", "stem/relu1"),
        ("[relu, point: a, norm, add: {x: {from: a}, y: []}]", "stem/add1", "stem/relu1"),
        ("[relu, point: a, norm, u: {source: a}]", "stem/u1/tanh1", "stem/relu1"),
        ("[relu, u: {out: a}, norm, from: a, gelu]", "stem/gelu1", "stem/u1/tanh1"),
        ("[relu, point: a, u: {out: a}, norm, from: a, gelu]", "stem/gelu1", "stem/u1/tanh1"),
        ("[relu, point: a, u: {body: [norm, from: a]}]", "stem/u1/tanh1", "stem/relu1"),
        ("[relu, u: {body: [point: own, norm, from: own]}]", "stem/u1/tanh1", "stem/u1/conv1"),
        ("[relu, point: a, u: {body: [u: {source: a}]}]", "stem/u1/body/u1/tanh1", "stem/relu1"),
        ("[relu, point: a, u: {body: [u: {out: a}]}, from: a, gelu]", "stem/gelu1", "stem/u1/body/u1/tanh1"),
    ],
)  # fmt: skip
def test_where_a_path_starts(stem: str, name: str, start: str) -> None:
    graph = expand(f"stem: {stem}\n{UNIT}")
    assert inputs(graph, name)[0] == start
    spec = archbuilder.load_text(f"{HEAD}stem: {stem}\n{UNIT}")
    assert archbuilder.expand(archbuilder.load_text(spec.dump())) == graph


def test_a_path_does_not_see_what_is_set_beside_it() -> None:
    text = "stem: [relu, u: {out: a}, concat: {x: [u: {out: a}], y: {from: a, layers: [norm]}}, from: a, gelu]\n"
    graph = expand(text + UNIT + "outputs: [stem, a]\n")
    whole = expand(text.replace(", from: a, gelu", "") + UNIT)
    assert inputs(whole, "stem/y/norm1") == ("stem/u1/tanh1",)
    assert inputs(graph, "stem/gelu1") == ("stem/x/u1/tanh1",)


@pytest.mark.parametrize(
    "stem",
    [
        "[add: {x: [point: a], y: {from: a}}]", "[u: {body: [point: b]}, from: b]", "[u, from: own]", "[from: a, point: a]",
        "[point: a, u: {body: [from: own, point: own]}]", "[u: {source: own}]", "[from: stem]", "[from: stage1]",
    ],
)  # fmt: skip
def test_what_is_not_seen(stem: str) -> None:
    with pytest.raises(SpecError, match="there is no point"):
        expand(f"stem: {stem}\n{UNIT}")


def test_parts_are_points() -> None:
    text = "stem: [norm]\nunit: basic\nstages: [{units: 1, filters: 3, after: [from: stem, tanh]}, {units: 1, filters: 3}]\n"
    graph = expand(f"{text}head: [from: stage1, gelu, add: {{a: [], b: {{from: stage2}}}}]\noutputs: [head, stage2]\n")
    assert inputs(graph, "stage1/tanh1") == ("stem/norm1",)
    assert inputs(graph, "head/gelu1") == ("stage1/tanh1",)
    assert inputs(graph, "head/add1") == ("head/gelu1", "stage2/unit1/relu1")
    assert graph.outputs == ("head/add1", "stage2/unit1/relu1")


def test_outputs_may_be_points() -> None:
    graph = archbuilder.expand(SPECS / "two_heads.yaml")
    assert graph.outputs == ("head/dense1", "head/softmax1")
    assert inputs(graph, "head/add2") == ("head/relu1", "head/left/conv1", "head/y/tanh1")


def test_the_end_of_the_head_is_the_output_even_behind_a_jump() -> None:
    graph = expand("stem: [relu]\nhead: [tanh, from: stem]\n")
    assert graph.outputs == ("stem/relu1",)
    assert graph.left_out == ("head/tanh1",)


def test_units_take_turns_on_two_streams() -> None:
    graph = archbuilder.expand(SPECS / "exchange.yaml")
    assert inputs(graph, "stage1/unit1/basic1/residual/conv1") == ("stem/conv1",)
    for unit in (2, 3):
        assert inputs(graph, f"stage1/unit{unit}/basic1/residual/conv1") == (f"stage1/unit{unit - 1}/basic1/relu1",)
        assert inputs(graph, f"stage1/unit{unit}/basic2/residual/conv1") == (f"stage1/unit{unit - 1}/relu1",)
    assert inputs(graph, "head/high/global_average_pool1") == ("stage1/unit3/basic1/relu1",)
    assert inputs(graph, "head/low/global_average_pool1") == ("stage1/unit3/relu1",)


@pytest.mark.parametrize("units", [1, 2, 5])
def test_a_point_moves_with_each_unit_of_a_stage(units: int) -> None:
    graph = expand(f"unit: u\nstages: [{{units: {units}, out: a}}]\nhead: [norm, from: a, gelu]\n{UNIT}")
    assert inputs(graph, "head/gelu1") == (f"stage1/unit{units}/tanh1",)


def test_a_unit_that_starts_elsewhere_is_not_taken_for_the_one_before() -> None:
    text = "stem: [norm, point: a]\nunit: {u: {body: [add: {x: [], y: {from: a, layers: [{conv: {filters: 4, kernel: 1}}]}}]}}\n"
    graph = expand(f"{text}stages: [{{units: 3}}]\n{UNIT}")
    assert [inputs(graph, f"stage1/unit{i}/body/y/conv1") for i in (1, 2, 3)] == [("stem/norm1",)] * 3


def test_a_projection_beside_a_residual_path_that_starts_elsewhere() -> None:
    add = "add: {residual: {from: input, layers: [{conv: {filters: 4, kernel: 1, stride: 2}}]}, shortcut: projection}"
    graph = expand(f"stem: [relu, {add}]\n")
    assert graph["stem/shortcut/conv1"].shape == (16, 16, 4)
    graph = expand(
        "stem: [max_pool: {size: 2, stride: 2}, add: {residual: {from: input}, shortcut: identity}]\n", "stem.0=relu"
    )
    assert inputs(graph, "stem/add1") == ("input", "stem/relu1")


def test_points_of_a_spec_that_is_extended(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("archbuilder: 1\nextends: he2015/resnet20\nname: mine\nhead: [from: stage2, tanh]\n")
    graph = archbuilder.expand(mine)
    assert not [name for name in names(graph) if name.startswith("stage3")]
    assert len(graph.left_out) == len(names(archbuilder.expand("he2015/resnet20"), "stage3/"))
