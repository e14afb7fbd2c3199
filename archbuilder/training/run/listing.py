"""The runs below a folder, a line each: what they train, what became of them, and how good they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from archbuilder.aliases import Json
from archbuilder.bounds import LISTED_FOLDERS
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.formatting import counted, printable
from archbuilder.training.objective import Metric
from archbuilder.training.run.folder import SPEC, Run, State

DEEPEST = 4
"""How many folders below the first one runs are looked for."""


@dataclass(frozen=True)
class Line:
    """What is told of a run; of one that cannot be read, only why."""

    folder: str
    network: str = ""
    data: str = ""
    began: str = ""
    """When, as ISO 8601 has it, in UTC."""
    state: State | None = None
    epochs: int = 0
    """How many were made."""
    metric: Metric = "accuracy"
    best: float | None = None
    """The best value of the metric on the validation images, over all epochs."""
    last: float | None = None
    test: float | None = None
    """That of the best weights on the test set, once the run is finished."""
    problem: str | None = None

    def to_json(self) -> Json:
        return asdict(self)


def runs(folder: Path) -> list[Line]:
    """The runs in and below a folder, the oldest first; raises MissingError where there is no such folder."""
    if not folder.is_dir():
        raise MissingError(f"there is no folder {printable(str(folder))}")
    return sorted((_line(found) for found in _folders(folder)), key=lambda line: (line.began, line.folder))


def opened(folder: Path) -> list[Run]:
    """The run in a folder, or those below it, by name; raises MissingError where there is none."""
    found = sorted(_folders(folder))
    return [Run.open(one) for one in found or [folder]]


def _folders(folder: Path) -> Iterator[Path]:
    """Those with a run, links not followed; what is in a run is not looked at."""
    for looked_at, (place, names, files) in enumerate(os.walk(folder), 1):
        if looked_at > LISTED_FOLDERS:
            raise UsageError(
                f"there are more than {counted(LISTED_FOLDERS, 'folder')} below {folder}: name one of them"
            )
        if SPEC in files and "environment.json" in files:
            yield Path(place)
            names.clear()
        elif len(Path(place).relative_to(folder).parts) >= DEEPEST:
            names.clear()


def _line(folder: Path) -> Line:
    try:
        run = Run.open(folder)
        facts, metrics, state, result = run.environment, run.metrics(), run.state, run.result
    except ArchbuilderError as error:
        return Line(str(folder), problem=str(error))
    values, metric = _values(metrics)
    best = None if not values else max(values) if metric == "accuracy" else min(values)
    test = None if result is None else result["best"].get(f"test_{metric}")
    return Line(
        str(folder), facts.get("network", ""), facts["data"]["name"], facts.get("created", ""), state,
        max((line["epoch"] for line in metrics), default=0), metric, best, values[-1] if values else None, test,
    )  # fmt: skip


def _values(metrics: Sequence[Json]) -> tuple[list[float], Metric]:
    """The metric of each epoch on the validation images, and which it is."""
    metric: Metric = "mae" if any("validation_mae" in line for line in metrics) else "accuracy"
    return [value for line in metrics if (value := line.get(f"validation_{metric}")) is not None], metric
