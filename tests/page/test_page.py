"""The page of a network or a run: its numbers, its policy, and that no text of a stranger means anything in it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import archbuilder
from archbuilder.errors import ArchbuilderError, MissingError, SpecError, UsageError
from archbuilder.page.page import Page
from tests.conftest import Call
from tests.page import runs
from tests.test_imports import SPY, heavy_modules

NETWORKS = ("he2015/resnet20", "related/highway19", "examples/maps/unet.yaml", "related/densenet_bc100")
VOID = {"meta", "link", "br", "img", "path", "input"}
LEFT_OPEN = {"tr", "td", "th"}
"""Elements whose ends HTML lets one leave out."""
MARKUP = "<img src=x onerror=alert(1)>'\"&</script><script>\x1b[31m\u202e{{7*7}}"
ACTS = re.compile(r"^on|^style$|^srcdoc$|^formaction$")


class Parsed(HTMLParser):
    """A page as a browser takes it: elements with their attributes, and the text at the beginning of each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.is_inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        self.is_inside = True
        if tag not in VOID | LEFT_OPEN:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = False
        if tag not in VOID | LEFT_OPEN:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.is_inside:
            self.texts[-1] += data

    def of(self, tag: str) -> list[str]:
        return [text for (name, _), text in zip(self.elements, self.texts, strict=True) if name == tag]

    @property
    def ids(self) -> list[str]:
        return [value for _, attrs in self.elements if (value := attrs.get("id"))]


def report(subject: str | Path) -> Page:
    return archbuilder.report(subject)


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Page]:
    """The page of a run of a kind, made once."""
    folder = tmp_path_factory.mktemp("runs")
    made: dict[str, Callable[[Path], Path]] = {
        "classes": runs.of_classes, "labels": runs.of_labels, "numbers": runs.of_numbers,
        "many": lambda path: runs.of_classes(path, [f"class {number}" for number in range(60)], wrong=30),
    }  # fmt: skip
    pages: dict[str, Page] = {}

    def found(kind: str) -> Page:
        if kind not in pages:
            pages[kind] = report(made[kind](folder / kind))
        return pages[kind]

    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_every_number_of_the_costs_is_that_of_build_json(name: str) -> None:
    rows = re.findall(r'<tr class="(\w)".*?<th scope="row">(.*?)<td>.*?<td>(.*?)(<td .*)', report(name).html)
    found = [(kind, [int(value) for value in re.findall(r'data-v="(\d+)"', cells)]) for kind, _, _, cells in rows]
    data = archbuilder.summary(name).to_json()

    def numbers(part: dict[str, object]) -> list[object]:
        parameters = part["parameters"]
        assert isinstance(parameters, dict)
        return [parameters["trainable"], parameters["total"], part["macs"], part["activation_bytes"]]

    assert [cells for kind, cells in found if kind == "s"] == [numbers(stage) for stage in data["stages"]]
    units = [numbers(unit) for stage in data["stages"] if len(stage["units"]) > 1 or
             stage["units"][0]["name"] != stage["name"] for unit in stage["units"]]  # fmt: skip
    assert [cells for kind, cells in found if kind == "u"] == units
    layers = [numbers(layer) for layer in data["layers"] if layer["op"] != "input"]
    assert [cells for kind, cells in found if kind == "l"] == layers


@pytest.mark.parametrize("name", NETWORKS)
def test_the_picture_shows_every_unit_and_its_parameters(name: str) -> None:
    page, summary = report(name), archbuilder.summary(name)
    rows = set(Parsed(page.html).ids)
    links = set(re.findall(r'<a class="unit[^"]*" href="#([^"]+)"', page.html))
    assert links <= rows
    units = {unit.name for stage in summary.stages for unit in stage.units if unit.name != stage.name}
    assert units <= links
    for unit in units:
        assert page.html.count(f"<b>{unit} →") == 1


