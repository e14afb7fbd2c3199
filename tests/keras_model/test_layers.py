"""What the layers compute, spelled out in NumPy, and that plain Keras loads what is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archbuilder
from archbuilder.graph.naming import layer_name
from archbuilder.spec import load_text

Array = Any
Weights = Mapping[str, Array]
Spelling = Callable[[Array, Weights], Array]
EPSILON = 1e-5


def normed(values: Array, axes: tuple[int, ...], weights: Weights) -> Array:
    mean, variance = values.mean(axes, keepdims=True), values.var(axes, keepdims=True)
    return (values - mean) / np.sqrt(variance + EPSILON) * weights["gamma"] + weights["beta"]


def over_groups(groups: int) -> Spelling:
    """One group after the other."""

    def spelled(images: Array, weights: Weights) -> Array:
        parts = []
        for part, gamma, beta in zip(
            *(np.split(one, groups, -1) for one in (images, weights["gamma"], weights["beta"])), strict=True
        ):
            parts.append(normed(part, tuple(range(1, images.ndim)), {"gamma": gamma, "beta": beta}))
        return np.concatenate(parts, -1)

    return spelled


def scaled(images: Array, weights: Weights) -> Array:
    return images * weights["kernel"] + weights["bias"]


def shuffled(groups: int) -> Spelling:
    def spelled(images: Array, weights: Weights) -> Array:
        each = images.shape[-1] // groups
        return images[..., [group * each + index for index in range(each) for group in range(groups)]]

    return spelled


def bilinear(rows: int, columns: int) -> Spelling:
    """The weighted mean of the two nearest pixels along each axis; pixels are squares around their middle."""

    def along(values: Array, axis: int, factor: int) -> Array:
        length = values.shape[axis]
        at = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if one == axis else 1 for one in range(values.ndim)])
        return values.take(low, axis) * (1 - share) + values.take(np.minimum(low + 1, length - 1), axis) * share

    return lambda images, weights: along(along(images, 1, rows), 2, columns)


def transposed(stride: int, cuts: tuple[tuple[int, int], tuple[int, int]]) -> Spelling:
    """Each pixel adds its kernel, `stride` after the one before; then rows and columns are cut off."""

    def spelled(images: Array, weights: Weights) -> Array:
        kernel = weights["kernel"]
        size = [
            side * stride + max(long - stride, 0) for side, long in zip(images.shape[1:3], kernel.shape, strict=False)
        ]
        full = np.zeros((len(images), *size, kernel.shape[2]))
        for row, column in np.ndindex(images.shape[1:3]):
            patch = np.einsum("nc,hwoc->nhwo", images[:, row, column], kernel)
            top, left = row * stride, column * stride
            full[:, top : top + kernel.shape[0], left : left + kernel.shape[1]] += patch
        (top, bottom), (left, right) = cuts
        return full[:, top : size[0] - bottom, left : size[1] - right] + weights.get("bias", 0)

    return spelled


def along_channels(vectors: Array, weights: Weights) -> Array:
    kernel = weights["kernel"][:, 0, 0]
    before = (len(kernel) - 1) // 2
    padded = np.pad(vectors, ((0, 0), (before, len(kernel) - 1 - before)))
    return sum(padded[:, at : at + vectors.shape[1]] * one for at, one in enumerate(kernel)) + weights["bias"]


def padded(mode: Any) -> Spelling:
    return lambda images, weights: np.pad(images, ((0, 0), (3, 1), (0, 4), (0, 0)), mode)


def gated(transform: Array, carry: Array, gate: Array) -> Array:
    return gate * transform + (1 - gate) * carry


LAYERS: Mapping[str, tuple[str, Spelling]] = {
    "norm over the layer": ("norm: {over: layer}", lambda images, weights: normed(images, (-1,), weights)),
    "norm over groups": ("norm: {over: group, groups: 3}", over_groups(3)),
    "norm over one group": ("norm: {over: group, groups: 1}", over_groups(1)),
    "norm over instances": ("norm: {over: instance}", lambda images, weights: normed(images, (1, 2), weights)),
    "scale of channels": ("scale: {learned: channel, factor: 1, bias: true}", scaled),
    "scale by a scalar": ("scale: {learned: scalar, factor: 1, bias: true}", scaled),
    "leaky relu": ("leaky_relu: {slope: 0.2}", lambda images, _: np.where(images > 0, images, 0.2 * images)),
    "prelu": ("prelu", lambda images, weights: np.where(images > 0, images, weights["alpha"] * images)),
    "shared prelu": ("prelu: {shared: true}", lambda images, weights: np.where(images > 0, images, weights["alpha"] * images)),
    "slice": ("slice_channels: {start: 1, stop: 5}", lambda images, _: images[..., 1:5]),
    "shuffle": ("shuffle_channels: {groups: 2}", shuffled(2)),
    "nearest": ("upsample: {factor: [3, 2]}", lambda images, _: np.kron(images, np.ones((1, 3, 2, 1)))),
    "bilinear": ("upsample: {factor: [3, 2], method: bilinear}", bilinear(3, 2)),
    "transposed, same": ("conv_transpose: {filters: 4, kernel: 3, stride: 2, bias: true}", transposed(2, ((0, 1), (0, 1)))),
    "transposed, valid": ("conv_transpose: {filters: 4, kernel: 3, stride: 2, padding: valid}", transposed(2, ((0, 0), (0, 0)))),
    "transposed, holes": ("conv_transpose: {filters: 4, kernel: 1, stride: 2, padding: valid}", transposed(2, ((0, 0), (0, 0)))),
    "transposed, symmetric": ("conv_transpose: {filters: 4, kernel: 4, stride: 2, padding: symmetric}", transposed(2, ((1, 1), (1, 1)))),
    "transposed, amounts": ("conv_transpose: {filters: 4, kernel: 3, padding: [[1, 0], [0, 2]]}", transposed(1, ((1, 0), (0, 2)))),
    "global max pool": ("global_max_pool", lambda images, _: images.max((1, 2))),
    "global pools of one place": (
        "add: {mean: [global_average_pool: {flat: false}], most: [global_max_pool: {flat: false}]}",
        lambda images, _: images.mean((1, 2), keepdims=True) + images.max((1, 2), keepdims=True),
    ),
    "mean of channels": ("channel_pool: average", lambda images, _: images.mean(-1, keepdims=True)),
    "maximum of channels": ("channel_pool: max", lambda images, _: images.max(-1, keepdims=True)),
    "reflect": ("pad: {amount: [[3, 1], [0, 4]], mode: reflect}", padded("reflect")),
    "edge": ("pad: {amount: [[3, 1], [0, 4]], mode: edge}", padded("edge")),
    "a gate of places": (
        "multiply: {features: [], places: [channel_pool: max]}", lambda images, _: images * images.max(-1, keepdims=True)
    ),
    "a carry gate for each channel": (
        "gate: {gate: [global_max_pool], transform: [relu], carry: []}",
        lambda images, _: gated(np.maximum(images, 0), images, images.max((1, 2), keepdims=True)),
    ),
    "a carry gate for each place": (
        "gate: {carry: [], gate: [channel_pool: max], transform: [relu]}",
        lambda images, _: gated(np.maximum(images, 0), images, images.max(-1, keepdims=True)),
    ),
}  # fmt: skip
OF_VECTORS: Mapping[str, tuple[str, Spelling]] = {
    "layer norm of vectors": ("norm: {over: layer}", lambda vectors, weights: normed(vectors, (-1,), weights)),
    "group norm of vectors": ("norm: {over: group, groups: 2}", over_groups(2)),
    "scale of vectors": ("scale: {learned: channel, factor: 1, bias: true}", scaled),
    "scalar of vectors": ("scale: {learned: scalar, factor: 1, bias: true}", scaled),
    "prelu of vectors": ("prelu", LAYERS["prelu"][1]),
    "shared prelu of vectors": ("prelu: {shared: true}", LAYERS["prelu"][1]),
    "slice of vectors": ("slice_channels: {start: 1, stop: 5}", lambda vectors, _: vectors[:, 1:5]),
    "shuffle of vectors": ("shuffle_channels: {groups: 3}", shuffled(3)),
    "odd convolution of channels": ("channel_conv: {kernel: 3, bias: true}", along_channels),
    "even convolution of channels": ("channel_conv: {kernel: 4, bias: true}", along_channels),
}


def spec(layer: str, before: str = "") -> str:
    return f"archbuilder: 1\nname: one\ninput: [5, 6, 6]\nstem: [{before}{layer}]\n"


def compare(text: str, before: Callable[[Array], Array], spelled: Spelling, path: Path) -> None:
    graph, random = archbuilder.expand(load_text(text)), np.random.default_rng(0)
    model = archbuilder.build(load_text(text))
    for variable in model.variables:
        variable.assign(random.normal(0, 1, variable.shape))
    model.save(path)
    last = graph.nodes[-1]
    layer = model.get_layer(layer_name(last.name))
    weights = {weight.name: np.asarray(getattr(layer, weight.name)) for weight in last.weights}
    images = random.normal(0.5, 2, (3, 5, 6, 6)).astype("float32")
    expected = spelled(before(images), weights)
    np.testing.assert_allclose(model(images), expected, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(keras.models.load_model(path)(images), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_images_is_what_it_says(name: str, tmp_path: Path) -> None:
    layer, spelled = LAYERS[name]
    compare(spec(layer), lambda images: images, spelled, tmp_path / "one.keras")


@pytest.mark.parametrize("name", OF_VECTORS)
def test_a_layer_of_vectors_is_what_it_says(name: str, tmp_path: Path) -> None:
    layer, spelled = OF_VECTORS[name]
    compare(spec(layer, "global_average_pool, "), lambda images: images.mean((1, 2)), spelled, tmp_path / "one.keras")


@pytest.mark.parametrize(
    ("layer", "weight", "value"),
    [
        ("scale: {learned: channel, factor: 1e-6, bias: true}", "kernel", 1e-6),
        ("scale: {learned: scalar, factor: 0, bias: true}", "bias", 0.0),
        ("prelu", "alpha", 0.25), ("prelu: {slope: 0, shared: true}", "alpha", 0.0),
        ("norm: {over: group, groups: 2, zero_scale: true}", "gamma", 0.0), ("norm: {over: layer}", "gamma", 1.0),
        ("conv: {filters: 4, kernel: 3, initializer: {constant: -0.5}}", "kernel", -0.5),
        ("conv_transpose: {filters: 4, kernel: 3, initializer: {constant: 2}}", "kernel", 2.0),
    ],
)  # fmt: skip
def test_weights_start_as_they_should(layer: str, weight: str, value: float) -> None:
    model = archbuilder.build(load_text(spec(layer)), seed=0)
    found = np.asarray(getattr(model.layers[-1] if hasattr(model.layers[-1], weight) else model.layers[-2], weight))
    np.testing.assert_array_equal(found, np.full(found.shape, value, "float32"))


def test_names_of_other_alphabets_stand_in_graphs_of_tensorflow() -> None:
    text = spec("größe").replace(
        "stem:", "templates: {units: {größe: {layers: [{conv: {filters: 4, kernel: 3}}]}}}\nstem:"
    )
    model = archbuilder.build(load_text(text))
    assert model.layers[1].name == "stem.gr-f6--df-e1.conv1"
    assert (
        model.predict(np.zeros((1, *model.input_shape[1:]), "float32"), verbose=0).shape[1:] == model.output_shape[1:]
    )
