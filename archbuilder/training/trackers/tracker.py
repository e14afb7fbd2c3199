"""Other tools that get the numbers of a run: `metrics.jsonl` stays the truth, and a tool never stops a training.

A tracker begins anew whenever a run is opened: it gets all epochs so far. So a run that was interrupted has no step
twice, and a finished one is replayed by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, assert_never, get_args

from archbuilder.aliases import Json
from archbuilder.atomic_files import remove
from archbuilder.errors import MissingError, UsageError, suggest
from archbuilder.formatting import printable
from archbuilder.training.run.checkpoint import link_in_run
from archbuilder.training.run.folder import Run
from archbuilder.training.run.records import TrackerName

NAMES: tuple[TrackerName, ...] = get_args(TrackerName)
_PACKAGES: dict[TrackerName, str] = {"tensorboard": "tensorboard", "wandb": "wandb"}
"""What a tracker needs that is not installed with archbuilder, but as the extra of its name."""


class Tracker(Protocol):
    """What writes the numbers of a run for another tool."""

    def log(self, metrics: Json) -> None:
        """Takes the numbers of an epoch, a line of `metrics.jsonl`."""

    def close(self, result: Json | None) -> None:
        """Takes what a finished run came to, and ends."""


def chosen(names: str | Iterable[str]) -> tuple[TrackerName, ...]:
    """Trackers by their names, parted by commas or one by one, each once.

    Raises UsageError for other names, MissingError where a package is not installed.
    """
    wanted = [name.strip() for name in names.split(",")] if isinstance(names, str) else [*names]
    found = list[TrackerName]()
    for name in dict.fromkeys(wanted):
        known = next((one for one in NAMES if one == name), None)
        if known is None:
            hint = suggest(name, NAMES, "trackers")
            raise UsageError(f"there is no tracker '{printable(name)}'\n  hint: {hint}")
        package = _PACKAGES.get(known)
        if package and find_spec(package) is None:
            raise MissingError(f"{known} is not installed: pip install 'archbuilder[{known}]'")
        found.append(known)
    return tuple(found)


def opened(name: TrackerName, run: Run) -> Tracker:
    """The tracker, in the folder of a run; what an earlier one left there is gone."""
    match name:
        case "csv":
            from archbuilder.training.trackers.csv_file import CsvFile

            return CsvFile(run)
        case "tensorboard":
            from archbuilder.training.trackers.tensorboard import TensorBoard

            return TensorBoard(run)
        case "wandb":
            from archbuilder.training.trackers.wandb import WeightsAndBiases

            return WeightsAndBiases(run)
        case _:
            assert_never(name)


def begun(name: TrackerName, run: Run) -> Tracker:
    """The tracker, with all epochs of a run so far."""
    tracker = opened(name, run)
    for metrics in run.metrics():
        tracker.log(metrics)
    return tracker


def cleared(run: Run, name: str) -> Path:
    """The place of a tracker's folder in that of a run, with what was there removed; raises MissingError for a link."""
    folder = run.folder / name
    if folder.is_symlink():
        raise link_in_run(folder)
    remove(folder)
    return folder


def replay(run: Run, names: Sequence[TrackerName]) -> None:
    """Gives trackers all that a run has come to so far."""
    for name in names:
        begun(name, run).close(run.result)


class Trackers:
    """Those of a training: one that fails is told of once, and left alone from then on."""

    def __init__(self, run: Run, names: Sequence[TrackerName], note: Callable[[str], None]) -> None:
        self._note, self._at_work = note, dict[str, Tracker]()
        for name in names:
            self._try(name, self._begin, name, run)

    def log(self, metrics: Json) -> None:
        for name, tracker in [*self._at_work.items()]:
            self._try(name, tracker.log, metrics)

    def close(self, result: Json | None) -> None:
        for name, tracker in [*self._at_work.items()]:
            self._try(name, tracker.close, result)
        self._at_work.clear()

    def _begin(self, name: TrackerName, run: Run) -> None:
        self._at_work[name] = begun(name, run)

    def _try(self, name: str, action: Callable[..., None], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception as error:  # whatever another tool raises: the run is worth more
            self._at_work.pop(name, None)
            reason = printable(str(error).partition("\n")[0]) or type(error).__name__
            self._note(
                f"{name} gets no more numbers of this run: {reason}. `archbuilder log RUN --to {name}` repeats them"
            )