def test_a_highway_unit_has_a_lane_for_each_path_named_as_in_the_paper() -> None:
    card = report("related/highway19").html.split('<div class="times">')[1].split("</a>")[0]
    assert len(re.findall('class="lane[ "]', card)) == 3
    assert 'class="arc' not in card
    assert re.findall(r'class="letter">.*?</span>(.)</span>', card) == ["C", "H", "T"]
    assert "gate" in card


def test_a_network_of_named_points_says_where_paths_come_from_and_go() -> None:
    html = report("examples/maps/unet.yaml").html
    assert [re.sub("<.*?>", "", one) for one in re.findall(r'<span class="place">(.*?)</span></span>', html)] == [
        "; from stage 3", "; from stage 2", "; from stage 1", "; from stem"
    ]  # fmt: skip
    assert "also to head, up 3" in html
    pyramid = report("examples/maps/feature_pyramid.yaml").html
    assert "also to the output" in pyramid


@pytest.mark.parametrize("kind", ["classes", "labels", "numbers", "many"])
def test_a_page_lets_nothing_act_but_its_own_script_and_style(page_of: Callable[[str], Page], kind: str) -> None:
    page = Parsed(page_of(kind).html)
    [policy] = [attrs["content"] or "" for tag, attrs in page.elements if attrs.get("http-equiv")]
    sums = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
            for tag in ("style", "script") for text in page.of(tag)]  # fmt: skip
    assert policy.split("; ")[:4] == [
        "default-src 'none'", f"style-src {sums[0]}", f"script-src {sums[1]}", "img-src data:"
    ]  # fmt: skip
    for tag, attrs in page.elements:
        assert not any(map(ACTS.match, attrs)), (tag, attrs)
        assert all((attrs.get(name) or "#").startswith(("#", "data:")) for name in ("src", "href", "xlink:href"))
    assert not page.open


@pytest.mark.parametrize("kind", ["classes", "labels", "numbers", "many"])
def test_no_two_parts_of_a_page_have_one_id(page_of: Callable[[str], Page], kind: str) -> None:
    page = Parsed(page_of(kind).html)
    assert len(page.ids) == len({*page.ids})
    named = {value for _, attrs in page.elements for key in ("aria-labelledby", "aria-describedby", "for")
             if (value := attrs.get(key))}  # fmt: skip
    assert named <= {*page.ids}


def test_text_of_strangers_means_nothing(tmp_path: Path) -> None:
    names = [MARKUP, "=cmd", "three"]
    folder = runs.of_classes(tmp_path / "a<b>&'", names)
    facts = json.loads((folder / "environment.json").read_text())
    facts |= {"platform": MARKUP, "devices": [MARKUP], "versions": {MARKUP: MARKUP}, "created": MARKUP}
    facts["data"] |= {"name": MARKUP, "path": f"{folder}.npz"}
    (folder / "environment.json").write_text(json.dumps(facts))
    (folder / "machine.json").write_text(json.dumps({"host": "secret", "command": ["x", MARKUP]}))
    strange, plain = Parsed(report(folder).html), Parsed(report(runs.of_classes(tmp_path / "plain")).html)
    assert {tag for tag, _ in strange.elements} == {tag for tag, _ in plain.elements}
    assert {key for _, attrs in strange.elements for key in attrs} == {
        key for _, attrs in plain.elements for key in attrs
    }
    assert not any(character in strange.text for character in "\x1b\u202e")
    assert MARKUP.replace("\x1b", "?").replace("\u202e", "?") in strange.text
    assert "secret" not in strange.text
    assert "49" not in strange.of("b")


def test_words_of_a_spec_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x<i>&.yaml"
    words = json.dumps(MARKUP.replace("\x1b", "").replace("\u202e", ""))
    text = "archbuilder: 1\nname: x\nsummary: {0}\nsource: {0}\ninput: [8, 8, 3]\nstem: [relu]\n".replace("{0}", words)
    path.write_text(text)
    page = Parsed(report(path).html)
    assert "img" not in {tag for tag, _ in page.elements}
    assert page.of("script")[0].startswith("(() =>")


