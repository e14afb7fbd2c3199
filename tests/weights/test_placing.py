"""Foreign names: where they tell the places of layers, and where they leave open what the network computes."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from math import prod

import numpy as np
import pytest

from archbuilder.errors import ArchbuilderError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import load
from archbuilder.weights import torch_layout
from archbuilder.weights.choices import Choices
from archbuilder.weights.matching import Match, match
from archbuilder.weights.networks import chosen
from archbuilder.weights.orders import orders
from archbuilder.weights.signatures import kind
from archbuilder.weights.weight_file import Layer, StoredTensor, WeightFile
from tests.weights.conftest import graph
from tests.weights.reference.rows import ROWS

NETWORKS = (
    "quickstart", "torchvision/resnet18", "torchvision/resnext50_32x4d", "keras_applications/resnet50v2",
    "he2016/resnet110", "related/se_resnet50", "related/densenet_bc100", "related/vgg16",
    "torchvision/shufflenet_v2_x1_0", "torchvision/convnext_tiny",
)  # fmt: skip
DEEP = ("quickstart", "torchvision/resnet18", "related/vgg16")
ALEXNETS = ("related/alexnet", "related/alexnet_torchvision")
WORD = re.compile("[A-Za-z]+")
Renaming = Callable[[Sequence[str], int], Callable[[str], str]]
BRANCHES = """\
archbuilder: 1
name: branches
input: [8, 8, 3]
defaults: {conv: {bias: false}}
stem:
  - conv: {filters: 4, kernel: 3}
  - concat:
      left: [{conv: {filters: 4, kernel: 3}}, norm, relu]
      right: [{conv: {filters: 4, kernel: 3}}, norm, relu]
head: [global_average_pool, {dense: {units: 5}}]
"""
SUM = BRANCHES.replace("concat", "add")


INCEPTION = """\
archbuilder: 1
name: inception
input: [8, 8, 3]
defaults: {conv: {bias: false}}
templates:
  units:
    convolution:
      parameters: {filters: 4, kernel: 1}
      layers: [{conv: {filters: $filters, kernel: $kernel}}, norm, relu]
stem:
  - convolution: {kernel: 3}
  - concat:
      direct: [convolution]
      single: [convolution, {convolution: {kernel: 3}}]
      double: [convolution, {convolution: {kernel: 3, filters: 5}}, {convolution: {kernel: 3}}]
