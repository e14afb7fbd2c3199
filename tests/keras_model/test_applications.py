"""keras.applications' networks are the same function: same weights, same outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import pytest

import archbuilder
from archbuilder.spec.normalisation import Channels
from tests.zoo import graph_of, spec_of

keras = pytest.importorskip("keras")

SIDE = 80
"""At least 75, for Inception-ResNet-v2."""
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


def in_mobilenet_v2(name: str) -> str:
    part, _, layer = name.partition("/")
    if part == "head" and layer != "dense1":
        return {"conv1": "Conv_1", "norm1": "Conv_1_bn"}[layer]
    if part == "head" or part == "stem":
        return {"conv1": "Conv1", "norm1": "bn_Conv1", "dense1": "predictions"}[layer]
    stage, unit, _, kind, number = place(name)
    before = sum((1, 2, 3, 4, 3, 3)[: stage - 1]) + unit - 1
    block, first = (f"block_{before}", 0) if before else ("expanded_conv", 1)
    return f"{block}_{('expand', 'depthwise', 'project')[number - 1 + first]}{'_BN' if kind == 'norm' else ''}"


def in_densenet(name: str) -> str:
    if name == "head/norm1":
        return "bn"
    if name in NAMES:
        return NAMES[name]
    if found := re.fullmatch(r"stage(\d+)/dense_transition1/(conv|norm)1", name):
        return f"pool{int(found[1]) + 1}_{'conv' if found[2] == 'conv' else 'bn'}"
    stage, unit, _, kind, number = place(name)
    return (
        f"conv{stage + 1}_block{unit}_{number if kind == 'conv' else number - 1}_{'conv' if kind == 'conv' else 'bn'}"
    )


def in_convnext(name: str) -> str:
    part, _, layer = name.partition("/")
    if part in ("stem", "head"):
        kind = {"conv1": "conv", "norm1": "layernorm", "dense1": "dense"}[layer]
        return f"convnext_tiny_{part}_{kind}"
    stage, within, *_, layer = name.split("/")
    if within == "downsample1":
        return f"convnext_tiny_downsampling_{'conv' if layer == 'conv1' else 'layernorm'}_{int(stage[5:]) - 1}"
    kind = {"conv1": "depthwise_conv", "norm1": "layernorm", "dense1": "pointwise_conv_1",
            "dense2": "pointwise_conv_2", "scale1": "layer_scale"}[layer]  # fmt: skip
    return f"convnext_tiny_stage_{int(stage[5:]) - 1}_block_{int(within[4:]) - 1}_{kind}"


def in_inception(name: str) -> str:
    """Most layers are numbered there, in the order in which ours stand: `conv2d_7`."""
    if name == "head/dense1":
        return "predictions"
    if name.startswith("head/"):
        return f"conv_7b{'_bn' if name.endswith('norm1') else ''}"
    if found := re.fullmatch(r"stage(\d)/unit(\d+)/residual/conv1", name):
        return f"block{(35, 17, 8)[int(found[1]) - 1]}_{found[2]}_conv"
    return numbered_in_inception()[name]


@cache
def numbered_in_inception() -> dict[str, str]:
    graph = graph_of("keras_applications/inception_resnet_v2")
    names: dict[str, str] = {}
    for layer, kind in (("conv1", "conv2d"), ("norm1", "batch_normalization")):
        ours = [node.name for node in graph.nodes if re.search(rf"convolution\d/{layer}$", node.name)]
        names |= {name: f"{kind}_{number}" if number else kind for number, name in enumerate(ours)}
    return names


Naming = Callable[[str], str]
NETWORKS: dict[str, tuple[str, Naming]] = {
    "keras_applications/resnet50": ("ResNet50", in_resnet),
    "keras_applications/resnet101": ("ResNet101", in_resnet),
    "keras_applications/resnet152": ("ResNet152", in_resnet),
    "keras_applications/resnet50v2": ("ResNet50V2", in_resnet_v2),
    "keras_applications/resnet101v2": ("ResNet101V2", in_resnet_v2),
    "keras_applications/resnet152v2": ("ResNet152V2", in_resnet_v2),
    "keras_applications/inception_resnet_v2": ("InceptionResNetV2", in_inception),
    "keras_applications/mobilenet_v2": ("MobileNetV2", in_mobilenet_v2),
    "keras_applications/densenet121": ("DenseNet121", in_densenet),
    "keras_applications/convnext_tiny": ("ConvNeXtTiny", in_convnext),
    "related/vgg19": ("VGG19", in_vgg),
}
DEEP = [name for name in NETWORKS if "resnet1" in name or "inception" in name]


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
        kind: {layer.name: layer for layer in leaves(model)} for kind, model in (("ours", ours), ("theirs", theirs))
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
        their_layer.set_weights([placed(*pair) for pair in zip(weights, their_layer.weights, strict=True)])
        matched.add(their_layer.name)
    norms_of_images = {layer.name: layer for layer in leaves(theirs) if isinstance(layer, keras.layers.Normalization)}
    assert matched == {layer.name for layer in leaves(theirs) if layer.weights} - norms_of_images.keys()
    assert ours.count_params() == theirs.count_params()
    if norms_of_images:
        theirs = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Rescaling(*as_pixels(name)), theirs])
    return keras.Model(ours.input, ours.layers[-1].input), theirs  # without the softmax


def leaves(model: Any) -> Iterator[Any]:
    """The layers of a model, and of the models within."""
    for layer in model.layers:
        yield from leaves(layer) if isinstance(layer, keras.Model) else [layer]


def placed(value: Any, weight: Any) -> Any:
    """The kernel of a depthwise convolution is shaped otherwise there, and so is a learned scale."""
    assert [size for size in value.shape if size > 1] == [size for size in weight.shape if size > 1]
    return value.reshape(weight.shape)


def as_pixels(name: str) -> tuple[list[float], list[float]]:
    """What makes of an image that the recipe normalised the pixels from 0 to 255, which some networks take."""
    training = spec_of(name).training
    assert training
    assert isinstance(training.normalise, Channels)
    channels = training.normalise
    return [255 * value for value in channels.deviation], [255 * value for value in channels.mean]


def setting(layer: Any) -> tuple[float, ...] | None:
    """Epsilon and momentum of a norm; their last digits show in no output."""
    if isinstance(layer, keras.layers.LayerNormalization):
        return (layer.epsilon,)
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
    """Frees the models of a test, and lets those of the next be numbered from the first on."""
    keras.backend.clear_session()
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name for name in NETWORKS]
)
def test_same_weights_same_outputs(name: str) -> None:
    assert difference(*both(name)) < TOLERANCE


def test_zeros_before_the_pool_are_not_its_own_padding() -> None:
    """Behind no activation there are negative values, which zeros beat and padding does not."""
    pool = "stem=[{conv: {filters: 64, kernel: 7, stride: 2}}, {max_pool: {size: 3, stride: 2, padding: symmetric}}]"
    assert difference(*both("keras_applications/resnet50v2", pool)) > 100 * TOLERANCE