def test_every_text_in_an_attribute_stands_in_quotes() -> None:
    for path in (Path(archbuilder.__file__).parent / "page" / "templates").glob("*.html"):
        for tag in re.findall(r"<[a-z][^>]*>", path.read_text()):
            assert not re.search(r"=\s*\{\{", tag), (path.name, tag)


def test_resnet_152_with_curves_is_small(tmp_path: Path) -> None:
    from archbuilder.page.one import page_of_run
    from archbuilder.training.run.folder import Run

    folder = runs.of_classes(tmp_path / "run", epochs=120)
    spec = archbuilder.load("he2015/resnet152")
    run = Run.open(folder)
    object.__setattr__(run, "__dict__", {**run.__dict__, "spec": spec})
    (folder / "predictions.npz").unlink()
    page = page_of_run(run)
    assert "stage3/unit36" in page.html
    assert page.html.count("data-y=") == 4
    assert len(page.html.encode()) <= 300_000


def test_scores_are_those_of_evaluate(page_of: Callable[[str], Page]) -> None:
    text = Parsed(page_of("classes").html)
    assert "93.33 %" in text.of("dd")
    assert [cell for cell in map(str.strip, text.of("td")) if cell in {"18", "19"}] == ["18", "19", "19"]
    assert page_of("classes").html.count("data:image/webp") == 4
    labels, numbers = Parsed(page_of("labels").html), Parsed(page_of("numbers").html)
    assert "average precision" in labels.of("th")
    assert {"MAE", "RMSE", "R²"} <= {*numbers.of("th")}
    assert page_of("numbers").html.count('class="dots"') == 2


def test_many_classes_are_told_by_the_pairs_that_are_confused(page_of: Callable[[str], Page]) -> None:
    html = page_of("many").html
    assert 'class="matrix"' not in html
    assert html.count("<td>class") == 25
    assert 'class="matrix"' in page_of("classes").html


def test_images_of_other_data_are_not_shown(tmp_path: Path) -> None:
    folder = runs.of_classes(tmp_path / "run")
    other = runs.of_classes(tmp_path / "other", wrong=5).with_suffix(".npz")
    with np.load(other) as data:
        np.savez(other, **{name: data[name][::-1] for name in data.files})
    with pytest.raises(UsageError, match="is not that of the run"):
        archbuilder.report(folder, data_path=other)
    folder.with_suffix(".npz").unlink()
    html = report(folder).html
    assert "data:image/webp" not in html
    assert "Without images: " in html
    assert "Without images" not in archbuilder.report(folder, pictures=False).html


@pytest.mark.parametrize(("name", "text"), [
    ("metrics.jsonl", "{}\n"), ("environment.json", "[]"), ("machine.json", "{}"), ("result.json", "{"),
])  # fmt: skip
def test_a_damaged_run_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    folder = runs.of_classes(tmp_path / "run")
    (folder / name).write_text(text)
    with pytest.raises(MissingError, match=re.escape(name)):
        report(folder)


@pytest.mark.parametrize("value", ["1e308", "-1e308", "0", "null", "5e-324"])
def test_numbers_beyond_measure_are_drawn_at_the_edge(tmp_path: Path, value: str) -> None:
    folder = runs.of_classes(tmp_path / "run")
    lines = (folder / "metrics.jsonl").read_text()
    for key in ("accuracy", "loss", "learning_rate", "seconds"):
        lines = re.sub(rf'(?<="{key}": )[\d.]+', value, lines)
    (folder / "metrics.jsonl").write_text(lines)
    heights = re.findall(r'data-y="([^"]*)"', report(folder).html)
    assert len(heights) == 4
    assert all(one == "-" or 0 <= int(one) <= 400 for line in heights for one in line.split())


