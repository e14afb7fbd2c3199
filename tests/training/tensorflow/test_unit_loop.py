"""A loop over equal units gives what the units give one by one: outputs, moving statistics and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from archbuilder.aliases import Precision
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.graph.repetition import Repetition, divide
from archbuilder.keras_model.build import build_model
from archbuilder.training.evaluator import Evaluator
from archbuilder.training.step_settings import TrainingImages
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.inference import logits_of
from archbuilder.training.tensorflow.optimizers import Sgd
from archbuilder.training.tensorflow.step import TrainingStep

UNITS, SIZE, NEVER = 4, (6, 5, 4), 10**6
NORM, RELU = ops.Norm(momentum=0.9, epsilon=1e-3, zero_scale=False), ops.Activation("relu")
SIGMOID = ops.Activation("sigmoid")
OVER: tuple[tuple[ops.NormKind, int], ...] = (("layer", 1), ("group", 2))
WEIGH = ops.Multiply(("features", "weights"))
ADD = ops.Add(("residual", "shortcut"))


def conv(filters: int, stride: int = 1, bias: bool = True) -> ops.Conv:
    return ops.Conv(filters, (3, 3), (stride, stride), "same", (1, 1), 1, bias, initializer="he_normal", l2=0.01)


def dense(units: int) -> ops.Dense:
    return ops.Dense(units, bias=True, initializer="he_normal", l2=0.0)


class Sketch:
    """Nodes, the last of which the next one follows."""

    def __init__(self) -> None:
        self.nodes = [node("input", ops.Input(SIZE))]

    def draw(self, scope: str, *chain: ops.Op, start: Node | None = None) -> Node:
        last = start or self.nodes[-1]
        for op in chain:
            last = self.merge(scope, op, last)
        return last

    def merge(self, scope: str, op: ops.Op, *inputs: Node) -> Node:
        self.nodes.append(node(f"{scope}/op{len(self.nodes)}", op, inputs))
        return self.nodes[-1]

    def graph(self) -> Graph:
        return Graph("sketch", tuple(self.nodes), (self.nodes[-1].name,))


Unit = Callable[[Sketch, str, int, int], object]
"""Draws a unit with a scope, a number of filters and its own number."""


def post_activation(sketch: Sketch, scope: str, filters: int, number: int) -> None:
    """Biases before norms, dropout, and a stochastic depth that grows from unit to unit."""
    start = sketch.nodes[-1]
    drop = ops.StochasticDepth(number / (2 * UNITS))
    residual = sketch.draw(scope, conv(filters), NORM, RELU, ops.Dropout(0.2), conv(filters), NORM, drop)
    sketch.draw(scope, RELU, start=sketch.merge(scope, ADD, residual, start))


def pre_activation(sketch: Sketch, scope: str, filters: int, number: int) -> None:
    start = sketch.nodes[-1]
    residual = sketch.draw(scope, NORM, RELU, conv(filters, bias=False), ops.Scale(0.5))
    sketch.merge(scope, ADD, residual, start)


def plain(sketch: Sketch, scope: str, filters: int, number: int) -> None:
    """A convolution whose norm is in the next unit."""
    sketch.draw(scope, NORM, RELU, conv(filters))


def squeezed(sketch: Sketch, scope: str, filters: int, number: int) -> None:
    start = sketch.nodes[-1]
    features = sketch.draw(scope, conv(filters), NORM)
    weights = sketch.draw(scope, ops.GlobalAveragePool(), dense(2), NORM, dense(filters), ops.Activation("sigmoid"))
    weighed = sketch.merge(scope, ops.Multiply(("features", "weights")), features, weights)
    sketch.merge(scope, ADD, weighed, start)


def modern(sketch: Sketch, scope: str, filters: int, number: int) -> None:
    """Norms of single images, learned scales and slopes, shuffled slices, and gates of channels and places."""
    start = sketch.nodes[-1]
    layer, group = (
        ops.Norm(0.0, 1e-3, zero_scale=False, over=over, groups=groups) for over, groups in OVER
    )  # fmt: skip
    half = ops.SliceChannels(0, filters // 2)
    chain = (layer, conv(filters), ops.Prelu(0.25, shared=False), group, ops.ShuffleChannels(2), half, conv(filters))
    features = sketch.draw(scope, *chain)
    channels = sketch.draw(scope, ops.GlobalMaxPool(), ops.ChannelConv(3, True, "he_normal", 0.0), SIGMOID)
    weighed = sketch.merge(scope, WEIGH, features, channels)
    places = sketch.draw(scope, ops.ChannelPool("average"), conv(1), SIGMOID)
    scaled = sketch.draw(
        scope, ops.Scale(0.1, "channel", bias=True), ops.Scale(1.0, "scalar"),
        start=sketch.merge(scope, WEIGH, weighed, places),
    )  # fmt: skip
    sketch.merge(scope, ADD, scaled, start)


def there_and_back(sketch: Sketch, scope: str, filters: int, number: int) -> None:
    """Images that become larger and smaller again, with every kind of padding."""
    for larger in (
        ops.Upsample((2, 2), "nearest"), ops.Upsample((2, 2), "bilinear"),
        ops.ConvTranspose(filters, (3, 3), (2, 2), "same", bias=True, initializer="he_normal", l2=0.01),
    ):  # fmt: skip
        sketch.draw(scope, larger, conv(filters, stride=2), NORM)
    mirror, border = (ops.Pad(((1, 0), (0, 1)), mode) for mode in get_args(ops.PadMode)[1:])
    sketch.draw(scope, mirror, border, conv_of_two(filters), NORM)


def conv_of_two(filters: int) -> ops.Conv:
    """A convolution that takes off what two paddings of one row and one column added."""
    return replace(conv(filters), padding="valid")


def network(unit: Unit, units: int = UNITS) -> Graph:
    sketch = Sketch()
    sketch.draw("stem", conv(4), NORM, RELU)
    for stage, filters in enumerate((4, 6), 1):
        sketch.draw(f"stage{stage}/unit1", conv(filters, stride=stage), NORM, RELU)
        for number in range(2, units + 2):
            unit(sketch, f"stage{stage}/unit{number}", filters, number)
    sketch.draw("head", RELU, ops.GlobalAveragePool(), dense(3), ops.Activation("softmax"))
    return sketch.graph()


NETWORKS = {
    "post-activation": network(post_activation),
    "pre-activation": network(pre_activation),
    "plain": network(plain, units=3),  # without shortcuts, rounding grows fast with depth
    "squeezed": network(squeezed),
    "modern": network(modern),
    "there and back": network(there_and_back, units=2),  # without shortcuts, as above
}


def model_of(graph: Graph) -> keras.Model:
    """The model, with vectors that are neither 0 nor 1."""
    model, random = build_model(graph, seed=0), np.random.default_rng(0)
    for variable in model.variables:
        if len(variable.shape) == 1 and "seed_generator" not in variable.path:
            variable.assign(variable.value + random.uniform(-0.1, 0.1, variable.shape))
    return model


def images() -> Any:
    return tf.constant(np.random.default_rng(1).normal(0, 1, (5, *SIZE)).astype("float32"))


def as_numbers(pixels: Any) -> Any:
    return tf.cast(pixels, tf.float32) / 255


def trained(graph: Graph, shortest_loop: int, precision: Precision = "float32") -> list[Any]:
    """Logits, the moving statistics afterwards, and gradients of one pass."""
    model = model_of(graph)
    forward = Forward(graph, model, precision, shortest_loop)

    def iterate() -> Any:
        with tf.GradientTape() as tape:
            logits = forward.logits(images(), training=True, seed=(3, 4))
            loss = tf.reduce_sum(tf.nn.softmax(logits)[:, 0] ** 2)
        return logits, tape.gradient(loss, forward.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    logits, gradients = tf.function(iterate, autograph=False)()
    return [logits, *gradients, *(variable.value for variable in model.non_trainable_variables)]


def assert_close(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 1e-5) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=tolerance)


def repetitions(graph: Graph, shortest: int = 2) -> list[Repetition]:
    return [part for part in divide(graph, shortest) if isinstance(part, Repetition)]


@pytest.mark.parametrize("graph", NETWORKS.values(), ids=NETWORKS)
def test_a_loop_trains_as_its_units_do(graph: Graph) -> None:
    assert len(repetitions(graph)) == 2
    assert_close(trained(graph, shortest_loop=2), trained(graph, NEVER))


def test_a_loop_trains_as_its_units_do_in_bfloat16() -> None:
    graph = NETWORKS["pre-activation"]
    flat, loop = (trained(graph, shortest, "mixed_bfloat16") for shortest in (NEVER, UNITS))
    assert_close(loop, flat)
    assert float(tf.reduce_max(tf.abs(flat[0] - trained(graph, NEVER)[0]))) > 1e-5


@pytest.mark.parametrize("graph", NETWORKS.values(), ids=NETWORKS)
def test_a_loop_measures_as_its_units_do(graph: Graph) -> None:
    model, pixels = model_of(graph), np.random.default_rng(0).integers(0, 256, (7, *SIZE), np.uint8)
    flat, loop = (
        Evaluator(logits_of(Forward(graph, model, shortest_loop=shortest), as_numbers)).logits(pixels).numpy()
        for shortest in (NEVER, 2)
    )
    np.testing.assert_allclose(loop, flat, rtol=1e-5, atol=1e-5 * np.abs(flat).max())
    assert np.ptp(flat, axis=0).min() > 1e-3 * np.abs(flat).max()


def test_a_loop_holds_one_unit_however_many_there_are() -> None:
    def count(units: int, shortest_loop: int) -> int:
        """The convolutions traced, those in loops included."""
        graph = network(pre_activation, units)
        forward = Forward(graph, build_model(graph), shortest_loop=shortest_loop)
        traced = tf.function(lambda: forward.logits(images(), training=False), autograph=False).get_concrete_function()
        definition = traced.graph.as_graph_def()
        functions = [each for function in definition.library.function for each in function.node_def]
        return sum(each.op == "Conv2D" for each in [*definition.node, *functions])

    assert count(4, shortest_loop=4) == count(9, shortest_loop=4) == 5  # stem, two first units, two loops
    assert count(9, shortest_loop=10) == 3 + 2 * 9


def test_short_rows_stay_flat() -> None:
    graph = NETWORKS["pre-activation"]
    assert repetitions(graph, UNITS + 1) == []
    assert tuple(divide(graph, UNITS + 1)) == graph.nodes


def test_a_repetition_says_where_it_begins_and_ends() -> None:
    graph = NETWORKS["pre-activation"]
    first, second = repetitions(graph)
    assert [graph[first.input].scope, graph[first.output].scope] == ["stage1/unit1", f"stage1/unit{UNITS + 1}"]
    assert second.nodes[0].scope == "stage2/unit2"
    nodes = [part for part in divide(graph, 2) if isinstance(part, Node)]
    inside = [each for repetition in (first, second) for unit in repetition.units for each in unit]
    assert sorted(each.name for each in [*nodes, *inside]) == sorted(each.name for each in graph.nodes)


def test_a_unit_that_others_see_into_stays_flat() -> None:
    """Those before and behind it are rows of their own."""
    sketch = Sketch()
    for number in range(1, 5):
        sketch.draw(f"stage1/unit{number}", conv(4), RELU)
    assert len(repetitions(sketch.graph())) == 1
    inner = sketch.nodes[3]
    sketch.merge("head", ADD, sketch.nodes[-1], inner)
    [repetition] = repetitions(sketch.graph())
    assert [unit[0].scope for unit in repetition.units] == ["stage1/unit3", "stage1/unit4"]


def test_units_that_look_further_back_stay_flat() -> None:
    sketch = Sketch()
    start = sketch.draw("stem", conv(4))
    for number in range(1, 5):
        residual = sketch.draw(f"stage1/unit{number}", conv(4))
        sketch.merge(f"stage1/unit{number}", ADD, residual, start)
    assert repetitions(sketch.graph()) == []


def test_what_goes_on_from_the_variables_ends_with_the_same_bits() -> None:
    graph, batch = NETWORKS["post-activation"], np.arange(8, dtype=np.int32)
    one, other = learner(graph), learner(graph)
    one(batch, 0, 0, 0.1)
    for variable, twin in zip(state(other), state(one), strict=True):
        variable.assign(twin)
    for each in (one, other):
        each(batch, 0, 1, 0.1)
    for variable, twin in zip(state(other), state(one), strict=True):
        np.testing.assert_array_equal(variable, twin)


def learner(graph: Graph) -> TrainingStep:
    forward, random = Forward(graph, model_of(graph), shortest_loop=UNITS), np.random.default_rng(0)
    images = TrainingImages(
        random.integers(0, 256, (8, *SIZE), np.uint8), random.integers(0, 3, 8, np.int32),
        augment=lambda pixels, labels, indices, epoch: (as_numbers(pixels), labels),
    )  # fmt: skip
    return TrainingStep(forward, Sgd(forward.variables, momentum=0.9, nesterov=False), images)


def state(step: TrainingStep) -> list[Any]:
    weights = [variable for node in step.forward.weights.values() for variable in node.values()]
    return [*weights, *step.optimizer.variables().values()]
