"""What a run with averages and early stopping leaves behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two epochs of four: no accuracy can improve by more than 1."""
    early = "training.early_stopping={watch: validation_accuracy, patience: 1, min_change: 1}"
    edits = [early, "training.moving_average={decay: 0.9}"]
    return loop.train(load(tiny, edits), Start(out=tmp_path_factory.mktemp("runs") / "run"))


def test_the_result_says_that_training_stopped_early(run: Run, tmp_path: Path) -> None:
    assert run.result is not None
    assert run.result["stopped_early"] == {"epoch": 2, "iteration": 22}
    assert [line["epoch"] for line in run.metrics()] == [1, 2]
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()  # and killed before it was written, it does not train on
    assert loop.resume(tmp_path / "run").result == run.result


def test_final_weights_are_averages_and_the_checkpoint_has_both(run: Run) -> None:
    checkpoint = run.checkpoints(1).latest(lambda _: None)
    assert checkpoint is not None
    final = {weight.path: weight.numpy() for weight in run.model("final").weights}
    kernel = next(value for path, value in final.items() if path.endswith("kernel") and value.shape == (3, 3, 1, 8))
    raw = next(a for name, a in checkpoint.arrays.items() if name.startswith("model/") and a.shape == kernel.shape)
    averages = [a[0] for name, a in checkpoint.arrays.items() if name.startswith("step/average/")]
    assert not np.array_equal(raw, kernel)
    assert any(np.array_equal(average, kernel) for average in averages)
