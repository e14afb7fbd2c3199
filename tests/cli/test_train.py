"""train, evaluate and predict as a person calls them."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from archbuilder.errors import DivergedError, SpecError
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.reporting.progress import BarReporter
from archbuilder.training.run.folder import Run
from archbuilder.training.scores import mistakes, scores
from archbuilder.training.start import Start
from tests.conftest import Call
from tests.processes import printed_by

Json = dict[str, Any]


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained well enough to tell most digits."""
    edits = ["training.batch_size=32", "training.stop.epochs=8", "training.learning_rate.one_cycle.peak=0.2"]
    return loop.train(load(tiny, edits), Start(out=tmp_path_factory.mktemp("runs") / "run"))


def test_plain_lines(call: Call, tiny: Path, tmp_path: Path) -> None:
    code, out, _ = call("train", tiny, "--out", tmp_path / "run", "--epochs", 2)
    assert code == 0
    lines = out.splitlines()
    assert (
        lines[0] == "2 epochs instead of the spec's own length; its learning rate (one_cycle) is scaled to this length"
    )
    assert lines[1].startswith(
        "small/tiny: 1,410 parameters, float32; data digits: 1,290 train, 143 validation, 364 test"
    )
    assert lines[2] == f"2 epochs, 22 iterations, into {tmp_path / 'run'}"
    assert lines[3] == "compiling the first iteration"
    assert [line.split("  ")[0] for line in lines[4:6]] == ["epoch 1/2", "epoch 2/2"]
    assert "test accuracy" in out


def test_json_lines_and_nothing_else(call: Call, tiny: Path, tmp_path: Path) -> None:
    code, out, _ = call("train", tiny, "--out", tmp_path / "run", "--set", "training.stop.epochs=2", "--json")
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["start", "note", "epoch", "epoch", "result"]
    assert events[0]["parameters"] == 1410
    run = Run.open(tmp_path / "run")
    assert [{key: event[key] for key in run.metrics()[0]} for event in events[2:4]] == run.metrics()
    assert {key: events[-1][key] for key in ("best", "final")} == run.result


def test_the_live_bar_shows_each_epoch(tiny: Path, tmp_path: Path) -> None:
    from rich.console import Console

    console = Console(force_terminal=True, width=160, record=True)
    loop.train(load(tiny, ["training.stop.epochs=2"]), Start(out=tmp_path), reporter=BarReporter(console))
    shown = console.export_text()
    assert "epoch 2/2" in shown
    assert "test accuracy" in shown


def test_a_run_folder(trained: Run) -> None:
    names = {path.name for path in trained.folder.iterdir() if path.name != ".lock"}
    assert names == {
        "spec.yaml", "environment.json", "metrics.jsonl", "normaliser.npz", "checkpoints", "weights.json", "machine.json", "predictions.npz",
        "best.weights.h5", "final.weights.h5", "result.json",
    }  # fmt: skip
    assert len(trained.checkpoints(9).paths()) == 2
    assert [line["epoch"] for line in trained.metrics()] == list(range(1, 9))
    assert set(trained.metrics()[0]) == {
        "epoch", "iteration", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy",
        "images_per_second", "seconds",
    }  # fmt: skip
    assert set(trained.environment["versions"]) == {"python", "archbuilder", "tensorflow", "keras", "numpy"}


def test_it_learns(trained: Run) -> None:
    assert trained.result is not None
    assert trained.result["final"]["test_accuracy"] > 0.8
    best = max(trained.metrics(), key=lambda line: float(line["validation_accuracy"]))
    assert trained.result["best"]["epoch"] == best["epoch"]


@pytest.mark.faults
def test_a_folder_in_use_is_refused(call: Call, tiny: Path, trained: Run) -> None:
    code, out, err = call("train", tiny, "--out", trained.folder)
    assert (code, out) == (2, "")
    assert f"--resume {trained.folder}" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either SPEC or --resume RUN is needed"),
        (["quickstart", "--resume", "x", "--out", "y"], "--out cannot stand beside --resume"),
        (["--resume", "x", "--set", "name=y"], "--set beside --resume needs --epochs N"),
        (["quickstart", "--epochs", "1", "--set", "training.stop={epochs: 9}"], "both say how long the run is"),
        (["quickstart", "--epochs", "1", "--set", "training.stop.epochs=9"], "both say how long the run is"),
    ],
)
def test_what_contradicts_itself(call: Call, arguments: Sequence[str], message: str) -> None:
    code, _, err = call("train", *arguments)
    assert code == 2
    assert message in err


