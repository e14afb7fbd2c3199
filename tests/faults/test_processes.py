"""Signals, closed output and a second process, each caused in a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.nursery import Nursery
from tests.processes import PATIENCE
from tests.training.runs import last_checkpoint

pytestmark = pytest.mark.faults

WHILE_LOADING = """
import os, time
from archbuilder.training import setup
def load(*_):
    os.kill(os.getpid(), {number})
    time.sleep({patience})
setup.load_data = load
"""

WHILE_COMPILING = """
import os
from archbuilder.training.tensorflow.forward import Forward
logits = Forward.logits
def traced(*arguments, **more):
    for number in {numbers}:
        os.kill(os.getpid(), number)
    return logits(*arguments, **more)
Forward.logits = traced
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_while_the_data_is_loaded(
    number: signal.Signals, code: int, nursery: Nursery, tiny: Path, tmp_path: Path
) -> None:
    ended = nursery.run(
        "train", tiny, "--out", tmp_path / "run", before=WHILE_LOADING.format(number=int(number), patience=PATIENCE)
    )
    assert (ended.code, ended.out) == (code, "")
    assert ended.err in ("stopped\n", "terminated\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_while_the_first_iteration_compiles(
    number: signal.Signals, code: int, nursery: Nursery, tiny: Path, tmp_path: Path
) -> None:
    ended = nursery.run("train", tiny, "--out", tmp_path, before=WHILE_COMPILING.format(numbers=[int(number)]))
    assert ended.code == code
    assert "stopped after iteration 1 of 44; a checkpoint is saved" in ended.err
    assert last_checkpoint(tmp_path) == 1


@pytest.mark.parametrize("numbers", [[signal.SIGINT] * 2, [signal.SIGTERM] * 2, [signal.SIGINT, signal.SIGTERM]])
def test_a_second_signal_ends_at_once(
    numbers: list[signal.Signals], nursery: Nursery, tiny: Path, tmp_path: Path
) -> None:
    before = WHILE_COMPILING.format(numbers=[int(number) for number in numbers])
    assert nursery.run("train", tiny, "--out", tmp_path, before=before).code == -numbers[1]
    assert last_checkpoint(tmp_path) is None


GONE = "import os; ends = os.pipe(); os.dup2(ends[1], 1); os.close(ends[0]); os.close(ends[1])"
CLOSED = "import os, sys; os.close(1); sys.stdout = None"


@pytest.mark.parametrize(("before", "out"), [(GONE, None), (CLOSED, None), ("", "/dev/full")])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_training_goes_on_in_silence(
    before: str, out: str | None, form: list[str], nursery: Nursery, tiny: Path, tmp_path: Path
) -> None:
    ended = nursery.run("train", tiny, "--out", tmp_path, "--epochs", 1, *form, before=before, out=out)
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "result.json").is_file()


@pytest.mark.parametrize("before", [GONE, CLOSED])
def test_other_commands_end_in_silence(before: str, nursery: Nursery) -> None:
    ended = nursery.run("list", before=before)
    assert (ended.code, ended.err) == (1 if before == GONE else 0, "")
