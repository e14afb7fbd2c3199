"""The command `compare`: networks and runs beside each other, on the terminal and as CSV, Markdown, JSON and pictures."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

import archbuilder
from archbuilder.side_by_side.networks import SideBySide
from archbuilder.training.run.curves import Curves, curves
from tests.conftest import TINY, Call
from tests.test_imports import SPY, heavy_modules

FIGURE_3 = ("related/vgg19", "he2015/plain34", "he2015/resnet34", "he2015/resnet152")


def made(folder: Path, seed: int, errors: list[float], test_error: float | None = None, *edits: str) -> Path:
    """The folder of a run that looks as if it had been trained."""
    folder.mkdir(parents=True)
    spec = archbuilder.load_text(TINY, "tiny", [f"training.seed={seed}", *edits])
    (folder / "spec.yaml").write_text(spec.dump())
    lines = [
        {"epoch": epoch, "iteration": 11 * epoch, "accuracy": 1 - error / 200, "validation_accuracy": 1 - error / 100}
        for epoch, error in enumerate(errors, 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if test_error is not None:
        best = {"epoch": 1, "iteration": 11, "test_loss": 1.0, "test_accuracy": 1 - test_error / 100}
        (folder / "result.json").write_text(json.dumps({"best": best, "final": best}))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A sweep of two seeds, and a run that is not finished."""
    sweep = tmp_path / "sweep"
    for seed, errors in enumerate(([50.0, 20.0], [40.0, 30.0, 10.0])):
        made(sweep / f"seed-{seed}", seed, errors, test_error=22.0 + 2 * seed)
    plan = {"spec": archbuilder.load_text(TINY).dump(), "seeds": [0, 1], "data": None, "weights": None, "freeze": []}
    (sweep / "sweep.json").write_text(json.dumps(plan))
    return sweep, made(tmp_path / "_other $x$", 3, [60.0])


def test_resnet_152_is_eight_times_as_deep_as_vgg_19_and_cheaper(call: Call) -> None:
    lines = call("compare", *FIGURE_3).out.splitlines()
    rows = {line.split()[0]: line for line in lines[:5]}
    assert "152 (8.00)" in rows["he2015/resnet152"]
    assert "11,282.4 M (0.57)" in rows["he2015/resnet152"]
    assert "1507" in rows["he2015/resnet152"]
    assert "stage5" in [line.split()[0] for line in lines if line]


def test_stages_add_up_to_the_network(call: Call) -> None:
    found = json.loads(call("compare", *FIGURE_3, "--json").out)["networks"]
    assert [one["name"] for one in found] == list(FIGURE_3)
    for one in found:
        assert sum(stage["macs"] for stage in one["stages"]) == one["macs"]
        assert one["published"][0]["dataset"] == "ImageNet"


def test_csv_is_exact(call: Call) -> None:
    rows = list(csv.DictReader(call("compare", *FIGURE_3, "--csv").out.splitlines()))
    assert [(row["network"], row["macs"]) for row in rows][3] == ("he2015/resnet152", "11282415616")


def test_names_of_files_on_each_way_out(call: Call, tmp_path: Path) -> None:
    (tmp_path / "=x|<b>\x1b.yaml").write_text(TINY)
    for form in ("--csv", "--markdown", "--json"):
        done = call("compare", "=x|<b>\x1b.yaml", form, cwd=tmp_path)
        assert done.code == 0
        assert "\x1b" not in done.out
        assert not done.out.splitlines()[1].startswith("=")