@pytest.mark.faults
def test_a_finished_run_is_no_failure(call: Call, trained: Run) -> None:
    code, out, _ = call("train", "--resume", trained.folder)
    assert code == 0
    assert "is finished" in out


def test_the_classes_must_fit(tiny: Path, tmp_path: Path) -> None:
    text = tiny.read_text().replace("units: 10", "units: 7")
    (tmp_path / "seven.yaml").write_text(text)
    with pytest.raises(SpecError, match="ends in 7, but digits has 10 classes"):
        loop.train(load(tmp_path / "seven.yaml"), Start(out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_spec_without_training(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text(tiny.read_text().partition("training:")[0])
    with pytest.raises(SpecError, match="does not say how it is trained"):
        loop.train(load(tmp_path / "bare.yaml"), Start(out=tmp_path / "run"))


@pytest.mark.faults
def test_divergence_ends_with_code_5_and_no_bad_checkpoint(call: Call, tiny: Path, tmp_path: Path) -> None:
    # The rate explodes in the second epoch, after a checkpoint.
    rate = "{steps: {initial: 0.01, drops: {13: 900}}}"
    edits = [f"training.learning_rate={rate}", "training.weight_decay.coupled=1", "training.stop.epochs=30"]
    arguments = [part for edit in edits for part in ("--set", edit)]
    code, _, err = call("train", tiny, "--out", tmp_path / "run", *arguments)
    assert code == 5, err
    assert re.search(r"the loss of iteration (1[5-9]|2\d) is not a finite number; the learning rate was 900\.", err), (
        err
    )
    run = Run.open(tmp_path / "run")
    checkpoint = run.checkpoints(9).latest(pytest.fail)
    assert checkpoint is not None
    assert all(np.isfinite(array).all() for array in checkpoint.arrays.values())
    with pytest.raises(DivergedError):
        loop.resume(run.folder)


@pytest.mark.faults
def test_sigterm_ends_with_code_143(tiny: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "archbuilder", "train", str(tiny), "--out", str(tmp_path / "run"), "--json"]
    with subprocess.Popen(
        [*command, "--epochs", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if '"event": "epoch"' in line:
                break
        child.send_signal(signal.SIGTERM)
        _, err = printed_by(child)
    assert child.returncode == 143
    assert "a checkpoint is saved" in err
    assert "Traceback" not in err
    assert Run.open(tmp_path / "run").checkpoints(9).paths()


def test_evaluate(call: Call, trained: Run) -> None:
    code, out, _ = call("evaluate", trained.folder, "--weights", "final", "--json")
    assert code == 0
    measured = json.loads(out)
    assert trained.result is not None
    assert measured["test"]["images"] == 364
    assert measured["test"]["accuracy"] == trained.result["final"]["test_accuracy"]
    last = trained.metrics()[-1]
    validation = measured["validation"]
    assert (validation["images"], validation["loss"], validation["accuracy"]) == (
        143, last["validation_loss"], last["validation_accuracy"],
    )  # fmt: skip
    assert sum(map(sum, measured["test"]["confusion"])) == 364
    assert measured["test"]["mistakes"][0]["probability"] >= measured["test"]["mistakes"][-1]["probability"]
    code, out, _ = call("evaluate", trained.folder)
    assert code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    assert [row[:3] for row in rows[:2]] == [
        [f"{trained.folder}, best weights", "test", "364"],
        [f"{trained.folder}, best weights", "validation", "143"],
    ]
    assert [row[0] for row in rows[2:]] == [*"0123456789"] * 2
    assert "expected calibration error" in out


def test_evaluate_writes_a_table_and_a_sheet(call: Call, trained: Run, tmp_path: Path) -> None:
    sheet, table = tmp_path / "mistakes.png", tmp_path / "classes.csv"
    assert call("evaluate", trained.folder, "--mistakes", sheet, "--csv", table).code == 0
    lines = table.read_text().splitlines()
    assert (len(lines), lines[0].count("taken for")) == (11, 10)
    wrong = len(mistakes(trained.predictions()))
    with Image.open(sheet) as image:
        assert image.width > 600
        assert image.height > 100 * -(-wrong // 5)
    assert call("evaluate", trained.folder, "--mistakes", "mistakes.txt").code == 2


def test_the_kept_predictions_are_those_that_are_measured(call: Call, trained: Run) -> None:
    measured = json.loads(call("evaluate", trained.folder, "--json").out)["test"]
    assert scores(trained.predictions())["confusion"] == measured["confusion"]


def test_a_run_that_is_not_finished_is_evaluated_with_a_note(call: Call, trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    code, out, err = call("evaluate", tmp_path / "run")
    assert (code, "test" in out) == (0, True)
    assert f"the run in {tmp_path / 'run'} is not finished" in err


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty digits as large colour images."""
    folder = tmp_path_factory.mktemp("pictures")
    digits = load_digits()
    for index in range(20):
        grey = np.round(digits.images[index] * (255 / 16)).astype("uint8")
        image = Image.fromarray(grey).resize((40, 40), Image.Resampling.NEAREST).convert("RGB")
        image.save(folder / f"{index:02d}_{digits.target[index]}.png")
    return sorted(folder.iterdir())


def test_predict(call: Call, trained: Run, pictures: Sequence[Path]) -> None:
    code, out, _ = call("predict", trained.folder, *pictures, "--top", 2, "--json")
    assert code == 0
    predictions = json.loads(out)
    assert [one["image"] for one in predictions] == list(map(str, pictures))
    for one in predictions:
        first, second = one["classes"]
        assert 1 >= first["probability"] >= second["probability"] >= 0
    right = [one["classes"][0]["name"] == Path(one["image"]).stem[-1] for one in predictions]
    assert sum(right) >= 14
    code, out, _ = call("predict", trained.folder, pictures[0], "--top", 1)
    first = predictions[0]["classes"][0]
    assert out == f"{pictures[0]}: {first['name']} {100 * first['probability']:.2f} %\n"


def test_predict_takes_folders_and_writes_csv(
    call: Call, trained: Run, pictures: Sequence[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(pictures[0], folder / "=1.png")
    shutil.copy(pictures[1], folder / "more")
    (folder / "notes.txt").write_text("no image")
    code, _, err = call("predict", trained.folder, "photos", "--top", 2, "--csv", "found.csv", cwd=tmp_path)
    assert (code, err) == (0, "note: left out 1 that are no images: photos/notes.txt\n")
    with (tmp_path / "found.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["photos/=1.png", f"photos/more/{pictures[1].name}"]
    assert all(float(row["probability 1"]) >= float(row["probability 2"]) for row in rows)
    (tmp_path / "empty").mkdir()
    assert call("predict", trained.folder, tmp_path / "empty").code == 4


def test_an_image_that_cannot_be_read(call: Call, trained: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    for name, message in (
        ("broken.png", "broken.png is no image of a kind"),
        ("none.png", "none.png cannot be read: it is"),
    ):
        code, _, err = call("predict", trained.folder, tmp_path / name)
        assert code == 4
        assert message in err


def test_images_of_16_bits_are_told(call: Call, trained: Run, pictures: Sequence[Path], tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1_000).save(tmp_path / "deep.png")
    code, out, err = call("predict", trained.folder, pictures[0], tmp_path / "deep.png")
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == (
        "note: 1 of 2 images has 16 bits a channel, which are divided by 257: white is 65,535, whatever the image "
        "holds\n"
    )


def test_the_images_that_can_be_read_are_classified(
    call: Call, trained: Run, pictures: Sequence[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    images = [pictures[0], tmp_path / "broken.png", pictures[1], tmp_path / "none.png"]
    code, out, err = call("predict", trained.folder, *images, "--json")
    assert code == 4
    assert all(f"{name}.png" in err for name in ("broken", "none"))
    found = json.loads(out)
    assert [bool(one["classes"]) for one in found] == [True, False, True, False]
    assert [one["problem"] is None for one in found] == [True, False, True, False]
    alone = json.loads(call("predict", trained.folder, pictures[1], "--json")[1])
    assert found[2]["classes"][0]["name"] == alone[0]["classes"][0]["name"]
