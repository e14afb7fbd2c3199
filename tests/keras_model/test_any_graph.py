"""Graphs that are not series-parallel: Keras and both engines agree, and loops leave out what goes elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import keras
import numpy as np
import pytest

from archbuilder.graph.analysis import is_series_parallel
from archbuilder.graph.network import Graph
from archbuilder.graph.repetition import Repetition, divide
from archbuilder.keras_model.build import build_model, without_probabilities
from archbuilder.keras_model.check import differences
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.weights.transfer import transfer
from tests.graphs import NAMED, Draft, conv, random_graph, u_net

SEEDS = range(6)


def images_of(graph: Graph) -> Any:
    return np.random.default_rng(0).normal(size=(2, *graph.input.shape)).astype("float32")


def outputs_of(model: Any, images: Any) -> list[Any]:
    found = model(images, training=False)
    return [np.asarray(one) for one in (found if isinstance(found, list | tuple) else [found])]


def assert_equal_function(graph: Graph, shortest_loop: int = 2) -> None:
    """Keras has the graph's shapes and counts, and TensorFlow's ops give what Keras gives."""
    model, images = build_model(graph, seed=0), images_of(graph)
    shake(model)
    assert differences(graph, model) == []
    forward = Forward(graph, model, shortest_loop=shortest_loop)
    logits = np.asarray(forward.logits(images, training=False))
    [expected] = outputs_of(without_probabilities(graph, model), images)
    assert_close(logits, expected)
    whole = outputs_of(model, images)
    assert len(whole) == len(graph.outputs)
    if not forward.ends_in_probabilities:
        assert_close(logits, whole[-1])


def assert_close(found: Any, expected: Any) -> None:
    """Equal but for rounding, which goes by the largest of the values that are summed up."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(expected).max()))


def shake(model: Any) -> None:
    """Gives each weight values of its own, so that no two layers are alike."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(np.asarray(weight) + random.uniform(0, 0.1, weight.shape).astype("float32"))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs(seed: int) -> None:
    graph = random_graph(Random(seed), 14, outputs=1 + seed % 3, classes=3 * (seed % 2))
    assert_equal_function(graph)


@pytest.mark.parametrize("make", NAMED)
def test_named_graphs(make: Callable[[], Graph]) -> None:
    assert_equal_function(make())


def loops(graph: Graph) -> list[int]:
    return [len(part.units) for part in divide(graph, 2) if isinstance(part, Repetition)]


def test_units_of_an_encoder_are_looped() -> None:
    graph = u_net(units=4)
    assert not is_series_parallel(graph)
    assert loops(graph) == [4, 3, 3]
    assert_equal_function(graph)


@pytest.mark.parametrize("inner", [False, True])
def test_what_goes_elsewhere_ends_a_loop(inner: bool) -> None:
    """A skip from behind the third of six units, or from inside of it: that one is then no part of a loop."""
    draft = Draft(6, 6, 4)
    for index in range(1, 7):
        last = draft.unit(f"stage1/unit{index}", 4)
        if index == 3:
            aside = next(one for one in draft.nodes if one.name == "stage1/unit3/residual/conv1") if inner else last
    draft.add("head", conv(4), behind=draft.sum("head", last, aside))
    assert loops(draft.graph()) == ([2, 3] if inner else [3, 3])
    assert_equal_function(draft.graph())


def test_several_outputs_without_probabilities() -> None:
    draft = Draft(6, 6, 4)
    first = draft.add("stem", conv(4))
    last = draft.add("head", conv(2))
    graph = draft.graph(first, last)
    model = build_model(graph, seed=0)
    [logits] = outputs_of(without_probabilities(graph, model), images_of(graph))
    np.testing.assert_array_equal(logits, outputs_of(model, images_of(graph))[1])


@pytest.mark.parametrize("make", NAMED)
def test_what_is_saved_loads(make: Callable[[], Graph], tmp_path: Path) -> None:
    """With plain Keras, and as weights for the graph: all in its place."""
    graph = make()
    model, images = build_model(graph, seed=0), images_of(graph)
    shake(model)
    model.save(tmp_path / "x.keras")
    again = keras.saving.load_model(tmp_path / "x.keras")
    for one, other in zip(outputs_of(model, images), outputs_of(again, images), strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = build_model(graph, seed=5)
    found = transfer(tmp_path / "x.keras", graph)
    assert found.match.how == "by name"
    found.apply(fresh)
    for one, other in zip(outputs_of(model, images), outputs_of(fresh, images), strict=True):
        np.testing.assert_array_equal(one, other)
