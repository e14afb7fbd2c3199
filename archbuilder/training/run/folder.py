"""The run folder: what one training leaves behind, and all that is needed to go on with it or to use its network."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import ClassVar, Literal

import keras
from filelock import FileLock, Timeout

from archbuilder import spec as specs
from archbuilder.aliases import Json
from archbuilder.atomic_files import UNFINISHED, as_archbuilder_error, replace_file
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import MissingError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.keras_model.build import build_model
from archbuilder.spec import Spec
from archbuilder.training.run.checkpoint import Checkpoints, ReadOnly, file_sum, file_sum_or_none, write_json

Which = Literal["best", "final"]

SPEC, ENVIRONMENT, METRICS, RESULT = "spec.yaml", "environment.json", "metrics.jsonl", "result.json"
NORMALISER, WEIGHTS, CHECKPOINTS = "normaliser.npz", "weights.json", "checkpoints"
LOCK, HOLDER = ".lock", ".holder.json"
PLAN = "sweep.json"
"""The file that makes a folder that of several seeds."""
_BEFORE_SPEC = {LOCK, HOLDER, NORMALISER, ENVIRONMENT}
"""What a run that was killed before it began may have left."""


class _WeightsInMemory(BytesIO):
    """What Keras writes weights into: on a full disk, HDF5 would end the process with a segmentation fault."""

    def __str__(self) -> str:
        return "memory.weights.h5"


@dataclass(frozen=True)
class Run:
    """A folder that holds the resolved spec, the environment, the metrics, checkpoints, weights and the result."""

    folder: Path
    _kind_of_checkpoints: ClassVar[type[Checkpoints]] = Checkpoints

    @classmethod
    def create(cls, spec: Spec, folder: Path | None, environment: Json, normaliser: Normaliser) -> Run:
        """Makes the folder of a new run, `runs/<name>-<when>` unless it is named; refuses one that holds something."""
        run, text = cls(folder or new_folder(spec.name)), spec.dump()
        with as_archbuilder_error(run.folder):
            run.folder.mkdir(parents=True, exist_ok=True)
        with run.locked():
            require_empty(run.folder)
            replace_file(run.folder / NORMALISER, normaliser.save)
            write_json(run.folder / ENVIRONMENT, {**environment, "spec": text})
            replace_file(run.folder / SPEC, lambda path: path.write_text(text, "utf-8"))
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in a folder; raises MissingError where there is none."""
        if not (folder / SPEC).is_file():
            raise MissingError(f"{folder} is not the folder of a run: there is no {SPEC} in it")
        return cls(folder)

    @cached_property
    def spec(self) -> Spec:
        return specs.load_text((self.folder / SPEC).read_text("utf-8"), str(self.folder / SPEC))

    @cached_property
    def began_with(self) -> Spec:
        """The spec that the run began with, whatever became of the file since."""
        return specs.load_text(self.environment["spec"], f"{self.folder / ENVIRONMENT}: spec")

    @cached_property
    def environment(self) -> Json:
        return self._json(ENVIRONMENT)

    @property
    def data_path(self) -> Path | None:
        """Where the data lay, if the run was told."""
        path = self.environment["data"]["path"]
        return Path(path) if path else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the network's outputs."""
        return tuple(self.environment["data"]["classes"])

    @cached_property
    def normaliser(self) -> Normaliser:
        return Normaliser.load(self.folder / NORMALISER)

    @property
    def result(self) -> Json | None:
        """What the run came to on the test set, once it is finished."""
        return self._json(RESULT) if (self.folder / RESULT).is_file() else None

    def finish(self, result: Json) -> None:
        write_json(self.folder / RESULT, result)

    def checkpoints(self, keep: int) -> Checkpoints:
        spec_sum = sha256(self.environment["spec"].encode()).hexdigest()
        return self._kind_of_checkpoints(self.folder / CHECKPOINTS, spec_sum, keep)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the same folder; the lock goes with its process, however that ends."""
        lock, holder = FileLock(self.folder / LOCK, blocking=False), self.folder / HOLDER
        with as_archbuilder_error(lock.lock_file):
            try:
                lock.acquire()
            except Timeout:
                raise UsageError(f"{self._holder()} is training in {self.folder}") from None
        with lock:
            try:
                when = datetime.now(UTC).isoformat(" ", "seconds")
                write_json(holder, {"pid": os.getpid(), "host": platform.node(), "since": when})
                yield
            finally:
                holder.unlink(missing_ok=True)
                lock.release()

    def _holder(self) -> str:
        """Who holds the lock: its file says so, a moment after the lock was taken."""
        try:
            facts = self._json(HOLDER)
        except MissingError:
            return "another process"
        return f"process {facts['pid']} on {facts['host']}, since {facts['since']},"

    def metrics(self) -> list[Json]:
        """One mapping an epoch; a line that a crash cut short does not count."""
        try:
            lines = (self.folder / METRICS).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [metrics for metrics in map(_parsed, lines) if metrics is not None]

    def add_metrics(self, metrics: Json) -> None:
        path = self.folder / METRICS
        with as_archbuilder_error(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def drop_metrics_after(self, iteration: int) -> None:
        """Forgets the epochs that came after the checkpoint that the run goes on from."""
        kept = [json.dumps(metrics) + "\n" for metrics in self.metrics() if metrics["iteration"] <= iteration]
        replace_file(self.folder / METRICS, lambda path: path.write_text("".join(kept), "utf-8"))

    def save_weights(self, which: Which, model: keras.Model, facts: Json) -> None:
        """Writes `best.weights.h5` or `final.weights.h5`, and their sum and what is known of them to `weights.json`."""
        path, content = self._weights_path(which), _WeightsInMemory()
        model.save_weights(content)
        replace_file(path, lambda beside: beside.write_bytes(content.getbuffer()))
        write_json(self.folder / WEIGHTS, {**self.weights(), which: {**facts, **file_sum(path)}})

    def weights(self) -> Json:
        """What is known of the weights that were saved, by `best` and `final`."""
        return self._json(WEIGHTS) if (self.folder / WEIGHTS).is_file() else {}

    def load_weights(self, which: Which, model: keras.Model) -> None:
        """Raises MissingError where the file is not there or not the one that was written: Keras would not notice."""
        path = self._weights_path(which)
        if which not in self.weights() or not path.is_file():
            raise MissingError(f"there is no {path.name} in {self.folder} yet")
        if not self.has_sound_weights(which):
            raise MissingError(f"{path} is damaged: it is not the file that was written")
        model.load_weights(path)

    def has_sound_weights(self, which: Which) -> bool:
        """Whether the file is there, and is the one that `weights.json` tells of."""
        facts = self.weights().get(which, {})
        found = file_sum_or_none(self._weights_path(which))
        return found is not None and found == {key: facts.get(key) for key in found}

    def model(self, weights: Which = "best") -> keras.Model:
        """The stock Keras model of the run's spec with its best or final weights."""
        model = build_model(expand(self.spec))
        self.load_weights(weights, model)
        return model

    def _weights_path(self, which: Which) -> Path:
        return self.folder / f"{which}.weights.h5"

    def _json(self, name: str) -> Json:
        path = self.folder / name
        try:
            content: Json = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise MissingError(f"{path} cannot be read: {error}") from error
        return content


