"""A run that was stopped in whatever way and resumed ends with the very bits of one that was left alone."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from archbuilder.errors import TerminatedError
from archbuilder.spec import Spec, load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from tests.faults.nursery import Nursery
from tests.training.runs import Notes, assert_same, last_checkpoint, stop_at

pytestmark = pytest.mark.faults

RECIPES = {
    "sgd": [],
    "adam and plateau": [
        "training.optimizer=adam", "training.weight_decay=null", "training.data.validation=test",
        "training.learning_rate={plateau: {initial: 0.003, patience: 1, factor: 0.5}}",
    ],
    "bfloat16 and warm-up": [
        "training.precision=mixed_bfloat16", "training.learning_rate={cosine: {initial: 0.1, warmup: {iterations: 15}}}",
    ],
    "averages, clipping, parts, and classes that weigh differently": [
        "training.moving_average={decay: 0.95}", "training.clip={norm: 0.5}", "training.accumulate=3",
        "training.class_weights={3: 2, 7: 0.5}", "training.sampling=balanced", "training.freeze=[norms]",
        "training.rate_factors={head: 3, stage1/unit1: 0.5}",
    ],
    "warm-up until an error, and patience": [
        "training.learning_rate={steps: {initial: 0.1, drops: {40: 0.01}, warmup: {until: {training_error: 0.6, "
        "every: 6}, shape: constant}, plateau: {patience: 1, factor: 0.5, min_change: 0.5, combine: multiplied}}}",
        "training.early_stopping={watch: validation_accuracy, patience: 2, min_change: 0.4}", "training.stop.epochs=9",
        "training.keep.every_epochs=3",
    ],
    "every augmentation in the compiled step": [
        "training.augment=[colour_jitter, rand_augment, {pad_crop: {pad: 1, fill: reflect}}, {cutout: 2}, mixup, cutmix]",
    ],
    "a run that ends within an epoch": ["training.stop={iterations: 39}", "training.keep.every_epochs=2"],
}  # fmt: skip


USUAL = (
    "averages, clipping, parts, and classes that weigh differently",
    "warm-up until an error, and patience",
    "every augmentation in the compiled step",
)


@pytest.mark.parametrize(
    "recipe", [*USUAL, *(pytest.param(one, marks=pytest.mark.slow) for one in RECIPES if one not in USUAL)]
)
def test_sigterm_within_an_epoch(recipe: str, tiny: Path, tmp_path: Path) -> None:
    spec = load(tiny, RECIPES[recipe])
    stop_at(spec, 3, tmp_path / "stopped")
    stopped = Run.open(tmp_path / "stopped")
    assert (len(stopped.metrics()), stopped.result) == (2, None)
    iteration = stopped.metrics()[-1]["iteration"] + 1
    assert stopped.checkpoints(3).paths()[-1].name == f"iteration-{iteration:08d}"
    assert_same(loop.resume(tmp_path / "stopped"), loop.train(spec, Start(out=tmp_path / "whole")))


def test_stopped_twice(spec: Spec, whole: Run, tmp_path: Path) -> None:
    stop_at(spec, 1, tmp_path, signal.SIGINT)
    with pytest.raises(TerminatedError, match=r"stopped after iteration 2 of 44.*--resume"):
        loop.resume(tmp_path, reporter=Notes(1, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert_same(loop.resume(tmp_path), whole)


AFTER_EPOCH = """
import os, signal
from archbuilder.training.reporting.progress import LineReporter
def end_epoch(self, metrics, best):  # its metrics and the best weights are written, its checkpoint is not
    if metrics["epoch"] == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)
LineReporter.end_epoch = end_epoch
"""


@pytest.mark.parametrize(("epoch", "checkpoint"), [(1, None), (3, 22)])
def test_sigkill_at_the_worst_moment(
    epoch: int, checkpoint: int | None, nursery: Nursery, tiny: Path, whole: Run, tmp_path: Path
) -> None:
    ended = nursery.run("train", tiny, "--out", tmp_path, before=AFTER_EPOCH.format(epoch=epoch))
    assert ended.code == -signal.SIGKILL
    assert len(Run.open(tmp_path).metrics()) == epoch
    assert last_checkpoint(tmp_path) == checkpoint
    assert_same(loop.resume(tmp_path), whole)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(spec: Spec, whole: Run, tmp_path: Path) -> None:
    stop_at(spec, 3, tmp_path)
    newest = Run.open(tmp_path).checkpoints(3).paths()[-1]
    (newest / "state.npz").write_bytes(b"PK, and nothing else")
    notes = Notes()
    assert_same(loop.resume(tmp_path, reporter=notes), whole)
    assert "iteration-00000023 is damaged" in notes.said[0]


def test_without_any_checkpoint_the_run_begins_anew(spec: Spec, whole: Run, tmp_path: Path) -> None:
    stop_at(spec, 3, tmp_path)
    for path in Run.open(tmp_path).checkpoints(3).paths():
        (path / "progress.json").unlink()
    notes = Notes()
    assert_same(loop.resume(tmp_path, reporter=notes), whole)
    assert len(notes.said) > 2
    assert all("is damaged" in said for said in notes.said[:2])
    assert "there is no whole checkpoint: the run begins anew" in notes.said


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