head: [global_average_pool, {dense: {units: 5}}]
"""
DECODER = """\
archbuilder: 1
name: decoder
input: [8, 8, 4]
stem: [{conv: {filters: 4, kernel: 3}}, {conv: {filters: 4, kernel: 3}}, {conv: {filters: 4, kernel: 3}}]
head: [global_average_pool, {dense: {units: 5}}]
"""


@cache
def network(name: str) -> Graph:
    return expand(load(name))


class Foreign:
    """A file for a graph, under other names; knows where its layers belong."""

    def __init__(
        self,
        graph: Graph,
        rename: Callable[[str], str],
        *,
        ordered: bool = False,
        by_depth: bool = False,
        seed: int = 1,
    ) -> None:
        nodes = [*next(orders(graph))] if by_depth else [node for node in graph.nodes if node.weights]
        self.graph, self.origin = graph, {rename(node.name): node.name for node in nodes}
        assert len(self.origin) == len(nodes)
        layers = [
            Layer(name, kind(node), {w.name: self.tensor(f"{name}.{w.name}", w.shape) for w in node.weights})
            for name, node in zip(self.origin, nodes, strict=True)
        ]
        if not (ordered or by_depth):
            random.Random(seed).shuffle(layers)
        self.file = WeightFile(
            "x.pth", tuple(layers), channels_first=True, ordered=ordered or by_depth, by_depth=by_depth
        )

    @staticmethod
    def tensor(name: str, shape: tuple[int, ...]) -> StoredTensor:
        return StoredTensor(name, np.broadcast_to(np.float32(prod(shape)), shape), shape)

    def outcome(self, choices: Choices | None = None) -> str:
        found = match(self.graph, self.file, choices or Choices())
        if found.open or found.problems:
            assert not found.pairs
            return "refused"
        return "right" if self.placed(found) == set(self.origin.values()) else "wrong"

    def placed(self, found: Match) -> set[str]:
        return {node for node, layer in found.pairs.items() if self.origin[layer.name] == node}


def other_words(seed: int) -> Callable[[str], str]:
    """Each word is another, the same everywhere; numbers and the tree stay."""
    drawn, words = random.Random(seed), dict[str, str]()

    def word(found: re.Match[str]) -> str:
        return words.setdefault(found[0], "".join(drawn.choices("bcdfghjklm", k=7)))

    return lambda name: re.sub("[a-z_]+", word, name.replace("/", "."))


def permuted_words(names: Sequence[str], seed: int) -> Callable[[str], str]:
    """The words change places, each with the same other one everywhere: residual paths are called shortcuts, say."""
    words = sorted({word for name in names for word in WORD.findall(name)})
    changed = dict(zip(words, random.Random(seed).sample(words, len(words)), strict=True))
    return lambda name: WORD.sub(lambda found: changed[found[0]], name.replace("/", "."))


def other_numbers(names: Sequence[str], seed: int) -> Callable[[str], str]:
    """Numbers begin elsewhere, are apart and filled with zeros, and still run upwards; under words that are permuted."""
    drawn, words = random.Random(seed), permuted_words(names, seed)
    first, step, width = drawn.randint(0, 9), drawn.randint(1, 4), drawn.choice([1, 4])
    return lambda name: re.sub(r"\d+", lambda found: str(first + step * int(found[0])).zfill(width), words(name))


def deeper(names: Sequence[str], seed: int) -> Callable[[str], str]:
    """All names under a prefix, and each layer within a module of its own; under words that are permuted."""
    words = permuted_words(names, seed)
    return lambda name: f"state.2.network.{words(name)}.inner"


def flat(names: Sequence[str], seed: int) -> Callable[[str], str]:
    """No tree at all, but a number that counts."""
    numbers = {name: f"tensor_{number:03d}" for number, name in enumerate(names)}
    return numbers.__getitem__


def no_names(seed: int) -> Callable[[str], str]:
    drawn = random.Random(seed)
    return lambda _: "".join(drawn.choices("bcdfghjklm", k=12))


def outcomes(change: Renaming, names: Iterable[str], seeds: Sequence[int] = (0,), **order: bool) -> dict[str, str]:
    """What comes of files in which the names of each network are changed."""
    found = {}
    for name in names:
        nodes = [node.name for node in network(name).nodes if node.weights]
        for seed in seeds:
            found[f"{name} {seed}"] = Foreign(network(name), change(nodes, seed), **order).outcome()
    return found


@pytest.mark.parametrize(
    ("change", "seeds"),
    [
        (lambda _, seed: other_words(seed), range(1)), (permuted_words, range(4)), (other_numbers, range(1)),
        (deeper, range(1)),
    ],
)  # fmt: skip
def test_names_that_are_changed_in_the_same_tree_are_right(change: Renaming, seeds: Sequence[int]) -> None:
    found = outcomes(change, NETWORKS, seeds)
    assert [case for case, outcome in found.items() if outcome != "right"] == []
    assert len(found) == len(NETWORKS) * len(seeds)


def test_flat_numbers_are_right_where_the_file_keeps_an_order_and_otherwise_where_shapes_tell() -> None:
    """Numbers run with the flow in both; only an order says that the second layer is behind the first, or beside it."""
    ordered, shuffled = outcomes(flat, NETWORKS, ordered=True), outcomes(flat, NETWORKS)
    assert Counter(ordered.values()) == {"right": 10}
    assert {case.partition(" ")[0] for case, outcome in shuffled.items() if outcome == "refused"} == {
        "torchvision/resnext50_32x4d", "keras_applications/resnet50v2", "torchvision/shufflenet_v2_x1_0",
    }  # fmt: skip
    assert Counter(shuffled.values()) == {"right": 7, "refused": 3}


@pytest.mark.parametrize(("name", "seeds"), [
    ("torchvision/regnet_y_400mf", (2, 3, 30)), ("torchvision/resnet50", (0, 1)), ("torchvision/googlenet", (0, 1)),
    ("timm/seresnet50", (0, 1)),
])  # fmt: skip
def test_the_words_of_a_library_may_change_places(name: str, seeds: Sequence[int]) -> None:
    """Also letters that count, and words such as `downsample` that are known: `a, b, c` may be called `b, fc, a`."""
    row = next(row for row in ROWS if row.name == name)
    tensors = {tensor: np.broadcast_to(np.float32(1), shape) for tensor, shape in row.tensors.items()}
    layers, channels_first = torch_layout.layers(tensors)
    graph = expand(load(row.source))
    right = {
        node: layer.name for node, layer in match(graph, WeightFile("x.pth", layers, channels_first)).pairs.items()
    }
    for seed in seeds:
        rename = permuted_words([layer.name for layer in layers], seed)
        changed = [replace(layer, name=rename(layer.name)) for layer in layers]
        random.Random(seed).shuffle(changed)
        found = match(graph, WeightFile("x.safetensors", tuple(changed), channels_first, ordered=False))
        assert {node: layer.name for node, layer in found.pairs.items()} == {
            node: rename(layer) for node, layer in right.items()
        }


def test_words_that_change_places_are_refused_where_nothing_else_tells() -> None:
    """The gate of a highway and what it lets through have the same shapes, in every unit."""
    name, names = "related/highway19", [node.name for node in network("related/highway19").nodes if node.weights]
    assert Counter(outcomes(permuted_words, [name], range(4)).values()) == {"refused": 4}
    case = Foreign(network(name), permuted_words(names, 1), ordered=True)
    gates = match(case.graph, case.file).open
    assert gates
    assert all("/transform/" in line and "/gate/" in line for line in gates)
    assert case.outcome(Choices(assume_order=True)) == "right"


def test_destroyed_names_are_right_where_shapes_tell_and_refused_where_they_do_not() -> None:
    outcomes = {name: Foreign(network(name), no_names(0)).outcome() for name in (*ALEXNETS, *DEEP)}
    assert [outcomes[name] for name in ALEXNETS] == ["right", "right"]
    assert [outcomes[name] for name in DEEP] == ["refused"] * len(DEEP)


@pytest.mark.parametrize(("network_name", "names", "says"), [
    ("he2015/resnet50", "torchvision/resnet50", "on the 3x3 of"), ("torchvision/resnet50", "torchvision/resnet50", ""),
    ("related/se_resnet50", "timm/seresnet50", "on the 3x3 of"), ("he2015/resnet18", "torchvision/resnet18", ""),
    ("torchvision/googlenet", "torchvision/googlenet", "from -1 to 1"),
])  # fmt: skip
def test_what_is_known_of_those_who_give_such_names_is_said(network_name: str, names: str, says: str) -> None:
    row = next(row for row in ROWS if row.name == names)
    layers, _ = torch_layout.layers({name: np.broadcast_to(np.float32(1), s) for name, s in row.tensors.items()})
    found = match(network(network_name), WeightFile("x.pth", layers, channels_first=True))
    assert found.pairs
    assert [says in note for note in found.notes if "such names" in note] == [True] * bool(says)


def renamed(name: str) -> str:
    return name.replace("/", ".").replace("left", "foo").replace("right", "bar")


@pytest.mark.parametrize("ordered", [False, True])
def test_two_branches_of_equal_shape_are_refused_by_name_and_right_once_chosen(ordered: bool) -> None:
    case = Foreign(graph(text=BRANCHES), lambda name: f"net.{renamed(name)}", ordered=ordered)
    found = match(case.graph, case.file)
    assert found.pairs == {}
    assert {line.partition(":")[0].split(".")[-2] for line in found.open} == {"foo", "bar"}
    assert all("/left/" in line and "/right/" in line for line in found.open)
    if ordered:
        assert case.outcome(Choices(assume_order=True)) == "right"


@pytest.mark.parametrize(("text", "by_depth", "outcome"), [
    (INCEPTION, True, "right"), (INCEPTION, False, "refused"), (BRANCHES, True, "refused"),
])  # fmt: skip
def test_keras_sorts_by_depth_where_shapes_show_it(text: str, by_depth: bool, outcome: str) -> None:
    """Layers without names are counted as they are made; in the file those of a kind lie by their distance from the end."""
    network = graph(text=text)
    numbers = {node.name: index for index, node in enumerate(network.nodes)}
    called = {node.name: "conv2d" if kind(node) == "conv" else "batch_normalization" for node in network.nodes}
    case = Foreign(network, lambda node: f"{called[node]}_{numbers[node]}", by_depth=by_depth)
    assert case.outcome() == outcome


@pytest.mark.parametrize(("widths", "ordered", "outcome"), [
    ((8, 6), True, "right"), ((8, 6), False, "refused"), ((4, 4), True, "refused"),
])  # fmt: skip
def test_numbers_that_count_down(widths: tuple[int, int], ordered: bool, outcome: str) -> None:
    """As decoders do; where shapes let both ways stand, numbers and the order of the file are against each other."""
    first, second = (f"{{conv: {{filters: {width}, kernel: 3}}}}" for width in widths)
    network = graph(
        "[{conv: {filters: 4, kernel: 3}}, {conv: {filters: 4, kernel: 3}},", f"[{first}, {second},", DECODER
    )
    case = Foreign(network, lambda node: re.sub(r"stem/conv(.)", lambda n: f"up{4 - int(n[1])}", node), ordered=ordered)
    assert case.outcome() == outcome


def test_what_only_changes_the_order_of_a_sum_is_settled() -> None:
    case = Foreign(graph(text=SUM), lambda name: f"net.{renamed(name)}")
    found = match(case.graph, case.file)
    assert (found.open, len(found.pairs)) == ((), 6)
    sides = {(node.split("/")[-2], layer.name.split(".")[-2]) for node, layer in found.pairs.items()}
    assert len({ours for ours, _ in sides}) == len({theirs for _, theirs in sides}) == len(sides)


def test_words_that_both_sides_share_tell_branches_apart() -> None:
    assert Foreign(graph(text=BRANCHES), lambda name: f"net.{name.replace('/', '.')}").outcome() == "right"


def test_a_pre_activation_file_does_not_fit_a_network_that_is_not() -> None:
    before, after = network("he2016/resnet110"), network("he2016/resnet110_original")
    found = match(after, Foreign(before, other_words(0)).file)
    assert (found.pairs, bool(found.open or found.problems)) == ({}, True)


@pytest.mark.parametrize("rename", [other_words(0), lambda name: name.replace("/", ".")], ids=["foreign", "ours"])
def test_the_front_of_a_file(rename: Callable[[str], str]) -> None:
    whole = network("torchvision/resnet18")
    front = expand(load("torchvision/resnet18", ["head=[]", "outputs=[stage2]"]))
    case = Foreign(whole, rename)
    found = match(front, case.file)
    nodes = {node.name for node in front.nodes if node.weights}
    assert (found.open, found.problems, case.placed(found)) == ((), (), nodes)
    assert found.notes[0].startswith("left over in the file: ")


@pytest.mark.parametrize(("shapes", "remains"), [
    ([(12, 7)], True), ([(12, 7), (12, 4)], True), ([(12, 12)], False), ([(12, 3), (3, 12)], False), ([(12, 3, 3, 12)], False),
])  # fmt: skip
def test_further_heads_may_remain_but_nothing_that_could_stand_before_the_head(
    shapes: list[tuple[int, ...]], remains: bool, small: Graph
) -> None:
    case = Foreign(small, other_words(0))
    more = [
        Layer(f"more{i}.a", "conv" if len(shape) > 2 else "dense", {"kernel": case.tensor(f"more{i}.kernel", shape)})
        for i, shape in enumerate(shapes)
    ]
    found = match(small, replace(case.file, layers=(*case.file.layers, *more)))
    assert (bool(found.pairs), not found.problems) == (remains, remains)


def test_norms_that_the_network_has_not_are_no_rest() -> None:
    """What stands between layers that are taken would be missing, and the function another."""
    bare = graph(text=BRANCHES.replace(", norm", ""))
    found = match(bare, Foreign(graph(text=BRANCHES), lambda name: f"net.{name.replace('/', '.')}").file)
    assert found.pairs == {}


@pytest.mark.parametrize("rename", [other_words(0), lambda name: name.replace("/", ".")], ids=["foreign", "ours"])
def test_a_stem_of_another_number_of_channels(rename: Callable[[str], str], small: Graph) -> None:
    case = Foreign(small, rename)
    for channels, total in ((1, 3), (6, 1)):
        other = graph("input: [8, 8, 3]", f"input: [8, 8, {channels}]")
        refused = match(other, case.file)
        assert (refused.pairs, refused.hint.startswith("--adapt-stem")) == ({}, True)
        kernel = match(other, case.file, Choices(adapt_stem=True)).pairs["stem/conv1"].tensors["kernel"].array
        value = 3 * 3 * 3 * 4 * (total if channels == 1 else 3 / 6)
        assert (kernel.shape, set(kernel.ravel())) == ((3, 3, channels, 4), {np.float32(value)})


def test_two_networks_in_one_file(small: Graph) -> None:
    layers = [*Foreign(small, lambda name: "student." + name.replace("/", ".")).file.layers]
    layers += Foreign(small, lambda name: "teacher." + name.replace("/", ".")).file.layers
    both = WeightFile("x.pth", tuple(layers), channels_first=True)
    with pytest.raises(ArchbuilderError, match=r"several networks .*: student, teacher\n.*--weights-part student"):
        chosen(both, None, small)
    for part in (
        "teacher",
        "teacher.",
        "module.teacher",
    ):  # `module.` before all names is taken off when a file is read
        assert len(match(small, chosen(both, part, small)).pairs) == len(layers) // 2
    with pytest.raises(ArchbuilderError, match="nothing under pupil"):
        chosen(both, "pupil", small)
