"""The run folder: what one training leaves behind, and all that is needed to go on with it or to use its network."""

from __future__ import annotations

import json
import os
import platform
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from filelock import FileLock, Timeout

from archbuilder import bounds
from archbuilder import spec as specs
from archbuilder.aliases import Array, Json
from archbuilder.atomic_files import UNFINISHED, append_line, as_archbuilder_error, remove, replace_file
from archbuilder.bounded_arrays import Arrays, open_own_arrays
from archbuilder.bounded_files import BadFileError, bounded_bytes
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import MissingError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import printable
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import Spec, require_training
from archbuilder.spec.loading import OF_RUN
from archbuilder.training.objective import Objective, Scaling
from archbuilder.training.run import records
from archbuilder.training.run.checkpoint import (
    Checkpoints,
    ReadOnly,
    file_sum,
    file_sum_or_none,
    link_in_run,
    write_json,
)
from archbuilder.training.scores import Answers
from archbuilder.weights.transfer import Transfer, transfer
from archbuilder.weights.weight_file import Floats

if TYPE_CHECKING:
    import keras

Which = Literal["best", "final"]
State = Literal["running", "stopped", "finished", "diverged"]

SPEC = OF_RUN
ENVIRONMENT, MACHINE, METRICS, RESULT = "environment.json", "machine.json", "metrics.jsonl", "result.json"
DIVERGED, PREDICTIONS = "diverged.json", "predictions.npz"
NORMALISER, WEIGHTS, CHECKPOINTS, LEGS = "normaliser.npz", "weights.json", "checkpoints", "legs.json"
LOCK, HOLDER = ".lock", ".holder.json"
PLAN = "sweep.json"
"""The file that makes a folder that of several seeds."""
_FILES = (SPEC, ENVIRONMENT, MACHINE, METRICS, RESULT, DIVERGED, PREDICTIONS, NORMALISER, WEIGHTS, CHECKPOINTS, LEGS,
          LOCK, HOLDER, "best.weights.h5", "final.weights.h5")  # fmt: skip
