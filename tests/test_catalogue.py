"""The tables of bundled networks."""

from __future__ import annotations

from pathlib import Path

import archbuilder
from archbuilder.catalogue import GROUPS, catalogue, markdown


def test_the_page_of_networks_is_what_the_code_gives() -> None:
    page = Path(__file__).parent.parent / "docs" / "networks.md"
    assert page.read_text(encoding="utf-8") == markdown(catalogue()), "archbuilder list --markdown > docs/networks.md"


def test_every_network_is_in_a_group() -> None:
    assert {name.rpartition("/")[0] for name in archbuilder.bundled()} == GROUPS.keys()
