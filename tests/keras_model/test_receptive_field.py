"""Receptive fields against gradients: with positive weights, each pixel that a value depends on has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor
from random import Random

import keras
import numpy as np
import pytest
import tensorflow as tf

from archbuilder.graph import ops
from archbuilder.graph.naming import layer_name, result_name
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.receptive_field import hull, windows
from archbuilder.keras_model.build import build_model
from tests.graphs import NAMED, RELU, Draft, conv, random_graph

MOVES: list[ops.Op] = [
    conv(2), conv(2, 5, 2), conv(2, 1, 2), RELU,
    ops.Conv(2, (1, 5), (1, 1), "same", (1, 1), 1, False, "he_normal", l2=0.0),
    ops.Conv(2, (3, 1), (2, 1), "symmetric", (1, 1), 1, False, "he_normal", l2=0.0),
    ops.Conv(2, (3, 3), (1, 1), ((1, 0), (2, 1)), (1, 1), 1, False, "he_normal", l2=0.0),
    ops.ConvTranspose(2, (3, 4), (2, 2), "same", False, "he_normal", 0.0),
    ops.ConvTranspose(2, (1, 2), (2, 3), "valid", False, "he_normal", 0.0),
    ops.Upsample((2, 3), "nearest"), ops.Upsample((2, 3), "bilinear"), ops.Subsample((2, 2)),
    ops.MaxPool((3, 2), (2, 2), "same"), ops.AveragePool((2, 2), (1, 1), "valid"), ops.SliceChannels(0, 2),
]  # fmt: skip


def moving(seed: int) -> Graph:
    """Layers that move over a large image one after the other, each behind any of the last two, and their sums."""
    random, draft = Random(seed), Draft(96, 96, 2)
    for _ in range(8):
        before = random.choice(draft.nodes[-2:])
        if min(before.shape[:2]) >= 24 and max(before.shape[:2]) <= 200:
            one = draft.add("stem", random.choice(MOVES), behind=before)
            alike = [node for node in draft.nodes if node.shape == one.shape]
            draft.sum("stem", *random.choices(alike, k=2))
    return draft.graph()


def averaging(graph: Graph) -> Graph:
    """The graph with averages for maxima, whose gradients reach every pixel of a window."""
    nodes = [
        replace(node, op=ops.AveragePool(node.op.size, node.op.stride, node.op.padding))
        if isinstance(node.op, ops.MaxPool) else node
        for node in graph.nodes
    ]  # fmt: skip
    return Graph(graph.name, tuple(nodes), graph.outputs)


def seen(model: keras.Model, node: Node, image: tuple[int, ...], place: tuple[int, int]) -> list[tuple[int, int]]:
    """The rows and the columns, first and last, that have a gradient of one value of a node; nothing where none has."""
    names = {layer.name for layer in model.layers}
    name = result_name(node.name) if result_name(node.name) in names else layer_name(node.name)
    part = keras.Model(model.inputs, model.get_layer(name).output)
    pixels = tf.ones((1, *image))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        value = tf.reduce_sum(part(pixels)[0, place[0], place[1]])
    gradient = np.asarray(tape.gradient(value, pixels))[0].any(axis=-1)
    return [(int(found.min()), int(found.max())) for found in np.nonzero(gradient) if len(found)]


def make_positive(model: keras.Model) -> None:
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, 1 / max(1, np.prod(variable.shape[:-1])), "float32"))


def maps(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.inputs and len(node.shape) == 3 and not isinstance(node.op, ops.Pad)]


def expected(graph: Graph, node: Node, place: tuple[int, int]) -> list[tuple[int, int]]:
    spans = [
        hull(one.at(where) for one in axis.values())
        for axis, where in zip(windows(graph)[node.name], place, strict=True)
    ]  # fmt: skip
    pairs = list(zip(spans, graph.input.shape, strict=False))
    if any(span is None or floor(span[1]) < 0 or ceil(span[0]) >= limit for span, limit in pairs):
        return []
    return [(max(ceil(span[0]), 0), min(floor(span[1]), limit - 1)) for span, limit in pairs if span]


@pytest.mark.parametrize("seed", range(12))
def test_gradients_reach_what_is_seen(seed: int) -> None:
    graph = averaging(moving(seed))
    model = build_model(graph)
    make_positive(model)
    node = maps(graph)[-1]
    middle = (node.shape[0] // 2, node.shape[1] // 2)
    for place in [(middle[0] + row, middle[1] + column) for row, column in ((0, 0), (1, 1), (2, 2))]:
        assert seen(model, node, graph.input.shape, place) == expected(graph, node, place)


@pytest.mark.parametrize("seed", range(6))
def test_gradients_in_random_graphs(seed: int) -> None:
    graph = averaging(random_graph(Random(seed), 12))
    model = build_model(graph)
    make_positive(model)
    for node in maps(graph)[-2:]:
        for place in ((0, 0), (2, 2)):
            assert seen(model, node, graph.input.shape, place) == expected(graph, node, place)


@pytest.mark.parametrize("make", NAMED, ids=lambda make: make.__name__)
def test_gradients_stay_within_what_is_seen_in_graphs_with_named_points(make: Callable[[], Graph]) -> None:
    """They are padded in place of made larger, so that at the border some of what is seen is zeros."""
    graph = averaging(make())
    model = build_model(graph)
    make_positive(model)
    for node in maps(graph)[-3:]:
        place = (node.shape[0] // 2, node.shape[1] // 2)
        pairs = list(zip(seen(model, node, graph.input.shape, place), expected(graph, node, place), strict=True))
        assert pairs
        assert all(least <= first <= last <= most for (first, last), (least, most) in pairs)
