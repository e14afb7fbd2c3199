"""The command `family`: the networks of an ablation, the folder that it fills, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archbuilder
from archbuilder.comparison.comparison import compare
from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from tests.conftest import Call

ASKED = ("family", "he2015/resnet20", "--units", "3,5", "--shortcut", "none,zero_pad,projection")


def test_the_networks_of_the_paper(call: Call, tmp_path: Path) -> None:
    done = call(*ASKED, "-o", tmp_path / "family")
    names = [line.split()[0] for line in done.out.splitlines()[1:7]]
    assert names == ["n3-none", "n3-zero_pad", "n3-projection", "n5-none", "n5-zero_pad", "n5-projection"]
    for name, known in (
        ("n3-none", "he2015/plain20"),
        ("n5-zero_pad", "he2015/resnet32"),
        ("n3-projection", "he2015/resnet20_b"),
    ):
        spec = archbuilder.load(tmp_path / "family" / "specs" / f"{name}.yaml")
        assert compare(expand(spec), archbuilder.expand(known)).same
    assert (tmp_path / "family" / "table.md").read_text().startswith("| network | depth |")
    assert len((tmp_path / "family" / "table.csv").read_text().splitlines()) == 7


def test_published_errors_are_those_of_one_network() -> None:
    found = archbuilder.family("he2015/resnet20", [3, 5], ["none", "zero_pad"])
    assert [len(one.spec.network.published) for one in found.members] == [0, 1, 0, 0]


def test_units_stage_by_stage() -> None:
    found = archbuilder.family("he2015/resnet50", [(3, 4, 6, 3), (3, 4, 23, 3)])
    assert [one.summary.depth for one in found.networks.columns] == [50, 101]
    assert [one.name for one in found.members] == ["n3-4-6-3", "n3-4-23-3"]


def test_edits_and_json(call: Call) -> None:
    done = call("family", "he2015/resnet20", "--units", "1", "--set", "head.1.dense.units=100", "--json")
    [network] = json.loads(done.out)["networks"]
    assert network["output"] == [100]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["he2015/resnet20"], 2, "differs in --units"),
        (["he2015/resnet20", "--units", "x"], 2, "is no list of numbers of units"),
        (["he2015/resnet20", "--units", "3-4"], 2, "3-4 is for 2 stages, and he2015/resnet20 has 3"),
        (["he2015/resnet20", "--units", "0"], 3, "stages.0.units=0"),
        (["he2015/resnet20", "--units", "3,3"], 2, "stands once"),
        (["he2015/resnet20", "--units", ",".join(map(str, range(1, 102)))], 2, "at most 100 networks, not 101"),
        (["he2015/resnet20", "--shortcut", "non"], 2, "did you mean 'none'?"),
        (["related/alexnet", "--units", "3"], 2, "has no stages"),
        (["he2015/resnet20", "--units", "3", "--train"], 2, "-o DIR"),
        (["he2015/resnet20", "--units", "3", "--epochs", "1"], 2, "are for --train"),
    ],
)
def test_mistakes(call: Call, arguments: list[str], code: int, told: str) -> None:
    done = call("family", *arguments)
    assert (done.code, told in done.err) == (code, True), done.err


def test_a_folder_is_that_of_one_family(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "family"
    assert call("family", "he2015/resnet20", "--units", "3", "-o", folder).code == 0
    assert call("family", "he2015/resnet20", "--units", "3", "-o", folder).code == 0
    assert "another family" in call("family", "he2015/resnet20", "--units", "5", "-o", folder).err
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    assert "something else" in call("family", "he2015/resnet20", "--units", "3", "-o", tmp_path / "photos").err
    with pytest.raises(UsageError, match="out"):
        archbuilder.family("he2015/resnet20", [3], train=True)
