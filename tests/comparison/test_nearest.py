"""The nearest of the bundled networks, and the command."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from archbuilder.comparison.nearest import nearest, nearest_bundled
from archbuilder.comparison.result import Comparison, render
from tests.comparison.networks import network
from tests.conftest import Call, Golden

SOME = ("resnet20_v1", "resnet20_v2", "resnet56_v2", "he2015/resnet20", "he2015/resnet56", "he2015/plain20")


@pytest.mark.parametrize(
    ("base", "edits"),
    [
        ("he2015/resnet56", ["defaults.conv.bias=true"]),
        ("resnet20_v2", ["stages.1.units=3", "head.4.dense.units=100"]),
        ("he2015/plain20", ["defaults.norm.epsilon=1e-3"]),
        ("resnet20_v1", ["shortcut=projection"]),
    ],
)
def test_nearest(base: str, edits: list[str]) -> None:
    found = nearest(network(base, edits, called="mine"), map(network, SOME))
    assert isinstance(found, Comparison)
    assert (found.theirs.name, found.searched, found.same) == (base, True, False)
    assert len(found.deviations) <= 2


def test_the_same_under_several_names() -> None:
    twins = [network("he2015/resnet20", called=name) for name in ("one", "two", "mine")]
    found = nearest(network("he2015/resnet20", called="mine"), [*twins, network("resnet20_v1")])
    assert isinstance(found, Comparison)
    assert (found.theirs.name, found.also) == ("one", ("two",))
    assert render(found).startswith("mine is one (also called two): depth 20, 269,722 parameters")


def test_its_own_name_is_told_if_there_is_no_other() -> None:
    found = nearest(network("resnet20_v1"), map(network, SOME))
    assert isinstance(found, Comparison)
    assert (found.theirs.name, found.also) == ("resnet20_v1", ())


def test_nearest_of_all_bundled_networks() -> None:
    found = nearest_bundled(network("resnet56_v2", ["stages.0.units=7"], called="mine"))
    assert isinstance(found, Comparison)
    assert found.theirs.name == "resnet56_v2"
    assert [deviation.code for deviation in found.deviations] == ["units"]


@pytest.fixture
def verify(call: Call) -> Call:
    return partial(call, "verify")


def test_command(verify: Call, tmp_path: Path, golden: Golden) -> None:
    (tmp_path / "mine.yaml").write_text("archbuilder: 1\nextends: he2015/resnet56\nshortcut: projection\n")
    wrong = verify("mine.yaml", "--against", "he2015/resnet56", cwd=tmp_path)
    right = verify("mine.yaml", "--against", "he2015/resnet56", "--set", "shortcut=zero_pad", cwd=tmp_path)
    assert (wrong.code, right.code, wrong.err + right.err) == (1, 0, "")
    golden("verify/command.txt", wrong.out)
    assert right.out.startswith("mine.yaml as edited is he2015/resnet56: depth 56")


def test_json(verify: Call) -> None:
    data = json.loads(verify("resnet20_v1", "--against", "he2015/resnet20", "--json").out)
    assert (data["same"], data["searched"], data["also"]) == (False, False, [])
    assert data["spec"]["parameters"]["trainable"] - data["against"]["parameters"]["trainable"] == 3344
    assert data["difference"]["parameters"]["trainable"] == 3344
    assert sum(one["effect"]["macs"] for one in data["deviations"]) == data["difference"]["macs"]
    [bias] = [one for one in data["deviations"] if one["code"] == "conv-bias"]
    assert bias["effect"]["parameters"] == {"trainable": 688, "total": 688}
    assert [note["code"] for note in data["notes"]] == ["conv-l2"]


@pytest.mark.parametrize(("other", "code"), [("resnet20v1", 4), ("nowhere.yaml", 4)])
def test_what_is_not_there(verify: Call, other: str, code: int) -> None:
    done = verify("resnet20_v1", "--against", other)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: there is no ")


def test_the_v2_of_keras_example_is_not_the_papers(verify: Call, golden: Golden) -> None:
    done = verify("resnet164_v2", "--against", "he2016/resnet164")
    assert done.code == 1
    golden("verify/keras_example_v2.txt", done.out)