def test_a_run_that_is_not_finished_has_what_there_is(tmp_path: Path) -> None:
    folder = runs.of_classes(tmp_path / "run")
    for name in ("result.json", "predictions.npz", "machine.json"):
        (folder / name).unlink()
    ids = Parsed(report(folder).html).ids
    assert "learning" in ids
    assert "answers" not in ids


def test_several_networks_stand_side_by_side(call: Call, tmp_path: Path) -> None:
    names = ("he2015/plain20", "he2015/resnet20", "he2015/resnet20_b")
    assert call("report", *names, "-o", "x.html", cwd=tmp_path).out == "x.html\n"
    page = Parsed((tmp_path / "x.html").read_text())
    assert len(page.ids) == len({*page.ids})
    assert [text for text in page.of("h2") if "/" in text] == [*names]
    differences = archbuilder.diff(names[0], names[2])
    assert [one.message for one in differences.network] == [
        text.strip() for text in page.of("li") if "option B" in text
    ]


def test_runs_of_one_network_have_one_picture_and_their_curves(tmp_path: Path) -> None:
    folders = [runs.of_classes(tmp_path / name, epochs=count) for name, count in (("one", 3), ("two", 5))]
    page = Parsed(archbuilder.report(*folders).html)
    assert sum(attrs.get("class") == "rows" for _, attrs in page.elements) == 1
    assert sum((attrs.get("class") or "").startswith("c1") for _, attrs in page.elements) == 2


def test_a_notebook_shows_a_page_in_a_frame_of_its_own() -> None:
    page = report("he2015/resnet20")
    frame = Parsed(page._repr_html_())
    [(tag, attrs)] = frame.elements
    assert (tag, attrs["srcdoc"], attrs["sandbox"]) == ("iframe", page.html, "allow-scripts")


def test_the_page_is_called_as_the_spec_is(call: Call, tmp_path: Path) -> None:
    assert call("report", "he2015/resnet20", cwd=tmp_path).out == "resnet20.html\n"
    assert (tmp_path / "resnet20.html").read_text() == report("he2015/resnet20").html
    assert "--images" in call("report", "--help").out


@pytest.mark.parametrize(("words", "error"), [
    (("he2015/resnet20", "-o", "x.pdf"), "a file that ends in .html"),
    (("he2015/resnet20", "-o", "no/x.html"), "no folder 'no'"),
    (("he2015/resnet20", "he2015/resnet32", "--set", "shortcut=projection"), "--set changes one spec"),
    (("he2015/resnet20", "he2015/resnet20"), "is named twice"),
    (("he2015/resnet20", "--data", "x"), "--data is for one run"),
    (("he2015/resnet20", "he2015/resnet32", "--images", "9"), "--images is for one spec"),
    (("nothing_like_it",), "no spec called"),
])  # fmt: skip
def test_what_cannot_be_is_an_error(call: Call, tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    done = call("report", *words, cwd=tmp_path)
    assert done.code
    assert error in done.err
    assert not list(tmp_path.glob("*.html"))


def test_all_mistakes_of_a_spec_are_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("archbuilder: 1\nname: x\ninput: [8, 8, 3]\nstem: [{conv: {filters: 0}}]\nunit: no\n")
    with pytest.raises(SpecError) as caught:
        report(path)
    assert len(caught.value.diagnostics) > 1
    assert isinstance(caught.value, ArchbuilderError)


def test_a_page_of_a_run_needs_no_tensorflow(tmp_path: Path) -> None:
    line = f"report {runs.of_classes(tmp_path / 'run')} -o {tmp_path}/x.html"
    assert heavy_modules(SPY, line, heavy=("tensorflow", "keras", "sklearn")) == {line: []}


def test_images_say_what_the_learning_rate_is() -> None:
    assert "Learning rate</b>" in archbuilder.report("he2015/resnet152", images=1_281_167).html
    assert "--images N adds" in report("he2015/resnet152").html
