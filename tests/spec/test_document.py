"""YAML as the language reads it."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archbuilder import bounds
from archbuilder.errors import SpecError
from archbuilder.spec import document
from archbuilder.spec.document import Data, dump, parse
from tests.conftest import GOLDEN

ROOT = Path(__file__).parents[2]
READER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("specs", "examples", "archbuilder/library")
    for path in (ROOT / folder).rglob("*.yaml")
)


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "{a: 1e-4, b: no, c: 0x1F, d: 0o17, e: ~, f: on, g: 12:30, h: true, i: 1_000, j: 2024-01-01}"
    assert parse(text, "x").data == {
        "a": 1e-4, "b": "no", "c": 31, "d": 15, "e": None, "f": "on", "g": "12:30", "h": True, "i": "1_000",
        "j": "2024-01-01",
    }  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=str)
def test_other_readers_read_what_we_read(file: Path) -> None:
    """YAML 1.1 takes keys such as `on` for true. It also takes `1e-4` for text, which is a number in YAML 1.2."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert _by_yaml_1_1(parse(text, str(file)).data) == _by_yaml_1_1(yaml.load(text, READER))


def _by_yaml_1_1(data: Data) -> object:
    """The data in a form in which 1 and true are different keys; text that is a number is that number."""
    match data:
        case dict():
            return [(type(key), key, _by_yaml_1_1(value)) for key, value in data.items()]
        case list():
            return [_by_yaml_1_1(value) for value in data]
        case str():
            return (float, float(data)) if re.fullmatch(r"\d+e-?\d+", data) else data
        case _:
            return (type(data), data)


def test_every_key_and_value_keeps_its_place() -> None:
    document = parse("stem:\n  - conv: {filters: 16}\n", "x.yaml")
    key, value = document.keys["stem", 0, "conv", "filters"], document.values["stem", 0, "conv", "filters"]
    assert (key.line, key.column, key.length) == (2, 12, 7)
    assert (value.line, value.column, value.length) == (2, 21, 2)
    assert document.span(("stem", 0, "conv", "kernel")) == document.values["stem", 0, "conv"]


def test_too_large_a_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(SpecError, match="more than 250,000 characters"):
        parse("#" * (bounds.CHARACTERS + 1), "x.yaml")


TEXTS = [path.read_text("utf-8") for path in (*map(ROOT.joinpath, FILES), *(GOLDEN / "errors").glob("*.yaml"))]
FORMS = [
    "a: b\n", "{a: 1, b: [1, 2]}\n", "- a\n- b: c\n  d: e\n", "a: 'x y'\nb: \"x\\ny\"\n", "a: |\n  x\n  y\n\nb: >-\n  z\n",
    "? a\n: b\n", "[a: b, {c}, ]\n", "# c\na: # d\n  - b #e\n", "a:\n- b\n-\n  - c\n", "--- \na: b\n...\n",
]  # fmt: skip
OTHERWISE = [
    "{a: 1?, b: [1, 2]}\n", "{\ta: 1}\n", "a\t~ \nb\n#", "- a\t\n", "\n\ufeffa: b\n", "[a]\n\ufeff", "a: b ", "a: \xa0", "a: |# d\n  x\n",
    "b: >-#\n  z\n", "{a: , b: 1}\n", "a:\n-  - ",
]  # fmt: skip
"""What libyaml and PyYAML read otherwise, or take for another place."""
PIECES = [
    *" \n\t:,-[]{}#&*!|>'\"%@?~\\.08ex=<\r\x85\u2028\ufeffé\U0001f600\xa0", "\n  ", "\n- ", ": ", "- ", "\\u00e9", "\\ud800", "''", "---\n",
    "\n...\n", "%YAML 1.2\n---\n", "\r\n", "|2-\n", "<<: ",
]  # fmt: skip


def test_libyaml_reads_the_same_as_pyyaml_wherever_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file, as it is and damaged; elsewhere, and where something is wrong, PyYAML reads."""
    random, asked = Random(1), 0
    forms = (random.choice(FORMS) for _ in range(600))
    parts = (
        text[start : start + 200]
        for text in random.choices(TEXTS, k=100)
        for start in [random.randrange(len(text) + 1)]
    )
    for text in (*TEXTS, *FORMS, *OTHERWISE, *(_damaged(text, random) for text in (*forms, *parts))):
        found = _read(text)
        with monkeypatch.context() as patch:
            patch.setattr(document, "_by_libyaml", lambda _: None)
            assert _read(text) == found, repr(text)
        asked += document._by_libyaml(text) is not None
    assert asked > 200 or not yaml.__with_libyaml__


def _damaged(text: str, random: Random) -> str:
    for _ in range(random.choice((1, 1, 2, 3))):
        start, length = random.randrange(len(text) + 1), random.choice((0, 0, 1, 3))
        text = text[:start] + random.choice((*PIECES, "")) + text[start + length :]
    return text


def _read(text: str) -> object:
    try:
        found = parse(text, "x")
    except SpecError as error:
        return error.diagnostics
    return repr(found.data), found.values, found.keys


SCALARS = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=20)
DATA = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(DATA)
def test_what_is_dumped_is_read_back(data: object) -> None:
    assert parse(dump({"data": data}), "x").data == {"data": data}


@given(st.text(max_size=80))
def test_no_text_gives_a_traceback(text: str) -> None:
    try:
        parse(text, "x.yaml")
    except SpecError as error:
        assert str(error)  # it can be shown
