"""Images of another size make no network another one but in that, and a network that is near none is not called near."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from archbuilder.comparison.nearest import nearest_bundled
from archbuilder.comparison.result import Comparison, NoneNear, render
from archbuilder.errors import SpecError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.outline.canonical import canonical
from archbuilder.outline.resizing import resized
from archbuilder.spec import bundled, load_text
from tests.comparison.networks import network
from tests.conftest import Call
from tests.zoo import graph_of, spec_of

SIZES = ((32, 32), (48, 48), (64, 64), (96, 96), (256, 256), (300, 200))
NAMED = (
    ("he2015/resnet56", (64, 64)), ("resnet20_v1", (300, 200)), ("quickstart", (32, 32)), ("he2015/resnet50", (256, 256)),
    ("related/vgg16", (96, 96)), ("related/densenet_bc100", (48, 48)), ("torchvision/resnet18", (32, 32)),
    ("keras_applications/resnet50v2", (300, 200)), ("related/alexnet_torchvision", (256, 256)),
    ("related/cbam_resnet50", (64, 64)), ("related/cbam_resnet50", (300, 200)),
)  # fmt: skip
"""One of each kind: heads of a global average, of one of a fixed size, of all that arrives; units that see the image."""
MOBILENET_V1 = """
archbuilder: 1
name: mobilenet_v1
input: [224, 224, 3]
defaults: {conv: {padding: symmetric}}
templates:
  units:
    separable:
      parameters: {filters: required, stride: 1}
      layers:
        - conv: {filters: $channels, kernel: 3, stride: $stride, groups: $channels}
        - norm
        - relu
        - conv: {filters: $filters, kernel: 1}
        - norm
        - relu
stem: [conv: {filters: 32, kernel: 3, stride: 2}, norm, relu]
unit: separable
stages:
  - {units: 1, filters: 64}
  - {units: 2, filters: 128, stride: 2}
  - {units: 2, filters: 256, stride: 2}
  - {units: 6, filters: 512, stride: 2}
  - {units: 2, filters: 1024, stride: 2}
head: [global_average_pool, dense: {units: 1000}, softmax]
"""
LENET = """
archbuilder: 1
name: lenet
input: [28, 28, 1]
stem:
  - conv: {filters: 6, kernel: 5}
  - tanh
  - average_pool: {size: 2, stride: 2}
  - conv: {filters: 16, kernel: 5, padding: valid}
  - tanh
head: [flatten, dense: {units: 120}, tanh, dense: {units: 84}, tanh, dense: {units: 10}, softmax]
"""


@cache
def at(name: str, size: tuple[int, int]) -> Graph | None:
    """A bundled network for images of another size; None where it is of that size, or cannot be built at it."""
    spec = spec_of(name)
    shape = (*size, spec.network.input[-1])
    if shape == spec.network.input:
        return None
    try:
        return expand(replace(spec, network=spec.network.model_copy(update={"input": shape})))
    except SpecError:
        return None


def assert_named(name: str, size: tuple[int, int]) -> None:
    graph = at(name, size)
    assert graph is not None
    found = nearest_bundled(replace(graph, name="mine"))
    assert isinstance(found, Comparison), render(found)
    assert name in (found.theirs.name, *found.also), render(found)
    assert [deviation.code for deviation in found.deviations] == ["input"], render(found)
    assert not found.same


@pytest.mark.parametrize(("name", "size"), NAMED)
def test_another_size_is_the_one_deviation(name: str, size: tuple[int, int]) -> None:
    assert_named(name, size)


@pytest.mark.parametrize("size", SIZES)
def test_layers_are_the_same_at_another_size(size: tuple[int, int]) -> None:
    """A network that is brought back to its own size is itself."""
    for name in bundled():
        own = graph_of(name)
        if len(own.nodes) < 100 and (graph := at(name, size)) is not None:
            back = resized(graph, own.input.shape)
            assert back is not None, name
            assert canonical(back) == canonical(own), name


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled())
def test_each_network_is_named_at_each_size(name: str) -> None:
    for size in SIZES:
        if at(name, size) is not None:
            assert_named(name, size)


def test_what_does_not_fit_is_not_resized() -> None:
    shape = (8, 8, 3)
    assert resized(graph_of("related/vgg16"), shape) is None
    assert resized(graph_of("related/vgg16"), (224, 224, 3)) is graph_of("related/vgg16")


def test_size_and_another_deviation() -> None:
    edits = ["input=[64, 64, 3]", "defaults.conv.bias=true"]
    found = nearest_bundled(network("he2015/resnet56", edits, called="mine"))
    assert isinstance(found, Comparison)
    assert found.theirs.name == "he2015/resnet56"
    assert [deviation.code for deviation in found.deviations] == ["input", "conv-bias"]


@pytest.mark.parametrize("text", [MOBILENET_V1, LENET], ids=["mobilenet_v1", "lenet"])
def test_strange_networks_are_near_none(text: str) -> None:
    found = nearest_bundled(expand(load_text(text, "mine")))
    assert isinstance(found, NoneNear)
    assert " is none of the bundled networks, and none is near: depth " in render(found)


@pytest.mark.parametrize(
    "edits",
    [
        ["stages.0.filters=24", "stages.1.filters=48", "stages.2.filters=96"],
        ["stages.0.units=1", "stages.1.units=1", "stages.2.units=1"],
        ["head.1.dense.units=7"],
    ],
)
def test_a_network_of_other_widths_or_lengths_is_near(edits: list[str]) -> None:
    found = nearest_bundled(network("he2015/resnet20", edits, called="mine"))
    assert isinstance(found, Comparison)
    assert found.theirs.name == "he2015/resnet20"
    assert len(found.deviations) == 1


def test_near_none_on_the_command_line(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "mobilenet_v1.yaml"
    path.write_text(MOBILENET_V1)
    done, data = call("verify", str(path)), call("verify", str(path), "--json")
    assert (done.code, data.code) == (1, 1)
    assert "none is near" in done.out
    assert (json.loads(data.out)["against"], json.loads(data.out)["difference"]) == (None, None)
