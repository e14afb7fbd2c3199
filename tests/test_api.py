"""The verbs in Python."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import archbuilder
from archbuilder.spec.edits import Edits, as_texts


def test_exported_names_are_there_and_documented() -> None:
    for name in archbuilder.__all__:
        assert getattr(archbuilder, name).__doc__, name


def test_public_names_are_listed_and_no_others_are_there() -> None:
    assert set(archbuilder.__all__) <= set(dir(archbuilder))
    assert archbuilder.__all__ == sorted(archbuilder.__all__)
    assert archbuilder.load is archbuilder.load
    with pytest.raises(AttributeError, match="module 'archbuilder' has no attribute 'laod'"):
        getattr(archbuilder, "laod")  # noqa: B009 (the type checker knows that it is not there)


def test_type_checkers_see_the_same_public_names() -> None:
    tree = ast.parse(Path(archbuilder.__file__).read_text(encoding="utf-8"))
    [branch] = [one for one in tree.body if isinstance(one, ast.If)]
    imported = [
        (one.module, alias.name) for one in branch.body if isinstance(one, ast.ImportFrom) for alias in one.names
    ]
    assert sorted(name for _, name in imported) == archbuilder.__all__
    for module, name in imported:
        assert getattr(import_module(str(module)), name) is getattr(archbuilder, name)


def test_no_function_hides_a_module() -> None:
    """`import archbuilder.graph.ops as ops` raised ImportError while there was a function `archbuilder.graph`."""
    import archbuilder.graph.ops as ops

    assert ops is import_module("archbuilder.graph.ops")
    assert not [name for name in archbuilder.__all__ if find_spec(f"archbuilder.{name}")]


def test_a_spec_by_name_by_path_and_loaded(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("archbuilder: 1\nextends: resnet20_v1\nname: mine\n")
    spec = archbuilder.load("resnet20_v1")
    counts = [archbuilder.summary(one).costs.total for one in ("resnet20_v1", file, str(file), spec)]
    assert counts == [274_442] * 4


def test_edits_apply_where_a_spec_is_loaded() -> None:
    assert archbuilder.summary("resnet20_v1", ["shortcut=none"]).costs.trainable == 270_410
    with pytest.raises(TypeError, match="edits apply"):
        archbuilder.summary(archbuilder.load("resnet20_v1"), ["shortcut=none"])


def test_draw(tmp_path: Path) -> None:
    path = archbuilder.draw("plain20_v1", tmp_path / "x.svg", level="unit")
    assert "<svg" in path.read_text(encoding="utf-8")


@pytest.mark.keras
def test_build_is_repeatable_by_its_seed() -> None:
    import numpy as np

    first, second, other = (archbuilder.build("quickstart", seed=seed) for seed in (1, 1, 2))
    kernels = [model.get_layer("stem.conv1").get_weights()[0] for model in (first, second, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


@pytest.mark.keras
def test_train(tmp_path: Path) -> None:
    run = archbuilder.train("quickstart", ["training.precision=float32"], out=tmp_path / "run", epochs=1)
    assert run.metrics()[0]["epoch"] == 1
    assert run.result is not None
    assert run.model("best").count_params() == 78_426


DEEP = """
archbuilder: 1
name: deep
input: [2, 2, 1]
templates:
  units:
    unit:
      parameters: {}
      layers:
        - add:
            residual: [{scale: {factor: 0.1}}, relu, relu, relu, relu, relu, relu, relu, relu, relu]
            shortcut: []
unit: unit
stages: [{units: 110}]
"""


@pytest.mark.keras
def test_keras_loads_a_deep_model_as_it_is(tmp_path: Path) -> None:
    """It recurses along the first input of each sum: 1,100 layers are more than Python allows, 110 sums are not."""
    import keras

    model = archbuilder.build(archbuilder.load_text(DEEP))
    model.save(tmp_path / "deep.keras")
    loaded = keras.models.load_model(tmp_path / "deep.keras")
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    "edits",
    [
        "stages.0.units=9",
        ["stages.0.units=9"],
        ("stages.0.units=9",),
        {"stages.0.units": 9},
        {"stages.0": {"units": 9, "filters": 16}},
    ],
)
def test_edits_in_each_form(edits: Edits) -> None:
    assert archbuilder.load("resnet20_v1", edits).network.stages[0].units == 9
    assert archbuilder.expand("resnet20_v1", edits).name == "resnet20_v1"


@pytest.mark.parametrize(
    ("value", "there"),
    [("zero_pad", '"zero_pad"'), (1e-4, "0.0001"), (None, "null"), ((3, 3), "[3, 3]"), (np.int64(9), "9"), ("né", '"né"'),
     (Path("here"), '"here"'), (True, "true")],
)  # fmt: skip
def test_values_of_edits(value: object, there: str) -> None:
    assert as_texts({"key": value}) == [f"key={there}"]


def test_a_mistake_in_an_edit_is_shown_in_the_edit() -> None:
    with pytest.raises(archbuilder.SpecError, match=r"stages\.0\.units"):
        archbuilder.load("resnet20_v1", {"stages.0.units": "many"})


def test_the_version_is_that_of_the_package() -> None:
    assert archbuilder.__version__ == version("archbuilder")