def test_runs(call: Call, runs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = call("compare", *runs, "-o", tmp_path / "curves.svg")
    sweep, other = (line.split() for line in done.out.splitlines()[1:3])
    told = ["small/tiny", "2", "seeds", "2", "12.50", "25.00", "±", "7.07", "23.00", "±", "1.41", "22.00"]
    assert sweep[1:] == told
    assert other[-6:] == ["small/tiny", "1", "seed", "1", "30.00", "60.00"]
    picture = (tmp_path / "curves.svg").read_text()
    assert "<svg" in picture
    assert "stroke-dasharray" in picture


def test_runs_as_data(call: Call, runs: tuple[Path, Path]) -> None:
    [sweep, other] = json.loads(call("compare", *runs, "--json").out)["runs"]
    assert [one["validation"] for one in sweep["curve"]] == pytest.approx([45, 25])
    assert other["test_error"] is None
    assert call("compare", *runs, "--csv").out.startswith("run,network,runs,")
    assert isinstance(archbuilder.compare(*runs), Curves)
    assert isinstance(archbuilder.compare("resnet20_v1", archbuilder.load("resnet20_v2")), SideBySide)


def test_a_run_without_an_epoch(tmp_path: Path) -> None:
    found = curves([made(tmp_path / "run", 0, [])])
    assert str(found).splitlines()[1].split() == [str(tmp_path / "run"), "small/tiny", "1", "seed", "0"]


def test_a_run_beside_a_spec_is_its_network(call: Call, runs: tuple[Path, Path]) -> None:
    rows = csv.DictReader(call("compare", "resnet20_v1", runs[0], "--csv").out.splitlines())
    assert [row["network"] for row in rows] == ["resnet20_v1", str(runs[0])]


def test_a_bundled_spec_goes_before_a_folder_of_its_name(call: Call, tmp_path: Path) -> None:
    made(tmp_path / "resnet20_v1", 0, [50.0])
    done = call("diff", "resnet20_v1", "resnet20_v2", cwd=tmp_path)
    assert "small/tiny" not in done.out
    assert call("compare", "resnet20_v1", "--csv", cwd=tmp_path).out.splitlines()[1].startswith("resnet20_v1,20,")


def test_folds_and_numbers(tmp_path: Path, call: Call) -> None:
    edits = ("training.data.source=npz", "training.loss=huber", "training.keep.best=validation_mae")
    for fold in (1, 2):
        fold_edits = (*edits, f"training.data.validation={{fold: {{number: {fold}, of: 2}}}}")
        folder = made(tmp_path / "folds" / f"fold-{fold}", 0, [], None, *fold_edits)
        lines = [{"epoch": 1, "iteration": 9, "mae": 0.25, "validation_mae": 1.5 * fold}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        facts = {"epoch": 1, "iteration": 9, "test_loss": 1.0, "test_mae": 2.0 + fold}
        (folder / "result.json").write_text(json.dumps({"best": facts, "final": facts}))
    plan = {"spec": archbuilder.load_text(TINY, "tiny", edits).dump(), "seeds": [0], "folds": 2, "data": None,
            "weights": None, "freeze": []}  # fmt: skip
    (tmp_path / "folds" / "sweep.json").write_text(json.dumps(plan))
    done = call("compare", tmp_path / "folds")
    row = ["2", "folds", "1", "0.25", "2.25", "±", "1.061", "3.5", "±", "0.7071", "3"]
    assert (done.out.splitlines()[1].split()[2:], "mean absolute errors" in done.out) == (row, True)
    classes = made(tmp_path / "classes", 0, [50.0])
    assert "these are no curves of one picture" in call("compare", tmp_path / "folds", classes).err


def test_pages(call: Call, runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "a<b>&.yaml").write_text(TINY)
    assert call("compare", "a<b>&.yaml", "resnet20_v1", "-o", "networks.html", cwd=tmp_path).code == 0
    assert '<th scope="row">a&lt;b&gt;&amp;.yaml<td>' in (tmp_path / "networks.html").read_text()
    assert call("compare", "resnet20_v1", "-o", tmp_path / "x.svg").code == 2
    assert call("compare", *runs, "-o", tmp_path / "runs.html").code == 0
    assert '<path class="c1 dash"' in (tmp_path / "runs.html").read_text()
    assert not re.search(r"<script|<link|<img|src=|@import|url\((?!#)", archbuilder.compare(*runs)._repr_html_())


def test_memory_is_that_of_one_batch_size(call: Call) -> None:
    def sizes(*options: str) -> list[int]:
        found = json.loads(call("compare", "he2015/resnet20", "he2015/resnet50", "--json", *options).out)["networks"]
        return [one["training_memory"]["batch_size"] for one in found]

    assert (sizes(), sizes("--batch-size", "8")) == ([128, 128], [8, 8])


def test_what_does_not_go_together(call: Call, runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert call("compare", "resnet20_v1", "-o", tmp_path / "x.svg").code == 2
    assert call("compare", "resnet20_v1", "--csv", "--json").code == 2
    assert call("compare", *runs, "-o", tmp_path / "x.docx").code == 2
    assert call("compare", tmp_path).code == 4


def test_runs_are_compared_without_tensorflow(runs: tuple[Path, Path]) -> None:
    of_runs = f"compare {runs[0]}"
    assert heavy_modules(SPY, of_runs, heavy=("tensorflow", "keras")) == {of_runs: []}


def test_a_run_is_a_side_of_diff(call: Call, runs: tuple[Path, Path], tiny: Path) -> None:
    done = call("diff", tiny, runs[1])
    assert (done.code, "- the seed is 3, that of" in done.out) == (1, True)
    assert call("diff", tiny, runs[0]).code == 0
