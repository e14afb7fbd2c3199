"""Pictures as asked for: close-ups, several networks, themes, widths and formats; and names that would act on them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import archbuilder
from archbuilder.aliases import Level
from archbuilder.diagram.any_graph import picture as any_picture
from archbuilder.diagram.drawing import Corners, Drawing, Frame, PlacedBox
from archbuilder.diagram.formats import EXTENSIONS
from archbuilder.diagram.graphviz_layout import CLEARANCE, HEIGHT, _passes, graphviz_layout
from archbuilder.diagram.layout import GAP
from archbuilder.diagram.options import Direction, Options, ThemeName
from archbuilder.diagram.picture import picture
from archbuilder.diagram.text import text_width
from archbuilder.diagram.theme import THEMES
from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph, node
from archbuilder.graph.ops import Activation, Input
from archbuilder.spec import load, load_text
from tests.conftest import Call
from tests.graphs import NAMED
from tests.zoo import SMALL

TIMES = "\N{MULTIPLICATION SIGN}"
SVG = "{http://www.w3.org/2000/svg}"
LEVELS: tuple[Level, ...] = ("stage", "layer")
UNITS = ("he2016/resnet110_exclusive_gating", "he2015/resnet50", "related/densenet_bc100", "torchvision/googlenet")


def small() -> Graph:
    return expand(load_text(SMALL, "small.yaml"))


def bundled(name: str) -> Graph:
    return expand(load(name))


def placed(frame: Frame) -> Iterator[PlacedBox]:
    yield from frame.boxes
    for inner in frame.frames:
        yield from placed(inner)


def overlap(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def words(svg: str) -> str:
    """All that a reader of an SVG can select."""
    return " ".join("".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def assert_nothing_overlaps(drawing: Drawing) -> None:
    boxes = [one.corners for one in placed(drawing.frame)]
    texts = [text.corners for text in drawing.texts]
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
    assert not any(overlap(one, other) for one in boxes for other in texts)


# What is drawn.


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("name", UNITS)
def test_close_ups_tell_what_arrives_and_what_comes_of_it(name: str, direction: Direction) -> None:
    found = picture([bundled(name)], Options(unit="stage2/unit1", direction=direction))
    assert_nothing_overlaps(found.drawing)
    first, *_, last = placed(found.drawing.frame)
    assert (first.box.kind, last.box.kind) == ("mark", "mark")
    assert first.box.lines[0][0].text == "x"


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("he2015/resnet34", "stage1/unit2", {"F(x)", "F(x) + x", "identity"}),
        ("he2015/resnet50", "stage1/unit1", {"F(x)", "F(x) + Wx", "projection"}),
        ("he2015/resnet20", "stage2/unit1", {"F(x)", "F(x) + h(x)", "h(x)"}),
        ("he2016/resnet110_shortcut_gating", "stage1/unit1", {"F(x)", "F(x) + h(x)", "h(x)"}),
        ("related/highway19", "stage1/unit2", {"H(x)", "H·T + x·C", "H", "T", "C"}),
        ("related/densenet_bc100", "stage1/unit1", {"F(x)", "[F(x), x]", "identity"}),
    ],
)
def test_words_of_a_close_up(name: str, unit: str, expected: set[str]) -> None:
    drawing = picture([bundled(name)], Options(unit=unit)).drawing
    assert {text.words for text in drawing.texts} | {line for edge in drawing.edges for line in edge.label} == expected


def test_a_unit_that_is_not_there(call: Call) -> None:
    done = call("draw", "resnet20_v1", "--unit", "stage2/unit11", "-o", "-")
    assert done.code == 2
    assert "there is no unit called 'stage2/unit11' in resnet20_v1; did you mean 'stage2/unit1'?" in done.err


@pytest.mark.parametrize("make", NAMED)
def test_units_of_any_graph_can_be_drawn_close_up(make: Callable[[], Graph]) -> None:
    assert "3" in words(picture([make()], Options(unit="stage1/unit1")).svg)


def test_gate_and_carry_have_lines_of_their_own() -> None:
    drawing = picture([bundled("related/highway19")]).drawing
    named = [edge for edge in drawing.edges if edge.name]
    assert {edge.name for edge in named} == {"H", "T", "C"}
    ends = [edge.points[-1] for edge in named]
    assert len(set(ends)) == len(ends)


def test_networks_beside_each_other_have_equal_sizes_at_equal_heights() -> None:
    names = ("related/vgg19", "he2015/plain34", "he2015/resnet34")
    drawing = picture([bundled(name) for name in names], Options(level="unit")).drawing
    assert_nothing_overlaps(drawing)
    assert [text.words for text in drawing.texts if text.weight == "bold"] == ["vgg19", "plain34", "resnet34"]
    sides = (224, 112, 56, 28, 14, 7, 1)
    assert [text.words for text in drawing.texts if text.weight == "faint"] == [
        f"{side}{TIMES}{side}" for side in sides
    ]
    first: dict[tuple[str, int], float] = {}
    for one in placed(drawing.frame):
        side = (*one.box.nodes[-1].shape[:-1], 1)[0]
        first.setdefault((one.box.name[0], side), one.corners[1])
    for side in (112, 28, 14):
        tops = [top for (_, own), top in first.items() if own == side]
        assert max(tops) - min(tops) <= GAP  # a fork stands before the first box of a unit


def test_networks_of_other_sizes_stand_beside_each_other_too() -> None:
    drawing = picture([bundled("resnet20_v1"), bundled("he2015/resnet18")]).drawing
    assert_nothing_overlaps(drawing)


@pytest.mark.parametrize("make", NAMED)
@pytest.mark.parametrize("direction", ["down", "right"])
def test_no_arrow_crosses_a_title(make: Callable[[], Graph], direction: Direction) -> None:
    for level in LEVELS:
        drawing = graphviz_layout(any_picture(make(), level), direction)
        passes = [point for edge in drawing.edges for point in _passes(edge.points)]
        frames = list(panels(drawing.frame))
        assert frames
        for frame in frames:
            assert frame.panel is not None
            assert frame.heading is not None
            (x, y), width = frame.heading, text_width(frame.panel.title, bold=True)
            title = (x, y - HEIGHT / 2, x + width, y + HEIGHT / 2)
            assert not any(title[0] < px < title[2] and title[1] < py < title[3] for px, py in passes)
            assert frame.top_left[0] <= x + CLEARANCE
            assert x + width <= frame.bottom_right[0] + CLEARANCE


def panels(frame: Frame) -> Iterator[Frame]:
    for inner in frame.frames:
        yield inner
        yield from panels(inner)


# How it looks.


def test_title_totals_and_legend() -> None:
    told = words(picture([small()], Options(title="A <small> one", totals=True, legend=True)).svg)
    for part in (
        "A <small> one",
        "layers deep",
        "parameters",
        "multiply-adds",
        "convolution",
        "shortcut",
        "equal units",
    ):
        assert part in told
    assert "convolution" not in words(picture([small()]).svg)


def test_svg_is_text_with_classes_and_neither_style_nor_script() -> None:
    root = ElementTree.fromstring(picture([small()], Options(background="none")).svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "title", "g", "rect", "circle", "path", "text", "tspan",
    } - ({"circle"} if root.find(f".//{SVG}circle") is None else set())  # fmt: skip
    classes = {name for element in root.iter() for name in element.get("class", "").split()}
    assert {"archbuilder", "panel", "stage", "units", "box", "conv", "edge", "dashed", "solid", "title"} <= classes
    keys = {key for element in root.iter() for key in element.attrib}
    assert not {key for key in keys if key in ("style", "id") or "href" in key or key.startswith("on")}
    assert "currentColor" in {element.get("stroke") for element in root.iter()}
    assert root.get("color") is None
    assert root.find(f".//{SVG}rect[@class='background']") is None


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_in_every_theme(theme: ThemeName) -> None:
    colours = THEMES[theme]
    grounds = [paint.fill for kind, paint in colours.kinds.items() if kind != "mark"]
    for ground in [*grounds, *(paint.fill for paint in colours.panels), colours.background]:
        assert contrast(colours.text, ground) >= 4.5
        assert contrast(colours.faint, ground) >= (4.1 if theme == "light" else 4.5)
    assert contrast(colours.ink, colours.background) >= 4.5


def contrast(one: str, other: str) -> float:
    """As WCAG has it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("width", "level"), [("85mm", "stage"), ("100mm", "unit"), ("17.4cm", "layer"), ("60in", "stage")]
)
def test_widths_keep_type_readable(width: str, level: Level) -> None:
    options = Options(width=width, level=level)
    root = ElementTree.fromstring(picture([bundled("he2015/resnet18")], options).svg)
    shown = float(root.attrib["width"].removesuffix("pt"))
    assert shown == pytest.approx(options.points, abs=0.02)
    scale = shown / float(root.attrib["viewBox"].split()[2])
    sizes = [float(element.attrib["font-size"]) for element in root.iter() if "font-size" in element.attrib]
    assert min(sizes) * scale >= 6.99
    assert scale <= 1.001


