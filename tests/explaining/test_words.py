"""Everything that can be explained: its example is right, its settings are described, and units have a picture."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import archbuilder
from archbuilder.cli import cli
from archbuilder.errors import MissingError
from archbuilder.expansion.expansion import expand
from archbuilder.explaining.explanation import Explanation, render
from archbuilder.explaining.picture import picture
from archbuilder.explaining.words import explain, names, overview, words_of
from archbuilder.spec import load_text
from archbuilder.spec.document import parse
from archbuilder.spec.layers import KEYS, MERGES
from archbuilder.spec.op_layers import OP_NAMES
from tests.conftest import Call

BASE = "archbuilder: 1\nextends: {}\nname: mine\n"
FOUND = [(name, found) for name in names() for found in explain(name)]
OF_MANY = re.compile(r"training\.learning_rate\.(?!steps)\w+\.(warmup|plateau)\..*")
"""Keys that all learning rates have: those of one of them are tried."""
EXPANDED = ("a unit", "a shortcut", "a layer", "a merge", "a word of the language")


def with_example(found: Explanation) -> str:
    """A spec with the example in it; keys that the base says as well are said once."""
    keys = parse(found.example, "example").data
    assert isinstance(keys, dict)
    base = BASE.format("he2015/resnet20_b" if found.what in EXPANDED else "resnet20_v1")
    lines = [line for line in base.splitlines() if line.partition(":")[0] not in keys]
    return "\n".join([*lines, found.example])


TRIED = [pytest.param(name, one, id=f"{name}: {one.what[:20]}") for name, one in FOUND if not OF_MANY.fullmatch(name)]


@pytest.mark.parametrize(("name", "found"), TRIED)
def test_the_example_can_stand_in_a_spec(name: str, found: Explanation) -> None:
    if name.startswith("templates"):
        return  # a template is its own example
    spec = load_text(with_example(found))
    if found.what in EXPANDED:
        assert expand(spec).nodes


def test_every_layer_and_word_of_the_language_is_explained() -> None:
    assert {*OP_NAMES, *MERGES, *KEYS} <= set(names())


def test_all_settings_are_described() -> None:
    bare = [
        f"{name}: {one.name}"
        for name, found in FOUND
        if not found.plural
        for one in found.settings
        if not one.description
    ]
    assert not bare
    assert all(found.summary for _, found in FOUND)


@pytest.mark.parametrize("group", ["units", "shortcuts"])
def test_units_and_shortcuts_have_a_picture(group: str) -> None:
    for found in words_of(group):
        assert len(picture(found).nodes) > 1, found.name
        assert f"summary: {found.summary}" in render(found)


def test_what_it_prints(call: Call, tmp_path: Path) -> None:
    done = call("explain", "bottleneck", "-o", tmp_path / "unit.svg")
    assert done.out.startswith("bottleneck: a unit\n\n1x1 reduce, 3x3, 1x1 expand")
    assert "  stride_on   reduce      one of reduce, spatial" in done.out
    assert "# channels inside the bottleneck" in done.out
    assert (tmp_path / "unit.svg").read_text().startswith("<?xml")
    assert call("explain").out == overview() + "\n"
    [data] = json.loads(call("explain", "training.batch_size", "--json").out)
    assert (data["what"], data["example"]) == ("a key of a spec, by default 128", "training: {batch_size: 128}\n")


def test_names_may_be_short_numbered_or_spelt_otherwise() -> None:
    assert explain("batch_size") == explain("training.batch_size")
    assert explain("stages.0.units") == explain("stages.units")
    assert [one.name for one in explain("stop")] == ["stop", "training.stop"]
    assert explain("Pad-Crop") == archbuilder.explain("pad_crop")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bottelneck", "did you mean 'bottleneck'?"),
        ("lr", "it is called training.learning_rate"),
        ("resnet20_v1", "`archbuilder show resnet20_v1`"),
        ("initial", "there are several"),
        ("batchsize", "did you mean 'training.batch_size'"),
        ("\x1b[2J", "`archbuilder explain` lists all words"),
    ],
)  # fmt: skip
def test_what_is_not_known(name: str, hint: str, call: Call) -> None:
    with pytest.raises(MissingError, match="there is nothing called") as caught:
        explain(name)
    assert hint in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_mistakes(call: Call, tmp_path: Path) -> None:
    assert call("explain", "nothing_like_it").code == 4
    done = call("explain", "conv", "-o", tmp_path / "x.svg")
    assert (done.code, "only units and shortcuts have a picture" in done.err) == (2, True)


def test_completion() -> None:
    words = {"_ARCHBUILDER_COMPLETE": "bash_complete", "COMP_WORDS": "archbuilder explain bott", "COMP_CWORD": "2"}
    done = CliRunner().invoke(cli, [], env=words, prog_name="archbuilder")
    assert done.output.strip() == "plain,bottleneck"


def test_list_of_a_pattern(call: Call) -> None:
    found = json.loads(call("list", "he2015/resnet20*", "--json").out)
    assert [one["name"] for one in found] == ["he2015/resnet20_b", "he2015/resnet20_c", "he2015/resnet20"]
    assert {one["name"] for one in json.loads(call("list", "Wide", "--json").out)} >= {"related/wide_resnet28_10"}
    assert call("list", "nothing_like_it").code == 1


@pytest.mark.parametrize(
    ("option", "word"), [("--units", "basic"), ("--shortcuts", "zero_pad"), ("--ops", "channel_conv")]
)
def test_lists_of_words(call: Call, option: str, word: str) -> None:
    lines = call("list", option).out.splitlines()
    assert word in [line.split()[0] for line in lines]
    some = call("list", option, word[:4]).out.splitlines()
    assert [line.split()[0] for line in some] == [line.split()[0] for line in lines if word[:4] in line.lower()]
