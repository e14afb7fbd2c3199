"""`archbuilder schedule`: each boundary in three units, and the curve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from archbuilder.errors import SpecError, UsageError
from archbuilder.learning_rate import plot
from archbuilder.learning_rate.timetable import Timetable, timetable
from archbuilder.spec import load
from tests.conftest import Call


def rows(table: Timetable) -> list[tuple[str, int | None, float | None, float | None]]:
    return [(row.what, row.iteration, row.before, row.after) for row in table.boundaries]


def test_the_papers_schedule_with_the_images_that_are_left_for_training() -> None:
    table = timetable(load("he2015/resnet20"))
    assert (table.training_images, table.iterations_per_epoch, table.iterations) == (45_000, 352, 64_000)
    assert rows(table) == [
        ("beginning", 0, None, 0.1), ("step", 32_000, 0.1, 0.01), ("step", 48_000, 0.01, 0.001),
        ("end", 64_000, 0.001, None),
    ]  # fmt: skip
    assert [row.fraction for row in table.boundaries] == [0, 0.5, 0.75, 1]
    assert [round(row.epoch or 0, 2) for row in table.boundaries] == [0, 90.91, 136.36, 181.82]


def test_a_warm_up_until_an_error_has_no_place() -> None:
    table = timetable(load("he2015/resnet110"))
    _, warmup, first, *_ = rows(table)
    assert warmup[:2] == ("warm-up ends, once the training error is under 80 %", None)
    assert warmup[2:] == pytest.approx((0.01, 0.1))
    assert first == ("step", 32_000, 0.1, 0.01)
    assert "the curve leaves it out" in table.notes[0]


def test_what_is_never_reached_is_said() -> None:
    table = timetable(load("resnet20_v1"), epochs=100)
    assert [row[0] for row in rows(table)] == ["beginning", "step", "end", "step", "step", "step"]
    assert table.notes == (
        "never reached: 3 of the boundaries, which lie at the end of the run or behind it",
        "the plateau is overruled by the schedule and never acts",
    )


def test_points_and_a_peak_and_a_warm_up_are_boundaries() -> None:
    points = "{piecewise: {unit: epochs, points: {0: 0.01, 5: 0.1}, warmup: {fraction: 0.1}}}"
    table = timetable(load("quickstart", [f"training.learning_rate={points}"]))
    assert [(what, iteration) for what, iteration, *_ in rows(table)] == [
        ("beginning", 0), ("warm-up ends", 42), ("point", 105), ("end", 420),
    ]  # fmt: skip
    assert [row[1] for row in rows(timetable(load("quickstart"))) if row[0] == "peak"] == [126]


def test_the_curve_has_both_sides_of_each_boundary() -> None:
    curve = dict(timetable(load("he2015/resnet20")).curve)
    assert [curve[i] for i in (0, 31_999, 32_000, 47_999, 48_000, 63_999)] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_the_curve_in_characters() -> None:
    shown = plot.render(timetable(load("he2015/resnet20"))).splitlines()
    assert any(line.split()[0] == "0.01" and "\u2840" in line for line in shown)  # a logarithmic axis
    assert "64,000" in shown[-1]


@pytest.mark.parametrize("ending", plot.ENDINGS)
def test_the_curve_as_a_picture(ending: str, tmp_path: Path, call: Call) -> None:
    pytest.importorskip("matplotlib")
    assert call("schedule", "quickstart", "-o", tmp_path / f"curve{ending}")[0] == 0
    assert (tmp_path / f"curve{ending}").stat().st_size > 2000


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png"):
        plot.save(timetable(load("quickstart")), tmp_path / "curve.txt")


def test_json(call: Call) -> None:
    code, out, _ = call("schedule", "he2015/resnet50", "--images", 1_281_167, "--json")
    found = json.loads(out)
    assert (code, found["iterations_per_epoch"]) == (0, 5005)
    assert found["boundaries"][-1]["iteration"] == 600_000


def test_images_that_are_not_known_are_asked_for(call: Call) -> None:
    code, _, err = call("schedule", "he2015/resnet50")
    assert code == 2
    assert "--images N says it" in err


def test_images_are_counted(tmp_path: Path, call: Call) -> None:
    for name in ("train/cat/1.png", "train/cat/2.png", "train/dog/3.jpg", "test/cat/4.png", "test/dog/5.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    np.savez(tmp_path / "few.npz", y_train=np.zeros(7))
    for source, path, images in (("image_folder", tmp_path, 3), ("npz", tmp_path / "few.npz", 7)):
        edits = ["--set", f"training.data={{source: {source}, validation: test}}", "--set", "training.batch_size=2"]
        _, out, _ = call("schedule", "quickstart", "--data", path, "--json", *edits)
        assert json.loads(out)["training_images"] == images
    assert call("schedule", "quickstart", "--data", tmp_path / "no.npz", "--set", "training.data.source=npz")[0] == 4


def test_more_epochs_than_there_may_be() -> None:
    with pytest.raises(SpecError, match="it must be at most 2147483648"):
        timetable(load("quickstart"), epochs=10**12)
