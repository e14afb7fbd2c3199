"""Receptive fields against published tables; a gradient measures them in tests/keras_model/test_receptive_field.py."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from archbuilder.graph import ops
from archbuilder.graph.receptive_field import ReceptiveField, last_map, receptive_fields
from tests import zoo
from tests.graph.published_fields import ARAUJO, WANG, WANGS_PARTS, field_of, rows, table
from tests.graphs import Draft, conv

CIFAR = {"he2015/resnet20": 81, "he2015/resnet56": 249, "he2015/resnet110": 501}


@pytest.mark.parametrize(("network", "part", "size", "stride", "padding"), ARAUJO)
def test_fields_are_those_of_araujo(network: str, part: str, size: int, stride: int, padding: int) -> None:
    field = field_of(network, part)
    assert field == ReceptiveField(
        (size, size), field.smallest, (Fraction(stride), Fraction(stride)), (padding, padding), False
    )


@pytest.mark.parametrize("network", WANG)
def test_fields_are_those_of_wang(network: str) -> None:
    assert tuple(field_of(network, part).size[0] for part in WANGS_PARTS) == WANG[network]


def test_the_table_in_the_docs_is_what_the_command_prints() -> None:
    text = (Path(__file__).parents[2] / "docs" / "numbers.md").read_text("utf-8")
    assert table() in text
    assert len(list(rows())) >= 20
    assert all(published == ours for *_, published, ours in rows())


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
