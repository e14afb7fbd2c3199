"""Diagrams: what they show, where it stands, and the files they become."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from archbuilder.aliases import Level
from archbuilder.cli.draw import command
from archbuilder.diagram.content import content
from archbuilder.diagram.dot import diagram
from archbuilder.diagram.files import save
from archbuilder.diagram.flow import Box, Flow, Fork, Panel, nodes_of
from archbuilder.diagram.layout import Drawing, Frame, PlacedBox, layout
from archbuilder.errors import MissingError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph, node
from archbuilder.graph.ops import Activation, Input
from archbuilder.spec import load, load_text
from tests.conftest import Call, Golden
from tests.zoo import SMALL

LEVELS: tuple[Level, ...] = ("stage", "unit", "layer")
NETWORKS = ("resnet20_v1", "resnet56_v2", "plain20_v1", "he2015/resnet20")
TIMES = "\N{MULTIPLICATION SIGN}"
STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}


def small() -> Graph:
    return expand(load_text(SMALL, "small.yaml"))


def stem(text: str) -> Flow:
    """What the diagram of a stem shows at unit level, without the input."""
    text = f"archbuilder: 1\nname: small\ninput: [8, 8, 4]\nstem:\n{text}"
    return content(expand(load_text(text, "small.yaml")), "unit")[1:]


def bundled(name: str, *edits: str) -> Graph:
    return expand(load(name, edits))


def elements(flow: Flow) -> Iterator[Box | Fork | Panel]:
    """All elements of a flow, those within others too."""
    for element in flow:
        yield element
        match element:
            case Fork():
                yield from elements(element.main)
                for side in element.sides:
                    yield from elements(side.flow)
                yield element.merge
            case Panel():
                yield from elements(element.flow)


def panels(flow: Flow) -> list[str]:
    return [element.title for element in elements(flow) if isinstance(element, Panel)]


def strokes(flow: Flow) -> list[str]:
    return [side.stroke for element in elements(flow) if isinstance(element, Fork) for side in element.sides]


def labels(flow: Flow) -> list[tuple[str, ...]]:
    """The lines of all boxes, words of a line joined."""
    boxes = [element for element in elements(flow) if isinstance(element, Box)]
    return [tuple(" · ".join(word.text for word in line) for line in box.lines) for box in boxes]


# What is shown.


@pytest.mark.parametrize("level", LEVELS)
def test_dot_of_a_small_network(level: Level, golden: Golden) -> None:
    golden(f"diagrams/small_{level}.dot", diagram(small(), level).source)


@pytest.mark.parametrize("name", ["resnet20_v1", "plain20_v1"])
def test_dot_of_stages(name: str, golden: Golden) -> None:
    golden(f"diagrams/{name}_stage.dot", diagram(bundled(name)).source)


def test_equal_units_are_folded_at_stage_level_alone() -> None:
    graph = bundled("resnet110_v1")
    assert panels(content(graph, "stage")) == [
        "stage 1",
        f"{TIMES}18",
        "stage 2",
        f"{TIMES}17",
        "stage 3",
        f"{TIMES}17",
    ]
    assert panels(content(graph, "unit")) == ["stage 1", "stage 2", "stage 3"]
    assert len(strokes(content(graph, "unit"))) == 54
    assert panels(content(graph, "layer"))[:3] == ["stage 1", "unit 1", "unit 2"]


@pytest.mark.parametrize("level", LEVELS)
def test_shortcuts_are_solid_dashed_or_dotted(level: Level) -> None:
    edits = [f"stages.{stage}.units=2" for stage in range(3)]
    for name, expected in [
        ("resnet20_v1", ["solid", "solid", "dashed", "solid", "dashed", "solid"]),
        ("he2015/resnet20", ["solid", "solid", "dotted", "solid", "dotted", "solid"]),
        ("plain20_v1", []),
    ]:
        found = strokes(content(bundled(name, *edits), level))
        assert found == (expected[1:] if level == "stage" else expected)


def test_projections_say_what_they_are() -> None:
    text = diagram(bundled("resnet20_v1")).source
    assert f"1{TIMES}1 conv, 32, /2" in text
    assert "dashed" in text


def test_every_layer_has_a_box_at_layer_level() -> None:
    graph = bundled("resnet56_v2")
    names = [element.name for element in elements(content(graph, "layer")) if isinstance(element, Box)]
    assert sorted(names) == sorted(node.name for node in graph.nodes)


def test_norm_and_activation_stand_with_their_convolution() -> None:
    post = "  - conv: {filters: 4, kernel: 3}\n  - norm\n  - relu\n  - conv: {filters: 8, kernel: 1}\n  - norm"
    pre = "  - norm\n  - relu\n  - conv: {filters: 4, kernel: 3}\n  - norm\n  - conv: {filters: 8, kernel: 1}\n  - relu"
    assert labels(stem(post)) == [(f"3{TIMES}3 conv, 4 · norm · relu", f"1{TIMES}1 conv, 8 · norm")]
    assert labels(stem(pre)) == [(f"norm · relu · 3{TIMES}3 conv, 4", f"norm · 1{TIMES}1 conv, 8 · relu")]


def test_activations_stand_behind_their_layers_whatever_comes_first() -> None:
    head = (
        "  - flatten\n  - dense: {units: 4}\n  - relu\n  - dropout: {rate: 0.5}\n  - dense: {units: 4}\n"
        "  - relu\n  - dropout: {rate: 0.5}\n  - dense: {units: 3}\n  - softmax"
    )
    assert labels(stem(head)) == [
        ("flatten · dense, 4 · relu · dropout, 0.5", "dense, 4 · relu · dropout, 0.5", "dense, 3 · softmax")
    ]
    padded = "  - conv: {filters: 4, kernel: 3}\n  - relu\n  - pad: {amount: 1}\n  - max_pool: {size: 3, stride: 2}"
    assert labels(stem(padded)) == [(f"3{TIMES}3 conv, 4 · relu",), (f"pad, 1 · 3{TIMES}3 max pool, /2",)]


def test_a_gate_is_told_alike_wherever_it_stands() -> None:
    gate = "multiply: {features: [], gate: [global_average_pool, {dense: {units: 4}}, sigmoid]}"
    assert labels(stem(f"  - conv: {{filters: 4, kernel: 3}}\n  - {gate}")) == [(f"3{TIMES}3 conv, 4", f"{TIMES} gate")]


def test_units_fold_where_channels_grow() -> None:
    flow = content(bundled("related/densenet_bc100"), "stage")
    assert panels(flow) == ["stage 1", f"{TIMES}16", "stage 2", f"{TIMES}16", "stage 3", f"{TIMES}16"]
    first = next(element for element in elements(flow) if isinstance(element, Panel) and element.units)
    assert first.details == "36 to 216 channels"
    assert [unit.name for unit in first.units] == [f"stage1/unit{index}" for index in range(1, 17)]


def test_the_caption_of_a_stage_is_of_its_units() -> None:
    flow = content(bundled("related/vgg19"), "stage")
    assert [element.details.split(" · ")[0] for element in flow if isinstance(element, Panel)] == [
        f"224{TIMES}224{TIMES}64", f"112{TIMES}112{TIMES}128", f"56{TIMES}56{TIMES}256", f"28{TIMES}28{TIMES}512",
        f"14{TIMES}14{TIMES}512",
    ]  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["he2015/resnet20", "related/highway19", "torchvision/efficientnet_b0"])
def test_elements_carry_all_nodes_once(name: str, level: Level) -> None:
    graph = bundled(name)
    assert Counter(node.name for node in nodes_of(content(graph, level))) == Counter(node.name for node in graph.nodes)


def test_layers_of_another_kind_have_a_box_of_their_own() -> None:
    flow = stem(
        "  - conv: {filters: 4, kernel: 3}\n  - max_pool: {size: 2, stride: 2}\n  - flatten\n  - dense: {units: 3}"
    )
    assert [element.kind for element in flow if isinstance(element, Box)] == ["conv", "pool", "dense"]


def test_what_follows_a_merge_is_told_with_it() -> None:
    add = "  - add: {residual: [{conv: {filters: 4, kernel: 3}}], shortcut: []}\n"
    assert labels(stem(f"{add}  - norm\n  - relu"))[-1] == ("+ · norm · relu",)
    assert labels(stem(f"{add}  - norm\n  - conv: {{filters: 4, kernel: 1}}"))[-2] == ("+",)


def test_an_inner_merge_is_told_in_the_box_of_its_path() -> None:
    [fork] = stem("""
  - add:
      residual:
        - conv: {filters: 4, kernel: 3}
        - multiply: {features: [], gate: [global_average_pool, {dense: {units: 4}}, sigmoid]}
      shortcut: []
