"""Networks are read off .keras files: ours are the network that was saved, and what cannot be read is named."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import archbuilder
from archbuilder.errors import MissingError
from archbuilder.importing.keras_file import graph_of_keras_file
from tests.conftest import Call


def layer(kind: str, name: str, *sources: str, **config: Any) -> dict[str, Any]:
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}} for source in sources]
    calls = [{"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}] if tensors else []
    return {"class_name": kind, "name": name, "config": config, "inbound_nodes": calls}


CONV = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "dilation_rate": [1, 1], "groups": 1,
        "use_bias": True, "activation": "linear"}  # fmt: skip
LAYERS = [
    layer("InputLayer", "image", batch_shape=[None, 8, 8, 3]),
    layer("Conv2D", "conv", "image", filters=4, **CONV),
    layer("BatchNormalization", "norm", "conv", axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True),
    layer("ReLU", "relu", "norm", negative_slope=0.0, max_value=None, threshold=0.0),
    layer("Add", "sum", "relu", "conv"),
    layer("GlobalAveragePooling2D", "pool", "sum", keepdims=False),
    layer("Dense", "dense", "pool", units=10, use_bias=True, activation="softmax"),
]


def saved(folder: Path, layers: list[dict[str, Any]], kind: str = "Functional", output: str = "dense") -> Path:
    path = folder / "model.keras"
    model = {"class_name": kind, "config": {"name": "m", "layers": layers, "output_layers": [output, 0, 0]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(model))
    return path


SAME = """
archbuilder: 1
name: same
input: [8, 8, 3]
defaults: {conv: {bias: true}, norm: {momentum: 0.99, epsilon: 0.001}}
stem: [{conv: {filters: 4, kernel: 3}}, {add: {residual: [norm, relu], shortcut: []}}]
head: [global_average_pool, {dense: {units: 10}}, softmax]
"""


def test_a_file_of_somebody_else(tmp_path: Path, call: Call) -> None:
    path = saved(tmp_path, LAYERS)
    (tmp_path / "same.yaml").write_text(SAME)
    done = call("diff", path, tmp_path / "same.yaml")
    assert done.code == 0, done.out
    assert "are the same network: depth 2" in done.out
    found = archbuilder.diff(path, tmp_path / "same.yaml", {"head.1.dense.units": 5})
    assert [one.code for one in found.network] == ["dense-units"]
    assert str(path) in str(archbuilder.compare(path, "resnet20_v1"))
    assert call("diff", "resnet20_v1", path, "--set", "name=x").code == 2


def test_what_is_done_to_pixels_is_told_and_not_compared(tmp_path: Path, call: Call) -> None:
    scaled = [LAYERS[0], layer("Rescaling", "scaled", "image", scale=1 / 127.5, offset=-1.0),
              {**LAYERS[1], "inbound_nodes": layer("Conv2D", "conv", "scaled")["inbound_nodes"]}, *LAYERS[2:]]  # fmt: skip
    path = saved(tmp_path, scaled)
    (tmp_path / "same.yaml").write_text(SAME)
    for done in (call("diff", path, tmp_path / "same.yaml"), call("diff", tmp_path / "same.yaml", path)):
        assert "are the same network" in done.out
        assert "not compared:\n- " in done.out
        assert "images are to arrive as tf has them: the file itself did that to pixels" in done.out
    told = json.loads(call("diff", path, tmp_path / "same.yaml", "--json").out)
    assert [note.partition(": ")[0] for note in told["notes"]] == [str(path)]


def changed(number: int, **changes: Any) -> list[dict[str, Any]]:
    layers = copy.deepcopy(LAYERS)
    layers[number]["config"].update(changes)
    return layers


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (
            [*LAYERS[:-1], layer("Lambda", "trick", "pool")],
            "its layer 'trick' (Lambda): this kind of layer is not read",
        ),
        (changed(1, filters=-4), "no positive integer"),
        (changed(1, filters=10**9), "too large"),
        (changed(1, kernel_size="x"), "no positive integer"),
        (changed(1, groups=3), "do not divide"),
        (changed(1, data_format="channels_first"), "channels come first"),
        (changed(1, activation={"class_name": "mine"}), "no stock one"),
        (changed(2, axis=1), "another axis"),
        ([*LAYERS[:2], layer("BatchNormalization", "norm", "conv")], "lacks a setting"),
        ([layer("Conv2D", "conv", "nowhere", filters=4, **CONV)], "lacks a setting, or an input"),
        ([{"class_name": "Dense"}], "is not described"),
        ([{**LAYERS[1], "inbound_nodes": []}], "is used 0 times"),
        (["no layer"], "is not described"),
        ([], "which layers are its outputs"),
    ],
)
def test_what_is_not_read_is_named(layers: list[dict[str, Any]], told: str, tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        graph_of_keras_file(saved(tmp_path, layers), "mine")
    assert told in str(caught.value)


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="it is a Subclassed model"):
        graph_of_keras_file(saved(tmp_path, LAYERS, "Subclassed"), "mine")
    for content in (b"", b"no archive", b"PK\x05\x06" + bytes(18)):
        (tmp_path / "bad.keras").write_bytes(content)
        with pytest.raises(MissingError, match="is not read"):
            graph_of_keras_file(tmp_path / "bad.keras", "mine")
    for text in ("", "[" * 100_000, '{"class_name": 1}', "[]"):
        with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
            archive.writestr("config.json", text)
        with pytest.raises(MissingError, match="is not read"):
            graph_of_keras_file(tmp_path / "bad.keras", "mine")


@pytest.mark.keras
def test_what_we_save_is_the_network(tiny: Path, tmp_path: Path, call: Call) -> None:
    archbuilder.build(tiny).save(tmp_path / "tiny.keras")
    assert call("diff", tiny, tmp_path / "tiny.keras").code == 0
    found = archbuilder.diff(tmp_path / "tiny.keras", tiny, {"stages.0.units": 2})
    assert [one.code for one in found.network] == ["units"]
