"""What differs from unit to unit of a stage: the numbers that say which unit it is, and one value for each."""

from __future__ import annotations

import pytest

import archbuilder
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.graph.repetition import Repetition, divide
from tests.expansion.test_passed import HEAD, SPECS, expand

UNIT = """
templates:
  units:
    u:
      parameters: {n: 0, filters: 4, stride: 1, tail: [], shortcut: none}
      layers:
        - scale: {factor: $n}
        - conv: {filters: $filters, kernel: 1, stride: $stride}
        - $tail
"""
STAGES = "stages: [{units: 2}, {units: 3, stride: 2}]\n"


def factors(graph: Graph) -> list[float]:
    return [node.op.factor for node in graph.nodes if isinstance(node.op, ops.Scale)]


def widths(graph: Graph) -> list[int]:
    return [node.op.filters for node in graph.nodes if isinstance(node.op, ops.Conv)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unit", [1, 2, 1, 2, 3]), ("units", [2, 2, 3, 3, 3]), ("stage", [1, 1, 2, 2, 2]), ("index", [1, 2, 3, 4, 5]),
        ("count", [5] * 5), ("channels", [3, 4, 4, 4, 4]), ("height", [32, 32, 32, 16, 16]),
    ],
)  # fmt: skip
def test_the_numbers_of_a_unit(name: str, values: list[int]) -> None:
    assert factors(expand(f"unit: {{u: {{n: ${name}}}}}\n{STAGES}{UNIT}")) == values


@pytest.mark.parametrize(
    ("edit", "values"),
    [
        ("unit.u.tail=[{scale: {factor: $index}}]", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5]),
        ("unit.u.tail={scale: {factor: $unit}}", [0, 1, 0, 2, 0, 1, 0, 2, 0, 3]),
        ("stages.1.n=${unit / units}", [0, 0, 1 / 3, 2 / 3, 1]), ("stages.1.last={n: $index}", [0, 0, 0, 0, 5]),
        ("stages.1.first={n: $index}", [0, 0, 3, 0, 0]), ("stages.0.unit={u: {n: $unit}}", [1, 2, 0, 0, 0]),
        ("stages.1.tail=[u: {n: $index}]", [0, 0, 0, 3, 0, 4, 0, 5]),
    ],
)  # fmt: skip
def test_wherever_a_stage_says_something(edit: str, values: list[float]) -> None:
    assert factors(expand(f"unit: {{u: {{}}}}\n{STAGES}{UNIT}", edit)) == values


def test_in_a_shortcut() -> None:
    text = "unit: basic\nshortcut: [{conv: {filters: 4, kernel: 1}}, {scale: {factor: '${1 / index}'}}]\n"
    assert factors(expand(f"{text}stages: [{{units: 2, filters: 4}}, {{units: 1, filters: 4}}]\n")) == [1, 0.5, 1 / 3]


def test_stochastic_depth_that_grows_linearly() -> None:
    graph = archbuilder.expand(SPECS / "stochastic_depth.yaml")
    rates = [node.op.rate for node in graph.nodes if isinstance(node.op, ops.StochasticDepth)]
    assert rates == [0.5 * index / 54 for index in range(1, 55)]
    assert [len(part.units) for part in divide(graph, 2) if isinstance(part, Repetition)] == [17, 17, 17]


def test_widths_to_a_multiple_of_eight() -> None:
    """EfficientNet-B2 (Tan and Le 2019), then the widths that PyTorch's make_divisible gives."""
    assert widths(archbuilder.expand(SPECS / "efficientnet_divisible.yaml")) == [
        16, 24, 48, 88, 120, 208, 352, 1408, 16, 32, 56, 128, 200, 384, 704, 3968,
    ]  # fmt: skip


def test_one_value_for_each_unit() -> None:
    graph = archbuilder.expand(SPECS / "each.yaml")
    convs = [node.op for node in graph.nodes if isinstance(node.op, ops.Conv)]
    assert [(op.filters, op.kernel, op.stride) for op in convs] == [
        (8, (3, 1), (1, 1)), (16, (1, 3), (2, 1)), (30, (5, 5), (2, 2)),
    ]  # fmt: skip
    assert [node.name.removeprefix("stage1/") for node in graph.nodes if "conv" not in node.name][1:] == [
        "unit1/relu1", "unit2/pad1", "unit3/act/norm1", "unit3/act/silu1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("units: 3, filters: {each: [8, 16, 24]}", [8, 16, 24]), ("units: 1, filters: {each: [8]}", [8]),
        ("units: 3, filters: {each: ['${2 * channels}', '${2 * channels}', '$index']}", [6, 12, 3]),
        ("units: 3, filters: {each: [8, 16, 24]}, first: {filters: 2}, last: {filters: 3}", [2, 16, 3]),
        ("units: 2, filters: 8, unit: {u: {filters: 3}}", [8, 8]),
        ("units: 2, tail: {each: [[conv: {filters: 5, kernel: 1}], none]}", [4, 5, 4]),
    ],
)  # fmt: skip
def test_values_for_each_unit(stage: str, expected: list[int]) -> None:
    text = f"unit: u\nstages: [{{{stage}}}]\n{UNIT}"
    assert widths(expand(text)) == expected
    again = archbuilder.load_text(archbuilder.load_text(HEAD + text).dump())
    assert archbuilder.expand(again) == expand(text)


def test_a_stride_for_each_unit() -> None:
    graph = expand(f"unit: u\nstages: [{{units: 3, stride: {{each: [1, 2, [1, 2]]}}}}]\n{UNIT}")
    assert graph.nodes[-1].shape == (16, 8, 4)


@pytest.mark.parametrize(
    ("value", "fields"),
    [("${0.1 * 30}", 3), ("${16 * 0.5}", 8), ("${round(5 / 2)}", 2), ("${ceil(7 / 3)}", 3), ("${max(1, 1 / 2)}", 1)],
)
def test_a_number_that_is_whole_is_an_integer(value: str, fields: int) -> None:
    assert widths(expand(f"stem: [conv: {{filters: '{value}', kernel: 1}}]\n")) == [fields]


def test_fractions_stay_exact_from_one_template_to_the_next() -> None:
    inner = "inner: {parameters: {share: required}, layers: [conv: {filters: '${share * 30}', kernel: 1}]}"
    outer = "outer: {parameters: {tenth: 0.1}, layers: [inner: {share: '${tenth / 3}'}]}"
    assert widths(expand(f"stem: [outer]\ntemplates: {{units: {{{inner}, {outer}}}}}\n")) == [1]
