"""Which tensor goes where, and what is said of those that go nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder.errors import ArchbuilderError
from archbuilder.graph.network import Graph, Node
from archbuilder.weights import torch_layout
from archbuilder.weights.matching import match
from archbuilder.weights.naming_schemes import Position, position, rank, scheme
from archbuilder.weights.orders import orders
from archbuilder.weights.signatures import kind
from archbuilder.weights.transfer import Transfer, transfer
from archbuilder.weights.weight_file import Layer, StoredTensor, WeightFile
from tests.weights.conftest import LEARNED, graph, torch_state, torchvision_name, write_safetensors


def weighted(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.weights]


def source(nodes: Sequence[Node], names: Sequence[str] | None = None, channels_first: bool = False) -> WeightFile:
    """A file with the layers of these nodes in this order; their names tell nothing unless they are given."""
    layers, counts = [], Counter[str]()
    automatic = {"conv": "conv2d", "norm": "batch_normalization"}
    for index, node in enumerate(nodes):
        called = automatic.get(kind(node), kind(node))
        name = names[index] if names else f"{called}_{counts[called]}"
        counts[called] += 1
        tensors = {
            one.name: StoredTensor(f"{name}/{one.name}", np.zeros(one.shape, np.float32), one.shape)
            for one in node.weights
        }
        layers.append(Layer(name, kind(node), tensors))
    return WeightFile("x.h5", tuple(layers), channels_first)


def pairs(graph: Graph, nodes: Sequence[Node], names: Sequence[str] | None = None) -> dict[str, str]:
    """Which node's layer each node was given."""
    given = source(nodes, names)
    origin = {id(layer): node.name for layer, node in zip(given.layers, nodes, strict=True)}
    found = match(graph, given)
    assert found.problems == ()
    return {name: origin[id(layer)] for name, layer in found.pairs.items()}


def itself(graph: Graph) -> dict[str, str]:
    return {node.name: node.name for node in weighted(graph)}


@pytest.mark.parametrize(
    ("name", "section", "shortcut"),
    [
        ("bn1", "stem", False),
        ("layer2.0.conv3", "stage2/unit1", False),
        ("layer3.11.bn2", "stage3/unit12", False),
        ("layer2.0.downsample.1", "stage2/unit1", True),
        ("fc", "head", False),
        ("conv1_bn", "stem", False),
        ("conv3_block12_preact_bn", "stage2/unit12", False),
        ("conv2_block1_0_conv", "stage1/unit1", True),
        ("conv5_block3_2_bn", "stage4/unit3", False),
        ("post_bn", "head", False),
        ("block5_conv3", "stage5/unit3", False),
        ("fc2", "head", False),
        ("res4f_branch2b", "stage3/unit6", False),
        ("bn2a_branch1", "stage1/unit1", True),
        ("resnet.encoder.stages.0.layers.2.layer.1.convolution", "stage1/unit3", False),
        ("encoder.stages.3.layers.0.shortcut.normalization", "stage4/unit1", True),
        ("resnet.embedder.embedder.convolution", "stem", False),
    ],
)
def test_places(name: str, section: str, shortcut: bool) -> None:
    assert position(name) == Position(section, shortcut)


def test_no_place() -> None:
    assert [
        name for name in ("conv2d_3", "layer1", "features.0", "xfc", "layer1.0.conv1.extra") if position(name)
    ] == []


def test_schemes() -> None:
    assert scheme(["conv1", "bn1", "layer1.0.conv1", "head"]) == "torchvision"
    assert scheme(["features.0", "classifier.1", "classifier.4"]) is None  # AlexNet; one of them by chance
    assert scheme([]) is None


def test_ranks_within_a_place() -> None:
    names = ["conv2_block1_10_bn", "conv2_block1_2_bn", "conv2_block1_preact_bn", "conv2_block1_1_bn"]
    assert sorted(names, key=rank) == [names[2], names[3], names[1], names[0]]


def test_by_the_names_of_torchvision_whatever_the_order(small: Graph) -> None:
    nodes = sorted(weighted(small), key=lambda node: torchvision_name(node.name)[::-1])
    assert pairs(small, nodes, [torchvision_name(node.name) for node in nodes]) == itself(small)


