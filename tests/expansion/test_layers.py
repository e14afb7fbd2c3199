"""Norms of single images, learned scales, slices of channels, larger images, gates of places: shapes, costs, words."""

from __future__ import annotations

from typing import Any

import pytest

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import show
from archbuilder.graph.words import node_words
from archbuilder.spec import load_text

HEAD = "archbuilder: 1\nname: mine\ninput: [8, 6, 12]\n"


def expand(text: str, *edits: str) -> Graph:
    return archbuilder.expand(load_text(HEAD + text, edits=edits))


def last(layers: str) -> Node:
    return expand(f"stem: {layers}\n").nodes[-1]


def vectors(layer: str) -> str:
    return f"[global_average_pool, {layer}]"


@pytest.mark.parametrize(
    ("layers", "shape", "parameters", "macs", "words"),
    [
        ("[norm: {over: layer}]", "8x6x12", 24, 0, "layer norm"),
        ("[norm: {over: instance}]", "8x6x12", 24, 0, "instance norm"),
        ("[norm: {over: group, groups: 4}]", "8x6x12", 24, 0, "group norm, 4"),
        ("[norm]", "8x6x12", 48, 0, "norm"),
        (vectors("norm: {over: group, groups: 3}"), "12", 24, 0, "group norm, 3"),
        ("[scale: {factor: 0.5}]", "8x6x12", 0, 0, "scale, 0.5"),
        ("[scale: {factor: 0.5, learned: channel}]", "8x6x12", 12, 0, "learned scale, 0.5"),
        ("[scale: {factor: 0.5, learned: channel, bias: true}]", "8x6x12", 24, 0, "learned scale, 0.5"),
        ("[scale: {factor: 1, learned: scalar, bias: true}]", "8x6x12", 2, 0, "learned scalar, 1.0"),
        (vectors("scale: {factor: 1, learned: channel}"), "12", 12, 0, "learned scale, 1.0"),
        ("[leaky_relu]", "8x6x12", 0, 0, "leaky relu, 0.01"),
        ("[prelu]", "8x6x12", 12, 0, "prelu"),
        ("[prelu: {shared: true}]", "8x6x12", 1, 0, "prelu"),
        ("[slice_channels: {start: 3, stop: 10}]", "8x6x7", 0, 0, "slice of channels 3 to 9"),
        (vectors("slice_channels: {stop: 5}"), "5", 0, 0, "slice of channels 0 to 4"),
        ("[shuffle_channels: {groups: 3}]", "8x6x12", 0, 0, "shuffle channels, 3"),
        ("[upsample: {factor: 2}]", "16x12x12", 0, 0, "nearest upsample, x2"),
        ("[upsample: {factor: [1, 3], method: bilinear}]", "8x18x12", 0, 0, "bilinear upsample, x1x3"),
        ("[conv_transpose: {filters: 5, kernel: 3, stride: 2}]", "16x12x5", 540, 25_920, "3x3 transposed conv, 5, /2"),
        ("[conv_transpose: {filters: 5, kernel: 3, stride: 2, padding: valid, bias: true}]", "17x13x5", 545, 25_920,
         "3x3 transposed conv, 5, /2"),
        ("[conv_transpose: {filters: 5, kernel: 3, stride: 2, padding: symmetric}]", "15x11x5", 540, 25_920,
         "3x3 transposed conv, 5, /2"),
        ("[conv_transpose: {filters: 5, kernel: 3, stride: 2, padding: [[1, 0], [0, 2]]}]", "16x11x5", 540, 25_920,
         "3x3 transposed conv, 5, /2"),
        ("[conv_transpose: {filters: 5, kernel: 1, stride: 2, padding: valid}]", "16x12x5", 60, 2_880,
         "1x1 transposed conv, 5, /2"),
        ("[global_max_pool]", "12", 0, 0, "global max pool"),
        ("[global_max_pool: {flat: false}]", "1x1x12", 0, 0, "global max pool"),
        ("[channel_pool: max]", "8x6x1", 0, 0, "max over channels"),
        (vectors("channel_conv: {kernel: 5, bias: true}"), "12", 6, 60, "conv over 5 channels"),
        ("[pad: 2]", "12x10x12", 0, 0, "pad, 2"),
        ("[pad: [1, 2]]", "10x10x12", 0, 0, "pad, 1 1 2 2"),
        ("[pad: {amount: [7, 5], mode: reflect}]", "22x16x12", 0, 0, "reflect pad, 7 7 5 5"),
        ("[pad: {amount: 9, mode: edge}]", "26x24x12", 0, 0, "edge pad, 9"),
    ],
)  # fmt: skip
def test_shapes_costs_and_words(layers: str, shape: str, parameters: int, macs: int, words: str) -> None:
    node = last(layers)
    assert (show(node.shape), node.parameters, node.macs, node_words(node)) == (shape, parameters, macs, words)