@pytest.mark.parametrize(
    ("width", "message"),
    [
        ("wide", "'wide' is not a width, such as 85mm; units: mm, cm, in, pt, px"),
        ("-3mm", "'-3mm' is not a width"),
        ("2mm", "a picture 2mm wide cannot be drawn"),
        ("40mm", r"a picture 40mm wide would have type of less than 7 points: this one is at least \d+mm wide"),
    ],
)
def test_widths_that_cannot_be(width: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        picture([bundled("resnet20_v1")], Options(width=width))


def test_the_least_width_that_an_error_names_can_be_drawn() -> None:
    graph = bundled("torchvision/googlenet")
    with pytest.raises(UsageError) as raised:
        picture([graph], Options(width="85mm"))
    [least] = re.findall(r"at least (\d+)mm", str(raised.value))
    assert picture([graph], Options(width=f"{least}mm")).svg


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize(
    ("name", "level"), [("torchvision/googlenet", "unit"), ("he2015/resnet50", "layer"), ("he2016/resnet1001", "unit")]
)
def test_what_is_long_wraps(name: str, level: Level, direction: Direction) -> None:
    drawing = picture([bundled(name)], Options(level=level, direction=direction)).drawing
    width, height = drawing.size
    assert 1 / 4 <= width / height <= 4
    boxes = sorted((one.corners for one in placed(drawing.frame)), key=lambda corners: corners[0])
    assert len(boxes) == len({one.box.name for one in placed(drawing.frame)})
    assert not any(overlap(one, other) for number, one in enumerate(boxes) for other in boxes[number + 1 : number + 60])


# Formats.


def test_standard_output_and_formats(call: Call, tmp_path: Path) -> None:
    assert call("draw", "resnet20_v1", "-o", "-").out.startswith("<?xml")
    mermaid = call("draw", "resnet20_v1", "-o", "-", "--format", "mermaid").out
    assert mermaid.splitlines()[:4] == ["---", 'title: "resnet20_v1"', "---", "flowchart TB"]
    path = tmp_path / "odd.txt"
    assert call("draw", "resnet20_v1", "-o", path, "--format", "mermaid").code == 0
    assert path.read_text(encoding="utf-8") == mermaid
    assert call("draw", "resnet20_v1", "-o", path).code == 2


def test_mermaid_has_all_boxes_frames_and_arrows() -> None:
    found = picture([small()])
    lines = found.mermaid.splitlines()
    assert sum("-->" in line or "-.->" in line for line in lines) == len(found.drawing.edges)
    assert sum(":::" in line for line in lines) == len(list(placed(found.drawing.frame)))
    assert sum(line.strip().startswith("subgraph") for line in lines) == len(list(panels(found.drawing.frame)))
    assert sum(line.strip() == "end" for line in lines) == len(list(panels(found.drawing.frame)))


def test_mermaid_takes_no_more_than_it_renders() -> None:
    with pytest.raises(UsageError, match=r"has 565 arrows, and Mermaid takes 500 at most; fewer with --level stage"):
        _ = picture([bundled("he2015/resnet152")], Options(level="layer")).mermaid


def test_python_draws_the_same(call: Call) -> None:
    found = archbuilder.draw(["resnet20_v1", "plain20_v1"], totals=True, theme="dark", legend=True, direction="right")
    shown = call(
        "draw",
        "resnet20_v1",
        "plain20_v1",
        "--totals",
        "--theme",
        "dark",
        "--legend",
        "--direction",
        "right",
        "-o",
        "-",
    )
    assert shown.out.endswith(found._repr_svg_())
    assert repr(found) == "<Picture of 'resnet20_v1, plain20_v1'>"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "neon"}, "theme is one of light, dark, grey, colour-blind, not 'neon'"),
        ({"direction": "up"}, "direction is one of down, right, not 'up'"),
        ({"level": "layers"}, "level is one of stage, unit, layer, not 'layers'"),
    ],
)
def test_words_that_are_none_of_an_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        archbuilder.draw("resnet20_v1", **options)