def test_by_our_own_names(small: Graph) -> None:
    nodes = weighted(small)[::-1]
    assert pairs(small, nodes, [node.name.replace("/", ".") for node in nodes]) == itself(small)


def keras_v2_name(node: str) -> str:
    """Of a pre-activated unit, whose first norm has a name of its own; shared or not."""
    if node.startswith(("stem", "head")):
        return {"stem/conv1": "conv1_conv", "head/norm1": "post_bn", "head/dense1": "predictions"}[node]
    stage, unit, *path, layer = node.split("/")
    block, number = f"conv{int(stage[5:]) + 1}_block{unit[4:]}", int(layer[4:])
    if layer.startswith("conv"):
        return f"{block}_{0 if path == ['shortcut'] else number}_conv"
    first = unit != "unit1"  # whose residual path begins with the first norm
    return f"{block}_preact_bn" if not path or (first and number == 1) else f"{block}_{number - first}_bn"


PRE_ACTIVATED = """\
archbuilder: 1
name: pre
input: [8, 8, 3]
stem: [{conv: {filters: 4, kernel: 3}}]
unit: preactivated_bottleneck
shortcut: bare_projection
stages: [{units: 3, filters: 4, first: {shared: true}}, {units: 2, filters: 6, stride: 2, first: {shared: true}}]
head: [norm, relu, global_average_pool, {dense: {units: 5}}]
"""


def test_pre_activated_units_of_keras_applications() -> None:
    network = graph(text=PRE_ACTIVATED)
    nodes = sorted(weighted(network), key=lambda node: node.name[::-1])
    names = [keras_v2_name(node.name) for node in nodes]
    assert len(set(names)) == len(names) == 5 * 6 + 2 + 3
    assert pairs(network, nodes, names) == itself(network)


@pytest.mark.parametrize("order", range(4))
def test_without_names_every_usual_order_is_found(order: int, small: Graph) -> None:
    """Shapes tell the order: residual 6 -> 12 and shortcut 8 -> 12 in stage 2, both 4 -> 8 in stage 1."""
    nodes = list(orders(small))[order]
    assert pairs(small, nodes) == itself(small)


def test_the_orders_differ_where_the_shortcut_stands(small: Graph) -> None:
    def first_unit(nodes: Sequence[Node]) -> list[str]:
        return [node.name.removeprefix("stage1/unit1/") for node in nodes if node.name.startswith("stage1/unit1/")]

    by_depth, _, defined, shortcut_first = map(first_unit, orders(small))
    assert by_depth[4:] == ["shortcut/conv1", "residual/conv3", "shortcut/norm1", "residual/norm3"]
    assert defined[4:] == ["residual/conv3", "residual/norm3", "shortcut/conv1", "shortcut/norm1"]
    assert shortcut_first[:3] == ["shortcut/conv1", "shortcut/norm1", "residual/conv1"]


def test_what_shapes_do_not_tell_is_said() -> None:
    network = graph(", {units: 2, filters: 6, stride: 2}", "")
    found = match(network, source(weighted(network)))
    assert (found.problems, found.pairs) == ((), {})
    assert "conv2d_3: stage1/unit1/residual/conv3 or stage1/unit1/shortcut/conv1" in found.open
    assert all("stage1/unit1" in line for line in found.open)


def test_layers_of_all_kinds_of_files_are_matched_kind_by_kind(small: Graph) -> None:
    nodes = sorted(next(orders(small)), key=lambda node: type(node.op).__name__)  # as Keras 3 groups them
    assert pairs(small, nodes) == itself(small)


def message(path: Path, network: Graph) -> list[str]:
    with pytest.raises(ArchbuilderError) as caught:
        transfer(path, network)
    assert caught.value.exit_code == 1
    return str(caught.value).splitlines()


