"""Networks of Keras files become the specs that people wrote of them, whatever their layers are called."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import pytest

import archbuilder
from archbuilder.importing.importing import import_file
from archbuilder.importing.keras_file import read_keras_file
from archbuilder.importing.specs import spec_of
from archbuilder.importing.text import text_of
from archbuilder.importing.tidying import tidied
from archbuilder.outline.canonical import canonical
from tests.importing.keras_models import FILES, description, disguised, saved
from tests.test_docs import ROOT

THEIRS = {
    "resnet50": (23, [3, 4, 6, 3]),
    "resnet152": (23, [3, 8, 36, 3]),
    "resnet50v2": (46, [3, 4, 6, 3]),
    "vgg16": (24, [2, 2, 3, 3, 3]),
    "densenet121": (24, [6, 12, 24, 16]),
    "mobilenet_v2": (28, [1, 2, 3, 4, 3, 3, 1]),
    "mobilenet_v3_small": (49, [1, 2, 3, 2, 3]),
    "efficientnet_b0": (33, [1, 2, 2, 3, 3, 4, 1]),
    "convnext_tiny": (23, [3, 3, 9, 3]),
}
"""Networks of keras.applications: the lines of their specs at most, and the units of their stages."""
OURS = {
    "resnet20_v1": ("resnet20_v1", 21),
    "resnet20_v2": ("resnet20_v2", 21),
    "resnet110_shortcut_gating": ("he2016/resnet110_shortcut_gating", 33),
    "highway19": ("related/highway19", 36),
    "alexnet": ("related/alexnet", 32),
    "cbam_resnet50": ("related/cbam_resnet50", 22),
    "fpn_resnet50": ("related/fpn_resnet50", 52),
    "unet_resnet34": ("related/unet_resnet34", 46),
}
"""Bundled specs as Keras models: their names, and the lines of what is found."""


@pytest.mark.parametrize("name", THEIRS)
def test_networks_of_other_people(name: str) -> None:
    lines, units = THEIRS[name]
    found = import_file(FILES / f"{name}.keras", size=(224, 224))
    assert found.text.count("\n") <= lines, found.text
    assert [stage.units for stage in found.spec.network.stages] == units
    read = tidied(read_keras_file(FILES / f"{name}.keras", name, (224, 224)).graph)
    assert canonical(archbuilder.expand(found.spec)) == canonical(read)


@pytest.mark.parametrize("name", OURS)
def test_bundled_specs_come_back_whatever_their_layers_are_called(name: str, tmp_path: Path) -> None:
    bundled, lines = OURS[name]
    spec = archbuilder.load(bundled)
    path = saved(disguised(description(name), 1), tmp_path / "disguised.keras")
    found = import_file(path)
    assert archbuilder.verify(found.spec, spec).same
    assert [stage.units for stage in found.spec.network.stages] == [stage.units for stage in spec.network.stages]
    assert found.text.count("\n") <= lines, found.text


SMALL = {
    "a gate carries a shortcut": """
extends: he2016/resnet110_exclusive_gating
stages: [{units: 3, filters: 16}, {units: 3, filters: 32, stride: 2}]
""",
    "a unit of another kind begins each stage": """
extends: torchvision/shufflenet_v2_x1_0
input: [64, 64, 3]
stages: [{units: 3, filters: 116, first: {unit: down}}, {units: 4, filters: 232, first: {unit: down}}]
""",
    "two units of different sizes": """
input: [32, 32, 3]
unit: {inverted_residual: {kernel: 3}}
stages:
  - {units: 2, filters: {each: [8, 16]}, after: [max_pool: {size: 2, stride: 2}]}
  - {units: 2, filters: {each: [24, 40]}}
""",
}


@pytest.mark.parametrize("case", SMALL)
def test_stages_are_those_that_were_written(case: str) -> None:
    spec = archbuilder.load_text(f"archbuilder: 1\nname: small\n{SMALL[case]}")
    found = spec_of(tidied(archbuilder.expand(spec)), "found")
    assert archbuilder.verify(found, spec).same
    assert [stage.units for stage in found.network.stages] == [stage.units for stage in spec.network.stages]


def test_layers_that_come_again_and_again_get_a_name() -> None:
    paths = ", ".join(
        f"p{filters}: [{{conv: {{filters: {filters}, kernel: {kernel}}}}}, norm, relu]"
        for filters, kernel in enumerate([1, 3, 1, 5, 1, 3, 1, 1, 7], 4)
    )
    begin = "{conv: {filters: 9, kernel: 1, stride: 2}}, norm, relu"
    spec = archbuilder.load_text(
        f"archbuilder: 1\nname: small\ninput: [16, 16, 3]\nstem: [{begin}, concat: {{{paths}}}]\n"
    )
    found = spec_of(tidied(archbuilder.expand(spec)), "found")
    assert archbuilder.verify(found, spec).same
    named = found.document.data["templates"]["units"]["convolution"]
    assert named["parameters"] == {"filters": "required", "kernel": 1, "stride": 1}
    assert text_of(found.document.data).count("conv:") == 1


def test_a_spec_that_was_found_is_found_again(tmp_path: Path) -> None:
    first = import_file(FILES / "resnet50v2.keras")
    second = import_file(saved(disguised(description("resnet50v2"), 2), tmp_path / "resnet50v2.keras"))
    assert first.text == second.text


def test_what_is_written_is_what_a_person_would_write() -> None:
    assert import_file(FILES / "resnet50.keras").text == RESNET50


RESNET50 = """\
archbuilder: 1
name: resnet50
input: [224, 224, 3]
defaults:
  conv: {padding: symmetric, bias: true, initializer: glorot_uniform}
  norm: {momentum: 0.99, epsilon: 1.001e-05}
  dense: {initializer: glorot_uniform}
stem:
  - conv: {filters: 64, kernel: 7, stride: 2}
  - norm
  - relu
  - max_pool: {size: 3, stride: 2, padding: symmetric}
unit: bottleneck
shortcut: projection
stages:
  - {units: 3, filters: 64}
  - {units: 4, filters: 128, stride: 2}
  - {units: 6, filters: 256, stride: 2}
  - {units: 3, filters: 512, stride: 2}
head:
  - global_average_pool
  - dense: {units: 1000}
  - softmax
"""


def test_the_table_of_the_documentation_is_that_of_the_lines() -> None:
    made = run_path(str(ROOT / "benchmarks" / "imports.py"))["table"]()
    assert "\n".join(made) in (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
