"""A checkpoint that is killed or runs out of disk, at every stage of its writing."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from archbuilder.atomic_files import replace_file
from archbuilder.errors import ArchbuilderError
from archbuilder.training.run.checkpoint import Checkpoint, Checkpoints, write_json
from tests.conftest import Call
from tests.processes import python

pytestmark = pytest.mark.faults

EVERY_LINE = """
import json, os, shutil, signal, sys
from functools import cache
from pathlib import Path
import numpy as np
from archbuilder.training.run.checkpoint import Checkpoint, Checkpoints

WRITERS = {"checkpoint.py", "atomic_files.py", "shutil.py", "zipfile.py", "zipfile", "_npyio_impl.py"}  # a package since Python 3.13
folder, again, keep, every = Path(sys.argv[1]), *map(int, sys.argv[2:])

def save(checkpoints, iteration):
    checkpoints.save(Checkpoint(iteration, {"w": np.full(9, iteration)}, {"best": None}))

@cache
def writes(file):
    return bool({*Path(file).parts} & WRITERS)

def killed_at(number):
    # Returns whether there are so many lines to be killed at.
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left = number
    def trace(frame, event, _):
        nonlocal left
        if not writes(frame.f_code.co_filename):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    save(checkpoints, again)
    os._exit(0)

found, number = [], 0
before = folder.with_name("before")
for iteration in (1, 2):
    save(Checkpoints(before, "sum", keep), iteration)
while True:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(before, folder)
    checkpoints = Checkpoints(folder, "sum", keep)
    if not killed_at(number):
        break
    damaged = []
    latest = checkpoints.latest(damaged.append)
    save(checkpoints, 4)
    after = checkpoints.latest(damaged.append)
    found.append([latest.iteration if latest else None, len(damaged), after.iteration,
                  sorted(path.name for path in folder.iterdir() if not path.name.startswith("iteration-"))])
    number += every
print(json.dumps(found))
"""


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("again", "keep", "possible"), [(3, 2, {2, 3}), (2, 1, {2})])
def test_killed_at_every_stage(again: int, keep: int, possible: set[int], every: int, tmp_path: Path) -> None:
    """At one of so many lines of Python that writing runs through; the checkpoint is the old one or the new one."""
    done = python("-c", EVERY_LINE, tmp_path / "checkpoints", again, keep, every)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) * every > 150
    assert {latest for latest, *_ in found} == possible
    assert all((damaged, after, rest) == (0, 4, []) for _, damaged, after, rest in found)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What is written beyond fails, as on a full disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.parametrize("size", [0, 1, 40, 100, 200, 300, 500, 700])
def test_a_full_disk_at_any_stage_leaves_the_checkpoint_before(size: int, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", "sum", keep=2)
    checkpoints.save(Checkpoint(1, {"w": np.arange(9)}, {"best": None}))
    message = r"cannot write .*iteration-00000002.*: File too large"
    with files_of_at_most(size), pytest.raises(ArchbuilderError, match=message):
        checkpoints.save(Checkpoint(2, {"w": np.arange(9), "v": np.arange(99)}, {"best": None, "more": "m" * 400}))
    assert [path.name for path in checkpoints.folder.iterdir()] == ["iteration-00000001"]
    assert checkpoints.latest(pytest.fail) is not None


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchbuilderError, match=r"cannot write .*file/checkpoints/iteration-00000001: Not a directory"):
        Checkpoints(tmp_path / "file" / "checkpoints", "sum", keep=2).save(Checkpoint(1, {}, {}))
    with pytest.raises(ArchbuilderError, match=r"cannot write .*gone/a\.json: No such file or directory"):
        write_json(tmp_path / "gone" / "a.json", {})
    (tmp_path / "locked").mkdir()
    with as_nobody(tmp_path / "locked"), pytest.raises(ArchbuilderError, match=r"cannot write .*: Permission denied"):
        write_json(tmp_path / "locked" / "a.json", {})


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Where root runs the tests, to whom nothing is read-only."""
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.parametrize(
    "line", ["draw resnet20_v1 -o x.png", "draw resnet20_v1 -o x.dot", "schedule resnet20_v1 -o x.svg"]
)
def test_a_full_disk_leaves_no_half_picture(line: str, call: Call, tmp_path: Path) -> None:
    if line.startswith("schedule"):
        pytest.importorskip("matplotlib.font_manager")  # which writes its list of fonts where there is none yet
    with files_of_at_most(1000):
        done = call(*line.split(), cwd=tmp_path)
    assert (done.code, done.err) == (1, f"error: cannot write {line.split()[-1]}: File too large\n")
    assert not list(tmp_path.iterdir())


def test_two_processes_may_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    other = "import sys; from pathlib import Path; from archbuilder.atomic_files import replace_file\n"
    other += "replace_file(Path(sys.argv[1]), lambda beside: beside.write_text('theirs'))"

    def write(beside: Path) -> None:
        beside.write_text("half")
        assert python("-c", other, path).returncode == 0
        assert path.read_text() == "theirs"
        beside.write_text("ours")

    replace_file(path, write)
    assert [one.name for one in tmp_path.iterdir()] == ["x.txt"]
    assert path.read_text() == "ours"
