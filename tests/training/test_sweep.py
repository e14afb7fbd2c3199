"""Runs that differ in their seeds: kept, resumed, and summed up as the papers do."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

import archbuilder
from archbuilder.errors import MissingError, TerminatedError, UsageError
from archbuilder.spec import Spec, load
from archbuilder.training.reporting.progress import Reporter
from archbuilder.training.run.several import Sweep, runs_in
from archbuilder.training.start import Start
from archbuilder.training.sweep import resume_seeds, train_folds, train_seeds
from tests.conftest import Call
from tests.training.runs import assert_same


class Stopper(Reporter):
    """Asks for an end when a number of epochs have begun, over all runs."""

    def __init__(self, epochs: int) -> None:
        self.left, self.said = epochs, list[str]()

    def note(self, text: str) -> None:
        self.said.append(text)

    def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def spec(tiny: Path) -> Spec:
    edits = [
        "training.stop.epochs=2",
        "training.seed=3",
        "published=[{error: 1.5, dataset: digits, how: mean of 2 runs}]",
    ]
    return load(tiny, edits)


@pytest.fixture(scope="module")
def whole(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Three seeds that were left alone."""
    return train_seeds(spec, 3, Start(out=tmp_path_factory.mktemp("sweeps") / "whole"))


def test_each_run_is_that_of_its_seed_alone(spec: Spec, whole: Sweep, tmp_path: Path) -> None:
    assert [run.folder.name for run in whole.runs] == ["seed-3", "seed-4", "seed-5"]
    assert [run.spec.training.seed for run in whole.runs if run.spec.training] == [3, 4, 5]
    assert_same(whole.runs[1], archbuilder.train(load_seed(spec, 4), out=tmp_path))
    assert whole.runs[0].result != whole.runs[1].result


def load_seed(spec: Spec, seed: int) -> Spec:
    return archbuilder.load_text(spec.dump(), edits=[f"training.seed={seed}"])


def test_a_sweep_that_was_stopped_goes_on_where_it_stood(spec: Spec, whole: Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    with pytest.raises(TerminatedError, match=f"--resume {folder / 'seed-4'}\n.*--resume {folder}$"):
        train_seeds(spec, [3, 4, 5], Start(out=folder), reporter=Stopper(4))
    stopped = Sweep.open(folder)
    assert [run.result is None for run in stopped.runs] == [False, True]
    assert stopped.summary is None
    (folder / "seed-5").mkdir()
    shutil.copy(whole.folder / "seed-5" / "environment.json", folder / "seed-5")  # as if killed before it began
    when = (folder / "seed-3" / "result.json").stat().st_mtime_ns
    resumed = resume_seeds(folder)
    assert (folder / "seed-3" / "result.json").stat().st_mtime_ns == when
    for run, twin in zip(resumed.runs, whole.runs, strict=True):
        assert_same(run, twin)
    assert resumed.summary == whole.summary


def test_the_summary(whole: Sweep) -> None:
    summary = whole.summary
    assert summary is not None
    assert [run["seed"] for run in summary["runs"]] == [3, 4, 5]
    assert summary["published"] == [{"error": 1.5, "dataset": "digits", "how": "mean of 2 runs"}]
    for which, found in summary["test_error"].items():
        low, middle, high = sorted(100 - 100 * run[which]["test_accuracy"] for run in summary["runs"])
        mean = (low + middle + high) / 3
        squares = sum((one - mean) ** 2 for one in (low, middle, high))
        assert found == pytest.approx({"best": low, "mean": mean, "deviation": (squares / 2) ** 0.5, "median": middle})


def test_the_command(call: Call, whole: Sweep, tiny: Path, tmp_path: Path) -> None:
    code, out, _ = call("train", "--resume", whole.folder, "--quiet")
    assert code == 0
    assert "3 seeds: test error in %" in out
    assert "published: digits, mean of 2 runs │ 1.50 " in out
    assert "epoch" not in out
    code, out, _ = call("train", tiny, "--epochs", 1, "--seeds", "7,9", "--out", tmp_path / "two", "--quiet", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["result", "result", "summary"]
    assert [run["seed"] for run in events[-1]["runs"]] == [7, 9]
    code, out, _ = call("evaluate", whole.folder, "--json")
    measured = json.loads(out)
    assert [run["test"]["accuracy"] for run in measured["runs"]] == pytest.approx(
        [(run.result or {})["best"]["test_accuracy"] for run in whole.runs]
    )
    assert measured["ensemble"]["test"]["images"] == 364
    assert call("train", tiny, "--seeds", "many")[0] == 2
    assert call("train", tiny, "--seeds", "1,1")[0] == 2


@pytest.fixture(scope="module")
def folds(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Three folds that were left alone."""
    return train_folds(spec, 3, Start(out=tmp_path_factory.mktemp("sweeps") / "folds", epochs=2))


def test_folds_are_held_out_in_turn(folds: Sweep, spec: Spec, tmp_path: Path) -> None:
    assert [run.folder.name for run in folds.runs] == ["fold-1", "fold-2", "fold-3"]
    assert [run.environment["data"]["validation"] for run in folds.runs] == [478, 478, 477]
    assert {run.environment["seed"] for run in folds.runs} == {3}
    edits = ["training.data.validation={fold: {number: 2, of: 3}}"]
    assert_same(folds.runs[1], archbuilder.train(archbuilder.load_text(spec.dump(), edits=edits), out=tmp_path))


def test_folds_that_were_stopped_go_on_and_come_to_the_same_summary(folds: Sweep, spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(TerminatedError, match=f"all folds: archbuilder train --resume {tmp_path}$"):
        train_folds(spec, 3, Start(out=tmp_path), reporter=Stopper(4))
    assert resume_seeds(tmp_path).summary == folds.summary


def test_the_summary_of_folds_has_the_images_that_were_held_out(folds: Sweep, call: Call) -> None:
    summary = folds.summary
    assert summary is not None
    assert [(run["seed"], run["fold"]) for run in summary["runs"]] == [(3, 1), (3, 2), (3, 3)]
    last = [100 * (1 - run.metrics()[-1]["validation_accuracy"]) for run in folds.runs]
    assert summary["fold_error"]["final"]["mean"] == pytest.approx(sum(last) / 3)
    assert summary["test_error"].keys() == summary["fold_error"].keys()
    code, out, _ = call("train", "--resume", folds.folder, "--quiet")
    assert code == 0
    assert "3 folds: test error in %" in out
    assert "best, on its fold" in out
    assert call("train", "quickstart", "--seeds", 2, "--folds", 2)[0] == 2


def test_what_is_no_sweep(spec: Spec, whole: Sweep, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is a run in"):
        train_seeds(spec, 2, Start(out=whole.folder))
    with pytest.raises(MissingError, match="not the folder of several runs"):
        resume_seeds(tmp_path)
    (tmp_path / "sweep.json").write_text('{"spec": 1}')
    with pytest.raises(MissingError, match="cannot be read"):
        runs_in(tmp_path)
    plan = json.loads((whole.folder / "sweep.json").read_text())
    (tmp_path / "sweep.json").write_text(json.dumps({**plan, "seeds": [77]}))
    with pytest.raises(MissingError, match="no run has begun"):
        runs_in(tmp_path)
