"""What a training begins with beside its spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archbuilder.training.run.records import TrackerName
from archbuilder.weights.choices import DEFAULT, Choices


@dataclass(frozen=True)
class Start:
    """The same for the API, for one run and for a sweep over seeds; without a value, the spec or a default decides."""

    data: Path | None = None
    """Where the data set lies."""
    out: Path | None = None
    """The folder of the run, new or empty."""
    epochs: int | None = None
    """The length of the run in place of the spec's own."""
    weights: Path | None = None
    """A file of weights to begin with."""
    choices: Choices = DEFAULT
    """What to do where the file leaves it open."""
    freeze: Sequence[str] = ()
    """The parts of the network that keep their weights."""
    log: Sequence[TrackerName] = ()
    """The trackers that get the numbers of the run."""
