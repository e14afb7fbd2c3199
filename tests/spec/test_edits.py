"""An edit that is wrong is shown as the edit, with an example of the right form."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbuilder
from archbuilder.errors import ArchbuilderError, MissingError, SpecError

WRONG = {
    "training.learning_rate=0.1": "such as {constant: {rate: 0.1}}",
    "training.learning_rate=0.25": "such as {constant: {rate: 0.25}}",
    "learning_rate=0.1": "it lives under `training`: training.learning_rate",
    "batch_size=64": "it lives under `training`: training.batch_size",
    "stages[0].units=9": "such as stages.0.units=9",
    "head[2].dense[units]=9": "such as head.2.dense",
    "stages.0.unit=9": "how many there are stands in `units: 9`",
    "input=[64,64]": "such as [64, 64, 3]",
    "input=64": "such as [32, 32, 3]",
    "head.1={dense: 10}": "such as dense: {units: 10}",
    "head.1={dropout: 0.5}": "such as dropout: {rate: 0.5}",
    "head.1={conv: 16}": "such as conv: {filters: 16, kernel: ...}",
    "head.1=Linear": "did you mean 'dense'?",
    "training.loss=mse": "losses: binary_cross_entropy, cross_entropy",
    "stem.0={conv: {filters: 16, kernel: 3x3}}": "[3, 3]",
    "stages.²=9": "no place in a list of 3",
    "stages.².units=9": "no place in a list of 3",
    "stages.-1.units=9": "no place in a list of 3",
    f"stages.{'1' * 5000}.units=9": "no place in a list of 3",
    "stages.0.filters=-16": "a positive integer",
    "stages.1.stride=0": "a positive integer",
    "stages.1.shortcut=identity": "stage 2, unit 1: residual",
    "shortcut=identity": "stage 3, unit 1: residual",
    "stages.0={units: 3": "a '}' is missing",
    "stages.1.units=3: 4": "--set",
    'name="\\UFFFFFFFF"': "escape",
    "stages.0.units=" + "9" * 5000: "more than 18 digits",
    "name=a b": "letters from a to z, digits",
    "name=": "text is expected, not nothing",
    "stages.0.units=0": "at least 1",
    "input.0=20000": "at most 16384",
}


@pytest.mark.parametrize("edit", WRONG)
def test_it_is_shown_with_what_is_right(edit: str) -> None:
    with pytest.raises(SpecError) as caught:
        archbuilder.expand(archbuilder.load("resnet20_v1", [edit]))
    assert WRONG[edit] in str(caught.value)
    for diagnostic in caught.value.diagnostics:
        assert diagnostic.span is not None
        assert (diagnostic.span.file, diagnostic.span.text) == ("--set", edit)


@pytest.mark.parametrize(
    ("before", "edit"),
    [
        ("stages.0.after=[conv: {filters: 8, kernel: 3}]", "stages.0.after.0.conv.bias=true"),
        ("shortcut=[max_pool: {size: 1, stride: 1}]", "shortcut.0.max_pool.padding=valid"),
        ("stages.0.first={shortcut: [conv: {filters: 16, kernel: 1}]}", "stages.0.first.shortcut.0.conv.bias=true"),
        ("stem=[conv: {filters: 16, kernel: 3}]", "stem.0.conv.bias=true"),
    ],
)
def test_the_other_settings_of_a_layer_stay(before: str, edit: str) -> None:
    path, _, value = edit.rpartition(".")
    settings = archbuilder.load("resnet20_v1", [before, edit]).document.get(
        tuple(int(part) if part.isdigit() else part for part in path.split("."))
    )
    assert len(settings) == 3
    assert value.partition("=")[0] in settings


def test_several_edits_are_shown_together() -> None:
    with pytest.raises(SpecError) as caught:
        archbuilder.expand(archbuilder.load("resnet20_v1", ["shortcut=identity", "stages.0.units=2"]))
    assert all(one.span and one.span.text == "shortcut=identity stages.0.units=2" for one in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("resnet20", ["resnet20_v1", "resnet20_fast", "he2015/resnet20"]), ("resnet02", ["resnet20_v1"]),
        ("RESNET20_V1", ["resnet20_v1"]), ("Resnet56", ["resnet56_v2", "he2015/resnet56"]),
        ("resnet20_v1.yaml", ["the bundled spec 'resnet20_v1'"]), ("resnet18", ["torchvision/resnet18"]),
        ("he2015/resnet20.yml", ["the bundled spec 'he2015/resnet20'"]), ("resnet20-v1", ["resnet20_v1"]),
        ("resnet-50", ["he2015/resnet50", "torchvision/resnet50"]), ("vgg", ["related/vgg16", "related/vgg19"]),
        ("there/specs/he2015/resnet20.yaml", ["the bundled spec 'he2015/resnet20'"]),
    ],
)  # fmt: skip
def test_names_of_specs_are_suggested(name: str, meant: list[str]) -> None:
    with pytest.raises(MissingError) as caught:
        archbuilder.load(name)
    for one in meant:
        assert one in str(caught.value)


def test_files_beside_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").touch()
    (tmp_path / "mine.yaml").write_text("archbuilder: 1\nname: mine\nextends: bsae.yaml\n")
    for wrong, meant in (("mnie.yaml", tmp_path / "mine.yaml"), ("mine.yaml", "base.yaml")):
        with pytest.raises(ArchbuilderError, match=f"did you mean '{meant}'"):
            archbuilder.load(tmp_path / wrong)


@pytest.mark.parametrize(
    "edit", [f"{'a.' * 5_000}b=1", f"stages.{'0.' * 3_000}units=1", f"stem={'[' * 5_000}"], ids=range(3)
)
def test_edits_that_go_too_deep(edit: str) -> None:
    with pytest.raises(SpecError, match="more than 60 levels deep"):
        archbuilder.load("quickstart", edit)
