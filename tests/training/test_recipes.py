"""What a run with averages and early stopping leaves behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from archbuilder.errors import SpecError
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from archbuilder.training.trainer import guesses
from tests.training.runs import Notes


def test_a_run_that_only_guesses_is_told_so(tiny: Path, tmp_path: Path) -> None:
    notes = Notes()
    edits = ["training.stop.epochs=6", "training.learning_rate={constant: {rate: 1e-12}}"]
    loop.train(load(tiny, edits), Start(out=tmp_path / "run"), reporter=notes)
    [told] = [said for said in notes.said if "is that of a guess" in said]
    assert "learning rate" in told


@pytest.mark.parametrize(
    ("labels", "accuracy", "is_guessed"),
    [
        ([0] * 18 + [1] * 2, 0.9, True), ([0] * 18 + [1] * 2, 1.0, False), ([0] * 50 + [1] * 50, 0.58, True),
        ([0] * 50 + [1] * 50, 0.62, False), ([*range(10)] * 10, 0.15, True), ([*range(10)] * 10, 0.17, False),
        ([0] * 5, 1.0, False), ([0, 1], 1.0, False), ([0, 1], 0.5, True),
    ],
)  # fmt: skip
def test_what_is_no_better_than_the_largest_class_is_a_guess(
    labels: list[int], accuracy: float, is_guessed: bool
) -> None:
    _, limit = guesses(np.array(labels, np.int32))
    assert (accuracy < limit) == is_guessed


@pytest.mark.parametrize("function", ["sigmoid", "relu", "tanh"])
def test_an_activation_without_a_loss_is_refused_at_its_line(tmp_path: Path, function: str) -> None:
    spec = tmp_path / "mine.yaml"
    head = f"head:\n  - global_average_pool\n  - dense: {{units: 10}}\n  - {function}\n"
    spec.write_text(f"archbuilder: 1\nextends: quickstart\nname: mine\n{head}")
    with pytest.raises(SpecError) as refused:
        loop.train(load(spec), Start(out=tmp_path / "run"))
    [diagnostic] = refused.value.diagnostics
    assert (diagnostic.code, diagnostic.span.line if diagnostic.span else None) == ("head-without-loss", 7)
    assert not (tmp_path / "run").exists()


def test_what_only_the_data_tells_is_shown_in_the_users_file(tiny: Path, tmp_path: Path) -> None:
    """Also where `--epochs` makes another spec of it."""
    data, spec, labels = tmp_path / "three.npz", tmp_path / "mine.yaml", np.arange(12) % 3
    spec.write_text(tiny.read_text("utf-8").replace("digits", "npz"), "utf-8")
    np.savez(data, x_train=np.zeros((12, 8, 8), np.uint8), y_train=labels, x_test=np.zeros((12, 8, 8), np.uint8),
             y_test=labels)  # fmt: skip
    with pytest.raises(SpecError) as refused:
        loop.train(load(spec), Start(out=tmp_path / "run", data=data, epochs=1))
    [diagnostic] = refused.value.diagnostics
    assert (diagnostic.code, diagnostic.span and diagnostic.span.file) == ("classes-differ", str(spec))


def test_a_head_of_logits_trains(tiny: Path, tmp_path: Path) -> None:
    edits = ["head=[global_average_pool, {dense: {units: 10}}]", "training.stop.epochs=1"]
    assert loop.train(load(tiny, edits), Start(out=tmp_path / "run")).result


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
