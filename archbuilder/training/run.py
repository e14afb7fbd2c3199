"""The run folder: what one training leaves behind, and all that is needed to go on with it or to use its network."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal

import keras

from archbuilder import spec as specs
from archbuilder.errors import MissingError, UsageError
from archbuilder.graph.expand import expand
from archbuilder.keras_backend import build_model
from archbuilder.spec import Spec
from archbuilder.training.checkpoint import Checkpoints, Json, file_sum, file_sum_or_none, replace_file, write_json
from archbuilder.training.normalise import Normaliser

Which = Literal["best", "final"]

SPEC, ENVIRONMENT, METRICS, RESULT = "spec.yaml", "environment.json", "metrics.jsonl", "result.json"
NORMALISER, WEIGHTS, CHECKPOINTS = "normaliser.npz", "weights.json", "checkpoints"


@dataclass(frozen=True)
class Run:
    """A folder that holds the resolved spec, the environment, the metrics, checkpoints, weights and the result."""

    folder: Path

    @classmethod
    def create(cls, spec: Spec, folder: Path | None, environment: Json, normaliser: Normaliser) -> Run:
        """Makes the folder of a new run, `runs/<name>-<when>` unless it is named; refuses one that holds something."""
        run = cls(folder or new_folder(spec.name))
        require_empty(run.folder)
        run.folder.mkdir(parents=True, exist_ok=True)
        replace_file(run.folder / NORMALISER, normaliser.save)
        text = spec.dump().encode()
        write_json(run.folder / ENVIRONMENT, {**environment, "spec": sha256(text).hexdigest()})
        replace_file(run.folder / SPEC, lambda path: path.write_bytes(text))
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

    @property
    def spec_sum(self) -> str:
        """SHA-256 of the spec as it stands in the folder; `environment["spec"]` is that of the spec it began with."""
        return sha256((self.folder / SPEC).read_bytes()).hexdigest()

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
        return Checkpoints(self.folder / CHECKPOINTS, self.spec_sum, keep)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second process from training in the same folder; the lock goes with its process, however it ends."""
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(f"another process is training in {self.folder}") from None
            yield

    def metrics(self) -> list[Json]:
        """One mapping an epoch; a line that a crash cut short does not count."""
        try:
            lines = (self.folder / METRICS).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [metrics for metrics in map(_parsed, lines) if metrics is not None]

    def add_metrics(self, metrics: Json) -> None:
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def drop_metrics_after(self, iteration: int) -> None:
        """Forgets the epochs that came after the checkpoint that the run goes on from."""
        kept = [json.dumps(metrics) + "\n" for metrics in self.metrics() if metrics["iteration"] <= iteration]
        replace_file(self.folder / METRICS, lambda path: path.write_text("".join(kept), "utf-8"))

    def save_weights(self, which: Which, model: keras.Model, facts: Json) -> None:
        """Writes `best.weights.h5` or `final.weights.h5`, and their sum and what is known of them to `weights.json`."""
        path = self._weights_path(which)
        replace_file(path, model.save_weights)
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


def require_empty(folder: Path) -> None:
    """Raises UsageError rather than mixing two runs in one folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is there already and not empty; to go on with the run in it: archbuilder train --resume {folder}"
        )


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
