"""What stands under examples/ builds, reports, draws and trains."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import archbuilder
from archbuilder.graph import ops
from tests.conftest import Call
from tests.grouped import require_grouped_gradients

FOLDER = Path(__file__).parent.parent / "examples"
FILES = sorted(file for file in FOLDER.rglob("*.yaml") if "acme_specs" not in file.parts)
EXAMPLES = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(FOLDER).as_posix())
OWN_UNITS = pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
SHORT = [
    "training.data={source: digits, validation: {holdout: 0.1}}",
    "training.batch_size=16",
    "training.stop={iterations: 3}",
    "training.learning_rate={constant: {rate: 0.01}}",
]
"""A few iterations on digits, which are enlarged to whatever a network takes."""
SMALL = ["input=[64, 64, 3]", *(f"stages.{stage}.units={units}" for stage, units in enumerate((1, 2, 1, 1)))]


def test_examples_are_found() -> None:
    assert len(FILES) >= 2


@EXAMPLES
def test_report_and_picture(file: Path, tmp_path: Path) -> None:
    summary = archbuilder.summary(file)
    assert summary.costs.trainable == archbuilder.expand(file).trainable > 0
    if file.parent.name != "maps":
        assert summary.stages[-1].output_shape == (10,)
    assert "<svg" in archbuilder.draw(file, tmp_path / "x.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "unit", "parameters"),
    [
        # 1x1, 3x3 in 8 groups, 1x1, each with the scale and shift of its norm; two dense layers; the projection.
        ("squeeze_bottleneck", "stage3/unit1", (64 * 64 + 128) + (9 * 8 * 64 + 128) + (64 * 128 + 256)
         + (128 * 16 + 16) + (16 * 128 + 128) + (64 * 128 + 256)),
        # 1x1 to six times 32, depthwise 3x3, 1x1 back.
        ("inverted_residual", "stage3/unit2", (32 * 192 + 384) + (9 * 192 + 384) + (192 * 32 + 64)),
    ],
)  # fmt: skip
def test_parameters_of_a_unit_by_hand(file: str, unit: str, parameters: int) -> None:
    graph = archbuilder.expand(FOLDER / f"{file}.yaml")
    assert sum(node.trainable for node in graph.nodes if node.name.startswith(f"{unit}/")) == parameters


def test_a_shortcut_only_where_the_shape_stays() -> None:
    names = {node.name for node in archbuilder.expand(FOLDER / "inverted_residual.yaml").nodes}
    added = {name for name in names if name.endswith("/add1")}
    assert added == {"stage2/unit2/add1", "stage3/unit2/add1", "stage3/unit3/add1"}
    assert not any("shortcut" in name for name in names)


def test_words_of_grouped_and_depthwise_convolutions() -> None:
    def words(file: str, name: str) -> str:
        units = [unit for stage in archbuilder.summary(FOLDER / file).stages for unit in stage.units]
        return next(layer.words for unit in units for layer in unit.layers if layer.name == name)

    assert words("squeeze_bottleneck.yaml", "stage2/unit1/residual/conv2") == "3x3 conv, 32, /2, 8 groups"
    assert words("inverted_residual.yaml", "stage2/unit1/residual/conv2") == "depthwise 3x3 conv, 48, /2"


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("plain20", "plain20_v1"), ("plain56", "plain56_v1"),
        ("resnet20", "he2015/resnet20"), ("resnet56", "he2015/resnet56"),
    ],
)  # fmt: skip
def test_degradation_differs_in_depth_and_shortcuts_only(name: str, published: str) -> None:
    file = FOLDER / "degradation" / f"{name}.yaml"
    spec = archbuilder.load(file)
    assert spec.training == archbuilder.load(FOLDER / "degradation" / "resnet20.yaml").training
    assert archbuilder.summary(file).depth == archbuilder.summary(published).depth
    assert any(isinstance(node.op, ops.Add) for node in archbuilder.expand(file).nodes) == name.startswith("resnet")


def test_degradation_as_it_was_measured() -> None:
    with (FOLDER / "degradation" / "degradation.csv").open(newline="", encoding="utf-8") as file:
        last = {row["network"]: row for row in csv.DictReader(file)}
    page = (FOLDER / "degradation" / "README.md").read_text(encoding="utf-8")
    for name, row in last.items():
        assert f"| {name} | {float(row['training_error']):.2f} % | {float(row['validation_error']):.2f} % |" in page
    for column in ("training_error", "validation_error"):
        errors = {name: float(row[column]) for name, row in last.items()}
        assert errors["resnet56"] < errors["resnet20"] < errors["plain20"] < errors["plain56"]


@pytest.mark.parametrize(
    ("name", "parameters", "outputs", "verdict", "code", "named"),
    [
        # ResNet-34 without its dense layer, less 513 * 1000; then four residual units behind concatenations.
        ("unet", 24_698_421, [(128, 128, 21)], 1, "classes-differ", ("head/softmax1", "128x128x21")),
        # ResNet-50 without its dense layer; four 1x1 to 256 with bias, four 3x3 with bias.
        ("feature_pyramid", 23_508_032 + sum(256 * c + 256 for c in (256, 512, 1024, 2048)) + 4 * (9 * 256 * 256 + 256),
         [(56, 56, 256), (28, 28, 256), (14, 14, 256), (7, 7, 256)], 0, "many-outputs", ("head/conv2 (7x7x256)", "56x56x256")),
    ],
)  # fmt: skip
def test_networks_of_maps(
    name: str,
    parameters: int,
    outputs: list[tuple[int, ...]],
    verdict: int,
    code: str,
    named: tuple[str, ...],
    call: Call,
) -> None:
    file = FOLDER / "maps" / f"{name}.yaml"
    graph = archbuilder.expand(file)
    assert (graph.trainable, [graph[output].shape for output in graph.outputs]) == (parameters, outputs)
    assert call("verify", file).code == verdict  # the pyramid is the bundled one
    refused = call("train", file)
    assert refused.code == 3
    assert f"error[{code}]" in refused.err
    assert all(word in refused.err for word in named)


@pytest.mark.keras
@pytest.mark.parametrize("name", ["unet", "feature_pyramid"])
def test_networks_of_maps_are_saved_and_loaded(name: str, call: Call, tmp_path: Path) -> None:
    import keras
    import numpy as np

    file, saved = FOLDER / "maps" / f"{name}.yaml", tmp_path / "x.keras"
    edits = [part for edit in SMALL for part in ("--set", edit)]
    assert call("build", file, *edits, "--check", "-o", saved).code == 0
    model, again = keras.models.load_model(saved), keras.models.load_model(saved)
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    graph = archbuilder.expand(file, SMALL)
    shapes = [graph[output].shape for output in graph.outputs]
    for one, other, shape in zip(*map(keras.tree.flatten, (model(image), again(image))), shapes, strict=True):
        assert one.shape == (1, *shape)
        np.testing.assert_array_equal(one, other)


@pytest.mark.keras
@OWN_UNITS
def test_keras_agrees(file: Path) -> None:
    from archbuilder.keras_model.check import differences

    graph = archbuilder.expand(file)
    assert differences(graph, archbuilder.build(file)) == []


@pytest.mark.keras
@OWN_UNITS
def test_trains(file: Path, tmp_path: Path) -> None:
    if file.stem == "squeeze_bottleneck":
        require_grouped_gradients()
    run = archbuilder.train(file, SHORT, out=tmp_path / "run")
    assert run.result is not None
    assert run.result["final"]["iteration"] == 3


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeeze_bottleneck", "inverted_residual"])
def test_learns(name: str, tmp_path: Path) -> None:
    """By its own recipe, shortened."""
    if name == "squeeze_bottleneck":
        require_grouped_gradients()
    run = archbuilder.train(FOLDER / f"{name}.yaml", out=tmp_path / "run", epochs=6)
    assert run.result is not None
    assert run.result["final"]["test_accuracy"] > 0.9