def test_places_are_weighed_as_channels_are() -> None:
    graph = expand("stem: [multiply: {features: [], places: [channel_pool: max, sigmoid]}]\n")
    assert graph.nodes[-1].shape == (8, 6, 12)
    with pytest.raises(SpecError, match="features 8x6x12, places 8x6x2"):
        expand("stem: [multiply: {features: [], places: [{slice_channels: {stop: 2}}]}]\n")


def test_what_a_norm_does_not_have_does_not_tell_it_apart() -> None:
    inherited = expand("defaults: {norm: {momentum: 0.5, groups: 7}}\nstem: [norm: {over: layer}]\n").nodes[-1].op
    assert inherited == last("[norm: {over: layer}]").op == ops.Norm(0.0, 1e-5, zero_scale=False, over="layer")
    assert last("[norm: {groups: 5}]").op == last("[norm]").op


def test_one_line_gives_a_bundled_network_another_norm() -> None:
    spec = archbuilder.load("torchvision/resnet50", ["defaults.norm={over: group, groups: 32}"])
    graph = archbuilder.expand(spec)
    assert graph.trainable == graph.parameters == 25_557_032
    assert {node.op.over for node in graph.nodes if isinstance(node.op, ops.Norm)} == {"group"}


@pytest.mark.parametrize("name", ["torchvision/resnet50", "resnet20_v1"])
def test_a_frozen_norm_without_moving_statistics_is_as_it_was(name: str) -> None:
    spec = archbuilder.load(name, ["defaults.norm={over: layer}"])
    norms = [node.op for node in archbuilder.expand(spec).nodes if isinstance(node.op, ops.Norm)]
    assert norms
    assert all(norm.frozen_statistics() == norm for norm in norms)


def test_short_forms_take_expressions() -> None:
    text = (
        "templates: {units: {framed: {parameters: {by: 1, how: max}, layers: [pad: $by, channel_pool: $how]}}}\n"
        "stem: [framed: {by: [2, 3], how: average}]\n"
    )
    assert expand(text).nodes[-1].shape == (12, 12, 1)
    assert expand(text) == archbuilder.expand(load_text(load_text(HEAD + text).dump()))
    with pytest.raises(SpecError, match="there is no 'bye' here"):
        expand(text.replace("$by", "$bye"))
    with pytest.raises(SpecError, match="one of average, max is expected"):
        expand(text.replace("how: average", "how: median"))


@pytest.mark.parametrize(
    ("amount", "steps"),
    [
        (((1, 0), (0, 1)), [((1, 0), (0, 1))]), (((3, 1), (0, 2)), [((1, 1), (0, 1)), ((2, 0), (0, 1))]),
        (((0, 0), (0, 0)), []),
    ],
)  # fmt: skip
def test_borders_double(amount: Any, steps: list[Any]) -> None:
    assert list(ops.Pad(amount, "edge").mirrored()) == steps


def test_borders_of_any_width_take_few_steps() -> None:
    steps = list(ops.Pad(((16_000, 0), (0, 9)), "edge").mirrored())
    assert len(steps) == 14
    assert [sum(step[axis][side] for step in steps) for axis, side in ((0, 0), (0, 1), (1, 1))] == [16_000, 0, 9]


def test_a_constant_is_written_as_it_was_read() -> None:
    spec = load_text(HEAD + "stem: [conv: {filters: 4, kernel: 3, initializer: {constant: -0.5}}]\n")
    assert "initializer: {constant: -0.5}" in spec.dump()
    op = archbuilder.expand(spec).nodes[-1].op
    assert isinstance(op, ops.Conv)
    assert op.initializer == ops.Constant(-0.5)
