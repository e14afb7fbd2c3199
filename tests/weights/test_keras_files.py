"""Files that Keras writes, and models with their weights: the same function as the one that they come from."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import archbuilder
from archbuilder.errors import ArchbuilderError
from archbuilder.graph.network import Graph
from archbuilder.keras_model.build import build_model
from archbuilder.weights.transfer import transfer
from tests.conftest import Call
from tests.weights.conftest import LEARNED, SMALL, graph, torch_state, write_keras2, write_safetensors

NETWORKS = {"resnet50": "ResNet50", "resnet50v2": "ResNet50V2"}
SIDE = 32


def spread(model: keras.Model) -> keras.Model:
    """Random weights that keep activations in bounds and probabilities apart from 0 and 1."""
    random = np.random.default_rng(0)
    for variable in model.variables:
        fan_in = int(np.prod(variable.shape[:-1]))
        deep = random.normal(0, (1 / fan_in) ** 0.5, variable.shape)
        variable.assign(deep if len(variable.shape) > 1 else random.uniform(0.5, 1, variable.shape))
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0.1) if hasattr(model.layers[-1], "kernel") else None
    return model


def answers(model: keras.Model, side: int = SIDE) -> Any:
    images = np.random.default_rng(1).normal(size=(3, side, side, 3)).astype("float32")
    return np.asarray(model(images))


def write_legacy(path: Path, model: keras.Model) -> Path:
    layers = {
        layer.name: {f"{layer.name}/{weight.name}:0": weight.numpy() for weight in layer.weights}
        for layer in model.layers
    }
    return write_keras2(path, layers)


def write_nameless(path: Path, named: Path) -> Path:
    """As Keras 3 wrote it before it told the names of layers."""
    shutil.copy(named, path)
    with h5py.File(path, "a") as file:
        file.visititems(lambda _, found: found.attrs.pop("name", None) and None)
    return path


@pytest.mark.parametrize("name", ["resnet50v2", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_every_format_of_keras_applications(name: str, tmp_path: Path) -> None:
    theirs = spread(getattr(keras.applications, NETWORKS[name])(weights=None, input_shape=(SIDE, SIDE, 3)))
    theirs.save_weights(tmp_path / "named.weights.h5")
    files = {
        tmp_path / "named.weights.h5": "by the names of keras.applications",
        write_legacy(tmp_path / "legacy.h5", theirs): "by the names of its layers",
        write_nameless(tmp_path / "nameless.weights.h5", tmp_path / "named.weights.h5"): "by names, order and shapes",
    }
    graph = archbuilder.expand(f"keras_applications/{name}", [f"input=[{SIDE}, {SIDE}, 3]"])
    found = [transfer(path, graph) for path in files]
    assert [one.match.how for one in found] == list(files.values())
    assert found[-1].match.open == ()
    for one in found[1:]:
        assert one.arrays().keys() == found[0].arrays().keys()
        for node, arrays in one.arrays().items():
            for part, array in arrays.items():
                np.testing.assert_array_equal(
                    array, found[0].arrays()[node][part], err_msg=f"{one.path.name}: {node}/{part}"
                )
    ours = build_model(graph)
    found[0].apply(ours)
    expected = answers(theirs)
    assert 0.001 < expected.max() < 0.5
    np.testing.assert_allclose(answers(ours), expected, rtol=1e-4)


def test_our_own_files(small: Graph, tmp_path: Path) -> None:
    model = spread(build_model(small))
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)  # which has weights, too
    (tmp_path / "small.yaml").write_text(SMALL)
    for name in ("x.keras", "x.weights.h5"):
        (model.save if name == "x.keras" else model.save_weights)(tmp_path / name)
        assert transfer(tmp_path / name, small).match.how == "by name"
        again = archbuilder.build(tmp_path / "small.yaml", weights=tmp_path / name)
        np.testing.assert_array_equal(answers(again, 8), answers(model, 8))
    with pytest.raises(ArchbuilderError, match="without a tensor: stage2/unit3/residual/conv1/kernel"):
        archbuilder.build(tmp_path / "small.yaml", ["stages.1.units=3"], weights=tmp_path / "x.keras")


@pytest.fixture
def build(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs `archbuilder build small.yaml`, in a folder that holds it."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    return partial(call, "build", "small.yaml")


def test_build_writes_the_model_with_the_weights(build: Call, small: Graph) -> None:
    write_safetensors(Path("x.safetensors"), torch_state(small))
    code, out, _ = build("--weights", "x.safetensors", "--set", "head.1.dense.units=3", "-o", "x.keras")
    assert code == 0
    matched, fresh, strides, path = out.splitlines()
    assert matched == "weights of 30 layers from x.safetensors, matched by the names of its layers"
    assert fresh == "the file has 5 classes instead of 3: head/dense1 is left fresh"
    assert strides.startswith("networks with such names stride on the 3x3 of their bottlenecks, small on the 1x1")
    assert path == "x.keras"
    kernel = keras.models.load_model("x.keras").get_layer("stage2.unit2.residual.conv2").kernel.numpy()
    np.testing.assert_array_equal(kernel, torch_state(small)["layer2.1.conv2.weight"].transpose(2, 3, 1, 0))


def test_build_writes_nothing_where_something_does_not_fit(build: Call, small: Graph) -> None:
    state = torch_state(small)
    state["extra.weight"] = state.pop("layer2.0.downsample.0.weight")[:3]
    write_safetensors(Path("x.safetensors"), state)
    code, out, err = build("--weights", "x.safetensors", "-o", "x.keras")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: x.safetensors does not fit small: 1 tensor, matched by the names of torchvision",
        "  does not fit: extra.weight 3x8x1x1 (here 1x1x8x3), for stage2/unit1/shortcut/conv1/kernel 1x1x8x12",
    ]
    assert not Path("x.keras").exists()


def test_learned_scales_and_slopes_of_keras(tmp_path: Path) -> None:
    """Newer files name no weights: their layers tell what they are."""
    learned = graph(text=LEARNED)
    model = spread(build_model(learned))
    model.save_weights(tmp_path / "named.weights.h5")
    write_legacy(tmp_path / "legacy.h5", model)
    for name in ("named.weights.h5", "legacy.h5"):
        ours = build_model(learned)
        transfer(tmp_path / name, learned).apply(ours)
        np.testing.assert_array_equal(answers(ours, 8), answers(model, 8), err_msg=name)
