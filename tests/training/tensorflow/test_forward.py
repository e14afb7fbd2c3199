"""The raw forward pass is the Keras model's function: outputs, moving statistics and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from archbuilder.data.normalisation import fit
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.keras_model.build import build_model
from archbuilder.spec import load
from archbuilder.spec.normalisation import Unchanged
from archbuilder.training.evaluator import Evaluator
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.functions import convolved
from archbuilder.training.tensorflow.inference import logits_of
from tests.grouped import require_grouped_gradients

SIZE = (7, 6, 4)
TOLERANCE = 1e-5
DROPS = ops.Dropout | ops.StochasticDepth


def conv(filters: int = 4, **changes: Any) -> ops.Conv:
    plain: dict[str, Any] = {
        "kernel": (3, 3), "stride": (1, 1), "padding": "same", "dilation": (1, 1), "groups": 1, "bias": True,
        "initializer": "he_normal", "l2": 0.0,
    }  # fmt: skip
    return ops.Conv(filters, **(plain | changes))


def dense(units: int) -> ops.Dense:
    return ops.Dense(units, bias=True, initializer="he_normal", l2=0.0)


NORM = ops.Norm(momentum=0.9, epsilon=1e-3, zero_scale=False)
RELU, SOFTMAX = ops.Activation("relu"), ops.Activation("softmax")
HEAD = (ops.GlobalAveragePool(), dense(3), SOFTMAX)


class Sketch:
    """Nodes with numbers for names, in the order in which they are drawn."""

    def __init__(self) -> None:
        self.nodes = [node("input", ops.Input(SIZE))]

    def draw(self, *chain: ops.Op, start: Node | None = None) -> Node:
        """Puts ops one behind the other, after `start` or what was drawn last; returns the last one."""
        last = start or self.nodes[-1]
        for op in chain:
            last = self.merge(op, [last])
        return last

    def merge(self, op: ops.Op, inputs: Sequence[Node]) -> Node:
        self.nodes.append(node(f"part/{len(self.nodes)}", op, inputs))
        return self.nodes[-1]

    def graph(self) -> Graph:
        return Graph("sketch", tuple(self.nodes), (self.nodes[-1].name,))


def chain(*all_ops: ops.Op) -> Graph:
    sketch = Sketch()
    sketch.draw(*all_ops)
    return sketch.graph()


def post_activation() -> Graph:
    """A residual unit with a bare projection, where the biases stand before norms."""
    sketch = Sketch()
    stem = sketch.draw(conv(), NORM, RELU)
    residual = sketch.draw(conv(6, stride=(2, 2)), NORM, RELU, conv(6), NORM)
    shortcut = sketch.draw(conv(6, kernel=(1, 1), stride=(2, 2)), start=stem)
    sketch.merge(ops.Add(("residual", "shortcut")), [residual, shortcut])
    sketch.draw(RELU, *HEAD)
    return sketch.graph()


def pre_activation() -> Graph:
    """Norms that no convolution stands before, and three paths into one sum."""
    sketch = Sketch()
    stem = sketch.draw(conv(bias=False))
    residual = sketch.draw(NORM, RELU, conv(bias=False), ops.Scale(0.5))
    sketch.merge(ops.Add(("residual", "shortcut", "other")), [residual, stem, stem])
    sketch.draw(NORM, RELU, *HEAD)
    return sketch.graph()


def squeeze_and_excitation() -> Graph:
    sketch = Sketch()
    features = sketch.draw(conv())
    weights = sketch.draw(ops.GlobalAveragePool(), dense(2), NORM, RELU, dense(4), ops.Activation("sigmoid"))
    weighed = sketch.merge(ops.Multiply(("features", "weights")), [features, weights])
    sketch.merge(ops.Concat(("features", "input")), [weighed, sketch.nodes[0]])
    sketch.draw(*HEAD)
    return sketch.graph()


def highway() -> Graph:
    sketch = Sketch()
    transform = sketch.draw(conv(), RELU)
    gate = sketch.draw(conv(), ops.Activation("sigmoid"), start=sketch.nodes[0])
    paths = ("transform", "carry", "gate")
    before = sketch.merge(ops.Gate(paths), [transform, sketch.nodes[0], gate])
    channels = sketch.draw(ops.GlobalAveragePool(), dense(4), ops.Activation("sigmoid"))
    sketch.merge(ops.Gate(paths), [sketch.draw(conv(), start=before), before, channels])
    sketch.draw(ops.Flatten(), dense(3))
    return sketch.graph()


def spatial_gate() -> Graph:
    """Gates of channels and of places, as in CBAM and ECA."""
    sketch = Sketch()
    features = sketch.draw(conv())
    channels = sketch.draw(ops.GlobalMaxPool(), ops.ChannelConv(3, True, "he_normal", 0.0), ops.Activation("sigmoid"))
    features = sketch.merge(ops.Multiply(("features", "weights")), [features, channels])
    pooled = [sketch.draw(ops.ChannelPool(method), start=features) for method in get_args(ops.PoolMethod)]
    sketch.merge(ops.Concat(get_args(ops.PoolMethod)), pooled)
    places = sketch.draw(conv(1, kernel=(7, 7)), ops.Activation("sigmoid"))
    sketch.merge(ops.Multiply(("features", "weights")), [features, places])
    sketch.draw(ops.ChannelConv(4, False, "he_normal", 0.0), start=sketch.draw(ops.GlobalAveragePool()))
    sketch.draw(dense(3), SOFTMAX)
    return sketch.graph()


def norm(over: ops.NormKind, groups: int = 1) -> ops.Norm:
    return ops.Norm(0.0, 1e-3, zero_scale=False, over=over, groups=groups)


def transposed(**changes: Any) -> ops.ConvTranspose:
    plain: dict[str, Any] = {"kernel": (3, 3), "stride": (2, 2), "padding": "same", "bias": True,
                             "initializer": "he_normal", "l2": 0.0}  # fmt: skip
    return ops.ConvTranspose(4, **(plain | changes))


GRAPHS = {
    "spatial gate": spatial_gate(),
    "norms of single images": chain(
        conv(bias=True), norm("layer"), RELU, conv(6), norm("group", 3), RELU, conv(4, stride=(2, 2)), norm("instance"),
        ops.GlobalAveragePool(), dense(6), norm("layer"), dense(6), norm("group", 2), dense(3), SOFTMAX,
    ),
    "norms that only shift": chain(
        conv(bias=True), replace(NORM, scale=False), RELU, conv(6), replace(norm("layer"), scale=False), RELU, *HEAD,
    ),
    "learned scales": chain(
        conv(), ops.Scale(0.3, "channel"), ops.Scale(0.5, "channel", bias=True), ops.Scale(0.5, "scalar"),
        ops.Scale(2.0, "scalar", bias=True), ops.GlobalAveragePool(), ops.Scale(0.3, "channel", bias=True),
        ops.Scale(2.0, "scalar", bias=True), dense(3), SOFTMAX,
    ),
    "slopes": chain(
        conv(), ops.LeakyRelu(0.2), conv(), ops.Prelu(0.25, shared=False), conv(), ops.Prelu(0.25, shared=True),
        ops.GlobalAveragePool(), dense(5), ops.Prelu(0.1, shared=False), ops.Prelu(0.1, shared=True), dense(3), SOFTMAX,
    ),
    "slices and shuffles": chain(
        conv(12), ops.ShuffleChannels(3), conv(12), ops.SliceChannels(2, 10), ops.ShuffleChannels(2),
        ops.Flatten(), ops.SliceChannels(3, 15), ops.ShuffleChannels(4), dense(3), SOFTMAX,
    ),
    "larger images": chain(
        ops.Upsample((2, 1), "nearest"), conv(), ops.Upsample((2, 3), "bilinear"), conv(stride=(3, 3)), transposed(),
        conv(stride=(2, 2)), transposed(kernel=(4, 2), padding="symmetric", bias=False), conv(stride=(2, 2)),
        transposed(padding="valid"), transposed(kernel=(1, 3), stride=(2, 1), padding="valid"), conv(stride=(2, 2)),
        transposed(padding=((1, 0), (0, 2))), *HEAD,
    ),
    "mirrors and borders": chain(
        conv(), ops.Pad(((3, 1), (0, 2)), "reflect"), conv(stride=(2, 2)), ops.Pad(((5, 1), (0, 4)), "edge"), conv(), ops.Pad(((1, 1), (1, 1)), "edge"),
        conv(stride=(2, 2)), ops.Flatten(), dense(3), SOFTMAX,
    ),
    "post-activation": post_activation(),
    "pre-activation": pre_activation(),
    "squeeze-and-excitation": squeeze_and_excitation(),
    "highway": highway(),
    "shortcut A": chain(ops.Subsample((2, 2)), ops.PadChannels(7), ops.Pad(((1, 0), (2, 1))), *HEAD),
    "pools": chain(
        ops.MaxPool((3, 3), (1, 1), "symmetric"), ops.AveragePool((3, 3), (1, 1), "symmetric"),
        ops.MaxPool((3, 2), (1, 1), "same"), ops.AveragePool((2, 2), (2, 2), "same"), ops.Flatten(), dense(3),
    ),
    "padding": chain(
        conv(padding="symmetric", stride=(2, 2)), conv(padding=((2, 0), (1, 1))), conv(padding="valid", kernel=(2, 1)), *HEAD
    ),
    "dilation": chain(conv(dilation=(2, 2)), conv(dilation=(2, 2), padding="symmetric"), *HEAD),
    "groups": chain(conv(8, groups=2), conv(8, groups=8, stride=(2, 2)), NORM, conv(16, groups=8, bias=False), *HEAD),
    "depthwise, strides that differ": chain(conv(4, groups=4, stride=(2, 1)), *HEAD),
    "local response norm": chain(conv(8), ops.LocalResponseNorm(5, 0.1, 0.75, 2.0), ops.LocalResponseNorm(4, 0.1, 0.5, 1.0), *HEAD),
    "dropout": chain(conv(), ops.Dropout(0.5), ops.StochasticDepth(0.5), *HEAD),
    **{f"{name}": chain(conv(), ops.Activation(name), *HEAD) for name in get_args(ops.Function)},
}  # fmt: skip


def test_the_graphs_hold_every_op() -> None:
    held = {type(each.op) for graph in GRAPHS.values() for each in graph.nodes}
    assert held == set(get_args(ops.Op))


def model_with_random_weights(graph: Graph) -> keras.Model:
    model, random = build_model(graph, seed=0), np.random.default_rng(0)
    for variable in model.variables:
        if "seed_generator" not in variable.path:
            spread = random.uniform(0.5, 1.5, variable.shape) if "variance" in variable.path else None
            variable.assign(random.normal(0, 0.5, variable.shape) if spread is None else spread)
    return model


def images(count: int = 5) -> Any:
    return tf.constant(np.random.default_rng(1).normal(1, 2, (count, *SIZE)).astype("float32"))


def outputs(forward: Forward, training: bool) -> Any:
    logits = forward.logits(images(), training, (3, 4))
    return tf.nn.softmax(logits) if forward.ends_in_probabilities else logits


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_inference_is_that_of_keras(graph: Graph) -> None:
    model = model_with_random_weights(graph)
    np.testing.assert_allclose(
        outputs(Forward(graph, model), training=False), model(images(), training=False), atol=TOLERANCE, rtol=TOLERANCE
    )


@pytest.mark.parametrize("name", ["resnet20_v1", "resnet20_v2", "he2015/resnet20"])
def test_the_evaluation_of_a_whole_network_is_what_keras_predicts(name: str) -> None:
    graph = expand(load(name))
    model, random = build_model(graph, seed=0), np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable, low in ((layer.gamma, 0.3), (layer.beta, -0.2), (layer.moving_mean, -0.2)):
                variable.assign(random.uniform(low, low + 0.4, variable.shape))
            layer.moving_variance.assign(random.uniform(0.5, 2, layer.moving_variance.shape))
    pixels = np.stack([random.integers(0, brightest, (32, 32, 3), np.uint8) for brightest in (20, 90, 256)])
    step = Evaluator(logits_of(Forward(graph, model), fit(Unchanged(), ())), 2)
    expected = model.predict(pixels / np.float32(255), verbose=0)
    np.testing.assert_allclose(step.answers(pixels), expected, rtol=1e-5)
    assert (expected.std(axis=0) > 1e-3).any()


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "dropout"])
def test_training_is_that_of_keras(name: str) -> None:
    if name in ("dilation", "groups", "depthwise, strides that differ"):
        require_grouped_gradients()
    graph = GRAPHS[name]
    ours, keras_own = model_with_random_weights(graph), model_with_random_weights(graph)
    forward = Forward(graph, ours)
    with tf.GradientTape() as tape:
        result = outputs(forward, training=True)
        loss = tf.reduce_sum(result[:, 0] ** 2)
    with tf.GradientTape() as keras_tape:
        expected = keras_own(images(), training=True)
        keras_loss = tf.reduce_sum(expected[:, 0] ** 2)
    np.testing.assert_allclose(result, expected, atol=TOLERANCE, rtol=TOLERANCE)
    for variable, twin in zip(ours.variables, keras_own.variables, strict=True):
        np.testing.assert_allclose(variable.value, twin.value, atol=TOLERANCE, rtol=TOLERANCE, err_msg=variable.path)
    gradients = tape.gradient(loss, forward.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    twins = keras_tape.gradient(keras_loss, [variable.value for variable in keras_own.trainable_variables])
    for gradient, twin, variable in zip(gradients, twins, ours.trainable_variables, strict=True):
        np.testing.assert_allclose(gradient, twin, atol=1e-4, rtol=1e-3, err_msg=variable.path)


def test_a_bias_before_a_norm_has_no_gradient_and_moves_its_mean() -> None:
    graph = chain(conv(), NORM, *HEAD)
    forward = Forward(graph, model_with_random_weights(graph))
    bias, mean = forward.weights["part/1"]["bias"], forward.weights["part/2"]["moving_mean"]
    before = mean.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(forward.logits(images(), training=True) ** 2)
    assert tape.gradient(loss, bias) is None
    bias.assign_add(tf.ones_like(bias))
    once = mean.numpy()
    mean.assign(before)
    forward.logits(images(), training=True)
    np.testing.assert_allclose(mean.numpy() - once, 0.1, atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    "name",
    [
        "post-activation", "pre-activation", "squeeze-and-excitation", "spatial gate", "norms of single images",
        "learned scales", "slopes", "larger images", "mirrors and borders",
    ],
)  # fmt: skip
def test_half_precision_stays_near_and_gives_float32(name: str, precision: Any) -> None:
    graph = GRAPHS[name]
    model = model_with_random_weights(graph)
    exact, rough = Forward(graph, model), Forward(graph, model, precision)
    for training in (False, True):
        expected, logits = exact.logits(images(), training), rough.logits(images(), training)
        assert logits.dtype == tf.float32
        error = float(tf.reduce_max(tf.abs(logits - expected)) / tf.reduce_max(tf.abs(expected)))
        assert 0 < error < 0.05


@pytest.mark.parametrize("op", [ops.Dropout(0.5), ops.StochasticDepth(0.5)])
def test_what_is_dropped_follows_from_the_seed_and_the_node(op: DROPS) -> None:
    sketch = Sketch()
    for start in (sketch.nodes[0], sketch.nodes[0]):
        sketch.draw(op, ops.Flatten(), start=start)
    flat = [each for each in sketch.nodes if isinstance(each.op, ops.Flatten)]
    sketch.merge(ops.Concat(("first", "second")), flat)
    graph = sketch.graph()
    forward = Forward(graph, build_model(graph))

    def dropped(*seed: int) -> Any:
        return (forward.logits(tf.ones((8, *SIZE)), True, seed).numpy() == 0).reshape(8, 2, -1)

    one = dropped(1, 2)
    np.testing.assert_array_equal(one, dropped(1, 2))
    assert (one != dropped(1, 3)).any()
    assert (one[:, 0] != one[:, 1]).any()
    assert 0.2 < one.mean() < 0.8
    whole = one.all(-1) | ~one.any(-1)
    assert whole.all() == isinstance(op, ops.StochasticDepth)


def test_what_is_kept_is_scaled_up() -> None:
    graph = chain(ops.Dropout(0.75), ops.Flatten())
    logits = Forward(graph, build_model(graph)).logits(tf.ones((8, *SIZE)), True, (1, 2)).numpy()
    np.testing.assert_allclose(np.unique(logits), [0, 4])


def test_logits_are_those_of_the_last_output() -> None:
    sketch = Sketch()
    early = sketch.draw(conv())
    last = sketch.draw(*HEAD)
    graph = Graph("two", tuple(sketch.nodes), (early.name, last.name))
    model = model_with_random_weights(graph)
    forward = Forward(graph, model)
    assert forward.ends_in_probabilities
    np.testing.assert_allclose(tf.nn.softmax(forward.logits(images(), False)), model(images())[1], atol=TOLERANCE)
    assert not Forward(GRAPHS["highway"], build_model(GRAPHS["highway"])).ends_in_probabilities


def test_a_norm_is_not_folded_where_others_see_the_convolution() -> None:
    sketch = Sketch()
    shared = sketch.draw(conv())
    normed = sketch.draw(NORM)
    sketch.merge(ops.Add(("normed", "raw")), [normed, shared])
    sketch.draw(*HEAD)
    graph = sketch.graph()
    model = model_with_random_weights(graph)
    for training in (False, True):
        probabilities = tf.nn.softmax(Forward(graph, model).logits(images(), training))
        np.testing.assert_allclose(probabilities, model(images(), training=training), atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (16, 2)])
def test_few_channels_lose_rows_before_a_1x1_convolution(channels: int, stride: int) -> None:
    """Where oneDNN is on, its gradient otherwise kills the process, but not on every processor."""
    op = conv(16, kernel=(1, 1), stride=(2, 2))
    with tf.Graph().as_default() as traced:
        made = convolved(op, tf.zeros((3, 7, 6, channels)), tf.zeros((1, 1, channels, 16)))
    assert made.shape == (3, 4, 3, 16)
    [convolution] = [one for one in traced.get_operations() if one.type == "Conv2D"]
    assert convolution.get_attr("strides") == [1, stride, stride, 1]
