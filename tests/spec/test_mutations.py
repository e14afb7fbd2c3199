"""A spec that was good and is now damaged gives a message or a network, never a traceback."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.expansion.expansion import expand, with_others
from archbuilder.spec import load_text
from archbuilder.spec.document import dump, parse, walk

BUNDLED = ("resnet20_v1", "resnet20_v2", "he2015/resnet20")
PARTS = Path(__file__).parent.parent / "expansion" / "specs"
TEXTS = {name: archbuilder.load(name).dump() for name in BUNDLED} | {
    path.stem: path.read_text(encoding="utf-8") for path in sorted(PARTS.glob("*.yaml"))
}
SPECS = tuple(TEXTS)
TREES: dict[str, Any] = {name: parse(text, name).data for name, text in TEXTS.items()}
PIECES = (
    "{", "}", "[", "]", ":", "- ", "\n", "\t", "'", '"', "#", "$", "${", "&a", "*a", "!!x", "0", "-1", "1e999", ".nan",
    "~", "99999999999", "conv", "basic", "none", "stride", "point", "from", "each", "$unit",
    "/", "\u2028", "\x00", "é",
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.sampled_from([
    None, True, 0, -1, 2**40, 1.5, float("inf"), "", "text", "$channels", "${", "${1//0}", "${filters}", [], {}, [[]],
    {"conv": {}}, {"basic": None}, "basic", "none", {"if": 1}, [1, 2], {"a": "b", "c": "d"}, {1: 2},
    "$unit", "${0.1 / 3}", "${max(1, 2)}", "${height}", "$tail", {"each": [1, 2, 3]}, {"each": 1}, {"point": "here"}, {"from": "here"},
    {"from": "input", "layers": ["relu"]}, {"from": "stage1"}, {"point": "$keep"}, ["relu", "norm"], "here", "early", "stage1",
    {"squeeze": {"activation": ["relu"]}}, {"default": ["relu"], "keeps": "shape"}, [{"basic": {"filters": 8, "norm": []}}],
])  # fmt: skip
RELAXED = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def try_it(text: str) -> None:
    try:
        expand(load_text(text, "damaged.yaml"))
    except SpecError as error:
        for diagnostic in with_others(error).diagnostics:
            assert diagnostic.message
            assert "Traceback" not in str(diagnostic)
            assert diagnostic.code in ("too-large", "bad-character") or diagnostic.span is not None


@RELAXED
@given(st.sampled_from(SPECS), st.data())
def test_damaged_text(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 1, 3, 30]))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[start + length :]
    try_it(text)


@RELAXED
@given(st.sampled_from(SPECS), st.data())
def test_damaged_values(name: str, data: st.DataObject) -> None:
    tree = deepcopy(TREES[name])
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from([path for path, _ in walk(tree) if path]))
        parent = tree
        for part in path[:-1]:
            parent = parent[part]
        if data.draw(st.booleans()):
            parent[path[-1]] = deepcopy(data.draw(VALUES))  # which a later change may be within
        else:
            del parent[path[-1]]
    try_it(dump(tree))


@RELAXED
@given(st.sampled_from(BUNDLED), st.text(alphabet="abcdefghijklmnopstu.0123456789=[]{}:, -$_", max_size=40))
def test_any_edit(name: str, edit: str) -> None:
    try:
        archbuilder.expand(archbuilder.load(name, [edit]))
    except SpecError as error:
        assert str(error)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"archbuilder: 1\nname: \xff\xfe\n")
    try:
        archbuilder.load(path)
    except SpecError as error:
        assert "line 2" in str(error)
    else:
        raise AssertionError("it was read")
