"""The runs of a folder are listed with what became of them, and a folder of a stranger harms nobody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from archbuilder import runs
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import MissingError
from archbuilder.spec import load
from archbuilder.training.run.folder import Run
from archbuilder.training.scores import scores
from tests.conftest import Call

DATA = {
    "name": "digits", "path": None, "origin": "scikit-learn", "fingerprint": "f", "classes": [*"0123456789"],
    "train": 1, "validation": 1, "test": 1,
}  # fmt: skip
ENVIRONMENT = {"precision": "float32", "seed": 0, "versions": {"archbuilder": "0.1.0"}, "data": DATA}
BEST = {"epoch": 2, "iteration": 22, "validation_accuracy": 0.75, "test_loss": 0.5, "test_accuracy": 0.7}
LOGITS = np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)


def begun(tiny: Path, folder: Path) -> Run:
    run = Run.create(load(tiny), folder, ENVIRONMENT, Normaliser(np.zeros(1, np.float32), np.ones(1, np.float32)))
    for epoch, value in enumerate((0.5, 0.75, 0.625), 1):
        run.add_metrics({"epoch": epoch, "iteration": 11 * epoch, "validation_accuracy": value})
    return run


@pytest.fixture
def folder(tiny: Path, tmp_path: Path) -> Path:
    """A run of each state, one of them in a folder of several seeds."""
    folder = tmp_path / "runs"
    begun(tiny, folder / "stopped")
    begun(tiny, folder / "diverged").note_divergence("the loss is not a finite number")
    begun(tiny, folder / "sweep" / "seed-0").finish({"best": BEST, "final": BEST})
    return folder


def test_a_line_says_what_became_of_a_run(folder: Path) -> None:
    lines = {Path(line.folder).name: line for line in runs(folder)}
    assert {name: line.state for name, line in lines.items()} == {
        "stopped": "stopped", "diverged": "diverged", "seed-0": "finished",
    }  # fmt: skip
    finished = lines["seed-0"]
    assert (finished.network, finished.data, finished.epochs) == ("small/tiny", "digits", 3)
    assert (finished.best, finished.last, finished.test) == (0.75, 0.625, 0.7)
    assert finished.began.startswith("20")


def test_a_run_at_work_is_running(folder: Path) -> None:
    with Run.open(folder / "stopped").locked():
        assert {line.state for line in runs(folder / "stopped")} == {"running"}
    assert {line.state for line in runs(folder / "stopped")} == {"stopped"}


def test_what_a_killed_process_left_does_not_make_a_run_running(folder: Path) -> None:
    (folder / "stopped" / ".holder.json").write_text('{"pid": 1, "host": "here", "since": "then"}')
    assert {line.state for line in runs(folder / "stopped")} == {"stopped"}


def test_the_command_prints_a_line_each(call: Call, folder: Path) -> None:
    code, out, _ = call("runs", cwd=folder.parent)
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["run", "network", "data", "began", "state", "epochs", "best", "last", "test"]
    assert [row[-2:] for row in rows if row[0] == "runs/sweep/seed-0"] == [["70.00", "%"]]
    found = json.loads(call("runs", folder, "--json").out)
    assert {one["state"] for one in found} == {"stopped", "diverged", "finished"}


def test_a_folder_without_runs(call: Call, tmp_path: Path) -> None:
    assert call("runs", tmp_path) == (0, f"there are no runs in {tmp_path}\n", "")
    code, _, err = call("runs", tmp_path / "none")
    assert (code, err) == (4, f"error: there is no folder {tmp_path / 'none'}\n")


@pytest.mark.parametrize("change", ["damaged", "linked", "of a later form"])
def test_a_run_that_cannot_be_read_is_named_and_the_others_are_listed(folder: Path, call: Call, change: str) -> None:
    path = folder / "stopped" / "environment.json"
    if change == "damaged":
        path.write_text("[")
    elif change == "linked":
        path.rename(folder / "elsewhere.json")
        path.symlink_to(folder / "elsewhere.json")
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "form": 2}))
    code, out, err = call("runs", folder)
    assert (code, len(out.splitlines())) == (0, 3)
    assert str(path) in err
    if change == "of a later form":
        assert "use archbuilder 0.1.0, which wrote it" in err


def test_names_of_strangers_do_not_act_on_a_terminal(tiny: Path, tmp_path: Path, call: Call) -> None:
    begun(tiny, tmp_path / "a\x1b[31mred")
    assert "\x1b" not in call("runs", tmp_path).out


def test_a_run_stands_wherever_a_spec_does(call: Call, folder: Path) -> None:
    of_run = call("build", folder / "stopped", "--summary", "--json")
    assert of_run.code == 0
    assert json.loads(of_run.out)["name"] == "small/tiny"
    assert call("validate", folder / "stopped").code == 0
    edited = call("show", folder / "stopped", "--set", "stages.0.units=0")
    assert edited.code == 3


def test_the_spec_of_a_run_is_no_link(call: Call, folder: Path) -> None:
    path = folder / "stopped" / "spec.yaml"
    path.rename(folder / "other.yaml")
    path.symlink_to(folder / "other.yaml")
    code, _, err = call("build", folder / "stopped", "--summary")
    assert code == 4
    assert "is a link" in err


def test_host_and_command_stand_in_a_file_of_their_own(folder: Path) -> None:
    machine = json.loads((folder / "stopped" / "machine.json").read_text())
    assert set(machine) == {"host", "command"}
    assert machine["host"] not in {*json.loads((folder / "stopped" / "environment.json").read_text())}


def test_predictions_are_kept(tiny: Path, tmp_path: Path) -> None:
    run = begun(tiny, tmp_path / "run")
    with pytest.raises(MissingError, match="the run is not finished"):
        run.predictions()
    run.save_predictions(np.arange(6, dtype=np.int32), LOGITS, -LOGITS)
    run.finish({"best": BEST, "final": BEST})
    assert np.array_equal(run.predictions("final").values, -LOGITS)
    assert sum(map(sum, scores(run.predictions())["confusion"])) == 6


@pytest.mark.parametrize(
    ("labels", "best"),
    [
        (np.arange(5, dtype=np.int32), LOGITS), (np.arange(6, dtype=np.int32), LOGITS[:, :3]),
        (np.full(6, 10, np.int32), LOGITS), (np.full(6, -1, np.int32), LOGITS), (np.arange(6.0), LOGITS),
        (np.arange(6, dtype=np.int32), np.full_like(LOGITS, np.nan)), (np.zeros(0, np.int32), LOGITS[:0]),
    ],
)  # fmt: skip
def test_predictions_of_a_stranger_are_refused(
    tiny: Path, tmp_path: Path, labels: np.ndarray, best: np.ndarray
) -> None:
    run = begun(tiny, tmp_path / "run")
    run.save_predictions(labels, best, best)
    run.finish({"best": BEST, "final": BEST})
    with pytest.raises(MissingError, match=r"predictions\.npz cannot be read"):
        run.predictions()
