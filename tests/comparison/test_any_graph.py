"""Networks that are not series-parallel: equal ones are called the same, others are not, and what is said is true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from archbuilder.comparison.comparison import compare
from archbuilder.comparison.nearest import nearest, nearest_bundled
from archbuilder.comparison.result import render
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.analysis import is_series_parallel
from archbuilder.graph.network import Graph, Node, node
from archbuilder.outline.canonical import canonical
from archbuilder.outline.shapes import total
from archbuilder.spec import load
from tests.comparison.networks import network
from tests.graphs import NAMED, RELU, Draft, conv, exchange, pyramid, random_graph, reordered, two_heads, u_net

GRAPHS, LARGER = 3000, 300
Array = Any


def function(graph: Graph) -> Array:
    """All outputs for one image, of a graph without weights, whatever its size."""
    values: dict[str, Array] = {}
    for one in graph.nodes:
        inputs = [values[name] for name in one.inputs]
        values[one.name] = _result(one, inputs)
    return np.concatenate([values[name].ravel() for name in graph.outputs])


def _result(one: Node, inputs: list[Array]) -> Array:
    match one.op:
        case ops.Input():
            return np.random.default_rng(0).normal(size=one.shape)
        case ops.Add():
            return np.sum(inputs, axis=0)
        case ops.Concat():
            return np.concatenate(inputs, axis=-1)
        case ops.Activation(function="relu"):
            return np.maximum(inputs[0], 0)
        case ops.Activation(function="tanh"):
            return np.tanh(inputs[0])
        case _:
            raise AssertionError(one.op)


def test_no_two_graphs_of_one_form_are_different_functions() -> None:
    """A search through small graphs that are often alike: nothing else than their ops tells their functions apart."""
    random, forms, functions = Random(0), defaultdict[Hashable, list[Graph]](list), set[bytes]()
    for _ in range(GRAPHS):
        graph = random_graph(random, random.choice((2, 3, 4)), weights=False, outputs=random.choice((1, 1, 2)))
        forms[canonical(graph)].append(graph)
    for alike in forms.values():
        first, *others = (function(one) for one in alike)
        functions.add(first.round(9).tobytes())
        for other in others:
            np.testing.assert_allclose(first, other, rtol=1e-9)
    assert GRAPHS / 4 < len(forms) < 3 * GRAPHS / 4  # many are alike, and many are not
    assert len(functions) > len(forms) / 2


def test_whatever_the_order_and_the_names_it_is_the_same() -> None:
    random, crossing = Random(1), 0
    for _ in range(LARGER):
        graph = random_graph(random, random.randrange(4, 16), outputs=random.choice((1, 2, 3)))
        assert canonical(reordered(graph, random)) == canonical(graph), graph
        crossing += not is_series_parallel(graph)
    assert crossing > LARGER / 2


@pytest.mark.parametrize("make", NAMED)
def test_a_network_is_itself(make: Any) -> None:
    graph = make()
    found = compare(reordered(graph, Random(2)), graph)
    assert found.same, render(found)
    assert found.deviations == found.notes == ()


def ring(*lengths: int) -> Graph:
    """Equal convolutions, the sums of each with the next in rings of these lengths, and the sum of all sums."""
    draft, sums = Draft(4, 4, 2), []
    for length in lengths:
        convs = [draft.add("stem", conv(2), behind=draft.input) for _ in range(length)]
        sums += [draft.sum("stem", one, convs[index - 1]) for index, one in enumerate(convs)]
    draft.sum("head", *sums)
    return draft.graph()


def test_rings_of_equal_layers() -> None:
    """Neither what leads to a layer nor where it leads tells six from twice three."""
    random = Random(3)
    for _ in range(20):
        assert canonical(reordered(ring(6), random)) == canonical(ring(6))
        assert canonical(reordered(ring(3, 3), random)) == canonical(ring(3, 3))
    assert canonical(ring(6)) != canonical(ring(3, 3))


def test_one_layer_twice_is_not_two_layers() -> None:
    one, two = Draft(4, 4, 2), Draft(4, 4, 2)
    once = one.add("stem", conv(2))
    one.sum("head", one.add("stem", RELU), once)
    first, second = (two.add("stem", conv(2), behind=two.input) for _ in range(2))
    two.sum("head", two.add("stem", RELU, behind=first), second)
    found = compare(one.graph(), two.graph())
    assert not found.same
    assert [deviation.code for deviation in found.deviations] == ["layers"]


def test_many_equal_paths_end() -> None:
    """Thirty-two paths that nothing tells apart, many times: which comes first makes no difference."""

    def graph() -> Graph:
        draft = Draft(4, 4, 2)
        for stage in range(8):
            last = draft.nodes[-1]
            draft.sum(f"stage{stage}", *(draft.add("stem", conv(2), RELU, conv(2), behind=last) for _ in range(32)))
        return draft.graph()

    assert canonical(reordered(graph(), Random(4))) == canonical(graph())


def rewired(graph: Graph, name: str, *inputs: str) -> Graph:
    """The graph with other inputs of one node."""
    nodes = [replace(one, inputs=inputs) if one.name == name else one for one in graph.nodes]
    return Graph("rewired", tuple(nodes), graph.outputs)


def with_op(graph: Graph, name: str, op: ops.Op) -> Graph:
    """The graph with another op of one node that leaves all shapes as they are."""
    nodes = [node(one.name, op, [graph[n] for n in one.inputs]) if one.name == name else one for one in graph.nodes]
    return Graph("changed", tuple(nodes), graph.outputs)


def said(mine: Graph, theirs: Graph) -> list[str]:
    found = compare(mine, theirs)
    assert not found.same
    return [deviation.message for deviation in found.deviations]


def test_a_changed_layer_is_named() -> None:
    graph = two_heads()
    assert said(with_op(graph, "head/first/activation1", ops.Dropout(0.5)), graph) == [
        "1 of 31 layers is computed as none of two_heads is, from head/first/activation1 (dropout, 0.5, behind "
        "head/first/dense1) on; 1 of the 31 layers of two_heads is computed as none here is, from "
        "head/first/activation1 (softmax, behind head/first/dense1) on"
    ]


def test_settings_that_differ_are_named() -> None:
    graph = two_heads()
    assert said(with_op(graph, "head/second/conv1", conv(8, 1)), graph) == [
        "the convolution of head/second is a 1x1 conv, 8, that of two_heads a 3x3 conv, 8"
    ]


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (["defaults.norm.epsilon=1e-3"], "norms have epsilon 1e-3, those of unet 1e-5"),
        (["defaults.norm={over: layer}"], "norms are layer norm, those of unet batch norm"),
        (["stages.1.activation=silu"], "the activations of the units of stage 2 are silu, those of unet relu"),
        (["head.5.conv.filters=5"], "the convolution of the head is a 3x3 conv, 5, that of unet a 3x3 conv, 21"),
        (["head.4.upsample.method=nearest"], "the upsample of the head has method nearest, that of unet bilinear"),
    ],
)
def test_settings_are_told_as_elsewhere(edits: list[str], message: str) -> None:
    mine, theirs = (expand(load("examples/maps/unet.yaml", edit)) for edit in (edits, []))
    found = compare(mine, theirs)
    assert [one.message for one in found.deviations] == [message]
    assert total(one.effect for one in found.deviations) == mine.costs - theirs.costs


def test_another_connection_is_named() -> None:
    graph = exchange()
    changed = rewired(graph, "stage1/unit3/add1", "stage1/unit3/high/activation1", "stage1/unit2/activation1")
    [message] = said(changed, graph)
    assert "from stage1/unit3/add1 (add, behind stage1/unit3/high/activation1 and stage1/unit2" in message


def test_other_outputs_are_named() -> None:
    graph = pyramid()
    fewer = replace(graph, name="fewer", outputs=graph.outputs[:-1])
    swapped = replace(graph, name="swapped", outputs=graph.outputs[::-1])
    assert said(swapped, graph) == [
        "the outputs are head/conv2, head/conv3, head/conv4 and head/conv5, those of pyramid head/conv5, head/conv4, "
        "head/conv3 and head/conv2"
    ]
    assert not compare(fewer, graph).same


def test_another_size_of_images_is_all_that_is_told() -> None:
    graph = exchange()
    draft = Draft(16, 16, 3)
    other = Graph("larger", (draft.input, *graph.nodes[1:]), graph.outputs)
    assert [one.code for one in compare(other, graph).deviations] == ["input"]


def test_the_effect_is_the_whole_difference() -> None:
    found = compare(u_net(), exchange())
    [image, layers] = found.deviations
    assert image.code == "input"
    assert layers.effect is not None


def test_how_weights_start_is_a_note() -> None:
    graph = two_heads()
    found = compare(with_op(graph, "head/second/conv1", replace(conv(8), l2=1e-4)), graph)
    assert found.same
    assert [note.message for note in found.notes] == [
        "weights of 1 layer start or are regularised otherwise, first those of head/second/conv1"
    ]


def test_the_nearest_of_many() -> None:
    known = [u_net(), exchange(), network("resnet20_v1")]
    found = nearest(reordered(exchange(), Random(5)), known)
    assert found.same
    changed = nearest(with_op(exchange(), "stem/norm1", ops.Norm(0.5, 1e-3, False)), known)
    assert "from the nearest, exchange, it deviates in 1 point" in render(changed)
    assert "is none of the bundled networks" in render(nearest_bundled(exchange()))
