"""What the language can say: a small network said in every way, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import archbuilder
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.spec.learning_rate import Steps

HEAD = "archbuilder: 1\nname: mine\ninput: [32, 32, 3]\n"


def expand(text: str, *edits: str) -> Graph:
    return archbuilder.expand(archbuilder.load_text(HEAD + text, edits=edits))


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def conv(graph: Graph, name: str) -> ops.Conv:
    op = graph[name].op
    assert isinstance(op, ops.Conv)
    return op


UNITS = "unit: basic\nstages:\n  - {units: 2, filters: 16}\n  - {units: 2, filters: 32, stride: 2}\n"
STEM = "stem:\n  - conv: {filters: 16, kernel: 3}\n"


def test_names_come_from_the_structure() -> None:
    assert names(expand(STEM + UNITS))[:9] == [
        "input", "stem/conv1", "stage1/unit1/residual/conv1", "stage1/unit1/residual/norm1",
        "stage1/unit1/residual/relu1", "stage1/unit1/residual/conv2", "stage1/unit1/residual/norm2",
        "stage1/unit1/add1", "stage1/unit1/relu1",
    ]  # fmt: skip


def test_names_stay_when_an_unrelated_part_changes() -> None:
    graph = expand(STEM + UNITS)
    longer = expand(STEM + UNITS, "stages.0.units=5")
    assert {name for name in names(graph) if name.startswith("stage2")} <= set(names(longer))


def test_the_stride_of_a_stage_is_that_of_its_first_unit() -> None:
    graph = expand(STEM + UNITS)
    assert conv(graph, "stage2/unit1/residual/conv1").stride == (2, 2)
    assert conv(graph, "stage2/unit2/residual/conv1").stride == (1, 1)
    assert graph["stage2/unit1/shortcut/conv1"].shape == (16, 16, 32)


@pytest.mark.parametrize(
    ("shortcut", "in_stage_1", "in_stage_2"),
    [
        ("projection", [], ["conv1", "norm1"]), ("bare_projection", [], ["conv1"]),
        ("projection_always", ["conv1", "norm1"], ["conv1", "norm1"]), ("zero_pad", [], ["subsample1", "pad_channels1"]),
        ("none", [], []),
    ],
)  # fmt: skip
def test_shortcuts_of_the_library(shortcut: str, in_stage_1: list[str], in_stage_2: list[str]) -> None:
    graph = expand(STEM + UNITS + f"shortcut: {shortcut}\n")
    for stage, expected in ((1, in_stage_1), (2, in_stage_2)):
        prefix = f"stage{stage}/unit1/shortcut/"
        assert [name.removeprefix(prefix) for name in names(graph) if name.startswith(prefix)] == expected
    assert any(isinstance(node.op, ops.Add) for node in graph.nodes) is (shortcut != "none")


def test_a_shortcut_knows_what_arrives_and_what_is_beside_it() -> None:
    shortcuts = (
        "templates: {shortcuts: {mine: {when: shape_changes, parameters: {wide: '${2 * arriving}'}, layers: "
        "[{conv: {filters: $wide, kernel: 3, stride: $stride, groups: $arriving}}, "
        "{conv: {filters: $channels, kernel: 1, groups: $arriving}}]}}}\nshortcut: mine\n"
    )
    graph = expand(STEM + UNITS + shortcuts)
    found = [conv(graph, f"stage2/unit1/shortcut/conv{number}") for number in (1, 2)]
    assert [(one.filters, one.groups) for one in found] == [(32, 16), (32, 16)]


def test_the_paths_of_a_gate_come_in_any_order() -> None:
    graph = expand(STEM + "stages: []\nhead:\n- gate: {gate: [sigmoid], carry: [], transform: [tanh]}\n")
    merged = graph.nodes[-1]
    assert isinstance(merged.op, ops.Gate)
    assert merged.op.paths == ("transform", "carry", "gate")
    assert [name.rpartition("/")[2] for name in merged.inputs] == [
        "tanh1",
        graph.nodes[-4].name.rpartition("/")[2],
        "sigmoid1",
    ]


def test_first_last_and_after() -> None:
    graph = expand(
        STEM + "unit: preactivated_bottleneck\nstages:\n"
        "  - units: 3\n    filters: 4\n    first: {preactivate: false, shortcut: projection_always}\n"
        "    last: {stride: 2, expansion: 8, stride_on: spatial}\n    after: [norm, relu]\n"
    )  # fmt: skip
    assert "stage1/unit1/residual/norm3" not in names(graph)
    assert "stage1/unit2/residual/norm3" in names(graph)
    assert "stage1/unit1/shortcut/norm1" in names(graph)
    assert conv(graph, "stage1/unit3/residual/conv2").stride == (2, 2)
    assert graph["stage1/unit3/add1"].shape == (16, 16, 32)
    assert names(graph)[-2:] == ["stage1/norm1", "stage1/relu1"]


def test_another_unit_first() -> None:
    graph = expand(STEM + "unit: basic\nstages:\n  - {units: 2, filters: 8, first: {unit: bottleneck, groups: 2}}\n")
    assert conv(graph, "stage1/unit1/residual/conv2").groups == 2
    assert graph["stage1/unit1/relu1"].shape == (32, 32, 32)
    assert graph["stage1/unit2/relu1"].shape == (32, 32, 8)


OWN = """
templates:
  units:
    squeezed:
      parameters: {filters: required, ratio: 4, inner: "${filters // ratio}", gated: true}
      layers:
        - add:
            residual:
              - conv: {filters: $filters, kernel: 3}
              - if: "${gated and ratio > 1}"
                then:
                  - multiply:
                      features: []
                      gate:
                        - global_average_pool
                        - dense: {units: $inner}
                        - relu
                        - dense: {units: $filters}
                        - sigmoid
                else: [norm]
            shortcut: narrow
  shortcuts:
    narrow:
      parameters: {kernel: 1}
      when: shape_changes
      layers:
        - conv: {filters: $channels, kernel: $kernel, stride: $stride}
