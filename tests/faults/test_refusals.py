"""What is refused: a run that is not what it was, or that somebody else is at."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder.errors import MissingError, UsageError
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from tests.faults.nursery import Nursery
from tests.training.runs import Notes, stop_at

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def stopped(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that none of the tests here goes on with."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    stop_at(load(tiny), 2, folder)
    return folder


def test_another_spec_is_refused_field_by_field(stopped: Path, tiny: Path) -> None:
    edits = ["training.batch_size=64", "training.seed=7", "stages.0.units=2"]
    with pytest.raises(UsageError) as caught:
        loop.resume(stopped, load(tiny, edits))
    where = "in the spec that was given"
    assert str(caught.value).splitlines() == [
        f"the run in {stopped} goes on with the spec that it began with",
        f"  stages.0.units: 1 in the run, 2 {where}",
        f"  training.batch_size: 128 in the run, 64 {where}",
        f"  training.seed: 0 in the run, 7 {where}",
    ]


def test_another_spec_is_refused_on_the_command_line(stopped: Path, tiny: Path, nursery: Nursery) -> None:
    ended = nursery.run("train", tiny, "--resume", stopped, "--epochs", 5, "--set", "training.weight_decay=null")
    assert ended.code == 2
    assert "\n  training.stop.epochs: 4 in the run, 5 in the spec" in ended.err
    assert (
        "\n  training.weight_decay.kinds: ['conv', 'dense']" in ended.err or "weight_decay.kinds.0: conv" in ended.err
    )


def test_an_edited_file_is_refused_field_by_field(stopped: Path) -> None:
    path = stopped / "spec.yaml"
    before = path.read_text()
    try:
        path.write_text(before.replace("momentum: 0.9", "momentum: 0.8"))
        with pytest.raises(UsageError, match=r"\n  training\.optimizer\.sgd\.momentum: 0\.9 in the run, 0\.8 in spec"):
            loop.resume(stopped)
    finally:
        path.write_text(before)


def test_the_same_spec_goes_on(tiny: Path, nursery: Nursery, tmp_path: Path) -> None:
    stop_at(load(tiny, ["training.stop.epochs=3"]), 2, tmp_path)
    path = tmp_path / "spec.yaml"
    path.write_text("# a comment changes nothing\n" + path.read_text())
    assert nursery.run("train", tiny, "--epochs", 3, "--resume", tmp_path).code == 0
    assert Run.open(tmp_path).result is not None
    ended = nursery.run("train", tiny, "--resume", tmp_path)
    assert (ended.code, "training.stop.epochs: 3 in the run, 4" in ended.err) == (2, True)


def write_data(path: Path, seed: int, classes: int = 10) -> Path:
    random = np.random.default_rng(seed)
    labels = np.arange(40) % 10
    images = random.integers(0, 256, (40, 8, 8, 1)).astype("uint8")
    more: dict[str, Any] = {"classes": [f"class {n}" for n in range(10)]} if seed == 3 else {}
    np.savez(path, x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10], **more)
    return path


def test_other_data_is_refused_field_by_field(tiny: Path, tmp_path: Path) -> None:
    spec = load(tiny, ["training.data.source=npz"])
    first, second, third = (write_data(tmp_path / f"{number}.npz", number) for number in (1, 2, 3))
    stop_at(spec, 2, tmp_path / "run", data=first)
    with pytest.raises(
        UsageError, match=r"goes on with the data.*\n  name: 1 in the run, 2 in .*\n  fingerprint: [0-9a-f]{64} in"
    ) as caught:
        loop.resume(tmp_path / "run", data=second)
    assert "classes" not in str(caught.value)
    with pytest.raises(UsageError, match=r"\n  classes\.0: 0 in the run, class 0 in the data from .*3\.npz"):
        loop.resume(tmp_path / "run", data=third)
    moved = first.rename(tmp_path / "moved.npz")
    assert loop.resume(tmp_path / "run", data=moved).result is not None


def test_another_version_is_named(tiny: Path, tmp_path: Path) -> None:
    stop_at(load(tiny), 4, tmp_path)
    path = tmp_path / "environment.json"
    environment = json.loads(path.read_text())
    environment["versions"]["keras"] = "3.0.0"
    path.write_text(json.dumps(environment))
    notes = Notes()
    loop.resume(tmp_path, reporter=notes)
    assert re.fullmatch(r"what follows may differ in the last bits .*: keras [\d.]+ instead of 3\.0\.0", notes.said[0])


def test_two_processes_in_one_folder(stopped: Path, nursery: Nursery) -> None:
    run = Run.open(stopped)
    with run.locked():
        ended = nursery.run("train", "--resume", stopped)
        assert ended.code == 2
        facts = rf"process {os.getpid()} on {re.escape(platform.node())}, since [-0-9]+ [:0-9]+\+00:00, is training in"
        assert re.search(facts, ended.err)
    assert not (stopped / ".holder.json").exists()


HOLD = """
import os, signal
from archbuilder.training import loop
def hold(*_):
    os.kill(os.getpid(), signal.SIGKILL)
loop.require_same_data = hold
"""


def test_the_lock_of_a_killed_process_is_free(stopped: Path, nursery: Nursery) -> None:
    assert nursery.run("train", "--resume", stopped, before=HOLD).code == -signal.SIGKILL
    assert (stopped / ".holder.json").is_file()
    with Run.open(stopped).locked():
        assert json.loads((stopped / ".holder.json").read_text())["pid"] == os.getpid()


def test_a_folder_with_something_else_in_it(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"holds thesis\.tex, which is of no run: name another"):
        loop.train(load(tiny), Start(out=tmp_path))
    with pytest.raises(MissingError, match=r"not the folder of a run: there is no spec\.yaml"):
        loop.resume(tmp_path)
