"""A run folder gives back what was put into it, and says so when it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import MissingError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.keras_model.build import build_model
from archbuilder.spec import load
from archbuilder.training.run.folder import Run

DATA = {
    "name": "digits", "path": None, "origin": "scikit-learn", "fingerprint": "f", "classes": [*"0123456789"],
    "train": 1, "validation": 1, "test": 1,
}  # fmt: skip
ENVIRONMENT = {"precision": "float32", "seed": 0, "versions": {}, "data": DATA}
NORMALISER = Normaliser(np.full((8, 8, 1), 0.25, np.float32), np.ones(1, np.float32))


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Run:
    return Run.create(load(tiny), tmp_path / "run", ENVIRONMENT, NORMALISER)


@pytest.fixture(scope="module")
def model(tiny: Path) -> keras.Model:
    return build_model(expand(load(tiny)), seed=1)


def test_it_can_be_opened_anew(run: Run, tiny: Path) -> None:
    again = Run.open(run.folder)
    assert expand(again.spec) == expand(load(tiny))
    assert again.spec.training == load(tiny).training
    assert again.classes == tuple("0123456789")
    np.testing.assert_array_equal(again.normaliser.offset, NORMALISER.offset)
    assert (again.metrics(), again.result) == ([], None)


@pytest.mark.faults
def test_a_folder_that_holds_something_is_refused(run: Run, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is a run in .*archbuilder train --resume .*run"):
        Run.create(load(tiny), run.folder, ENVIRONMENT, NORMALISER)
    (tmp_path / "empty").mkdir()
    Run.create(load(tiny), tmp_path / "empty", ENVIRONMENT, NORMALISER)


@pytest.mark.faults
def test_what_a_kill_left_before_the_run_began_is_in_nobodys_way(run: Run, tiny: Path) -> None:
    (run.folder / "spec.yaml").rename(run.folder / ".writing-spec.yaml")
    assert Run.create(load(tiny), run.folder, ENVIRONMENT, NORMALISER).spec.name == "small/tiny"


def test_folders_are_named_after_the_network_and_the_time(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [Run.create(load(tiny), None, ENVIRONMENT, NORMALISER).folder for _ in range(3)]
    assert len(set(folders)) == 3
    for folder in folders:
        assert folder.parent == Path("runs")
        assert folder.name.startswith("small-tiny-2")


@pytest.mark.faults
def test_what_is_no_run_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"not the folder of a run: there is no spec\.yaml"):
        Run.open(tmp_path)


@pytest.mark.faults
def test_a_line_that_a_crash_cut_short_does_not_count(run: Run) -> None:
    for iteration in (10, 20, 30):
        run.add_metrics({"epoch": iteration // 10, "iteration": iteration})
    path = run.folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    assert [line["epoch"] for line in run.metrics()] == [1, 2]
    run.drop_metrics_after(10)
    run.add_metrics({"epoch": 2, "iteration": 20})
    assert [line["epoch"] for line in run.metrics()] == [1, 2]


def test_weights_come_back_as_they_were(run: Run, model: keras.Model) -> None:
    run.save_weights("best", model, {"epoch": 7})
    assert run.weights()["best"]["epoch"] == 7
    for saved, loaded in zip(model.weights, run.model("best").weights, strict=True):
        np.testing.assert_array_equal(saved.value.numpy(), loaded.value.numpy(), err_msg=saved.path)


@pytest.mark.faults
def test_weights_with_a_flipped_bit_are_refused(run: Run, model: keras.Model) -> None:
    run.save_weights("best", model, {})
    path = run.folder / "best.weights.h5"
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    path.write_bytes(content)
    with pytest.raises(MissingError, match=r"best\.weights\.h5 is damaged"):
        run.model("best")


def test_weights_that_are_not_there_yet(run: Run) -> None:
    with pytest.raises(MissingError, match=r"there is no final\.weights\.h5"):
        run.model("final")


def test_nothing_half_written_is_left_behind(run: Run, model: keras.Model) -> None:
    run.save_weights("final", model, {})
    assert not [name for name in os.listdir(run.folder) if name.startswith(".writing")]


@pytest.mark.faults
def test_a_broken_file_of_a_run_is_told_in_words(run: Run) -> None:
    (run.folder / "environment.json").write_text("{")
    with pytest.raises(MissingError, match=r"environment\.json cannot be read"):
        _ = Run.open(run.folder).classes
