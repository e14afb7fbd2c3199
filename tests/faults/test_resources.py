"""A training that runs out of disk, memory or a place to write to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.nursery import Nursery
from tests.training.runs import measured_in

pytestmark = pytest.mark.faults

AT_SECOND_CALL = """
import resource, shutil
from archbuilder.training.run.checkpoint import Checkpoints
from archbuilder.training.run.folder import Run
before, calls = {owner}.{method}, []
def call(self, *arguments):
    calls.append(1)
    if len(calls) == 2:
        {act}
    return before(self, *arguments)
{owner}.{method} = call
"""
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, -1))"


@pytest.mark.parametrize(
    ("owner", "method", "size", "named"),
    [("Run", "add_metrics", 400, "metrics.jsonl"), ("Run", "save_weights", 9000, "weights.h5"),
     ("Checkpoints", "save", 9000, "checkpoints/iteration-00000022")],
)  # fmt: skip
def test_a_disk_that_is_full_ends_a_training_that_can_go_on(
    owner: str, method: str, size: int, named: str, nursery: Nursery, tiny: Path, whole_folder: Path, tmp_path: Path
) -> None:
    before = AT_SECOND_CALL.format(owner=owner, method=method, act=FULL.format(size=size))
    ended = nursery.run("train", tiny, "--out", tmp_path / "run", before=before)
    assert ended.code == 1, ended.err
    assert ended.err.startswith("error: cannot write ")
    assert named in ended.err
    assert len(ended.err.splitlines()) == 1
    assert nursery.run("train", "--resume", tmp_path / "run").code == 0
    assert measured_in(tmp_path / "run") == measured_in(whole_folder)


@pytest.mark.parametrize(("owner", "method"), [("Run", "save_weights"), ("Checkpoints", "save")])
def test_a_folder_that_vanishes_is_not_made_anew(
    owner: str, method: str, nursery: Nursery, tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    before = AT_SECOND_CALL.format(owner=owner, method=method, act=f"shutil.rmtree({str(folder)!r})")
    ended = nursery.run("train", tiny, "--out", folder, before=before)
    assert ended.code == 1, ended.err
    assert "No such file or directory" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not folder.exists()


def test_a_file_in_place_of_the_folder(nursery: Nursery, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = nursery.run("train", tiny, "--out", tmp_path / "file" / "run")
    assert (ended.code, ended.err) == (1, f"error: cannot write {tmp_path}/file/run: Not a directory\n")
    assert nursery.run("train", tiny, "--out", tmp_path / "file").code == 2


@pytest.mark.parametrize(("size", "advice"), [(128, "try a new run with --set training.batch_size=64"), (1, "it is 1")])
def test_out_of_memory_says_the_batch_size_to_try(
    size: int, advice: str, nursery: Nursery, tiny: Path, tmp_path: Path
) -> None:
    ended = nursery.run("train", tiny, "--out", tmp_path, "--set", f"training.batch_size={size}", before=EXHAUSTED)
    assert (ended.code, ended.err) == (1, f"error: out of memory at batch size {size}: {advice}\n")


EXHAUSTED = """
import tensorflow as tf
from archbuilder.training.tensorflow.step import TrainingStep
def exhausted(*_):
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
TrainingStep.__call__ = exhausted
"""
