"""Diagrams of graphs without a spine: every box in its panel, every arrow once, none that is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from archbuilder.aliases import Level
from archbuilder.diagram.any_graph import Picture, picture
from archbuilder.diagram.dot import diagram
from archbuilder.diagram.files import save
from archbuilder.diagram.flow import Box, Flow, Panel
from archbuilder.errors import UsageError
from archbuilder.graph.network import Graph
from tests.graphs import NAMED, Draft, conv, exchange, pyramid, random_graph, two_heads, u_net

LEVELS: tuple[Level, ...] = ("stage", "unit", "layer")


def boxes(flow: Flow) -> Iterator[Box]:
    for element in flow:
        if isinstance(element, Panel):
            yield from boxes(element.flow)
        else:
            assert isinstance(element, Box)
            yield element


def titles(flow: Flow) -> list[str]:
    panels = [element for element in flow if isinstance(element, Panel)]
    return [title for panel in panels for title in (panel.title, *titles(panel.flow))]


def edges(graph: Graph) -> Counter[tuple[str, str]]:
    return Counter((name, node.name) for node in graph.nodes for name in node.inputs)


def drawn(found: Picture) -> Counter[tuple[str, str]]:
    return Counter((arrow.tail, arrow.head) for arrow in found.arrows)


@pytest.mark.parametrize("make", NAMED)
def test_every_edge_is_drawn_once_at_layer_level(make: Callable[[], Graph]) -> None:
    found = picture(make(), "layer")
    assert drawn(found) == edges(make())
    assert sorted(box.name for box in boxes(found.flow)) == sorted(node.name for node in make().nodes)


@pytest.mark.parametrize("seed", range(30))
def test_arrows_are_what_the_graph_has(seed: int) -> None:
    """Boxes hold each layer once; what leads from box to box is an edge between their layers, each of these once."""
    graph = random_graph(Random(seed), 20, outputs=2)
    found = picture(graph, "unit")
    home, held = dict[str, str](), Counter[str]()
    for box in boxes(found.flow):
        held[box.name] += 1
    assert set(held.values()) == {1}
    for node in reversed(graph.nodes):  # a layer is in the box of the next one, unless it ends a box itself
        following = [one.name for one in graph.nodes if node.name in one.inputs]
        home[node.name] = node.name if node.name in held else home[following[0]]
    between = Counter((home[tail], home[head]) for tail, head in edges(graph).elements() if home[tail] != home[head])
    assert drawn(found) == between


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("make", NAMED)
def test_graphviz_draws_them(make: Callable[[], Graph], level: Level, tmp_path: Path) -> None:
    save(diagram(make(), level), tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text(encoding="utf-8")
    found = picture(make(), level)
    assert text.count('class="edge"') == len(found.arrows)
    assert text.count('class="node"') == len(list(boxes(found.flow)))
    assert text.count('class="cluster"') == len(titles(found.flow))


def test_panels_are_stages_and_equal_units() -> None:
    times = "\N{MULTIPLICATION SIGN}"
    graph = u_net(units=4)
    assert titles(picture(graph, "stage").flow) == [
        "stage 1", f"{times}4", "stage 2", f"{times}3", "stage 3", f"{times}3", "head",
    ]  # fmt: skip
    assert titles(picture(graph, "unit").flow) == ["stage 1", "stage 2", "stage 3", "head"]
    assert titles(picture(exchange(2), "layer").flow) == [
        "stage 1", "transition 1", "unit 1", "unit 2", "head", "pool 0", "pool 1",
    ]  # fmt: skip


def test_units_of_several_inputs_fold_where_each_takes_in_the_same_of_the_one_before() -> None:
    found = picture(exchange(4), "stage")
    assert titles(found.flow) == ["stage 1", "\N{MULTIPLICATION SIGN}4", "head", "pool 0", "pool 1"][:3]
    arrows = [(arrow.tail, arrow.head) for arrow in found.arrows]
    assert ("stem/activation1", "stage1/unit4/high/activation1") in arrows
    assert ("stage1/transition1/activation1", "stage1/unit4/low/activation1") in arrows
    assert not any(f"unit{index}/" in f"{arrow}" for index in (1, 2, 3) for arrow in arrows)


def test_units_that_others_look_into_are_not_folded() -> None:
    draft = Draft(8, 8, 4)
    seen = draft.stage(1, 2, 4)
    last = draft.unit("stage1/unit3", 4)
    draft.sum("head", last, seen)
    assert titles(picture(draft.graph(), "stage").flow)[1:] == ["\N{MULTIPLICATION SIGN}2"]


def test_shortcuts_are_dashed() -> None:
    strokes = Counter(arrow.stroke for arrow in picture(pyramid(), "stage").arrows)
    assert strokes == {"solid": len(picture(pyramid(), "stage").arrows) - 6, "dashed": 6}
    layers = [arrow for arrow in picture(pyramid(), "layer").arrows if arrow.stroke == "dashed"]
    assert len(layers) == 9
    assert all("/shortcut/" in f"{arrow.tail} {arrow.head}" for arrow in layers)


def test_boxes_are_told_as_on_the_spine() -> None:
    lines = {box.name: [" · ".join(word.text for word in line) for line in box.lines]
             for box in boxes(picture(two_heads(), "unit").flow)}  # fmt: skip
    times = "\N{MULTIPLICATION SIGN}"
    assert lines["stem/activation1"] == [f"3{times}3 conv, 4 · norm · relu"]
    assert lines["stage1/unit1/activation1"] == ["+ · relu"]


def test_what_graphviz_could_not_lay_out_is_refused() -> None:
    draft = Draft(8, 8, 2)
    ends = [draft.add("stem", conv(2)) for _ in range(60)]
    last = ends.pop()
    for end in reversed(ends):
        last = draft.sum("head", draft.add("head", conv(2), behind=last), end)
    with pytest.raises(
        UsageError, match=r"has 5,\d+ rows for its arrows to cross, and 2,500 .*; fewer with --level st"
    ):
        diagram(draft.graph(), "layer")