""")
    assert isinstance(fork, Fork)
    assert labels(fork.main) == [(f"3{TIMES}3 conv, 4", f"{TIMES} gate")]


def test_an_inner_merge_of_several_paths_with_weights_is_drawn() -> None:
    [fork] = stem(INCEPTION)
    assert isinstance(fork, Fork)
    inner, last = fork.main
    assert isinstance(inner, Fork)
    assert isinstance(last, Box)
    assert labels(inner.main) == [(f"1{TIMES}1 conv, 2",)]
    assert [labels(side.flow) for side in inner.sides] == [[(f"1{TIMES}1 conv, 2", f"3{TIMES}3 conv, 2")]]
    assert labels((last,)) == [(f"1{TIMES}1 conv, 4",)]


# Where it stands.


def placed_boxes(frame: Frame) -> Iterator[PlacedBox]:
    yield from frame.boxes
    for inner in frame.frames:
        yield from placed_boxes(inner)


def corners(placed: PlacedBox) -> tuple[float, float, float, float]:
    (x, y), width, height = placed.centre, placed.width, placed.height
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


INCEPTION = """
  - add:
      residual:
        - concat:
            single: [{conv: {filters: 2, kernel: 1}}]
            double: [{conv: {filters: 2, kernel: 1}}, {conv: {filters: 2, kernel: 3}}]
        - conv: {filters: 4, kernel: 1}
      shortcut: []
