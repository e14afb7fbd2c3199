"""The page docs/networks.md."""

from __future__ import annotations

import html
import re
from itertools import groupby
from pathlib import Path

import pytest

import archbuilder
from archbuilder.catalogue import catalogue
from archbuilder.networks_page import GROUPS, markdown

PAGE = 830
"""Pixels that GitHub leaves for a table."""
LETTER, BESIDE_A_CELL, BESIDE_CODE = 8, 27, 11
"""Pixels: a letter of code (one of a number is narrower, with its commas and stops), the space around text and its line."""


def test_the_page_of_networks_is_what_the_code_gives() -> None:
    page = Path(__file__).parent.parent / "docs" / "networks.md"
    assert page.read_text(encoding="utf-8") == markdown(catalogue()), "archbuilder list --markdown > docs/networks.md"


def test_every_network_is_in_a_group() -> None:
    assert {name.rpartition("/")[0] for name in archbuilder.bundled()} == GROUPS.keys()


@pytest.mark.parametrize("folder", GROUPS)
def test_what_to_take_names_networks_that_exist(folder: str) -> None:
    named = set(re.findall("`([^`]*)`", " ".join(GROUPS[folder].choices.values())))
    assert named <= set(archbuilder.bundled())
    assert any(name.rpartition("/")[0] == folder for name in named)


def test_no_table_is_wider_than_a_page() -> None:
    tables = [list(rows) for is_row, rows in groupby(markdown(catalogue()).splitlines(), _is_row) if is_row]
    assert len(tables) == len(GROUPS)
    assert max(map(_narrowest, tables)) <= PAGE


def _is_row(line: str) -> bool:
    return line.startswith("|")


def _narrowest(rows: list[str]) -> int:
    """The pixels that a table takes at least, each cell broken wherever a browser may break it."""
    columns = zip(*(_cells(row) for row in rows if not row.startswith("| -")), strict=True)
    return BESIDE_CODE + sum(BESIDE_A_CELL + LETTER * max(map(_longest_word, column)) for column in columns)


def _cells(row: str) -> list[str]:
    return row.removeprefix("| ").removesuffix(" |").split(" | ")


def _longest_word(cell: str) -> int:
    words = re.split("[ -]", re.sub("<.*?>", "", cell.replace("<br>", " ")))
    return max(len(html.unescape(word)) for word in words)


def test_a_row_has_exact_counts_errors_and_their_notes() -> None:
    page = markdown(catalogue())
    row = next(line for line in page.splitlines() if "`he2015/resnet50`" in line)
    name, *numbers = _cells(row)
    assert numbers[:3] == ["50", "25,557,032", "3,858.0"]
    errors = re.fullmatch(r"22\.85&nbsp;/&nbsp;6\.71<sup>\((\d+)\)</sup>", numbers[3])
    source = re.match(r"`he2015/resnet50`<sup>\((\d+)\)</sup><br>ImageNet ResNet-50", name)
    assert errors is not None
    assert source is not None
    notes = page[page.index(row) :].partition("\n## ")[0].splitlines()
    assert f"{errors[1]}. ImageNet, 10-crop" in notes
    assert f"{source[1]}. He et al. 2015, arXiv:1512.03385, section 4.1 and table 3" in notes