_BEFORE_SPEC = {LOCK, HOLDER, NORMALISER, ENVIRONMENT, MACHINE}
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

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from archbuilder.training.reporting.notebook import run_html

        return run_html(self)

    @classmethod
    def create(cls, spec: Spec, folder: Path | None, environment: Json, normaliser: Normaliser) -> Run:
        """Makes the folder of a new run, `runs/<name>-<when>` unless it is named; refuses one that holds something."""
        run, text = cls(folder or new_folder(spec.name)), spec.dump()
        with as_archbuilder_error(run.folder):
            run.folder.mkdir(parents=True, exist_ok=True)
        with run.locked():
            require_empty(run.folder)
            replace_file(run.folder / NORMALISER, normaliser.save)
            created = datetime.now(UTC).isoformat(" ", "seconds")
            facts = {"form": records.FORM, "created": created, "network": spec.name, **environment, "spec": text}
            write_json(run.folder / ENVIRONMENT, facts)
            write_json(run.folder / MACHINE, {"host": platform.node(), "command": sys.argv})
            replace_file(run.folder / SPEC, lambda path: path.write_text(text, "utf-8"))
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """The run in a folder; raises MissingError where there is none, or one with links in it."""
        folder = Path(folder)
        for path in (folder / name for name in _FILES):
            if path.is_symlink():
                raise link_in_run(path)
        if not (folder / SPEC).exists():
            raise MissingError(f"{folder} is not the folder of a run: there is no {SPEC} in it")
        return cls(folder)

    @cached_property
    def spec(self) -> Spec:
        path = self.folder / SPEC
        try:
            text = bounded_bytes(path, 4 * bounds.CHARACTERS, follow_links=False).decode("utf-8")
        except BadFileError as error:
            raise records.unreadable(path, error) from error
        except UnicodeDecodeError:
            raise records.unreadable(path, "it is not UTF-8 text") from None
        spec = specs.load_text(text, str(path))
        if spec.training is None:
            raise records.unreadable(path, "it does not say how the network is trained")
        return spec

    @cached_property
    def began_with(self) -> Spec:
        """The spec that the run began with, whatever became of the file since."""
        return specs.load_text(self.environment["spec"], f"{self.folder / ENVIRONMENT}: spec")

    @cached_property
    def environment(self) -> Json:
        path = self.folder / ENVIRONMENT
        facts = records.read(path, records.Environment)
        if facts.form != records.FORM:
            version = printable(facts.versions.get("archbuilder", "another version"))
            raise MissingError(
                f"{path} is of form {facts.form:,}, and this archbuilder reads form {records.FORM}: use archbuilder "
                f"{version}, which wrote it"
            )
        return facts.to_json()

    @property
    def command(self) -> tuple[str, ...]:
        """The words that the run was begun by; none where they were not kept."""
        path = self.folder / MACHINE
        return tuple(records.read(path, records.Machine).command) if path.exists() else ()

    @property
    def data_path(self) -> Path | None:
        """Where the data lay, if the run was told."""
        path = self.environment["data"]["path"]
        return Path(path) if path else None

    @cached_property
    def graph(self) -> Graph:
        """The network of the run's spec."""
        return expand(self.spec)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the network's outputs."""
        names, outputs = tuple(self.environment["data"]["classes"]), self.graph[self.graph.outputs[0]].shape
        of_two = len(names) == 2 and outputs == (1,) and require_training(self.spec).labels == "flags"
        if outputs != (len(names),) and not of_two:
            reason = f"it names {len(names):,} classes, and the network of {SPEC} ends in {show(outputs)}"
            raise records.unreadable(self.folder / ENVIRONMENT, reason)
        return names

    @property
    def objective(self) -> Objective:
        """What the network was trained by, without class weights; raises MissingError where its scaling is gone."""
        training, scaling = require_training(self.spec), self.environment["data"].get("scaling")
        is_whole = scaling is not None and all(len(one) == len(self.classes) for one in scaling.values())
        if training.is_regression and not is_whole:
            raise records.unreadable(self.folder / ENVIRONMENT, "it does not say how the numbers were standardised")
        return Objective(
            training.loss, Scaling(tuple(scaling["mean"]), tuple(scaling["deviation"])) if scaling else None
        )

    @cached_property
    def normaliser(self) -> Normaliser:
        path = self.folder / NORMALISER
        try:
            found = Normaliser.load(path)
        except BadFileError as error:
            raise records.unreadable(path, error) from error
        if found.turns != (require_training(self.spec).colours == "bgr"):
            raise records.unreadable(path, f"its order of colours is not that of {SPEC}")
        if problem := found.problem(self.graph.input.shape):
            raise records.unreadable(path, problem)
        return found

    @property
    def legs(self) -> tuple[records.Leg, ...]:
        """What the run went on with after it was finished, the latest last."""
        path = self.folder / LEGS
        return tuple(records.read(path, records.Legs).legs) if path.exists() else ()

    def begin_leg(self, leg: records.Leg) -> None:
        """From then on the run is not finished any more."""
        write_json(self.folder / LEGS, {"legs": [one.to_json() for one in (*self.legs, leg)]})

    @property
    def result(self) -> Json | None:
        """What the run came to on the test set, once its last leg is finished."""
        path, legs = self.folder / RESULT, self.legs
        if not path.exists():
            return None
        found = records.read(path, records.Result)
        return None if legs and found.final.iteration <= legs[-1].begins else found.to_json()

    def finish(self, result: Json) -> None:
        write_json(self.folder / RESULT, result)

    def note_divergence(self, message: str | None) -> None:
        """Keeps why there is no sense in going on, or forgets it."""
        if message is None:
            (self.folder / DIVERGED).unlink(missing_ok=True)
        else:
            write_json(self.folder / DIVERGED, {"message": message})

    @property
    def state(self) -> State:
        """What became of it; a run that was killed is stopped."""
        if self.result is not None:
            return "finished"
        if self._is_held:
            return "running"
        return "diverged" if (self.folder / DIVERGED).exists() else "stopped"

    @property
    def _is_held(self) -> bool:
        """Whether a process trains in the folder now; a lock is held, the file of its holder may be left behind."""
        if not (self.folder / HOLDER).exists():
            return False
        _require_own_lock(self.folder / LOCK)
        lock = FileLock(self.folder / LOCK, blocking=False)
        try:
            lock.acquire()
        except (Timeout, OSError):
            return True
        lock.release()
        return False

    def save_predictions(self, labels: Array, best: Array, final: Array) -> None:
        """Keeps what the best and the final weights answer on the test set, beside what is right."""

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, labels=labels, best=best, final=final)

        replace_file(self.folder / PREDICTIONS, write)

    def predictions(self, which: Which = "best") -> Answers:
        """What the weights answered on the test set when the run was finished; raises MissingError where it was not."""
        path = self.folder / PREDICTIONS
        if self.result is None or not path.exists():
            raise MissingError(f"there is no {path.name} in {self.folder}: the run is not finished")
        try:
            with open_own_arrays(path) as arrays:
                labels, values = _predictions(arrays, which, len(self.classes))
        except BadFileError as error:
            raise records.unreadable(path, error) from error
        return Answers(values, labels, self.classes, require_training(self.spec).labels)

    def checkpoints(self, keep: int) -> Checkpoints:
        spec_sum = sha256(self.environment["spec"].encode()).hexdigest()
        return self._kind_of_checkpoints(self.folder / CHECKPOINTS, spec_sum, keep)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the same folder; the lock goes with its process, however that ends."""
        _require_own_lock(self.folder / LOCK)
        lock, holder = FileLock(self.folder / LOCK, blocking=False), self.folder / HOLDER
        with as_archbuilder_error(lock.lock_file):
            try:
                lock.acquire()
            except Timeout:
                raise UsageError(f"{self._holder()} is training in {self.folder}") from None
        with lock:
            try:
                self._remove_unfinished()
                when = datetime.now(UTC).isoformat(" ", "seconds")
                write_json(holder, {"pid": os.getpid(), "host": platform.node(), "since": when})
                yield
            finally:
                holder.unlink(missing_ok=True)
                lock.release()

    def _remove_unfinished(self) -> None:
        """Clears what a process left that was killed while it wrote."""
        for path in self.folder.glob(f"{UNFINISHED}*"):
            remove(path)

    def _holder(self) -> str:
        """Who holds the lock: its file says so, a moment after the lock was taken."""
        try:
            facts = records.read(self.folder / HOLDER, records.Holder)
        except MissingError:
            return "another process"
        return f"process {facts.pid} on {facts.host}, since {facts.since},"

    def metrics(self) -> list[Json]:
        """One mapping an epoch; a last line that a crash cut short does not count."""
        path = self.folder / METRICS
        if not path.exists():
            return []
        try:
            *lines, _ = bounded_bytes(path, records.MAX_METRICS, follow_links=False).split(b"\n")
        except BadFileError as error:
            raise records.unreadable(path, error) from error
        return [_metrics(path.with_name(f"{METRICS}, line {number}"), line) for number, line in enumerate(lines, 1)]

    def add_metrics(self, metrics: Json) -> None:
        append_line(self.folder / METRICS, json.dumps(metrics, allow_nan=False))

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
        path = self.folder / WEIGHTS
        return records.read(path, records.Weights).to_json() if path.exists() else {}

    def load_weights(self, which: Which, model: keras.Model) -> None:
        """Raises MissingError where the file is not there, not the one that was written, or of another network."""
        self._transfer(which).apply(model)

    def arrays(self, which: Which) -> dict[str, dict[str, Floats]]:
        """The weights by the names of the graph, without TensorFlow; raises MissingError as `load_weights` does."""
        return self._transfer(which).arrays()

    def _transfer(self, which: Which) -> Transfer:
        path = self._weights_path(which)
        if not path.exists():
            raise MissingError(f"there is no {path.name} in {self.folder} yet")
        if which not in self.weights():
            raise MissingError(f"{path} cannot be trusted: {self.folder / WEIGHTS} does not tell of it")
        if not self.has_sound_weights(which):
            raise MissingError(f"{path} is damaged: it is not the file that was written")
        found = transfer(path, self.graph)
        if found.match.fresh:
            raise MissingError(f"{path} is damaged: it holds the weights of another network")
        return found

    def has_sound_weights(self, which: Which) -> bool:
        """Whether the file is there, and is the one that `weights.json` tells of."""
        facts = self.weights().get(which, {})
        found = file_sum_or_none(self._weights_path(which))
        return found is not None and found == {key: facts.get(key) for key in found}

    def model(self, weights: Which = "best") -> keras.Model:
        """The stock Keras model of the run's spec with its best or final weights."""
        load_tensorflow()
        from archbuilder.keras_model.build import build_model

        model = build_model(self.graph)
        self.load_weights(weights, model)
        return model

    def _weights_path(self, which: Which) -> Path:
        return self.folder / f"{which}.weights.h5"


