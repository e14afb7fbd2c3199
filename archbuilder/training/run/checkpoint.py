"""Checkpoints: folders that appear whole or not at all, and are read only where their sums are right.

A checkpoint is `iteration-00000391/` with `state.npz` (every variable), `progress.json` (the few numbers beside them)
and `manifest.json` (size and SHA-256 of both, and the sum of the spec that they belong to). None of it is code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.atomic_files import UNFINISHED, remove, replace_file, whole_folder
from archbuilder.bounded_arrays import open_own_arrays
from archbuilder.bounded_files import BadFileError, bounded_bytes, path_size, regular_file
from archbuilder.errors import MissingError
from archbuilder.training.run.records import MAX_BYTES, AnyRecord, Manifest, Progress, parsed

FORMAT = 1
STATE, PROGRESS, MANIFEST = "state.npz", "progress.json", "manifest.json"
_PREFIX = "iteration-"


class DamagedError(Exception):
    """A checkpoint whose files are not the ones that were written, or that belongs to another spec."""


@dataclass(frozen=True)
class Checkpoint:
    """All that training needs to go on as if it had never stopped."""

    iteration: int
    arrays: Mapping[str, Array]
    progress: Json


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run, which is the run of one spec."""

    folder: Path
    spec_sum: str
    keep: int

    def save(self, checkpoint: Checkpoint) -> Path:
        """Writes a checkpoint, then removes all but the newest; those of later iterations were found to be damaged.

        One of the same iteration that is whole stays: to replace a folder takes two steps, and a kill may part them.
        """
        self._require_own_folder()
        target = self.folder / f"{_PREFIX}{checkpoint.iteration:08d}"
        if not self._is_whole(target):
            self._write(checkpoint, target)
        self._prune(checkpoint.iteration)
        return target

    def _write(self, checkpoint: Checkpoint, target: Path) -> None:
        arrays: dict[str, Any] = dict(checkpoint.arrays)
        with whole_folder(target) as folder:
            np.savez(folder / STATE, **arrays)
            write_json(folder / PROGRESS, {"iteration": checkpoint.iteration, **checkpoint.progress})
            sums = {name: file_sum(folder / name) for name in (STATE, PROGRESS)}
            write_json(folder / MANIFEST, {"format": FORMAT, "spec": self.spec_sum, "files": sums})

    def _is_whole(self, path: Path) -> bool:
        try:
            self.read(path)
        except DamagedError:
            return False
        return True

    def latest(self, damaged: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is whole; `damaged` is told of each one that had to be passed over."""
        for path in reversed(self.paths()):
            try:
                return self.read(path)
            except DamagedError as error:
                damaged(f"the checkpoint {path.name} is damaged ({error}); falling back to the one before")
        return None

    def paths(self) -> list[Path]:
        """All checkpoint folders, oldest first."""
        self._require_own_folder()
        found = self.folder.glob(f"{_PREFIX}*") if self.folder.is_dir() else iter(())
        return sorted((path for path in found if _iteration(path) >= 0), key=_iteration)

    def _require_own_folder(self) -> None:
        if self.folder.is_symlink():
            raise link_in_run(self.folder)

    def read(self, path: Path) -> Checkpoint:
        """Raises DamagedError unless every file is as it was written."""
        if path.is_symlink():
            raise DamagedError("it is a link")
        manifest = _record(path / MANIFEST, Manifest)
        if manifest.format != FORMAT:
            raise DamagedError("it was written by another version")
        if manifest.spec != self.spec_sum:
            raise DamagedError("it belongs to another spec")
        for name in (STATE, PROGRESS):
            if name not in manifest.files or file_sum_or_none(path / name) != manifest.files[name].to_json():
                raise DamagedError(f"{name} is not what was written")
        progress = _record(path / PROGRESS, Progress).to_json()
        iteration = progress.pop("iteration")
        if iteration != _iteration(path):
            raise DamagedError(f"it is that of iteration {iteration:,}")
        return Checkpoint(iteration, _arrays(path / STATE), progress)

    def _prune(self, newest: int) -> None:
        paths = self.paths()
        later = [path for path in paths if _iteration(path) > newest]
        earlier = [path for path in paths if _iteration(path) <= newest]
        for path in [*later, *earlier[: -self.keep], *self.folder.glob(f"{UNFINISHED}*")]:
            remove(path)


class ReadOnly(Checkpoints):
    """Checkpoints that another process writes."""

    def save(self, checkpoint: Checkpoint) -> Path:
        return self.folder


def file_sum(path: Path) -> Json:
    """Size and SHA-256 of an ordinary file that is no link; raises BadFileError for anything else."""
    with regular_file(path, follow_links=False) as file:
        return {"size": path_size(file), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}  # type: ignore[arg-type]


def file_sum_or_none(path: Path) -> Json | None:
    try:
        return file_sum(path)
    except (BadFileError, OSError):
        return None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file that is the old one or the new one at any moment, never half of either."""
    replace_file(path, lambda beside: beside.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8"))


def _iteration(path: Path) -> int:
    number = path.name.removeprefix(_PREFIX)
    return int(number) if number.isdecimal() else -1


def _record(path: Path, kind: type[AnyRecord]) -> AnyRecord:
    try:
        return parsed(bounded_bytes(path, MAX_BYTES, follow_links=False), kind)
    except BadFileError as error:
        raise DamagedError(f"{path.name} cannot be read: {error}") from error


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with open_own_arrays(path) as state:
            return {name: state.read(name) for name in state.names}
    except BadFileError as error:
        raise DamagedError(f"{path.name} cannot be read: {error}") from error


def link_in_run(path: Path) -> MissingError:
    """That something in a run's folder is a link: whoever made the folder could have others' files read or written."""
    return MissingError(f"{path} is a link, and no link in the folder of a run is followed: put there what it leads to")


def require_fitting(arrays: Mapping[str, Array], variables: Mapping[str, Array]) -> None:
    """Raises MissingError unless the arrays of a checkpoint are those of the network, in name, shape and kind."""
    if arrays.keys() != variables.keys():
        raise MissingError("the checkpoint was written by another version of archbuilder or Keras: train anew")
    for name, variable in variables.items():
        found, wanted = ((tuple(one.shape), np.dtype(one.dtype)) for one in (arrays[name], variable))
        if found != wanted:
            raise MissingError(
                f"the checkpoint does not fit the network: {name} is {found[1]} of shape {found[0]} in it, "
                f"{wanted[1]} of shape {wanted[0]} here; remove the checkpoint to go on from the one before"
            )
