"""What notebooks show, and that no text of a stranger means anything there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import archbuilder
from archbuilder.notebook import html, preformatted, table

HOSTILE = "<script>alert(1)</script>&\x1b"
TEXT = f"""\
archbuilder: 1
name: hostile
summary: {HOSTILE.replace(chr(27), "")!r}
source: '<img src=x onerror=alert(1)>'
input: [8, 8, 3]
stem: [{{conv: {{filters: 4, kernel: 3}}}}, norm, relu]
"""


class Tags(HTMLParser):
    """The names of all elements, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(value: object) -> Tags:
    text = html(value)
    assert text is not None
    assert text == value._repr_html_()  # type: ignore[attr-defined]
    found = Tags(text)
    assert not found.open
    assert not {"script", "img"} & found.names
    return found


def test_a_spec_shows_its_picture_and_its_yaml() -> None:
    assert {"svg", "details", "pre"} <= shown(archbuilder.load_text(TEXT)).names


def test_a_spec_that_cannot_be_expanded_shows_why() -> None:
    found = html(archbuilder.load_text(TEXT + "head: [{max_pool: {size: 99, stride: 1}}]"))
    assert found is not None
    assert "does not fit" in found


def test_graphs_summaries_numbers_and_comparisons_show_themselves() -> None:
    spec = archbuilder.load_text(TEXT)
    assert {"svg", "table"} <= shown(archbuilder.expand(spec)).names
    assert "table" in shown(archbuilder.summary(spec)).names
    assert shown(archbuilder.numbers(spec)).names >= {"table", "pre"}
    assert shown(archbuilder.verify(spec, "resnet20_v1")).names == {"pre"}
    assert shown(archbuilder.diff(spec, "resnet20_v1")).names == {"pre"}
    assert {"table", "h4"} <= Tags(archbuilder.compare(spec, "resnet20_v1")._repr_html_()).names


def test_plain_text_is_one_line_and_print_is_a_screen() -> None:
    spec = archbuilder.load("resnet20_v1")
    values = (spec, archbuilder.expand(spec), archbuilder.summary(spec), archbuilder.numbers(spec))
    assert all(re.fullmatch(r"<\w+ 'resnet20_v1'.{0,80}>", repr(value)) for value in values)
    assert len(str(values[2]).splitlines()) < 24
    assert len(str(values[3]).splitlines()) < 32


def test_draw_without_a_path_is_a_picture(tmp_path: Path) -> None:
    picture = archbuilder.draw("resnet20_v1")
    assert picture._repr_svg_().startswith("<svg")
    assert repr(picture) == "<Picture of 'resnet20_v1'>"
    assert picture.save(str(tmp_path / "x.dot")).read_text().startswith("digraph")


def test_what_is_not_known_shows_nothing() -> None:
    assert html(5) is None


@pytest.mark.parametrize("text", [preformatted(HOSTILE), table([(HOSTILE,), (HOSTILE,)])])
def test_text_is_escaped(text: str) -> None:
    assert Tags(text).names <= {"pre", "table", "tr", "th", "td"}
    assert "\x1b" not in text