class ReadOnlyRun(Run):
    """A run as a process sees it that trains with others but is not the chief: all it does is read."""

    _kind_of_checkpoints: ClassVar[type[Checkpoints]] = ReadOnly

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def finish(self, result: Json) -> None:
        pass

    def add_metrics(self, metrics: Json) -> None:
        pass

    def drop_metrics_after(self, iteration: int) -> None:
        pass

    def save_weights(self, which: Which, model: keras.Model, facts: Json) -> None:
        pass


def require_empty(folder: Path) -> None:
    """Raises UsageError rather than mixing two runs in one folder."""
    if not folder.exists():
        return
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else [folder.name]
    if {SPEC, PLAN} & {*names}:
        raise UsageError(f"there is a run in {folder}; to go on with it: archbuilder train --resume {folder}")
    if rest := {name for name in names if not name.startswith(UNFINISHED)} - _BEFORE_SPEC:
        raise UsageError(f"{folder} holds {min(rest)}, which is of no run: name another folder")


def new_folder(name: str) -> Path:
    """`runs/<name>-<when>`, one that is not there yet."""
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = Path("runs") / f"{name.replace('/', '-')}-{when}"
    later = (folder.with_name(f"{folder.name}-{number}") for number in range(2, 100))
    return folder if not folder.exists() else next(path for path in later if not path.exists())


def _parsed(line: str) -> Json | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
