"""The list of bundled networks."""

from __future__ import annotations

import json

import archbuilder
from archbuilder.catalogue import catalogue
from tests.conftest import Call


def test_list_as_json(call: Call) -> None:
    entries = {entry["name"]: entry for entry in json.loads(call("list", "--json").out)}
    assert entries["resnet20_v1"]["parameters"]["trainable"] == 273_066


def test_published_errors_stand_apart_from_what_a_network_is() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    assert entries["he2015/resnet110"].to_json()["published"] == [
        {"error": 6.43, "dataset": "CIFAR-10", "how": "best of 5 runs"},
        {"error": 6.61, "deviation": 0.16, "dataset": "CIFAR-10", "how": "mean of 5 runs"},
    ]
    assert not any("% error" in entry.summary for entry in entries.values() if entry.published)


def test_a_spec_does_not_inherit_what_was_published_for_another() -> None:
    changed = archbuilder.load_text("archbuilder: 1\nextends: he2015/resnet110\nname: mine\nshortcut: none\n")
    assert archbuilder.load("he2015/resnet110").network.published
    assert not changed.network.published
    assert archbuilder.load_text(archbuilder.load("he2015/resnet110").dump()).network.published
