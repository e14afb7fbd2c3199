"""Other tools get the numbers of a run, never twice, and never stop or change it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from archbuilder.errors import MissingError, UsageError
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.run.records import TrackerName
from archbuilder.training.start import Start
from archbuilder.training.trackers import tracker
from archbuilder.training.trackers.tracker import chosen, replay
from tests.conftest import Call
from tests.training.runs import Notes, assert_same, stop_at

INSTALLED: tuple[TrackerName, ...] = ("csv", "tensorboard")


@pytest.fixture(scope="module")
def plain(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return loop.train(load(tiny), Start(out=tmp_path_factory.mktemp("runs") / "plain"))


def rows(run: Run) -> list[dict[str, str]]:
    with (run.folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def scalars(run: Run, tag: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]


def require_all(run: Run) -> None:
    """Each tracker has each epoch once, with its numbers."""
    metrics = run.metrics()
    assert [(int(row["epoch"]), float(row["loss"])) for row in rows(run)] == [
        (line["epoch"], line["loss"]) for line in metrics
    ]
    steps, values = zip(*scalars(run, "validation_accuracy"), strict=True)
    assert list(steps) == [line["iteration"] for line in metrics]
    assert values == pytest.approx([line["validation_accuracy"] for line in metrics])
    assert run.result is not None
    assert scalars(run, "best_test_accuracy")[-1][1] == pytest.approx(run.result["best"]["test_accuracy"])


def test_a_run_that_was_interrupted_has_no_step_twice_and_the_same_weights(
    tiny: Path, tmp_path: Path, plain: Run
) -> None:
    pytest.importorskip("tensorboard")
    stop_at(load(tiny), 3, tmp_path / "run", log=INSTALLED)
    run = loop.resume(tmp_path / "run")
    require_all(run)
    assert_same(run, plain)


def test_a_finished_run_is_replayed(call: Call, plain: Run) -> None:
    pytest.importorskip("tensorboard")
    for _ in range(2):
        assert call("log", plain.folder, "--to", "csv,tensorboard").out == f"{plain.folder}\n"
        require_all(plain)


def test_weights_and_biases_work_without_an_account(plain: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    replay(plain, ["wandb"])
    assert len(list((plain.folder / "wandb").glob("offline-run-*/*.wandb"))) == 1


class Failing:
    """A tool that takes one epoch, and then no more."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def log(self, metrics: dict[str, Any]) -> None:
        if self.taken:
            raise ConnectionError("the server is gone\nand more")
        self.taken.append(metrics)

    def close(self, result: dict[str, Any] | None) -> None:
        raise AssertionError("it is left alone")


def test_a_tracker_that_fails_is_told_of_once_and_stops_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, notes = Failing(), Notes()
    monkeypatch.setattr(tracker, "opened", lambda name, run: failing)
    run = loop.train(load(tiny), Start(out=tmp_path / "run", log=["csv"]), reporter=notes)
    assert run.result is not None
    assert [note for note in notes.said if "csv" in note] == [
        "csv gets no more numbers of this run: the server is gone. `archbuilder log RUN --to csv` repeats them"
    ]


def test_a_planted_link_is_not_followed(plain: Run, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (plain.folder / "metrics.csv").unlink(missing_ok=True)
    (plain.folder / "metrics.csv").symlink_to(victim)
    replay(plain, ["csv"])
    assert victim.read_text() == "mine"
    assert not (plain.folder / "metrics.csv").is_symlink()


def test_trackers_that_there_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"there is no tracker 'tensorbord'\n  hint: did you mean 'tensorboard'"):
        chosen("csv,tensorbord")
    monkeypatch.setattr(tracker, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"wandb is not installed: pip install 'archbuilder\[wandb\]'"):
        chosen("wandb")


def test_the_trackers_of_a_run_are_remembered(call: Call, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("train", tiny, "--out", folder, "--epochs", 1, "--log", "csv", "--quiet").code == 0
    assert json.loads((folder / "environment.json").read_text())["log"] == ["csv"]
    assert call("train", "--resume", folder, "--log", "csv").code == 2
