"""Checkpoints: folders that appear whole or not at all, and are read only where their sums are right.

A checkpoint is `iteration-00000391/` with `state.npz` (every variable), `progress.json` (the few numbers beside them)
and `manifest.json` (size and SHA-256 of both, and the sum of the spec that they belong to). None of it is code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.atomic_files import UNFINISHED, replace_file, whole_folder

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
        found = self.folder.glob(f"{_PREFIX}*") if self.folder.is_dir() else iter(())
        return sorted((path for path in found if _iteration(path) >= 0), key=_iteration)

    def read(self, path: Path) -> Checkpoint:
        """Raises DamagedError unless every file is as it was written."""
        manifest = _read_manifest(path)
        if manifest.get("format") != FORMAT:
            raise DamagedError("it was written by another version")
        if manifest.get("spec") != self.spec_sum:
            raise DamagedError("it belongs to another spec")
        for name in (STATE, PROGRESS):
            if file_sum_or_none(path / name) != manifest["files"].get(name):
                raise DamagedError(f"{name} is not what was written")
        try:
            progress = json.loads((path / PROGRESS).read_text("utf-8"))
            with np.load(path / STATE, allow_pickle=False) as state:
                arrays = {name: state[name] for name in state.files}
            return Checkpoint(progress.pop("iteration"), arrays, progress)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DamagedError(f"it cannot be read: {error}") from error

    def _prune(self, newest: int) -> None:
        paths = self.paths()
        later = [path for path in paths if _iteration(path) > newest]
        earlier = [path for path in paths if _iteration(path) <= newest]
        for path in [*later, *earlier[: -self.keep], *self.folder.glob(f"{UNFINISHED}*")]:
            shutil.rmtree(path, ignore_errors=True)


class ReadOnly(Checkpoints):
    """Checkpoints that another process writes."""

    def save(self, checkpoint: Checkpoint) -> Path:
        return self.folder


def file_sum(path: Path) -> Json:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def file_sum_or_none(path: Path) -> Json | None:
    try:
        return file_sum(path)
    except OSError:
        return None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file that is the old one or the new one at any moment, never half of either."""
    replace_file(path, lambda beside: beside.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8"))


def _iteration(path: Path) -> int:
    number = path.name.removeprefix(_PREFIX)
    return int(number) if number.isdecimal() else -1


def _read_manifest(path: Path) -> Json:
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{MANIFEST} cannot be read") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise DamagedError(f"{MANIFEST} is not what was written")
    return manifest
