"""Receptive fields against published tables; a gradient measures them in tests/keras_model/test_receptive_field.py."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archbuilder.graph import ops
from archbuilder.graph.receptive_field import ReceptiveField, last_map, receptive_fields
from tests import zoo
from tests.graphs import Draft, conv

ARAUJO = [
    ("related/alexnet", "stem/conv1", 11, 4, 0),
    ("related/alexnet", "stem/max_pool1", 19, 8, 0),
    ("related/alexnet", "stem/conv2", 51, 8, 16),
    ("related/alexnet", "stem/conv3", 99, 16, 32),
    ("related/alexnet", "stem/conv4", 131, 16, 48),
    ("related/alexnet", "stem/conv5", 163, 16, 64),
    ("related/alexnet", "stem/max_pool3", 195, 32, 64),
    ("related/vgg16", "stage1", 6, 2, 2),
    ("related/vgg16", "stage2", 16, 4, 6),
    ("related/vgg16", "stage3", 44, 8, 18),
    ("related/vgg16", "stage4", 100, 16, 42),
    ("related/vgg16", "stage5", 212, 32, 90),
    ("he2015/resnet50", "stage4", 483, 32, 239),
    ("he2015/resnet101", "stage4", 1027, 32, 511),
    ("he2015/resnet152", "stage4", 1507, 32, 751),
]
"""google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md: size, effective stride and effective padding.

Its ResNets have the stride of a block in the last unit, so that only their ends are those of the paper's.
"""
WANG = {
    "torchvision/resnet18": (7, 11, 43, 99, 211, 435),
    "torchvision/resnet34": (7, 11, 59, 179, 547, 899),
    "torchvision/resnet50": (7, 11, 35, 91, 267, 427),
    "torchvision/resnet101": (7, 11, 35, 91, 811, 971),
}
"""gist.github.com/samson-wang/a6073c18f2adf16e0ab5fb95b53db3e6: conv1, maxpool, layer1 to layer4."""
CIFAR = {"he2015/resnet20": 81, "he2015/resnet56": 249, "he2015/resnet110": 501}


def field_of(network: str, part: str) -> ReceptiveField:
    """That of a node, or of the last node of a stage."""
    graph = zoo.graph_of(network)
    last = [node.name for node in graph.nodes if node.name == part or node.section.partition("/")[0] == part][-1]
    return receptive_fields(graph)[last]


@pytest.mark.parametrize(("network", "part", "size", "stride", "padding"), ARAUJO)
def test_fields_are_those_of_araujo(network: str, part: str, size: int, stride: int, padding: int) -> None:
    field = field_of(network, part)
    assert field == ReceptiveField(
        (size, size), field.smallest, (Fraction(stride), Fraction(stride)), (padding, padding), False
    )


@pytest.mark.parametrize("network", WANG)
def test_fields_are_those_of_wang(network: str) -> None:
    parts = ("stem/conv1", "stem", "stage1", "stage2", "stage3", "stage4")
    assert tuple(field_of(network, part).size[0] for part in parts) == WANG[network]


@pytest.mark.parametrize("network", CIFAR)
def test_fields_of_cifar_networks(network: str) -> None:
    graph = zoo.graph_of(network)
    assert receptive_fields(graph)[last_map(graph).name].size == (CIFAR[network],) * 2


def test_the_shortest_path_leads_through_the_shortcuts() -> None:
    assert field_of("he2015/resnet152", "stage4").smallest == (11, 11)


def test_a_dense_layer_sees_what_all_positions_see() -> None:
    field = field_of("torchvision/resnet18", "head")
    assert (field.size, field.stride, field.whole_image) == ((224, 224), (None, None), True)


def test_attention_sees_the_whole_image_beside_the_windows() -> None:
    field = field_of("related/se_resnet50", "stage4")
    assert (field.size, field.whole_image) == ((483, 483), True)
    assert not field_of("he2015/resnet50", "stage4").whole_image


def test_upsampling_makes_fractions_of_strides() -> None:
    draft = Draft(8, 8, 1)
    up = draft.add("stem", ops.Upsample((4, 2), "nearest"), conv(1))
    field = receptive_fields(draft.graph(up))[up.name]
    assert (field.size, field.stride) == ((2, 2), (Fraction(1, 4), Fraction(1, 2)))
    assert field.to_json()["stride"] == [0.25, 0.5]


def test_paths_of_different_strides_have_no_common_one() -> None:
    draft = Draft(8, 8, 1)
    halved = draft.add("stem", conv(1, stride=2))
    pooled = draft.add("stem", ops.MaxPool((5, 5), (1, 1), "valid"), behind=draft.input)
    merged = draft.sum("stem", halved, pooled)
    field = receptive_fields(draft.graph(merged))[merged.name]
    assert (field.size, field.stride) == ((6, 6), (None, None))


def test_many_kinds_of_positions_are_taken_together() -> None:
    draft = Draft(4, 4, 1)
    up = draft.add("stem", ops.Upsample((100, 100), "nearest"), conv(1))
    field = receptive_fields(draft.graph(up))[up.name]
    assert (field.size, field.stride) == ((2, 2), (Fraction(1, 100),) * 2)