class ReadOnlyRun(Run):
    """A run as a process sees it that trains with others but is not the chief: all it does is read."""

    _kind_of_checkpoints: ClassVar[type[Checkpoints]] = ReadOnly

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def begin_leg(self, leg: records.Leg) -> None:
        pass

    def finish(self, result: Json) -> None:
        pass

    def note_divergence(self, message: str | None) -> None:
        pass

    def save_predictions(self, labels: Array, best: Array, final: Array) -> None:
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


def _predictions(arrays: Arrays, which: Which, width: int) -> tuple[Array, Array]:
    """Labels `(n,)` or `(n, k)` and answers `(n, k)`; raises BadFileError where they do not belong together."""
    labels, answers = arrays.header("labels"), arrays.header(which)
    widths = {width, 1} if width == 2 else {width}
    fits = (
        len(answers.shape) == 2 and answers.shape[1] in widths and answers.dtype == np.float32
        and labels.shape in (answers.shape[:1], answers.shape) and labels.dtype in (np.int32, np.float32)
        and answers.shape[0] > 0
    )  # fmt: skip
    if not fits:
        raise BadFileError("its arrays are not answers on a test set")
    found, values = arrays.read("labels"), arrays.read(which)
    if found.ndim == 1 and not (found.dtype == np.int32 and found.min() >= 0 and found.max() < width):
        raise BadFileError("its labels are of classes that there are not")
    if not np.isfinite(values).all() or not np.isfinite(found).all():
        raise BadFileError("its answers are not finite numbers")
    return found, values


def _metrics(place: Path, line: bytes) -> Json:
    try:
        return records.parsed(line, records.Metrics).to_json()
    except BadFileError as error:
        raise records.unreadable(place, error) from error


def _require_own_lock(path: Path) -> None:
    """Raises MissingError where the lock is a link, a FIFO, or a file of two names: some filelocks empty what it is."""
    with suppress(FileNotFoundError, NotADirectoryError):
        facts = path.lstat()
        if stat.S_ISLNK(facts.st_mode):
            raise link_in_run(path)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
            raise MissingError(f"{path} is not the lock of a run but something else: remove it")
