"""Runs that are stopped, and what makes two of them the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder.errors import StoppedError
from archbuilder.spec import Spec
from archbuilder.training import loop
from archbuilder.training.reporting.progress import Pulse, Reporter
from archbuilder.training.run.folder import Run, Which
from archbuilder.training.start import Start

Json = dict[str, Any]


class Notes(Reporter):
    """Remembers what was said, and does something when an epoch begins its iterations."""

    def __init__(self, at_epoch: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.said: list[str] = []
        self.epoch, self.at_epoch, self.act = 0, at_epoch, act

    def note(self, text: str) -> None:
        self.said.append(text)

    def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
        self.epoch = epoch

    def pulse(self, pulse: Pulse) -> None:
        if self.epoch == self.at_epoch:
            self.act()


def weights(run: Run, which: Which) -> dict[str, Any]:
    return {weight.path: weight.value.numpy() for weight in run.model(which).weights}


def measured(run: Run) -> list[Json]:
    return [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in run.metrics()]


def measured_in(folder: Path) -> tuple[list[Json], Json | None]:
    """All that a run measured, but for the time it took."""
    run = Run.open(folder)
    return measured(run), run.result


def figures(test: Json) -> dict[str, float]:
    """The single numbers of a measurement, without what is told class by class."""
    return {name: value for name, value in test.items() if isinstance(value, int | float)}


def assert_same(run: Run, other: Run) -> None:
    whiches: tuple[Which, ...] = ("best", "final")
    for which in whiches:
        expected, found = weights(other, which), weights(run, which)
        assert expected.keys() == found.keys()
        assert len(expected) > 10
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=f"{which}: {name}", strict=True)
    assert measured(run) == measured(other)
    assert run.result == other.result


def stop_at(spec: Spec, epoch: int, out: Path, number: signal.Signals = signal.SIGTERM, **others: Any) -> None:
    """Trains until an epoch has begun; `others` are of its `Start`."""
    reporter = Notes(epoch, lambda: os.kill(os.getpid(), number))
    with pytest.raises(StoppedError):
        loop.train(spec, Start(out=out, **others), reporter=reporter)


def last_checkpoint(folder: Path) -> int | None:
    """The iteration of the newest one."""
    names = sorted(path.name for path in (folder / "checkpoints").glob("iteration-*"))
    return int(names[-1].removeprefix("iteration-")) if names else None
