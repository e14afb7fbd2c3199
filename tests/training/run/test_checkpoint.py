"""Checkpoints are whole or not there, and never trusted without a look at their sums."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder.atomic_files import replace_file
from archbuilder.errors import ArchbuilderError
from archbuilder.training.run.checkpoint import Checkpoint, Checkpoints

pytestmark = pytest.mark.faults


def checkpoint(iteration: int) -> Checkpoint:
    arrays: dict[str, Any] = {
        "model/stem.conv/kernel": np.arange(6, dtype="float32").reshape(2, 3) + iteration,
        "optimizer/count": np.array(iteration),
    }
    return Checkpoint(iteration, arrays, {"epoch": 2, "best": None, "third": 1 / 3})


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", spec_sum="abc", keep=2)


def latest_iteration(checkpoints: Checkpoints, said: list[str]) -> int | None:
    found = checkpoints.latest(said.append)
    return None if found is None else found.iteration


def test_what_is_read_is_what_was_written_to_the_last_bit(checkpoints: Checkpoints) -> None:
    checkpoints.save(checkpoint(391))
    read = checkpoints.latest(pytest.fail)
    assert read is not None
    assert (read.iteration, dict(read.progress)) == (391, {"epoch": 2, "best": None, "third": 1 / 3})
    assert set(read.arrays) == set(checkpoint(391).arrays)
    for name, array in checkpoint(391).arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array, strict=True)


def test_the_newest_are_kept(checkpoints: Checkpoints) -> None:
    for iteration in (5, 90, 100, 1000):
        checkpoints.save(checkpoint(iteration))
    assert [path.name for path in checkpoints.paths()] == ["iteration-00000100", "iteration-00001000"]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("harm", [flip_a_bit, cut, Path.unlink])
@pytest.mark.parametrize("name", ["state.npz", "progress.json", "manifest.json"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    checkpoints: Checkpoints, name: str, harm: Callable[[Path], None]
) -> None:
    checkpoints.save(checkpoint(1))
    harm(checkpoints.save(checkpoint(2)) / name)
    said: list[str] = []
    assert latest_iteration(checkpoints, said) == 1
    assert len(said) == 1
    assert "iteration-00000002 is damaged" in said[0]


def test_a_checkpoint_of_another_spec_does_not_count(checkpoints: Checkpoints) -> None:
    checkpoints.save(checkpoint(1))
    said: list[str] = []
    assert latest_iteration(Checkpoints(checkpoints.folder, "another", keep=2), said) is None
    assert "belongs to another spec" in said[0]


def test_damaged_checkpoints_do_not_crowd_out_good_ones(checkpoints: Checkpoints) -> None:
    checkpoints.save(checkpoint(1))
    for iteration in (8, 9):
        cut(checkpoints.save(checkpoint(iteration)) / "state.npz")
    checkpoints.save(checkpoint(2))
    assert [path.name for path in checkpoints.paths()] == ["iteration-00000002"]


def test_what_a_crash_left_half_written_is_neither_read_nor_kept(checkpoints: Checkpoints) -> None:
    leftover = checkpoints.folder / ".writing-iteration-00000007"
    leftover.mkdir(parents=True)
    (leftover / "state.npz").write_bytes(b"half")
    assert checkpoints.latest(pytest.fail) is None
    checkpoints.save(checkpoint(8))
    assert not leftover.exists()


def test_pickled_objects_are_not_loaded(checkpoints: Checkpoints) -> None:
    checkpoints.save(checkpoint(1))
    checkpoints.save(Checkpoint(2, {"model/x": np.array([{"code": "of somebody"}], dtype=object)}, {}))
    said: list[str] = []
    assert latest_iteration(checkpoints, said) == 1
    assert "model/x in it is of objects" in said[0]


def test_numbers_that_are_not_finite_never_reach_the_disk(checkpoints: Checkpoints) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        checkpoints.save(Checkpoint(1, {}, {"best": float("nan")}))
    assert checkpoints.paths() == []


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "best.weights.h5"
    path.write_text("old")

    def fill_the_disk(beside: Path) -> None:
        assert beside.name.endswith(".weights.h5")
        beside.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArchbuilderError, match=r"cannot write .*best\.weights\.h5: No space left on device"):
        replace_file(path, fill_the_disk)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_manifest_names_sizes_and_sums(checkpoints: Checkpoints) -> None:
    path = checkpoints.save(checkpoint(3))
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["spec"] == "abc"
    assert manifest["files"]["state.npz"]["size"] == (path / "state.npz").stat().st_size