def test_everything_that_does_not_fit_is_listed(small: Graph, tmp_path: Path) -> None:
    state = torch_state(small)
    state["layer1.1.conv2.weight"] = np.zeros((4, 4, 5, 5), np.float32)
    state["layer2.1.conv3.bias"] = np.zeros(12, np.float32)
    state["layer2.2.conv1.weight"] = np.zeros((6, 12, 1, 1), np.float32)
    del state["bn1.running_mean"], state["layer2.0.downsample.0.weight"]
    path = write_safetensors(tmp_path / "x.safetensors", state)
    assert message(path, small) == [
        f"{path} does not fit small: 5 tensors, matched by the names of torchvision",
        "  without a tensor: stem/norm1/moving_mean 4",
        "  does not fit: layer1.1.conv2.weight 4x4x5x5 (here 5x5x4x4), for stage1/unit2/residual/conv2/kernel 3x3x4x4",
        "  without a tensor: stage2/unit1/shortcut/conv1/kernel 1x1x8x12",
        "  left over in the file: layer2.1.conv3.bias 12",
        "  left over in the file: layer2.2.conv1.weight 6x12x1x1 (here 1x1x12x6)",
    ]


def test_another_depth(small: Graph, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", torch_state(small))
    deeper = graph("units: 2, filters: 6", "units: 3, filters: 6")
    lines = message(path, deeper)
    assert len(lines) == 1 + 10 + 1
    assert all(line.startswith("  without a tensor: stage2/unit3/residual/") for line in lines[1:-1])
    assert lines[-1] == "  and 5 more"


def test_another_number_of_classes(small: Graph, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", torch_state(small))
    found = transfer(path, graph("units: 5", "units: 7"))
    assert found.match.fresh == ("the file has 5 classes instead of 7: head/dense1 is left fresh",)
    assert "head/dense1" not in found.match.pairs
    assert len(found.match.pairs) == len(weighted(small)) - 1


def test_no_classes(small: Graph, tmp_path: Path) -> None:
    state = {name: array for name, array in torch_state(small).items() if not name.startswith("fc")}
    found = transfer(write_safetensors(tmp_path / "x.safetensors", state), small)
    assert found.match.fresh == ("the file has no classes: head/dense1 is left fresh",)


def test_a_head_that_takes_in_something_else_does_not_fit(small: Graph, tmp_path: Path) -> None:
    state = torch_state(small) | {"fc.weight": np.zeros((9, 13), np.float32), "fc.bias": np.zeros(9, np.float32)}
    lines = message(write_safetensors(tmp_path / "x.safetensors", state), small)
    assert lines[1:] == [
        "  does not fit: fc.weight 9x13 (here 13x9), for head/dense1/kernel 12x5",
        "  does not fit: fc.bias 9, for head/dense1/bias 5",
    ]


def test_a_head_of_ones_own_behind_known_names(small: Graph) -> None:
    nodes = weighted(small)
    names = [torchvision_name(node.name) if node.name != "head/dense1" else "my_classifier" for node in nodes]
    assert pairs(small, nodes, names) == itself(small)


def test_sections_of_ones_own_under_known_names(small: Graph) -> None:
    """The names say stage 1 and 2, the spec has three: the tree of names and the flow decide."""
    other = graph(
        "stages: [{units: 2, filters: 4}, {units: 2, filters: 6, stride: 2}]",
        "stages: [{units: 1, filters: 4}, {units: 1, filters: 4}, {units: 2, filters: 6, stride: 2}]",
    )
    found = match(other, source(weighted(small), [torchvision_name(node.name) for node in weighted(small)], True))
    assert (found.how, found.problems, found.open) == ("by the names of its layers", (), ())
    assert found.pairs["stage3/unit1/shortcut/conv1"].name == "layer2.0.downsample.0"


VGG = """\
archbuilder: 1
name: plain
input: [4, 6, 3]
stem: [{conv: {filters: 5, kernel: 3}}, relu, {max_pool: {size: 2, stride: 2}}]
head: [flatten, {dropout: {rate: 0.5}}, {dense: {units: 7}}, relu, {dense: {units: 3}}]
"""


def test_flattened_images_of_pytorch_are_put_in_our_order(tmp_path: Path) -> None:
    network = graph(text=VGG)
    names = {"stem/conv1": "features.0", "head/dense1": "classifier.1", "head/dense2": "classifier.4"}
    state = torch_state(network, names.__getitem__)
    found = transfer(write_safetensors(tmp_path / "x.safetensors", state), network)
    features = np.random.default_rng(1).normal(size=(2, 3, 5))  # height, width, channels
    theirs = state["classifier.1.weight"] @ features.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(features.ravel() @ found.arrays()["head/dense1"]["kernel"], theirs, rtol=1e-5)


TOWERS = """\
archbuilder: 1
name: towers
input: [4, 6, 3]
stem:
  - concat:
      left: [{conv: {filters: 5, kernel: 3}}, {max_pool: {size: 2, stride: 2}}, flatten]
      right: [global_average_pool]
      below: [{conv: {filters: 2, kernel: 3, stride: 2}}, flatten, relu]
head: [norm, {dense: {units: 4}}]
"""


def test_flattened_images_that_are_put_side_by_side(tmp_path: Path) -> None:
    network = graph(text=TOWERS)
    names = {"stem/left/conv1": "left.0", "stem/below/conv1": "below.0", "head/norm1": "norm", "head/dense1": "fc"}
    state = torch_state(network, names.__getitem__)
    arrays = transfer(write_safetensors(tmp_path / "x.safetensors", state), network).arrays()
    random = np.random.default_rng(1)
    left, right, below = random.normal(size=(2, 3, 5)), random.normal(size=3), random.normal(size=(2, 3, 2))
    theirs = np.concatenate([left.transpose(2, 0, 1).ravel(), right, below.transpose(2, 0, 1).ravel()])
    ours = np.concatenate([left.ravel(), right, below.ravel()])
    expected = state["fc.weight"] @ (theirs * state["norm.weight"])
    found = (ours * arrays["head/norm1"]["gamma"]) @ arrays["head/dense1"]["kernel"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("between", ["{norm: {over: group, groups: 2}}", "{add: {a: [], b: [{dense: {units: 30}}]}}"])
def test_flattened_images_that_nothing_makes_up_for(between: str, tmp_path: Path) -> None:
    network = graph("flatten,", f"flatten, {between},", VGG)
    state = torch_state(network, lambda name: name.replace("/", "."))
    with pytest.raises(ArchbuilderError, match="flattened images, which PyTorch orders by channels"):
        transfer(write_safetensors(tmp_path / "x.safetensors", state), network)


def test_learned_scales_and_slopes_of_pytorch(tmp_path: Path) -> None:
    """They are called as their modules like, and shaped to spread over images; transposed kernels have in before out."""
    random, learned = np.random.default_rng(0), graph(text=LEARNED)
    shapes = {
        "stem.weight": (6, 3, 3, 3), "norm.weight": (6,), "norm.bias": (6,), "act.weight": (6,), "block.gamma": (6, 1, 1),
        "up.weight": (6, 6, 3, 3), "eca.conv.weight": (1, 1, 3), "scalar.gain": (1,), "scalar.shift": (1,),
        "fc.weight": (5, 6), "fc.bias": (5,),
    }  # fmt: skip
    state = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    path = tmp_path / "learned.npz"
    found = Transfer(path, learned, match(learned, in_order(state)), {}).arrays()
    assert found["stem/prelu1"]["alpha"].shape == (1, 1, 6)
    np.testing.assert_array_equal(found["stem/prelu1"]["alpha"][0, 0], state["act.weight"])
    np.testing.assert_array_equal(found["stem/scale1"]["kernel"], state["block.gamma"][:, 0, 0])
    np.testing.assert_array_equal(found["stem/conv_transpose1"]["kernel"], state["up.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(found["stem/gate/channel_conv1"]["kernel"], state["eca.conv.weight"].T)
    np.testing.assert_array_equal(found["head/scale1"]["kernel"], state["scalar.gain"])
    np.testing.assert_array_equal(found["head/scale1"]["bias"], state["scalar.shift"])


def in_order(state: dict[str, Any]) -> WeightFile:
    found, channels_first = torch_layout.layers(state)
    return WeightFile("learned.pth", found, channels_first)


def test_kernels_are_transposed(small: Graph, tmp_path: Path) -> None:
    state = torch_state(small)
    arrays: Any = transfer(write_safetensors(tmp_path / "x.safetensors", state), small).arrays()
    kernel, foreign = arrays["stage2/unit1/shortcut/conv1"]["kernel"], state["layer2.0.downsample.0.weight"]
    assert (kernel.shape, foreign.shape) == ((1, 1, 8, 12), (12, 8, 1, 1))
    np.testing.assert_array_equal(kernel[0, 0], foreign[:, :, 0, 0].T)
    np.testing.assert_array_equal(
        arrays["stage1/unit2/residual/norm2"]["moving_variance"], state["layer1.1.bn2.running_var"]
    )
