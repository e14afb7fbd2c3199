"""An edit that makes a spec of one's own wrong is shown as the edit, and what was wrong before at its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archbuilder.errors import SpecError
from archbuilder.spec import load
from tests.conftest import GOLDEN

OWN = """\
archbuilder: 1
name: mine
input: [8, 8, 3]
stem:
  - conv: {filters: 4, kernel: 3}
  - norm
"""


@pytest.mark.parametrize(
    "edit",
    [
        "stem.0.conv=16", "stem.0.conv=[16, 3]", "head.0=3", ".=3", "stem=relu", "stem.1=nrom", "training.stop=5",
        "training.loss=cross_entropy", "unit=basik", "name=a b", "input=[8, 8]", "templates.units.u.layers.0=relu",
    ],
)  # fmt: skip
def test_the_edit_is_shown(edit: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(path, edit)
    assert {one.span.file for one in caught.value.diagnostics if one.span} == {"--set"}


def test_what_was_wrong_before_keeps_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{OWN}heads: []\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(path, "stem.0.conv=16")
    assert [one.span and (one.span.file, one.span.line) for one in caught.value.diagnostics] == [
        ("--set", 1), (str(path), 7),
    ]  # fmt: skip


WITHIN = {"conv": "defaults.conv"} | {key: f"training.{key}" for key in ("data", "stop", "augment", "testing", "keep")}
"""Where the keys stand whose right form a golden message shows, if not at the top."""


def test_the_right_forms_that_are_shown_are_right() -> None:
    shown = (GOLDEN / "errors" / "wrong_forms.txt").read_text(encoding="utf-8")
    forms = re.findall(r"hint: such as (\w+): (.+)", shown)
    assert len(forms) > 8
    for key, form in forms:
        load("quickstart", f"{WITHIN.get(key, key)}={form}")
