"""Layers, paths and points as parameters: where they stand, what they are called, and whose names they see."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.graph import ops
from archbuilder.graph.network import Graph

SPECS = Path(__file__).parent / "specs"
HEAD = "archbuilder: 1\nname: mine\ninput: [32, 32, 3]\n"
UNIT = """
templates:
  units:
    u:
      parameters: {tail: [relu], way: identity, on: true}
      layers:
        - add:
            residual:
              - conv: {filters: $channels, kernel: 3}
              - "${tail if on else 'gelu'}"
            way: $way
"""
COUNTS = {
    "each": 12_516, "efficientnet_divisible": 3_808_368,
    "empty_arguments": 3_192, "exchange": 22_738, "list_shortcut": 11_689_512, "points_in_units": 24_506, "scopes": 613_190,
    "stochastic_depth": 1_727_962, "two_heads": 274_078,
}  # fmt: skip


def expand(text: str, *edits: str) -> Graph:
    return archbuilder.expand(archbuilder.load_text(HEAD + text, edits=edits))


def names(graph: Graph, prefix: str = "") -> list[str]:
    return [node.name.removeprefix(prefix) for node in graph.nodes if node.name.startswith(prefix)]


@pytest.mark.parametrize("name", COUNTS)
def test_examples(name: str) -> None:
    graph = archbuilder.expand(SPECS / f"{name}.yaml")
    assert graph.trainable == COUNTS[name]
    assert graph.left_out == ()


def test_every_example_is_counted() -> None:
    assert {path.stem for path in SPECS.glob("*.yaml")} == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_a_resolved_example_is_the_same_network(name: str) -> None:
    spec = archbuilder.load(SPECS / f"{name}.yaml")
    again = archbuilder.load_text(spec.dump())
    assert archbuilder.expand(again) == archbuilder.expand(spec)
    assert again.dump() == spec.dump()


@pytest.mark.parametrize(
    ("tail", "made"),
    [
        ("silu", ["silu1"]), ("{conv: {filters: 3, kernel: 1}}", ["conv2"]), ("none", []), ("[]", []), ("null", []),
        ("[silu]", ["tail/silu1"]), ("[norm, conv: {filters: 3, kernel: 1}]", ["tail/norm1", "tail/conv1"]),
        ("{if: true, then: [tanh, norm]}", ["tanh1", "norm1"]), ("{basic: {filters: 3}}", ["basic1/residual/conv1"]),
        ("{add: {a: [relu], b: [norm]}}", ["a/relu1", "b/norm1", "add1"]),
    ],
)  # fmt: skip
def test_what_a_parameter_may_stand_for_in_a_list(tail: str, made: list[str]) -> None:
    graph = expand(f"stem: [point: x, u: {{tail: {tail}, way: [tanh]}}]{UNIT}")
    inside = names(graph, "stem/u1/residual/")
    assert [name for name in inside if name != "conv1"][: len(made)] == made
    assert len(inside) == len(made) + 1 or "basic" in tail


@pytest.mark.parametrize(
    ("way", "made", "merged"),
    [
        ("identity", [], True), ("[]", [], True), ("none", [], False), ("[norm, tanh]", ["norm1", "tanh1"], True),
        ("projection_always", ["conv1", "norm1"], True), ("{projection_always: {norm: []}}", ["conv1"], True),
        ("{projection_always: {norm: [tanh]}}", ["conv1", "norm/tanh1"], True), ("{from: x}", [], True),
        ("{from: x, layers: [norm]}", ["norm1"], True),
    ],
)  # fmt: skip
def test_what_a_parameter_may_stand_for_as_a_path(way: str, made: list[str], merged: bool) -> None:
    graph = expand(f"stem: [point: x, u: {{way: {way}}}]{UNIT}")
    assert names(graph, "stem/u1/way/") == made
    assert any(isinstance(node.op, ops.Add) for node in graph.nodes) is merged


@pytest.mark.parametrize("tail", ["silu", "[silu]", "{conv: {filters: 3, kernel: 1}}", "none"])
def test_the_branch_of_an_expression_that_is_taken(tail: str) -> None:
    given = f"stem: [u: {{tail: {tail}, on: %s}}]{UNIT}"
    assert "gelu1" not in names(expand(given % "true"), "stem/u1/residual/")
    assert names(expand(given % "false"), "stem/u1/residual/") == ["conv1", "gelu1"]


@pytest.mark.parametrize("where", ["", "stages.0.", "stages.0.first.", "stages.0.last."])
@pytest.mark.parametrize("shortcut", ["[norm]", "{projection_always: {norm: []}}", "none", "[]", "zero_pad"])
def test_a_shortcut_wherever_it_is_given(where: str, shortcut: str) -> None:
    text = "unit: basic\nstages:\n- {units: 1, filters: 3, first: {dilation: 1}, last: {dilation: 1}}\n"
    graph = expand(text, f"{where}shortcut={shortcut}")
    made = {"[norm]": ["norm1"], "{projection_always: {norm: []}}": ["conv1"]}.get(shortcut, [])
    assert names(graph, "stage1/unit1/shortcut/") == made
    assert ("stage1/unit1/add1" in names(graph)) is (shortcut != "none")
    spec = archbuilder.load_text(HEAD + text, edits=[f"{where}shortcut={shortcut}"])
    assert archbuilder.expand(archbuilder.load_text(spec.dump())) == graph


def test_names_are_those_of_the_writer_and_channels_those_of_the_place() -> None:
    graph = archbuilder.expand(SPECS / "scopes.yaml")
    shapes = {node.name.removeprefix("stem/outer1/"): node.shape[-1] for node in graph.nodes}
    assert shapes == {
        "input": 3, "inner1/conv1": 10, "inner1/silu1": 10,
        "inner1/tail/conv1": 5, "inner1/tail/inner1/conv1": 6, "inner1/tail/inner1/relu1": 6,
        "inner1/tail/inner1/conv2": 106, "inner1/tail/inner1/conv3": 206,
        "inner1/tail_1/conv1": 5, "inner1/tail_1/inner1/conv1": 6, "inner1/tail_1/inner1/relu1": 6,
        "inner1/tail_1/inner1/conv2": 106, "inner1/tail_1/inner1/conv3": 206,
        "gelu1": 206, "inner2/conv1": 7, "inner2/conv2": 107, "inner2/conv3": 207,
    }  # fmt: skip


def test_height_and_width_are_those_of_the_layer_and_give_way_to_parameters() -> None:
    unit = "templates: {units: {u: {parameters: {%s}, layers: [%s, {conv: {filters: $height, kernel: $width}}]}}}\n"
    pool = "max_pool: {size: 2, stride: [2, 4]}"
    graph = expand("stem: [u]\n" + unit % ("a: 1", f"{{{pool}}}"))
    assert graph.nodes[-1].shape == (16, 8, 16)
    assert graph.nodes[-1].op.kernel == (8, 8)  # type: ignore[union-attr]
    graph = expand("stem: [u: {width: 3}]\n" + unit % ("width: 1, height: '${width + 1}'", f"{{{pool}}}"))
    assert graph.nodes[-1].shape == (16, 8, 4)


UNITS = ("basic", "bottleneck", "preactivated_basic", "preactivated_bottleneck")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("activation: silu", "silu1"), ("norm: [tanh]", "norm/tanh1"), ("attention: [tanh, gelu]", "attention/gelu1"),
        ("before_sum: {stochastic_depth: {rate: 0.5}}", "stochastic_depth1"), ("norm: none", "conv1"),
        ("attention: {basic: {filters: $channels}}", "basic1/residual/conv1"),
    ],
)  # fmt: skip
def test_units_of_the_library_take_layers(unit: str, argument: str, kind: str) -> None:
    graph = expand(f"stem: [conv: {{filters: 8, kernel: 1}}, {unit}: {{filters: 8, shortcut: zero_pad, {argument}}}]\n")
    prefix = f"stem/{unit}1/residual/"
    assert prefix + kind in names(graph)
    if argument.startswith("norm"):
        assert not any(isinstance(node.op, ops.Norm) for node in graph.nodes)
    if argument.startswith("activation"):
        assert "relu" not in {node.op.function for node in graph.nodes if isinstance(node.op, ops.Activation)}


@pytest.mark.parametrize("unit", UNITS)
def test_units_of_the_library_are_dilated(unit: str) -> None:
    graph = expand(f"stem: [{unit}: {{filters: 8, dilation: 2}}]\n")
    convs = [node.op for node in graph.nodes if isinstance(node.op, ops.Conv)]
    assert {(op.kernel, op.dilation) for op in convs} <= {((3, 3), (2, 2)), ((1, 1), (1, 1))}
    assert any(op.dilation == (2, 2) for op in convs)


def test_an_output_stride_of_eight() -> None:
    """The backbone of a segmentation network, as torchvision makes it with `replace_stride_with_dilation`."""
    stages = ("[{units: 3, filters: 64}, {units: 4, filters: 128, stride: 2}, "
              "{units: 6, filters: 256, dilation: 2, first: {dilation: 1}}, {units: 3, filters: 512, dilation: 4, first: {dilation: 2}}]")  # fmt: skip
    graph = archbuilder.expand("torchvision/resnet50", [f"stages={stages}", "outputs=[stage4]", "input=[512, 512, 3]"])
    assert graph.nodes[-1].shape == (64, 64, 2048)
    assert graph.trainable == 23_508_032


def test_half_an_expansion() -> None:
    """ResNeXt-29, 8x64d (Xie et al. 2017, table 3): 34.4 million parameters."""
    graph = archbuilder.expand(archbuilder.load_text(
        "archbuilder: 1\nname: resnext29\ninput: [32, 32, 3]\nstem: [conv: {filters: 64, kernel: 3}, norm, relu]\n"
        "unit: {bottleneck: {groups: 8, expansion: 0.5, stride_on: spatial}}\n"
        "stages: [{units: 3, filters: 512}, {units: 3, filters: 1024, stride: 2}, {units: 3, filters: 2048, stride: 2}]\n"
        "head: [global_average_pool, dense: {units: 10}, softmax]\n"
    ))  # fmt: skip
    assert graph.trainable == 34_426_698


BASE = """
unit: {u: {tail: {basic: {filters: 3, norm: {scale: {factor: 2}}}}}}
shortcut: {projection: {norm: [tanh]}}
stages: [{units: 1}]
""" + UNIT.replace("tail: [relu]", "tail: {default: {basic: {filters: 3}}, keeps: shape}, more: {basic: {filters: 3}}")


@pytest.mark.parametrize(
    ("over", "path", "merged"),
    [
        ("unit: {u: {tail: {basic: {filters: 4}}}}", "unit.u.tail", {"basic": {"filters": 4, "norm": {"scale": {"factor": 2}}}}),
        ("unit: {u: {tail: {bottleneck: {filters: 4}}}}", "unit.u.tail", {"bottleneck": {"filters": 4}}),
        ("unit: {u: {tail: {basic: {norm: {dropout: {rate: 0.1}}}}}}", "unit.u.tail.basic.norm", {"dropout": {"rate": 0.1}}),
        ("unit: {u: {tail: [relu]}}", "unit.u.tail", ["relu"]), ("unit: {u: {way: [relu]}}", "unit.u.way", ["relu"]),
        ("unit: basic", "unit", "basic"), ("shortcut: {projection: {norm: relu}}", "shortcut.projection.norm", "relu"),
        ("shortcut: [relu]", "shortcut", ["relu"]),
        ("templates: {units: {u: {parameters: {more: {bottleneck: {filters: 4}}}}}}", "templates.units.u.parameters.more",
         {"bottleneck": {"filters": 4}}),
        ("templates: {units: {u: {parameters: {more: {basic: {filters: 4}}}}}}", "templates.units.u.parameters.more",
         {"basic": {"filters": 4}}),
        ("templates: {units: {u: {parameters: {tail: {default: relu}}}}}", "templates.units.u.parameters.tail",
         {"default": "relu", "keeps": "shape"}),
        ("templates: {units: {u: {parameters: {tail: {default: {bottleneck: {filters: 4}}}}}}}",
         "templates.units.u.parameters.tail", {"default": {"bottleneck": {"filters": 4}}, "keeps": "shape"}),
    ],
)  # fmt: skip
def test_a_spec_that_extends_replaces_or_merges(tmp_path: Path, over: str, path: str, merged: object) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + BASE)
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"archbuilder: 1\nextends: base.yaml\nname: mine\n{over}\n")
    data = archbuilder.load(mine).document.data if over != "unit: basic" else {"unit": "basic"}
    for part in path.split("."):
        data = data[part]
    assert data == merged


@pytest.mark.parametrize("where", ["unit.u", "stages.0"])
def test_an_edit_chooses_another_kind(where: str) -> None:
    spec = archbuilder.load_text(HEAD + BASE, edits=[f"{where}.tail={{gelu: {{}}}}", f"{where}.tail.basic.filters=3"])
    assert "stage1/unit1/residual/basic1/relu1" in names(archbuilder.expand(spec))


def test_messages_say_where_the_layers_stand() -> None:
    text = "unit: {basic: {attention: [{conv: {filters: $channels, kernel: 3, groups: 3}}]}}\nstages:\n"
    with pytest.raises(SpecError) as caught:
        expand(f"{text}- {{units: 2, filters: 6}}\n- {{units: 2, filters: 8}}\n")
    [problem] = caught.value.diagnostics
    assert problem.message.startswith("stage 2, unit 1: ")
    assert problem.span is not None
    assert problem.span.line == 4


def test_a_template_that_only_an_expression_names_is_in_the_resolved_spec() -> None:
    text = (
        HEAD
        + """
templates:
  units:
    u: {layers: [add: {three: [conv: {filters: 3, kernel: 3}], same: "${'normed' if height > 1 else 'none'}"}]}
  shortcuts:
    normed: {when: always, layers: [norm]}
stem: [u]
"""
    )
    spec = archbuilder.load_text(text)
    assert archbuilder.expand(archbuilder.load_text(spec.dump())) == archbuilder.expand(spec)
