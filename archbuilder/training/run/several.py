"""The folder of several runs of one spec: its plan, its runs, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, median, stdev
from typing import Annotated, Literal

from pydantic import Field

from archbuilder.aliases import Json
from archbuilder.errors import MissingError
from archbuilder.spec.data import MAX_FOLDS
from archbuilder.training.run import records
from archbuilder.training.run.checkpoint import link_in_run
from archbuilder.training.run.folder import PLAN, SPEC, Run

SUMMARY = "summary.json"
MAX_SEEDS = 1000


class Plan(records.Record):
    """`sweep.json`: what the runs of a sweep begin with."""

    spec: str
    """The resolved spec, as YAML."""
    seeds: Annotated[tuple[records.Count, ...], Field(min_length=1, max_length=MAX_SEEDS)]
    data: str | None
    weights: str | None
    choices: records.WeightChoices = records.WeightChoices()
    freeze: tuple[str, ...]
    log: tuple[records.TrackerName, ...] = ()
    folds: Annotated[int, Field(ge=2, le=MAX_FOLDS)] | None = None
    """How many parts of the training images are held out in turn, all with the one seed."""

    @property
    def edits(self) -> Mapping[str, str]:
        """By the name of each run's folder, what is different in its spec."""
        if self.folds is None:
            return {f"seed-{seed}": f"training.seed={seed}" for seed in self.seeds}
        validation = "training.data.validation={{fold: {{number: {}, of: {}}}}}"
        return {f"fold-{number}": validation.format(number, self.folds) for number in range(1, self.folds + 1)}


class Statistics(records.Record):
    """What a number of several runs comes to, where less is better."""

    best: float
    mean: float
    deviation: float | None
    median: float


class Finished(records.Result):
    """What one of the runs came to."""

    seed: records.Count
    fold: records.Count = 0
    folder: str


class Summary(records.Record):
    """`summary.json`: what the runs of a sweep came to, and what was published."""

    network: str
    data: str
    test_images: records.Count
    runs: list[Finished]
    test_error: dict[Literal["best", "final"], Statistics] | None = None
    """In percent."""
    test_mae: dict[Literal["best", "final"], Statistics] | None = None
    """Where numbers are learned."""
    fold_error: dict[Literal["best", "final"], Statistics] | None = None
    """On the images that each run held out, where these are folds."""
    fold_mae: dict[Literal["best", "final"], Statistics] | None = None
    published: list[dict[str, str | float]]


@dataclass(frozen=True)
class Sweep:
    """A folder that holds a plan, a run for each seed or fold, and in the end a summary."""

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Sweep:
        """Raises MissingError where there is no sweep."""
        folder = Path(folder)
        if not is_sweep(folder):
            raise MissingError(f"{folder} is not the folder of several runs: there is no {PLAN} in it")
        return cls(folder)

    @cached_property
    def plan(self) -> Plan:
        return records.read(self.folder / PLAN, Plan)

    @property
    def summary(self) -> Json | None:
        """What the runs came to, once all of them are finished."""
        path = self.folder / SUMMARY
        return records.read(path, Summary).to_json() if path.is_file() else None

    def folder_of(self, name: str) -> Path:
        """Raises MissingError where the folder of a run is a link."""
        folder = self.folder / name
        if folder.is_symlink():
            raise link_in_run(folder)
        return folder

    @property
    def runs(self) -> list[Run]:
        """The runs that have begun, in the order of the plan."""
        folders = [self.folder_of(name) for name in self.plan.edits]
        return [Run.open(folder) for folder in folders if (folder / SPEC).is_file()]


def is_sweep(folder: Path) -> bool:
    return (folder / PLAN).is_file()


def runs_in(folder: Path) -> list[Run]:
    """The run in a folder, or the runs of the sweep in it; raises MissingError where there is neither."""
    runs = Sweep(folder).runs if is_sweep(folder) else [Run.open(folder)]
    if not runs:
        raise MissingError(f"no run has begun in {folder} yet")
    return runs


def statistics_of(measured: Sequence[Json], name: str) -> Json:
    """The statistics of what is measured of best and final weights, an accuracy as an error in percent."""
    is_error = name.endswith("accuracy")
    return {
        which: spread([100 * (1 - one[which][name]) if is_error else one[which][name] for one in measured])
        for which in ("best", "final")
    }


def spread(errors: Sequence[float]) -> Json:
    """The deviation is that of a sample, with n - 1; of one run there is none."""
    deviation = stdev(errors) if len(errors) > 1 else None
    return {"best": min(errors), "mean": mean(errors), "deviation": deviation, "median": median(errors)}