"""
ODD = """
archbuilder: 1
name: odd
input: [8, 8, 4]
stem:
  - gate:
      transform: [{conv: {filters: 4, kernel: 3}}]
      carry: []
      gate: [{conv: {filters: 4, kernel: 3}}, sigmoid]
  - concat:
      one: [{conv: {filters: 4, kernel: 1}}]
      two: [{add: {residual: [{conv: {filters: 4, kernel: 1}}], shortcut: [{conv: {filters: 4, kernel: 1}}]}}]
      three: [{max_pool: {size: 3, stride: 1, padding: same}}]
  - conv: {filters: 4, kernel: 1}
"""


def all_drawings() -> list[Drawing]:
    graphs = [*map(bundled, NETWORKS), expand(load_text(ODD + INCEPTION, "odd.yaml")), small()]
    return [layout(content(graph, level)) for graph in graphs for level in LEVELS]


def test_boxes_do_not_overlap_and_stay_within_their_panels() -> None:
    for drawing in all_drawings():
        boxes = [corners(placed) for placed in placed_boxes(drawing.frame)]
        assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
        for frame in drawing.frame.frames:
            assert all(within(corners(placed), frame) for placed in placed_boxes(frame))


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def within(box: tuple[float, ...], frame: Frame) -> bool:
    (left, top), (right, bottom) = frame.top_left, frame.bottom_right
    return left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom


def test_lines_run_along_the_axes_and_through_no_box() -> None:
    for drawing in all_drawings():
        inner = [(x0 + 1, y0 + 1, x1 - 1, y1 - 1) for x0, y0, x1, y1 in map(corners, placed_boxes(drawing.frame))]
        for edge in drawing.edges:
            for (x0, y0), (x1, y1) in pairwise(edge.points):
                assert x0 == x1 or y0 == y1
                line = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
                assert not any(overlap(line, box) for box in inner)


def test_every_edge_of_the_graph_is_drawn_at_layer_level() -> None:
    graph = bundled("resnet56_v2")
    drawn = {(edge.tail, edge.head) for edge in layout(content(graph, "layer")).edges}
    assert drawn == {(name, node.name) for node in graph.nodes for name in node.inputs}


def test_a_tall_network_has_a_column_for_each_stage() -> None:
    spines = {frame.spine for frame in layout(content(bundled("resnet110_v1"), "unit")).frame.frames}
    assert len(spines) == 3
    [one] = {frame.spine for frame in layout(content(small(), "stage")).frame.frames}
    assert one == 0


# The files.


def test_merges_within_merges_do_not_take_twice_as_long_each() -> None:
    """A layout that measured each path anew at every depth would never end."""
    units = "".join(f"    u{i}: {{layers: [{{add: {{a: [u{i + 1}], b: []}}}}]}}\n" for i in range(28))
    graph = expand(
        load_text(
            f"archbuilder: 1\nname: deep\ninput: [8, 8, 1]\nstages: []\nstem: [u0]\nhead: [relu]\n"
            f"templates:\n  units:\n{units}    u28: {{layers: [relu]}}\n",
            "deep.yaml",
        )
    )
    assert len(layout(content(graph, "layer")).edges) == 28 * 2 + 2


def test_what_nobody_could_look_at_is_refused(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    done = call("draw", "resnet20_v1", "--set", "stages.0.units=1300", "--level", "layer", "-o", path)
    assert done.code == 2
    assert done.err == (
        "error: the picture has 10,457 arrows, and 10,000 are the most that are drawn; fewer with --level stage\n"
    )
    assert not path.exists()


@pytest.mark.parametrize("extension", STARTS)
def test_formats(extension: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save(diagram(small()), tmp_path / f"small.{extension}")
    assert (tmp_path / f"small.{extension}").read_bytes().startswith(STARTS[extension])
    assert list(tmp_path.iterdir()) == [tmp_path / f"small.{extension}"]
    assert capfd.readouterr().err == ""


def test_svg_shows_the_words(tmp_path: Path) -> None:
    save(diagram(small(), "layer"), tmp_path / "small.svg")
    text = (tmp_path / "small.svg").read_text(encoding="utf-8")
    assert "global average pool" in text
    assert "stroke-dasharray" in text


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one of svg, png, pdf, dot"):
        save(diagram(small()), tmp_path / "small.gif")


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no folder"):
        save(diagram(small()), tmp_path / "nowhere" / "small.svg")


def test_without_graphviz_nothing_is_written_but_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "small.svg").write_text("kept")
    with pytest.raises(MissingError, match="pip install pygraphviz"):
        save(diagram(small()), tmp_path / "small.svg")
    assert (tmp_path / "small.svg").read_text() == "kept"
    save(diagram(small()), tmp_path / "small.dot")


@pytest.mark.parametrize("name", ['a<b>&"c"', "a:b:c", "back\\slash\\", "<html>", "zero\x00bell\x07", "ünï-çødé/{x|y}"])
def test_any_name_can_be_drawn(name: str, tmp_path: Path) -> None:
    image = node(f"{name}1", Input((4, 4, 3)))
    first = node(f"{name}/unit1/{name}", Activation("relu"), [image])
    second = node(f"{name}/unit2/{name}", Activation("tanh"), [first])
    graph = Graph(name, (image, first, second), (second.name,))
    for level in LEVELS:
        save(diagram(graph, level), tmp_path / "odd.svg")
        assert "tanh" in (tmp_path / "odd.svg").read_text(encoding="utf-8")


# The command.


def test_command_draws_beside_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["he2015/resnet20"])
    assert (result.exit_code, result.output) == (0, "resnet20.svg\n")
    assert (tmp_path / "resnet20.svg").exists()


def test_command_options(tmp_path: Path) -> None:
    path = tmp_path / "out.dot"
    result = CliRunner().invoke(
        command, ["resnet20_v1", "-o", str(path), "--level", "unit", "--set", "stages.0.units=5"]
    )
    assert (result.exit_code, result.output) == (0, f"{path}\n")
    assert "stage1/unit5" in path.read_text(encoding="utf-8")
