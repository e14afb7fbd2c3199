"""What Keras layers become, and which are refused, each by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archbuilder
from archbuilder.errors import MissingError, UsageError
from archbuilder.importing.importing import Imported, import_file
from tests.conftest import Call
from tests.importing.keras_models import conv, functional, image, layer, norm, saved, tensor


def imported(folder: Path, layers: list[dict[str, Any]], output: str) -> Imported:
    return import_file(saved(functional(layers, output), folder / "mine.keras"))


def written(layers: str) -> archbuilder.Spec:
    return archbuilder.load_text(f"archbuilder: 1\nname: same\ninput: [16, 16, 3]\nstem: {layers}\n")


FLAT = {"data_format": "channels_last", "keepdims": False}
CASES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a separable convolution is two": (
        [layer("SeparableConv2D", "x", "image", filters=8, kernel_size=[3, 3], strides=[1, 1], padding="same",
               dilation_rate=[1, 1], depth_multiplier=1, use_bias=False, activation="relu")],
        "[conv: {filters: 3, kernel: 3, groups: 3}, conv: {filters: 8, kernel: 1}, relu]",
    ),
    "a sum of x times its own sigmoid": (
        [conv("a", "image", 8), layer("Activation", "s", "a", activation="sigmoid"), layer("Multiply", "x", "a", "s")],
        "[conv: {filters: 8, kernel: 3}, silu]",
    ),
    "weights of channels by convolutions of one place": (
        [conv("a", "image", 8), layer("GlobalAveragePooling2D", "p", "a", keepdims=True),
         conv("d", "p", 2, 1, use_bias=True, activation="relu"), conv("e", "d", 8, 1, use_bias=True),
         layer("Activation", "s", "e", activation="sigmoid"), layer("Multiply", "x", "a", "s")],
        "[conv: {filters: 8, kernel: 3}, squeeze_excitation: {ratio: 4}]",
    ),
    "rows and columns of zeros before a convolution": (
        [layer("ZeroPadding2D", "p", "image", padding=[[0, 1], [0, 1]]),
         conv("x", "p", 8, stride=2, padding="valid")],
        "[conv: {filters: 8, kernel: 3, stride: 2}]",
    ),
    "a scale that is learned": (
        [conv("a", "image", 8), layer("LayerScale", "x", "a", init_values=1e-6, projection_dim=8)],
        "[conv: {filters: 8, kernel: 3}, scale: {factor: 1.0e-6, learned: channel}]",
    ),
    "images that are resized within the network": (
        [conv("a", "image", 8), layer("Resizing", "x", "a", height=32, width=48, interpolation="bilinear")],
        "[conv: {filters: 8, kernel: 3}, upsample: {factor: [2, 3], method: bilinear}]",
    ),
    "the end of paths within each other": (
        [conv("a", "image", 8), conv("b", "a", 8), conv("c", "b", 8), layer("Add", "s", "c", "b"),
         layer("Add", "x", "s", "a")],
        "[conv: {filters: 8, kernel: 3}, add: {one: [conv: {filters: 8, kernel: 3},"
        " add: {two: [conv: {filters: 8, kernel: 3}], id: []}], id: []}]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_layers_become(case: str, tmp_path: Path) -> None:
    layers, same = CASES[case]
    found = imported(tmp_path, [image(), *layers], "x")
    assert archbuilder.verify(found.spec, written(same)).same, found.text


def nested(name: str, source: str, filters: int) -> dict[str, Any]:
    """A model within a model: two convolutions with norms."""
    inside = [layer("InputLayer", "in", batch_shape=[None, 16, 16, 8]), conv("c1", "in", filters), norm("n1", "c1"),
              layer("ReLU", "r", "n1"), conv("c2", "r", filters), norm("n2", "c2")]  # fmt: skip
    config = {"name": name, "layers": inside, "input_layers": [["in", 0, 0]], "output_layers": [["n2", 0, 0]]}
    calls = [{"args": [tensor(source)], "kwargs": {}}]
    return {"class_name": "Functional", "name": name, "config": config, "inbound_nodes": calls}


def test_models_within_models_and_names_of_a_users_own(tmp_path: Path) -> None:
    layers, before = [image(), conv("begin", "image", 8), norm("a", "begin"), layer("ReLU", "0", "a")], "0"
    for number in range(1, 5):
        layers += [nested(f"Block {number}", before, 8), layer("Add", f"+{number}", f"Block {number}", before),
                   layer("ReLU", str(number), f"+{number}")]  # fmt: skip
        before = str(number)
    found = imported(tmp_path, layers, before)
    assert [stage.units for stage in found.spec.network.stages] == [4]
    assert found.spec.network.unit is not None
    assert found.spec.network.unit.name == "basic"


def test_images_that_are_resized_before_the_network(tmp_path: Path) -> None:
    layers = [layer("InputLayer", "photo", batch_shape=[None, 40, 50, 3]),
              layer("Rescaling", "r", "photo", scale=0.5, offset=0.0), layer("Resizing", "s", "r", height=16, width=16),
              conv("x", "s", 8)]  # fmt: skip
    found = imported(tmp_path, layers, "x")
    assert archbuilder.verify(found.spec, written("[conv: {filters: 8, kernel: 3}]")).same
    assert found.notes == (
        "images are to arrive in the size 16x16: the file itself resized them (bilinear)",
        "images are to arrive normalised: the file itself did that to pixels, by 0.5 * pixel",
    )


def test_outputs_keep_the_names_of_the_file(tmp_path: Path) -> None:
    layers = [image(), conv("a", "image", 8), conv("b", "a", 8), layer("Flatten", "f", "b"),
              layer("Dense", "box (x)", "f", units=4, use_bias=True), layer("Dense", "1", "f", units=2, use_bias=True)]  # fmt: skip
    model = functional(layers, "1")
    model["config"]["output_layers"] = [["box (x)", 0, 0], ["1", 0, 0]]
    found = import_file(saved(model, tmp_path / "mine.keras"))
    box, label = found.spec.network.outputs
    assert box == "box_x"
    assert found.notes == (f"of its outputs, 'box (x)' is box_x, '1' is {label}",)
    model["config"]["output_layers"] = {"label": ["1", 0, 0], "input": ["b", 0, 0]}
    found = import_file(saved(model, tmp_path / "mine.keras"))
    label, features = found.spec.network.outputs
    assert (label, features) == ("label", "tap1")
    assert found.notes == ("of its outputs, 'input' is tap1",)


def test_a_sequential_model(tmp_path: Path) -> None:
    layers = [image(), conv("a", "image", 8), layer("Flatten", "f", "a"),
              layer("Dense", "d", "f", units=4, use_bias=True, activation="softmax")]  # fmt: skip
    bare = [{key: one[key] for key in ("class_name", "config")} for one in layers]
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": bare}}
    found = import_file(saved(model, tmp_path / "mine.keras"))
    assert archbuilder.verify(
        found.spec, written("[conv: {filters: 8, kernel: 3}, flatten, dense: {units: 4}, softmax]")
    ).same


def used_twice(name: str, *sources: str) -> dict[str, Any]:
    one = conv(name, sources[0], 3)
    return {**one, "inbound_nodes": [{"args": [tensor(source)], "kwargs": {}} for source in sources]}


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([image(), layer("Lambda", "trick", "image")], "its layer 'trick' (Lambda): this kind of layer is not read"),
        ([image(), layer("InputLayer", "more", batch_shape=[None, 4]), layer("Add", "x", "image", "more")],
         "it has several inputs, and networks of one are read: image, more"),
        ([image(), layer("ELU", "x", "image", alpha=0.5)], "its layer 'x' (ELU): it comes to another number than -1"),
        ([image(), layer("SpatialDropout2D", "x", "image", rate=0.1)], "its layer 'x' (SpatialDropout2D): it drops whole"),
        ([image(), layer("Lambda", "x" * 9_000, "image")], "x..."),
        ([image(), conv("a", "image", 3), used_twice("x", "image", "a")], "its layer 'x' is used 2 times"),
        ([layer("InputLayer", "image", batch_shape=[None, None, None, 3]), conv("x", "image", 3)], "say which by --size"),
        ([image(), layer("Rescaling", "r", "image", scale=2.0, offset=1.0), conv("a", "r", 3),
          layer("Rescaling", "b", "a", scale=2.0, offset=1.0), conv("x", "b", 3)],
         "its layer 'x' (Conv2D): something stands before it that the language has no word for"),
        ([image(), conv("a", "image", 3), layer("Resizing", "x", "a", height=24, width=16)],
         "its layer 'x' (Resizing): it makes images larger by no whole number"),
        ([image(), layer("Resizing", "r", "image", height=8, width=8), conv("a", "r", 3), conv("b", "image", 3, stride=2),
          layer("Add", "x", "a", "b")], "it goes on from images that it resized, and from those that arrive"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(layers: list[dict[str, Any]], told: str, tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        imported(tmp_path, layers, layers[-1]["name"])
    assert told in str(caught.value)


def test_a_layer_within_a_model_is_named_by_its_path(tmp_path: Path) -> None:
    block = nested("Block 1", "begin", 8)
    block["config"]["layers"][3] = layer("Lambda", "r", "n1")
    with pytest.raises(MissingError, match=r"its layer 'Block 1/r' \(Lambda\)"):
        imported(tmp_path, [image(), conv("begin", "image", 8), block], "Block 1")


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    layers = [image(), layer("Rescaling", "r", "image", scale=1 / 127.5, offset=-1.0), conv("x", "r", 3)]
    found = imported(tmp_path, layers, "x")
    assert found.notes == ("images are to arrive as tf has them: the file itself did that to pixels",)
    assert found.spec.network.weights is not None
    assert found.spec.network.weights.preprocessing == "tf"


def test_on_the_command_line(tmp_path: Path, call: Call) -> None:
    path = saved(functional([image(), conv("x", "image", 3)], "x"), tmp_path / "a b$.keras")
    assert "name: a_b\n" in call("import", path).out
    spec = tmp_path / "mine.yaml"
    done = call("import", path, "-o", spec)
    assert done.code == 0
    assert "mine: 0 stages" in done.out
    assert call("validate", spec).code == 0
    assert "is there already: --force overwrites it" in call("import", path, "-o", spec).err
    assert call("import", path, "-o", spec, "--force").code == 0
    assert call("import", path, "-o", tmp_path / "mine.txt").code == 2
    assert call("import", path, "--size", "big").code == 2
    assert call("import", tmp_path / "mine.pt").code == 4
    assert '"units": []' in call("import", path, "--json").out
    assert "the file says that images are 16x16, whatever was asked for" in call("import", path, "--size", "9").err
    assert "keras.models.load_model" in call("import", tmp_path).err
    assert archbuilder.import_model(path).spec.name == "a_b"
    for size in ("64", 0, (64,), 2.5):
        with pytest.raises(UsageError, match="images have a size such as 224"):
            archbuilder.import_model(path, size=size)  # type: ignore[arg-type]
