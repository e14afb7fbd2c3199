"""A spec that cannot be loaded is expanded as far as it can be: one mistake hides no other, and invents none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations

import pytest

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.expansion.expansion import with_others
from archbuilder.spec.document import Path, parse
from archbuilder.spec.loading import load_text
from archbuilder.spec.salvage import Salvage

SMALL = ("resnet20_v2", "related/highway19")
TEXTS = {name: archbuilder.load(name).dump() for name in ("resnet20_v1", *SMALL)}


def _messages(error: SpecError) -> tuple[list[str], list[str]]:
    """Those of loading alone, and those of loading and expansion."""
    return [one.message for one in error.diagnostics], [one.message for one in with_others(error).diagnostics]


def _misspelt(text: str) -> list[SpecError]:
    """What is said of the text with each of its words misspelt once, wherever that makes it wrong."""
    places = {match[1]: match.start(1) for match in re.finditer(r"[\s{\[]([a-z_]{3,}):?(?=[\s,}\]])", text)}
    found = []
    for start in places.values():
        wrong = text[: start + 2] + text[start + 1 :]
        try:
            load_text(wrong)
        except SpecError as error:
            found.append(error)
    return found


@pytest.mark.parametrize("name", SMALL)
def test_a_mistake_invents_no_other(name: str) -> None:
    wrong = _misspelt(TEXTS[name])
    assert len(wrong) > 20
    for error in wrong:
        alone, all_of_them = _messages(error)
        assert all_of_them == alone


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("input: [32, 32, 3]", "input: [32, 32]"), ("stem:", "sem:"), ("unit: basic", "unit: basik"),
        ("padding: same", "padding: samee"), ("- relu", "- rellu"), ("name: resnet20_v1", "name: resnet 20"),
        ("units: 10", "units: 0"), ("momentum: 0.9", "momentum: x"), ("average_pool: {size: 8, stride: 8}", "average_pol: {size: 8}"),
        ("archbuilder: 1", "archbuilder: 2"), ("training:", "trainig:"), ("{units: 3, filters: 16}", "{units: three, filters: 16}"),
        ("{units: 3, filters: 16}", "{units: 3, filters: 16, filtres: 3}"), ("stages:", "outputs: [hed]\nstages:"),
        ("{units: 3, filters: 16}", "{units: 3, filters: 16, first: {unit: botleneck}}"),
        ("{units: 3, filters: 16}", "{units: 3, filters: 16, shortcut: projecton}"),
        ("{units: 3, filters: 16}", "{filters: 16}"), ("{units: 3, filters: 16}", "sixteen"),
        ("{units: 3, filters: 16}", "{units: 3, filters: 16, after: [relu, maxpool]}"),
        ("{units: 3, filters: 16}", "{units: 3, filters: '${16 *}'}"),
        ("{units: 3, filters: 16}", "{units: 3, filters: 16, unit: mine}"),
    ],
)  # fmt: skip
def test_it_hides_no_other(right: str, wrong: str) -> None:
    text = TEXTS["resnet20_v1"].replace("filters: 64, stride: 2", "filters: -64, stride: 2")
    assert right in text
    with pytest.raises(SpecError) as caught:
        load_text(text.replace(right, wrong, 1))
    alone, all_of_them = _messages(caught.value)
    assert not any("not -64" in one for one in alone)
    assert sum("not -64" in one for one in all_of_them) == 1
    assert len(all_of_them) == len(alone) + 1


def test_an_edit_that_is_wrong_hides_no_other() -> None:
    edits = ["stages.0.unit=basik", "stages.1.filters=-32", "training.batch_size=0"]
    with pytest.raises(SpecError) as caught:
        archbuilder.expand("resnet20_v1", edits)
    assert [one.code for one in caught.value.diagnostics].count("bad-value") == 2
    assert {one.span.file for one in caught.value.diagnostics if one.span} == {"--set"}


NESTED = """\
archbuilder: 1
name: nested
input: [8, 8, 1]
templates: {units: {one: {parameters: {a: {b: 1}}, layers: [relu, {conv: {kernel: 3}}]}}}
stem: [{add: {own: [relu, norm], up: {from: a, depth: {b: {c: 1}}}}}]
"""


@pytest.mark.parametrize("paths", list(permutations([
    ("templates", "units", "one", "parameters", "a"), ("templates", "units", "one", "layers", 1),
    ("stem", 0, "add", "own", 1), ("stem", 0, "add", "up", "depth", "b"),
])))  # fmt: skip
def test_mistakes_around_and_within_a_layer_are_mended_in_any_order(paths: Sequence[Path]) -> None:
    salvage = Salvage(parse(NESTED, "nested"), [])
    for path in paths:
        salvage.mend(path, "bad-value")
    assert salvage.data["templates"]["units"]["one"] == {"layers": ["relu"]}
    assert salvage.data["stem"] == ["relu"]
