"""The tables of bundled networks."""

from __future__ import annotations

import json
from pathlib import Path

import archbuilder
from archbuilder.catalogue import GROUPS, catalogue, markdown
from tests.conftest import Call


def test_the_page_of_networks_is_what_the_code_gives() -> None:
    page = Path(__file__).parent.parent / "docs" / "networks.md"
    assert page.read_text(encoding="utf-8") == markdown(catalogue()), "archbuilder list --markdown > docs/networks.md"


def test_list_as_json(call: Call) -> None:
    entries = {entry["name"]: entry for entry in json.loads(call("list", "--json").out)}
    assert entries["resnet20_v1"]["parameters"]["trainable"] == 273_066


def test_every_network_is_in_a_group() -> None:
    assert {name.rpartition("/")[0] for name in archbuilder.bundled()} == GROUPS.keys()


def test_published_errors_stand_apart_from_what_a_network_is() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    assert entries["he2015/resnet110"].to_json()["published"] == [
        {"error": 6.43, "dataset": "CIFAR-10", "how": "best of 5 runs"},
        {"error": 6.61, "deviation": 0.16, "dataset": "CIFAR-10", "how": "mean of 5 runs"},
    ]
    row = next(line for line in markdown(catalogue()).splitlines() if "`he2015/resnet50`" in line)
    assert "| 22.85 | 6.71 | ImageNet, 10-crop |" in row
    assert not any("% error" in entry.summary for entry in entries.values() if entry.published)


def test_a_spec_does_not_inherit_what_was_published_for_another() -> None:
    changed = archbuilder.load_text("archbuilder: 1\nextends: he2015/resnet110\nname: mine\nshortcut: none\n")
    assert archbuilder.load("he2015/resnet110").network.published
    assert not changed.network.published
    assert archbuilder.load_text(archbuilder.load("he2015/resnet110").dump()).network.published
