"""keras.applications' networks are the same function: same weights, same outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import archbuilder

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.keras

SIDE = 64
TOLERANCE = 1e-5
PATH = re.compile(r"(?:stage(\d+)/unit(\d+)/)(?:(\w+)/)?(conv|norm)(\d+)")
NAMES = {"stem/conv1": "conv1_conv", "stem/norm1": "conv1_bn", "head/norm1": "post_bn", "head/dense1": "predictions"}


def place(name: str) -> tuple[int, int, str, str, int]:
    """Stage, unit, path (`residual`, `shortcut` or none), kind and number of a layer."""
    found = PATH.fullmatch(name)
    assert found, name
    stage, unit, path, kind, number = found.groups(default="")
    return int(stage), int(unit), path, kind, int(number)


def in_resnet(name: str) -> str:
    """What keras.applications calls a layer of ours: `conv3_block1_0_conv` is a projection."""
    if name in NAMES:
        return NAMES[name]
    stage, unit, path, kind, number = place(name)
    kind = {"conv": "conv", "norm": "bn"}[kind]
    return f"conv{stage + 1}_block{unit}_{0 if path == 'shortcut' else number}_{kind}"


def in_resnet_v2(name: str) -> str:
    if name in NAMES:
        return NAMES[name]
    stage, unit, path, kind, number = place(name)
    block = f"conv{stage + 1}_block{unit}"
    if kind == "conv":
        return f"{block}_{0 if path == 'shortcut' else number}_conv"
    before = 0 if unit == 1 and path else 1  # norms of the residual path that stand before its first convolution
    return f"{block}_{number - before}_bn" if path and number > before else f"{block}_preact_bn"


def in_vgg(name: str) -> str:
    if name.startswith("head/"):
        return {"1": "fc1", "2": "fc2", "3": "predictions"}[name[-1]]
    stage, unit, _, _, _ = place(name)
    return f"block{stage}_conv{unit}"


Naming = Callable[[str], str]
NETWORKS: dict[str, tuple[str, Naming]] = {
    "keras_applications/resnet50": ("ResNet50", in_resnet),
    "keras_applications/resnet101": ("ResNet101", in_resnet),
    "keras_applications/resnet152": ("ResNet152", in_resnet),
    "keras_applications/resnet50v2": ("ResNet50V2", in_resnet_v2),
    "keras_applications/resnet101v2": ("ResNet101V2", in_resnet_v2),
    "keras_applications/resnet152v2": ("ResNet152V2", in_resnet_v2),
    "related/vgg19": ("VGG19", in_vgg),
}


def both(name: str, *edits: str) -> tuple[Any, Any]:
    """Ours and theirs up to the logits, with the same random weights, moving statistics included."""
    import numpy as np

    from archbuilder.graph.naming import layer_name
    from archbuilder.keras_model.build import build_model

    function, naming = NETWORKS[name]
    theirs = getattr(keras.applications, function)(
        weights=None, input_shape=(SIDE, SIDE, 3), classifier_activation=None
    )
    graph = archbuilder.expand(name, [f"input=[{SIDE}, {SIDE}, 3]", *edits])
    ours = build_model(graph)
    layers = {
        kind: {layer.name: layer for layer in model.layers} for kind, model in (("ours", ours), ("theirs", theirs))
    }
    draw = partial(random_weight, np.random.default_rng(0))
    matched = set()
    for node in graph.nodes:
        if not node.weights:
            continue
        our_layer, their_layer = layers["ours"][layer_name(node.name)], layers["theirs"][naming(node.name)]
        assert setting(our_layer) == setting(their_layer), node.name
        weights = [draw(weight) for weight in our_layer.weights]
        our_layer.set_weights(weights)
        their_layer.set_weights(weights)
        matched.add(their_layer.name)
    assert matched == {layer.name for layer in theirs.layers if layer.weights}
    assert ours.count_params() == theirs.count_params()
    return keras.Model(ours.input, ours.layers[-1].input), theirs  # without the softmax


def setting(layer: Any) -> tuple[float, float] | None:
    """Epsilon and momentum of a norm; their last digits show in no output."""
    return (layer.epsilon, layer.momentum) if isinstance(layer, keras.layers.BatchNormalization) else None


def random_weight(random: Any, weight: Any) -> Any:
    """Values with which the outputs of a deep network stay finite and still depend on the image."""
    import numpy as np

    if weight.name in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.0, weight.shape).astype("float32")
    scale = 0.1 if len(weight.shape) == 1 else np.sqrt(2 / np.prod(weight.shape[:-1]))
    return random.standard_normal(weight.shape, dtype="float32") * np.float32(scale)


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference of the logits for random images, relative to how far those of two images lie apart."""
    import numpy as np

    images = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, 3)).astype("float32")
    our_output, their_output = (np.asarray(model(images, training=False)) for model in (ours, theirs))
    return float(np.abs(our_output - their_output).max() / np.ptp(their_output, axis=0).max())


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Frees the models of a test."""
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("name", NETWORKS)
def test_same_weights_same_outputs(name: str) -> None:
    assert difference(*both(name)) < TOLERANCE


def test_zeros_before_the_pool_are_not_its_own_padding() -> None:
    """Behind no activation there are negative values, which zeros beat and padding does not."""
    pool = "stem=[{conv: {filters: 64, kernel: 7, stride: 2}}, {max_pool: {size: 3, stride: 2, padding: symmetric}}]"
    assert difference(*both("keras_applications/resnet50v2", pool)) > 100 * TOLERANCE
