"""A run that was stopped in whatever way and resumed ends with the very bits of one that was left alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder.errors import UsageError
from archbuilder.spec import Spec, load
from archbuilder.training import loop
from archbuilder.training.progress import Pulse, Reporter
from archbuilder.training.run import Run, Which
from archbuilder.training.signals import StoppedError, TerminatedError

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),  # Keras, when it saves
]

Json = dict[str, Any]
RECIPES = {
    "sgd": [],
    "adam and plateau": [
        "training.optimizer=adam", "training.weight_decay=null", "training.data.validation=test",
        "training.learning_rate={plateau: {initial: 0.003, patience: 1, factor: 0.5}}",
    ],
    "bfloat16 and warm-up": [
        "training.precision=mixed_bfloat16", "training.learning_rate={cosine: {initial: 0.1, warmup: {iterations: 15}}}",
    ],
    "averages, clipping and parts": [
        "training.moving_average={decay: 0.95}", "training.clip={norm: 0.5}", "training.accumulate=3",
    ],
    "warm-up until an error, and patience": [
        "training.learning_rate={steps: {initial: 0.1, drops: {40: 0.01}, warmup: {until: {training_error: 0.6, "
        "every: 6}, shape: constant}, plateau: {patience: 1, factor: 0.5, min_change: 0.5, combine: multiplied}}}",
        "training.early_stopping={watch: validation_accuracy, patience: 2, min_change: 0.4}", "training.stop.epochs=9",
        "training.keep.every_epochs=3",
    ],
    "a run that ends within an epoch": ["training.stop={iterations: 39}", "training.keep.every_epochs=2"],
}  # fmt: skip


class Notes(Reporter):
    """Remembers what was said, and does something when an epoch begins its iterations."""

    def __init__(self, at_epoch: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.said: list[str] = []
        self.epoch, self.at_epoch, self.act = 0, at_epoch, act

    def note(self, text: str) -> None:
        self.said.append(text)

    def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
        self.epoch = epoch

    def pulse(self, pulse: Pulse) -> None:
        if self.epoch == self.at_epoch:
            self.act()


def weights(run: Run, which: Which) -> dict[str, Any]:
    return {weight.path: weight.value.numpy() for weight in run.model(which).weights}


def measured(run: Run) -> list[Json]:
    return [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in run.metrics()]


def assert_same(run: Run, other: Run) -> None:
    whiches: tuple[Which, ...] = ("best", "final")
    for which in whiches:
        expected, found = weights(other, which), weights(run, which)
        assert expected.keys() == found.keys()
        assert len(expected) > 10
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=f"{which}: {name}", strict=True)
    assert measured(run) == measured(other)
    assert run.result == other.result


@pytest.fixture(scope="module")
def spec(tiny: Path) -> Spec:
    return load(tiny)


@pytest.fixture(scope="module")
def whole(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was left alone."""
    return loop.train(spec, out=tmp_path_factory.mktemp("runs") / "whole")


def stop_at(spec: Spec, epoch: int, out: Path, number: signal.Signals = signal.SIGTERM) -> None:
    with pytest.raises(StoppedError):
        loop.train(spec, out=out, reporter=Notes(epoch, lambda: os.kill(os.getpid(), number)))


@pytest.mark.parametrize("recipe", RECIPES)
def test_sigterm_within_an_epoch(recipe: str, tiny: Path, tmp_path: Path) -> None:
    spec = load(tiny, RECIPES[recipe])
    stop_at(spec, 3, tmp_path / "stopped")
    stopped = Run.open(tmp_path / "stopped")
    assert (len(stopped.metrics()), stopped.result) == (2, None)
    iteration = stopped.metrics()[-1]["iteration"] + 1
    assert stopped.checkpoints(3).paths()[-1].name == f"iteration-{iteration:08d}"
    assert_same(loop.resume(tmp_path / "stopped"), loop.train(spec, out=tmp_path / "whole"))


