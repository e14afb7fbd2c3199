"""The summary: rows that add up, tables that stay as they are, and JSON for scripts."""

from __future__ import annotations

import json
import re

import pytest

from archbuilder.aliases import Level
from archbuilder.costs.summary import Summary, summarise
from archbuilder.costs.text import render
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Costs
from archbuilder.spec import load, load_text
from tests.conftest import Golden
from tests.zoo import SMALL

LEVELS: tuple[Level, ...] = ("stage", "unit", "layer")


def small() -> Summary:
    return summarise(expand(load_text(SMALL, "small.yaml")))


def bundled(name: str) -> Summary:
    return summarise(expand(load(name)))


def total(costs: list[Costs]) -> Costs:
    return sum(costs, Costs())


@pytest.mark.parametrize("name", ["resnet20_v1", "resnet56_v2", "he2015/resnet20", "plain20_v1"])
def test_costs_add_up(name: str) -> None:
    found = bundled(name)
    assert total([layer.costs for layer in found.layers]) == found.costs
    assert total([stage.costs for stage in found.stages]) == found.costs
    for stage in found.stages:
        assert total([unit.costs for unit in stage.units]) == stage.costs
    assert sum(layer.activation_bytes for layer in found.layers) == found.activation_bytes > 0


@pytest.mark.parametrize("level", LEVELS)
def test_printed_rows_add_up(level: Level) -> None:
    """Rows of one indentation under one heading come to the numbers of that heading."""
    rows = [row for row in map(parse, render(small(), level).splitlines()) if row]
    for index, (indent, trainable) in enumerate(rows):
        below = []
        for deeper, number in rows[index + 1 :]:
            if deeper <= indent:
                break
            below.append((deeper, number))
        direct = [number for deeper, number in below if deeper == min(deeper for deeper, _ in below)]
        assert not below or sum(direct) == trainable


def parse(line: str) -> tuple[int, int] | None:
    """The indentation of a row and the trainable parameters that it prints; the total is above all."""
    cells = re.split(r" {2,}", line.strip())
    shape = next((index for index, cell in enumerate(cells) if re.fullmatch(r"\d+(x\d+)*", cell)), None)
    if shape is None:
        return None
    numbers = [cell for cell in cells[shape + 1 :] if re.fullmatch(r"[\d,]+", cell)]
    indent = len(line) - len(line.lstrip())
    return (indent, int(numbers[0].replace(",", "")) if numbers else 0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["resnet20_v1", "resnet56_v2"])
def test_tables(name: str, level: Level, golden: Golden) -> None:
    golden(f"reports/{name}_{level}.txt", render(bundled(name), level) + "\n")


@pytest.mark.parametrize("level", LEVELS)
def test_table_of_a_small_network(level: Level, golden: Golden) -> None:
    golden(f"reports/small_{level}.txt", render(small(), level) + "\n")


def test_json(golden: Golden) -> None:
    golden("reports/small.json", json.dumps(small().to_json(), indent=2) + "\n")


def test_json_says_what_the_table_says() -> None:
    data = bundled("resnet56_v2").to_json()
    assert data["name"] == "resnet56_v2"
    assert data["depth"] == 56
    assert data["parameters"] == {"trainable": 1_663_338, "total": 1_673_738}
    assert data["macs"] == 193_120_768
    assert data["input"] == [32, 32, 3]
    assert data["output"] == [10]


def test_several_outputs() -> None:
    found = summarise(expand(load_text(SMALL + "outputs: [stage1, head]", "small.yaml")))
    assert found.to_json()["outputs"] == [
        {"name": "stage1/max_pool1", "shape": [4, 4, 4]},
        {"name": "head/softmax1", "shape": [10]},
    ]
    assert "output 4x4x4, 10" in render(found)


@pytest.mark.parametrize(("filters", "shown"), [(1, "9.0 k"), (200, "1.8 M"), (200_000, "1.800 G")])
def test_multiply_adds_have_one_unit_for_the_whole_table(filters: int, shown: str) -> None:
    text = f"archbuilder: 1\nname: wide\ninput: [10, 100, 1]\nstem: [{{conv: {{filters: {filters}, kernel: 3}}}}]"
    table = render(summarise(expand(load_text(text, "wide.yaml"))))
    assert table.count(shown) == 2
