"""torchvision's networks are the same function: same weights, same outputs. Runs where torch and torchvision are."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import archbuilder
from archbuilder.graph.network import Graph
from tests.weights import torchvision_side

keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.keras,
    pytest.mark.skipif(not (find_spec("torch") and find_spec("torchvision")), reason="needs torch and torchvision"),
]

TOLERANCE = 1e-5
PATH = re.compile(r"stage(\d+)/unit(\d+)/(residual|shortcut)/(conv|norm)(\d+)")
NAMES = {"stem/conv1": "conv1", "stem/norm1": "bn1", "head/dense1": "fc"}
WEIGHTS = {
    "kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var",
}  # fmt: skip
BUNDLED = {
    **{name: f"torchvision/{name}" for name in torchvision_side.COUNTED if name.startswith(("res", "wide"))},
    "vgg16": "related/vgg16", "vgg19": "related/vgg19", "alexnet": "related/alexnet_torchvision",
}  # fmt: skip


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What torchvision's half saves."""
    import numpy as np

    path = tmp_path_factory.mktemp("torchvision") / "theirs.npz"
    subprocess.run([sys.executable, str(Path(torchvision_side.__file__)), str(path)], check=True)
    with np.load(path) as saved:
        return dict(saved)


def in_torchvision(name: str) -> str:
    """What torchvision calls a layer of ours: `layer2.0.downsample.0` is a projection."""
    if name in NAMES:
        return NAMES[name]
    found = PATH.fullmatch(name)
    assert found, name
    stage, unit, path, kind, number = found.groups()
    block = f"layer{stage}.{int(unit) - 1}"
    if path == "shortcut":
        return f"{block}.downsample.{['conv', 'norm'].index(kind)}"
    return f"{block}.{kind.replace('norm', 'bn')}{number}"


def small(name: str, *edits: str) -> Graph:
    side = torchvision_side.SIDE
    return archbuilder.expand(f"torchvision/{name}", [f"input=[{side}, {side}, 3]", *edits])


def with_weights(graph: Graph) -> tuple[Any, list[str]]:
    """Our model with torchvision's random weights, and the names of their tensors."""
    from archbuilder.graph.naming import layer_name
    from archbuilder.keras_model.build import build_model

    model = build_model(graph)
    layers = {layer.name: layer for layer in model.layers}
    keys = []
    for node in graph.nodes:
        for variable in layers[layer_name(node.name)].weights:
            keys.append(f"{in_torchvision(node.name)}.{WEIGHTS[variable.name]}")
            variable.assign(in_our_layout(keys[-1], tuple(variable.shape)))
    return model, sorted(keys)


def in_our_layout(key: str, shape: tuple[int, ...]) -> Any:
    """torch's `(out, in, height, width)` is `(height, width, in, out)` here, and its `(out, in)` is `(in, out)`."""
    if len(shape) == 4:
        height, width, arriving, leaving = shape
        return torchvision_side.weight(key, (leaving, arriving, height, width)).transpose((2, 3, 1, 0))
    return torchvision_side.weight(key, shape[::-1]).T


def difference(model: Any, expected: Any) -> float:
    """The largest difference of the logits for random images, relative to the largest one."""
    import numpy as np

    up_to_logits = keras.Model(model.input, model.layers[-1].input)
    found = np.asarray(up_to_logits(torchvision_side.images(), training=False))
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Frees the models of a test."""
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("name", torchvision_side.NETWORKS)
def test_same_weights_same_outputs(name: str, theirs: Any) -> None:
    model, keys = with_weights(small(name))
    assert keys == theirs[f"{name}/keys"].tolist()
    settings = {(layer.epsilon, layer.momentum) for layer in model.layers if hasattr(layer, "epsilon")}
    assert settings == set(map(tuple, theirs[f"{name}/norms"].tolist()))
    assert difference(model, theirs[f"{name}/logits"]) < TOLERANCE


def test_padding_as_tensorflow_does_it_is_another_network(theirs: Any) -> None:
    model, _ = with_weights(small("resnet18", "defaults.conv.padding=same"))
    assert difference(model, theirs["resnet18/logits"]) > 1000 * TOLERANCE


@pytest.mark.parametrize("name", torchvision_side.COUNTED)
def test_counts_are_those_that_torchvision_publishes(name: str, theirs: Any) -> None:
    graph = archbuilder.expand(BUNDLED[name])
    assert [graph.trainable, round(graph.macs / 1e9, 3)] == theirs[f"{name}/counts"].tolist()