def test_nothing_to_draw() -> None:
    with pytest.raises(UsageError, match="there is no network to draw"):
        archbuilder.draw([])


HOSTILE = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "]]> --> end", "%%{init: {}}%%", "`**x**`", "#quot;",
    "a\nend\nclick n1 call x()", "---\ntitle: x\n---", "\x1b[31mred\x07", "\u202egnp.exe", "back\\slash\\", "\ud800", "<b>&amp;", "=1+1",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_name_acts(name: str, tmp_path: Path) -> None:
    image = node(f"{name}1", Input((4, 4, 3)))
    first = node(f"{name}/unit1/{name}", Activation("relu"), [image])
    graph = Graph(
        name, (image, first, node(f"{name}/unit2/{name}", Activation("tanh"), [first])), (f"{name}/unit2/{name}",)
    )
    for graphs in ([graph], [graph, graph]):
        found = picture(graphs, Options(title=name, totals=True, legend=True, level="layer"))
        root = ElementTree.fromstring(found.svg)
        allowed = {"svg", "title", "g", "rect", "circle", "path", "text", "tspan"}
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
        for text in (found.svg, found.dot, found.mermaid):
            assert all(letter.isprintable() or letter in "\n\t" for letter in text)
        assert_plain_mermaid(found.mermaid)
    for kind in dict.fromkeys(EXTENSIONS.values()):
        if kind != "mermaid":
            picture([graph], Options(title=name)).save(tmp_path / f"x.{kind}")


def assert_plain_mermaid(text: str) -> None:
    """Every line is one of those that are written, and every label only letters, digits and entities."""
    opening, title, closing, way, *lines = text.splitlines()
    assert (opening, closing) == ("---", "---")
    assert isinstance(json.loads(title.removeprefix("title: ")), str)
    assert way == "flowchart TB"
    label = rf"(?:[\w ,·{TIMES}]|#\d+;|<br>)*"
    patterns = [
        rf'n\d+\(\[?"{label}"\]?\):::\w+', rf'subgraph n\d+\["{label}"\]', "end", rf'n\d+ -\.?->(\|"{label}"\|)? n\d+',
        r"n\d+ --> n\d+", rf'n\d+ -->\|"{label}"\| n\d+', r"classDef \w+ [\w:#,-]+",
        r"style n\d+ fill:none", "direction TB",
    ]  # fmt: skip
    for line in lines:
        assert any(re.fullmatch(pattern, line.strip()) for pattern in patterns), line
