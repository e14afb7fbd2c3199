"""What is built is the same function as the networks of Keras' CIFAR-10 example, spelled out here in plain Keras."""

from __future__ import annotations

from typing import Any

import pytest

import archbuilder

keras = pytest.importorskip("keras")


class KerasExample:
    """Keras' CIFAR-10 example, in the order in which it makes its layers."""

    def __init__(self) -> None:
        self.weighted: list[Any] = []

    def conv(self, x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
        layer = keras.layers.Conv2D(
            filters, kernel, stride, padding="same", kernel_initializer="he_normal",
            kernel_regularizer=keras.regularizers.l2(1e-4),
        )  # fmt: skip
        self.weighted.append(layer)
        return layer(x)

    def norm(self, x: Any) -> Any:
        layer = keras.layers.BatchNormalization()
        self.weighted.append(layer)
        return layer(x)

    def relu(self, x: Any) -> Any:
        return keras.layers.Activation("relu")(x)

    def classify(self, inputs: Any, x: Any) -> Any:
        x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(x))
        dense = keras.layers.Dense(10, activation="softmax", kernel_initializer="he_normal")
        self.weighted.append(dense)
        return keras.Model(inputs, dense(x))

    def version_1(self, depth: int) -> Any:
        inputs = keras.Input((32, 32, 3))
        x = self.relu(self.norm(self.conv(inputs, 16, 3)))
        for stage, filters in enumerate((16, 32, 64)):
            for unit in range((depth - 2) // 6):
                shrinks = stage > 0 and unit == 0
                y = self.relu(self.norm(self.conv(x, filters, 3, 2 if shrinks else 1)))
                y = self.norm(self.conv(y, filters, 3))
                x = self.conv(x, filters, 1, 2) if shrinks else x
                x = self.relu(keras.layers.add([x, y]))
        return self.classify(inputs, x)

    def version_2(self, depth: int) -> Any:
        inputs = keras.Input((32, 32, 3))
        x = self.relu(self.norm(self.conv(inputs, 16, 3)))
        inside, outside = 16, 64
        for stage in range(3):
            for unit in range((depth - 2) // 9):
                is_first = stage == 0 and unit == 0
                stride = 2 if stage > 0 and unit == 0 else 1
                y = x if is_first else self.relu(self.norm(x))
                y = self.conv(y, inside, 1, stride)
                y = self.conv(self.relu(self.norm(y)), inside, 3)
                y = self.conv(self.relu(self.norm(y)), outside, 1)
                x = self.conv(x, outside, 1, stride) if unit == 0 else x
                x = keras.layers.add([x, y])
            inside, outside = outside, outside * 2
        return self.classify(inputs, self.relu(self.norm(x)))


NETWORKS = {"resnet20_v1": (1, 20), "resnet56_v1": (1, 56), "resnet29_v2": (2, 29), "resnet56_v2": (2, 56)}


def both(name: str) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """Ours and the example's with the same random weights, and the layers that hold them in pairs."""
    import numpy as np

    from archbuilder.graph.naming import layer_name

    version, depth = NETWORKS[name]
    example = KerasExample()
    theirs = (example.version_1 if version == 1 else example.version_2)(depth)
    ours = archbuilder.build(name)
    weighted = [ours.get_layer(layer_name(node.name)) for node in archbuilder.expand(name).nodes if node.weights]
    pairs = list(zip(weighted, example.weighted, strict=True))
    random = np.random.default_rng(0)
    for our_layer, their_layer in pairs:
        weights = [_like(weight, random) for weight in our_layer.get_weights()]
        our_layer.set_weights(weights)
        their_layer.set_weights(weights)
    return ours, theirs, pairs


def _like(weight: Any, random: Any) -> Any:
    """Random values that keep the activations of a deep network finite; positive, so that variances are."""
    import numpy as np

    fan_in = max(1, int(np.prod(weight.shape[:-1])))
    values = (
        random.normal(size=weight.shape) * np.sqrt(2 / fan_in)
        if weight.ndim > 1
        else random.uniform(0.5, 1.0, weight.shape)
    )
    return values.astype("float32")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if "56" in name else name for name in NETWORKS]
)
def test_equal_outputs(name: str) -> None:
    import numpy as np

    ours, theirs, pairs = both(name)
    images = np.random.default_rng(1).normal(size=(8, 32, 32, 3)).astype("float32")
    assert ours.count_params() == theirs.count_params()
    for training in (False, True):
        our_output, their_output = (np.asarray(model(images, training=training)) for model in (ours, theirs))
        np.testing.assert_allclose(our_output, their_output, atol=1e-5)
    for our_layer, their_layer in pairs:  # training mode has moved the statistics of the norms
        for our_weight, their_weight in zip(our_layer.get_weights(), their_layer.get_weights(), strict=True):
            np.testing.assert_allclose(our_weight, their_weight, rtol=1e-5, atol=1e-5)


def test_the_comparison_can_fail() -> None:
    import numpy as np

    ours, theirs, pairs = both("resnet20_v1")
    images = np.random.default_rng(1).normal(size=(8, 32, 32, 3)).astype("float32")
    norm = next(layer for layer, _ in pairs if len(layer.get_weights()) == 4)
    norm.epsilon = 1e-1
    assert np.abs(np.asarray(ours(images)) - np.asarray(theirs(images))).max() > 1e-5
