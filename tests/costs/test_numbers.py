"""The numbers beside the costs, and what other tools print for the same network."""

from __future__ import annotations

import pytest

from archbuilder.costs.conventions import conventions
from archbuilder.costs.numbers import curve, numbers, render
from tests import zoo

PRINTED = {
    "torchvision/resnet18": {"torchinfo": 1_814_083_944, "fvcore": 1_819_065_856, "thop": 1_824_033_792},
    "related/alexnet_torchvision": {"torchinfo": 714_682_664},
    "torchvision/resnet50": {"torchinfo": 4_089_238_376, "fvcore": 4_111_512_576, "thop": 4_133_742_592},
}
"""By torchinfo 1.8.0, fvcore 0.1.5.post20221221 and thop 0.1.1 of torchvision 0.29.1's models for 1x3x224x224.

fvcore and thop count an adaptive pool of AlexNet from 6x6 to 6x6, too, which does nothing and is not in the graph.
"""


@pytest.mark.parametrize("network", PRINTED)
def test_tools_print_what_is_said_of_them(network: str) -> None:
    found = {count.tool: count.number for count in conventions(zoo.graph_of(network))}
    assert {tool: found[tool] for tool in PRINTED[network]} == PRINTED[network]
    assert found["flops"] == 2 * found["papers"] == 2 * zoo.graph_of(network).macs


def test_the_field_of_a_network_is_that_of_its_last_map() -> None:
    found = numbers(zoo.graph_of("resnet20_v1"))
    assert found.receptive_field == found.field_of("stage3/unit3") == found.field_of("stage3")
    assert found.receptive_field.size == (81, 81)


def test_numbers_as_json_are_those_in_python() -> None:
    found = numbers(zoo.graph_of("he2015/resnet50"))
    data = found.to_json()
    assert data["receptive_field"] == {
        "layer": "stage4/unit3/relu1", "size": [483, 483], "smallest": [11, 11], "stride": [32, 32],
        "padding": [239, 239], "whole_image": False,
    }  # fmt: skip
    assert {part["name"] for part in data["parts"]} >= {"stem", "stage1", "stage1/unit1", "head"}
    assert len(data["layers"]) == len(zoo.graph_of("he2015/resnet50").nodes)
    assert data["counts"]["fvcore"] > data["counts"]["papers"]


def test_numbers_as_text() -> None:
    text = render(numbers(zoo.graph_of("resnet20_v1")))
    assert "receptive field 81" in text
    assert "512 ways from input to output: 0 to 9 residual paths, 4.5 on average\n▁▁▃▅██▅▃▁▁" in text
    assert len(text.splitlines()) <= 24


def test_a_curve_is_never_wider_than_its_most() -> None:
    assert (curve([1]), curve([0, 4, 8])) == ("█", " ▄█")
    assert len(curve([1] * 1_000)) <= 60