def test_stopped_twice(spec: Spec, whole: Run, tmp_path: Path) -> None:
    stop_at(spec, 1, tmp_path, signal.SIGINT)
    with pytest.raises(TerminatedError, match=r"stopped after iteration 2 of 44.*--resume"):
        loop.resume(tmp_path, reporter=Notes(1, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert_same(loop.resume(tmp_path), whole)


KILLED = """
import os, signal, sys
from pathlib import Path
from archbuilder import load
from archbuilder.training import loop
from archbuilder.training.progress import Reporter

class Killer(Reporter):
    def end_epoch(self, metrics, best):  # its metrics and the best weights are written, its checkpoint is not
        if metrics["epoch"] == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

loop.train(load(sys.argv[1]), out=Path(sys.argv[2]), reporter=Killer())
"""


@pytest.mark.parametrize(("epoch", "checkpoint"), [(1, None), (3, "iteration-00000022")])
def test_sigkill_at_the_worst_moment(
    epoch: int, checkpoint: str | None, tiny: Path, whole: Run, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(tiny), str(tmp_path), str(epoch)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    killed = Run.open(tmp_path)
    assert len(killed.metrics()) == epoch
    assert [path.name for path in killed.checkpoints(3).paths()][-1:] == ([checkpoint] if checkpoint else [])
    assert_same(loop.resume(tmp_path), whole)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(spec: Spec, whole: Run, tmp_path: Path) -> None:
    stop_at(spec, 3, tmp_path)
    newest = Run.open(tmp_path).checkpoints(3).paths()[-1]
    (newest / "state.npz").write_bytes(b"PK, and nothing else")
    notes = Notes()
    assert_same(loop.resume(tmp_path, reporter=notes), whole)
    assert "iteration-00000023 is damaged" in notes.said[0]


def test_damaged_best_weights_are_written_anew(spec: Spec, whole: Run, tmp_path: Path) -> None:
    stop_at(spec, 2, tmp_path)
    (tmp_path / "best.weights.h5").write_bytes(b"half")
    assert_same(loop.resume(tmp_path), whole)


def test_a_finished_run_has_nothing_to_resume(whole: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.folder.rglob("*.*") if path.name != ".lock"}
    notes = Notes()
    assert loop.resume(whole.folder, reporter=notes).result == whole.result
    assert "is finished" in notes.said[0]
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_killed_before_the_result_was_written(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "run")
    for name in ("result.json", "final.weights.h5"):
        (tmp_path / "run" / name).unlink()
    assert_same(loop.resume(tmp_path / "run"), whole)


def test_other_data_is_refused(tiny: Path, tmp_path: Path) -> None:
    def write(path: Path, seed: int) -> Path:
        random = np.random.default_rng(seed)
        labels = np.arange(40) % 10
        images = random.integers(0, 256, (40, 8, 8, 1)).astype("uint8")
        np.savez(path, x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])
        return path

    spec = load(tiny, ["training.data.source=npz"])
    first, second = write(tmp_path / "first.npz", 1), write(tmp_path / "second.npz", 2)
    with pytest.raises(StoppedError):
        loop.train(
            spec, data_path=first, out=tmp_path / "run", reporter=Notes(2, lambda: os.kill(os.getpid(), signal.SIGINT))
        )
    with pytest.raises(UsageError, match=r"is not what the run in .* began with"):
        loop.resume(tmp_path / "run", data_path=second)
    moved = first.rename(tmp_path / "moved.npz")
    assert loop.resume(tmp_path / "run", data_path=moved).result is not None


def test_a_changed_spec_is_another_run(spec: Spec, tmp_path: Path) -> None:
    stop_at(spec, 2, tmp_path)
    path = tmp_path / "spec.yaml"
    path.write_text(path.read_text().replace("momentum: 0.9", "momentum: 0.8"))
    with pytest.raises(UsageError, match="was changed since its training began"):
        loop.resume(tmp_path)


def test_two_processes_do_not_train_in_one_folder(whole: Run) -> None:
    with whole.locked(), pytest.raises(UsageError, match="another process is training in"):
        loop.resume(whole.folder)
