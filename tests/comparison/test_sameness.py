"""What is, and what is not, the same network: the verdict looks at every op."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import permutations

import pytest

from archbuilder.comparison.comparison import compare
from archbuilder.comparison.result import render
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, node
from archbuilder.graph.ops import Op
from archbuilder.outline.from_graph import outline
from archbuilder.outline.shapes import costs, total
from tests.comparison.networks import ORDERS, network, ordered

PUBLISHED = (
    "resnet20_v2", "he2015/resnet20", "he2015/resnet50", "he2016/resnet110_exclusive_gating",
    "keras_applications/resnet50v2", "related/densenet_bc100", "related/highway19", "torchvision/resnext50_32x4d",
    "related/alexnet", "related/vgg16", "related/se_resnet50", "torchvision/mobilenet_v3_small", "torchvision/shufflenet_v2_x1_0",
    "torchvision/googlenet", "torchvision/regnet_y_400mf",
)  # fmt: skip
WRITTEN_OTHERWISE = {
    "an average over the whole image": (
        "he2015/resnet20", ["head=[{average_pool: {size: 8, stride: 8}}, flatten, {dense: {units: 10}}, softmax]"],
    ),
    "an average pool and a global one": (
        "he2015/resnet20", ["head=[{average_pool: {size: 8, stride: 1}}, global_average_pool, {dense: {units: 10}}, softmax]"],
    ),
    "global pools of one place": (
        "he2015/resnet20",
        ["head=[{global_average_pool: {flat: false}}, {global_max_pool: {flat: false}}, {average_pool: {size: 2, stride: 2, padding: same}}, "
         "flatten, {dense: {units: 10}}, softmax]"],
    ),
    "a maximum over the whole image": (
        "modern",
        ["head=[{conv_transpose: {filters: 16, kernel: 3, stride: 2, bias: true}}, {upsample: {factor: 2, method: bilinear}}, "
         "{max_pool: {size: 160, stride: 64, padding: symmetric}}, flatten, {dense: {units: 10}}, softmax]"],
    ),
    "padding where there is no stride": ("he2015/resnet20", ["stem.0.conv.padding=same"]),
    "padding as amounts": ("he2015/resnet20", ["defaults.conv.padding=[[1, 1], [1, 1]]", "shortcut=zero_pad"]),
    "zeros before a convolution": (
        "imagenet",
        ["stem=[{pad: {amount: 3}}, {conv: {filters: 16, kernel: 7, stride: 2, padding: valid}}, norm, relu, "
         "{pad: {amount: 1}}, {max_pool: {size: 3, stride: 2}}]"],
    ),
    "a stem that ends in the first unit's norm": (
        "preactivated",
        ["stem=[{conv: {filters: 16, kernel: 3}}, norm, relu]", "stages.0.first={unit: preactivated_basic, preactivate: false}"],
    ),
    "a head that begins behind the last stage": (
        "preactivated", ["stages.1.after=[norm, relu]", "head=[global_average_pool, {dense: {units: 10}}, softmax]"],
    ),
    "a shortcut of its own": (
        "he2015/resnet20",
        ["templates={shortcuts: {mine: {when: shape_changes, layers: "
         "[{max_pool: {size: 1, stride: $stride}}, {pad_channels: {channels: $channels}}]}}}", "shortcut=mine"],
    ),
    "layers that do nothing": (
        "he2015/resnet20",
        ["head=[{dropout: {rate: 0}}, {scale: {factor: 1}}, {pad: {amount: 0}}, global_average_pool, flatten, {dense: {units: 10}}, softmax]"],
    ),
    "layers of the new kinds that do nothing": (
        "he2015/resnet20",
        ["head=[{leaky_relu: {slope: 1}}, {upsample: {factor: 1}}, {shuffle_channels: {groups: 64}}, {slice_channels: {stop: 64}}, "
         "{pad: {amount: 0, mode: edge}}, global_average_pool, {shuffle_channels: {groups: 1}}, {dense: {units: 10}}, softmax]"],
    ),
    "where learned numbers start": (
        "modern", ["stem=[{conv: {filters: 16, kernel: 3, initializer: {constant: 0.1}}}, norm, {leaky_relu: {slope: 0.01}}]"],
    ),
    "start and regularisation": (
        "imagenet", ["defaults.conv={padding: symmetric, l2: 1e-4, initializer: glorot_uniform}", "defaults.norm={zero_scale: true}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WRITTEN_OTHERWISE)
def test_the_same_written_otherwise(way: str) -> None:
    base, edits = WRITTEN_OTHERWISE[way]
    found = compare(network(base, edits), network(base))
    assert found.same, render(found)
    assert found.deviations == ()


def test_a_group_of_one_channel_is_an_instance() -> None:
    groups, instances = (
        network("modern", [f"stem=[{{conv: {{filters: 16, kernel: 3}}}}, {{norm: {{{over}}}}}, leaky_relu]"])
        for over in ("over: group, groups: 16", "over: instance")
    )
    assert compare(groups, instances).same
    assert not compare(groups, network("modern")).same


def test_two_kinds_of_norm_are_told_in_one_sentence() -> None:
    found = compare(network("he2015/resnet20", ["defaults.norm.over=layer"]), network("he2015/resnet20"))
    assert [deviation.message for deviation in found.deviations] == [
        "norms are layer norm, those of he2015/resnet20 batch norm"
    ]


def test_names_do_not_count() -> None:
    graph = network("resnet20_v2")
    new = {one.name: f"layer{index}" for index, one in enumerate(graph.nodes)}
    nodes = (replace(one, name=new[one.name], inputs=tuple(new[name] for name in one.inputs)) for one in graph.nodes)
    assert compare(Graph("renamed", tuple(nodes), tuple(new[name] for name in graph.outputs)), graph).same


def test_the_order_of_a_sum_does_not_count_but_that_of_a_concatenation_does() -> None:
    assert compare(swapped(network("preactivated"), ops.Add), network("preactivated")).same
    assert not compare(swapped(network("densely_connected"), ops.Concat), network("densely_connected")).same


@pytest.mark.parametrize("merge", [ops.Add, ops.Multiply])
def test_the_order_of_paths_adds_no_deviation(merge: type[ops.Add | ops.Multiply]) -> None:
    graph = network("squeezed", ["defaults.norm.epsilon=1e-4"])
    assert [one.code for one in compare(swapped(graph, merge), network("squeezed")).deviations] == ["norm-epsilon"]


def swapped(graph: Graph, merge: type[ops.Add | ops.Concat | ops.Multiply]) -> Graph:
    """A network with the paths of all merges of a kind in the other order."""
    nodes = [
        replace(one, op=replace(one.op, paths=one.op.paths[::-1]), inputs=one.inputs[::-1])
        if isinstance(one.op, merge)
        else one
        for one in graph.nodes
    ]
    return Graph(graph.name, tuple(nodes), graph.outputs)


@pytest.mark.parametrize("pair", list(permutations(ORDERS, 2)), ids="-".join)
def test_orders_of_layers(pair: tuple[str, str]) -> None:
    """The five orders of arXiv:1603.05027, figure 4, are told apart by their names."""
    found = compare(*map(ordered, pair))
    assert [deviation.code for deviation in found.deviations] == ["activation-order"]


def test_a_preactivated_unit_may_leave_out_what_the_stem_has_done() -> None:
    found = compare(network("resnet20_v2", ["stages.0.first.preactivate=true"]), network("resnet20_v2"))
    assert [deviation.code for deviation in found.deviations] == ["unit-layers"]
    assert found.deviations[0].where == ("stage1/unit1",)


@pytest.mark.parametrize("name", ["he2015/resnet20", "imagenet", "squeezed", "densely_connected", "modern"])
def test_no_changed_layer_is_overlooked(name: str) -> None:
    """Each setting of each layer, changed alone, makes another network, and the place is named."""
    graph = network(name)
    count = 0
    for index, changed in changes(graph):
        found = compare(changed, graph)
        where = {place for deviation in found.deviations for place in deviation.where}
        assert not found.same, graph.nodes[index].name
        assert len(found.deviations) == 1, render(found)
        assert where & {graph.nodes[index].name.rpartition("/")[0], *prefixes(graph.nodes[index].name)}
        count += 1
    assert count > 50


def changes(graph: Graph) -> Iterator[tuple[int, Graph]]:
    """The network with one setting changed, for each that leaves all shapes as they are."""
    for index, one in enumerate(graph.nodes):
        for op in changed(one.op):
            if op.untrained() == one.op.untrained():  # only starts otherwise
                continue
            inputs = [graph[name] for name in one.inputs]
            other = node(one.name, op, inputs)
            if other.shape == one.shape:
                yield index, Graph(graph.name, (*graph.nodes[:index], other, *graph.nodes[index + 1 :]), graph.outputs)


OTHER_WORDS: dict[str, tuple[object, ...]] = {
    "mode": ("reflect", "edge"), "learned": ("channel", "scalar"), "over": ("layer", "batch"), "shared": (True, False),
}  # fmt: skip


def changed(op: Op) -> Iterator[Op]:
    new: dict[str, object] = {
        "bias": None,
        "epsilon": 0.5,
        "momentum": 0.5,
        "slope": 0.5,
        "function": "elu",
        "padding": ((0, 2), (2, 0)),
    }
    for field in fields(op):
        if field.name in OTHER_WORDS:
            before = getattr(op, field.name)
            word = next(word for word in OTHER_WORDS[field.name] if word != before)
            yield replace(op, **{field.name: word})  # type: ignore[arg-type]
        elif field.name in new:
            value = not getattr(op, field.name) if field.name == "bias" else new[field.name]
            yield replace(op, **{field.name: value})  # type: ignore[arg-type]


def prefixes(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


@pytest.mark.parametrize("name", [*PUBLISHED, "he2015/resnet1202"])
def test_a_published_network_is_itself(name: str) -> None:
    """And its outline costs what its graph costs."""
    graph = network(name)
    assert compare(graph, graph).same
    found = costs(outline(graph))
    assert found is not None
    assert (found.trainable, found.total, found.macs) == (graph.trainable, graph.parameters, graph.macs)


@pytest.mark.parametrize("pair", list(permutations(PUBLISHED[:7], 2)), ids="-".join)
def test_published_networks_are_told_apart(pair: tuple[str, str]) -> None:
    """All is explained, and if the effects can be told, they add up."""
    found = compare(*map(network, pair))
    assert not found.same
    assert found.deviations
    assert "further" not in [deviation.code for deviation in found.deviations]
    effects = [deviation.effect for deviation in found.deviations]
    assert total(effects) in (None, found.mine.costs - found.theirs.costs)


def test_notes_tell_how_training_differs() -> None:
    found = compare(
        network("resnet20_v1", ["defaults.conv.l2=0", "defaults.norm.zero_scale=true"]), network("resnet20_v1")
    )
    assert found.same
    assert sorted(note.code for note in found.notes) == ["conv-l2", "norm-zero-scale"]