unit: squeezed
stages:
  - {units: 1, filters: 8}
  - {units: 1, filters: 8, gated: false}
"""


def test_a_unit_of_ones_own() -> None:
    graph = expand(OWN)
    assert graph["stage1/unit1/residual/gate/dense1"].shape == (2,)
    assert graph["stage1/unit1/residual/multiply1"].inputs == (
        "stage1/unit1/residual/conv1", "stage1/unit1/residual/gate/sigmoid1",
    )  # fmt: skip
    assert "stage1/unit1/shortcut/conv1" in names(graph)
    assert "stage2/unit1/residual/norm1" in names(graph)
    assert "stage2/unit1/residual/multiply1" not in names(graph)


def test_a_template_in_a_list_of_layers() -> None:
    graph = expand("stem:\n  - bottleneck: {filters: 4}\n  - bottleneck: {filters: 8, stride: 2}\n")
    assert graph["stem/bottleneck2/relu1"].shape == (16, 16, 32)


def test_channels_are_those_that_arrive_and_in_a_shortcut_those_to_come_to() -> None:
    graph = expand(
        "stem:\n  - conv: {filters: 6, kernel: 1}\n  - conv: {filters: $channels, kernel: 3, groups: $channels}\n"
    )
    assert graph.nodes[-1].shape == (32, 32, 6)
    assert conv(graph, "stem/conv2").groups == 6


def test_concat_and_gate() -> None:
    graph = expand(
        "stem:\n  - concat: {old: [], new: [{conv: {filters: 5, kernel: 3}}]}\n"
        "  - gate: {transform: [{conv: {filters: 8, kernel: 3}}], carry: [], gate: [{conv: {filters: 8, kernel: 1}}, sigmoid]}\n"
    )
    assert graph["stem/concat1"].shape == (32, 32, 8)
    assert graph["stem/gate1"].inputs == ("stem/transform/conv1", "stem/concat1", "stem/gate/sigmoid1")


def test_defaults_fill_what_layers_do_not_say() -> None:
    text = "defaults: {conv: {bias: true, padding: symmetric}, norm: {epsilon: 0.25}}\n"
    graph = expand(
        text + "stem:\n  - conv: {filters: 2, kernel: 3}\n  - conv: {filters: 2, kernel: 3, bias: false}\n  - norm\n"
    )
    assert (conv(graph, "stem/conv1").bias, conv(graph, "stem/conv2").bias) == (True, False)
    assert conv(graph, "stem/conv1").padding == "symmetric"
    norm = graph["stem/norm1"].op
    assert isinstance(norm, ops.Norm)
    assert norm.epsilon == 0.25


def test_outputs_name_stages() -> None:
    graph = expand(STEM + UNITS + "outputs: [stage1, stage2]\n")
    assert graph.outputs == ("stage1/unit2/relu1", "stage2/unit2/relu1")


@pytest.mark.parametrize(
    ("padding", "shape"),
    [("same", (16, 16, 1)), ("symmetric", (16, 16, 1)), ("valid", (15, 15, 1)), ("3", (18, 18, 1)), ("[[0, 0], [2, 0]]", (15, 16, 1))],
)  # fmt: skip
def test_paddings(padding: str, shape: ops.Shape) -> None:
    graph = expand(f"stem:\n  - conv: {{filters: 1, kernel: 3, stride: 2, padding: {padding}}}\n")
    assert graph.nodes[-1].shape == shape


def test_a_spec_extends_another(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + STEM + UNITS)
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "archbuilder: 1\nextends: base.yaml\nname: longer\nstages: [{units: 1, filters: 8}]\ndefaults: {conv: {bias: true}}\n"
    )
    graph = archbuilder.expand(mine)
    assert graph.name == "longer"
    assert graph.nodes[-1].shape == (32, 32, 8)
    assert conv(graph, "stem/conv1").bias


def test_drops_of_another_unit_do_not_mix_with_those_extended(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "archbuilder: 1\nextends: he2015/resnet20\nname: short\n"
        "training: {learning_rate: {steps: {unit: fraction, drops: {0.5: 0.01}}}}\n"
    )
    training = archbuilder.load(mine).training
    assert training is not None
    rate = training.learning_rate
    assert isinstance(rate, Steps)
    assert (rate.initial, rate.drops) == (0.1, {0.5: 0.01})


def test_another_kind_replaces_the_old_one_whole() -> None:
    edited = archbuilder.load_text(HEAD + "unit: {bottleneck: {expansion: 2}}\n", edits=["unit.basic.filters=3"])
    assert edited.network.unit is not None
    assert (edited.network.unit.name, edited.network.unit.arguments) == ("basic", {"filters": 3})


def test_edits() -> None:
    graph = expand(STEM + UNITS, "stages.0.units=1", "stages.1={units: 3, filters: 64}", "shortcut=projection_always")
    assert graph.nodes[-1].name == "stage2/unit3/relu1"
    assert graph.nodes[-1].shape == (32, 32, 64)


def test_a_path_from_outside_cannot_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(HEAD)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (inside / "mine.yaml").write_text("archbuilder: 1\nextends: link.yaml\nname: mine\n")
    with pytest.raises(archbuilder.SpecError, match="own folder"):
        archbuilder.load(inside / "mine.yaml")


def test_a_bias_that_does_not_start_at_zero() -> None:
    graph = expand("stem:\n  - conv: {filters: 2, kernel: 1, bias: true, initial_bias: -2}\n")
    assert conv(graph, "stem/conv1").initial_bias == -2


def test_a_gate_needs_all_its_paths() -> None:
    gate = "gate: {transform: [relu], carry: none, gate: [sigmoid]}"
    with pytest.raises(archbuilder.SpecError, match="cannot do without"):
        expand(f"stem:\n  - {gate}\n")


def test_every_window_of_max_pool_holds_a_value() -> None:
    assert expand("stem:\n  - max_pool: {size: 2, stride: 1, padding: 1}\n").nodes[-1].shape == (33, 33, 3)
    with pytest.raises(archbuilder.SpecError, match="without a value"):
        expand("stem:\n  - max_pool: {size: 1, stride: 1, padding: 1}\n")


def test_like_units_are_the_same_but_for_their_names() -> None:
    """The second is expanded, the third repeats it: nothing but the numbers in the names tells."""
    graph = expand(STEM + "unit: basic\nstages:\n  - {units: 3, filters: 16}\n")
    units = [[node for node in graph.nodes if node.name.startswith(f"stage1/unit{number}/")] for number in (2, 3)]
    moved = [
        replace(
            node,
            name=node.name.replace("unit2", "unit3"),
            inputs=tuple(name.replace("unit2", "unit3").replace("unit1", "unit2") for name in node.inputs),
        )
        for node in units[0]
    ]
    assert moved == units[1]
    assert [node.span for node in moved] == [node.span for node in units[1]]


def test_names_behind_the_units_know_of_those_that_repeat() -> None:
    after = "[add: {unit3: [conv: {filters: 16, kernel: 1}], residual: []}]"
    graph = expand(STEM + f"unit: basic\nstages:\n  - {{units: 3, filters: 16, after: {after}}}\n")
    assert len(set(names(graph))) == len(graph.nodes)


def test_a_unit_that_repeats_may_be_empty() -> None:
    own = "templates: {units: {nothing: {layers: []}}}\n"
    graph = expand(STEM + own + "unit: nothing\nstages: [{units: 3}]\n")
    assert names(graph) == ["input", "stem/conv1"]
