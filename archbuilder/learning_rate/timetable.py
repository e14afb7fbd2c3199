"""The changes of a learning rate: every boundary in iterations, epochs and the share of the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import assert_never

from archbuilder.aliases import Json
from archbuilder.errors import UsageError
from archbuilder.formatting import printable
from archbuilder.learning_rate.schedules import Length, Schedule, schedule
from archbuilder.spec import Spec, edit, require_training
from archbuilder.spec import learning_rate as rates
from archbuilder.spec.data import known_of
from archbuilder.spec.training import Training

SAMPLES = 400
"""The number of points of a curve, besides those on both sides of each boundary."""


@dataclass(frozen=True)
class Boundary:
    """A point where the rate, or its course, changes."""

    what: str
    iteration: int | None
    """The number of iterations before it; None if nobody knows beforehand."""
    epoch: float | None
    fraction: float | None
    before: float | None
    """The rate of the last iteration before it; None before the first."""
    after: float | None
    """The rate of the first iteration behind it; None behind the last."""


@dataclass(frozen=True)
class Timetable:
    """The learning rate of a run of so many images, batches and epochs."""

    spec: str
    training_images: int
    batch_size: int
    iterations_per_epoch: int
    iterations: int
    epochs: float
    boundaries: tuple[Boundary, ...]
    notes: tuple[str, ...]
    curve: tuple[tuple[int, float], ...]
    """Iterations and their rates; a warm-up whose end nobody knows is left out."""

    def to_json(self) -> Json:
        return {name: value for name, value in asdict(self).items() if name != "curve"}


def timetable(
    spec: Spec, images: int | None = None, epochs: int | None = None, *, left: int | None = None
) -> Timetable:
    """The timetable of a spec; `images` are those of the training set, which need not be said where they are known.

    `left` are those of them that are learned from, where that was counted.

    Raises SpecError where the spec has no recipe, UsageError where the images are not known.
    """
    training = require_training(edit(spec, f"training.stop={{epochs: {epochs}}}") if epochs else spec)
    left = left or _left_for_training(training, images)
    length = Length.of(training.stop, training.batch_size, left)
    planned = schedule(training.learning_rate, length.iterations_per_epoch, length.iterations)
    first = planned.rate(0)
    if planned.low_error:
        planned.low_error.reached = True  # what comes after it is what can be told
    rows = sorted(_boundaries(planned, first), key=lambda row: row.iteration or 0)
    return Timetable(
        spec.name, left, training.batch_size, length.iterations_per_epoch, length.iterations,
        length.iterations / length.iterations_per_epoch, tuple(rows), tuple(_notes(planned, rows)),
        tuple(_curve(planned, rows)),
    )  # fmt: skip


def _left_for_training(training: Training, images: int | None) -> int:
    known = known_of(training.data.source)
    total = images or (known.train_images if known else None)
    if total is None:
        raise UsageError("how many training images are there? --images N says it, or --data PATH, where they lie")
    total -= training.data.set_apart(total)
    return total - training.data.held_out(total)


def _boundaries(planned: Schedule, first: float) -> Iterator[Boundary]:
    def at(what: str, iteration: int) -> Boundary:
        epoch, fraction = iteration / planned.iterations_per_epoch, iteration / planned.iterations
        rate = planned.rate(iteration) if iteration < planned.iterations else None
        before = planned.rate(iteration - 1) if iteration <= planned.iterations else None
        return Boundary(what, iteration, epoch, fraction, before, rate)

    warmup = planned.spec.warmup
    yield Boundary("beginning", 0, 0.0, 0.0, None, first)
    if warmup and warmup.until:
        end = f"warm-up ends, once the training error is under {100 * warmup.until.training_error:g} %"
        yield Boundary(end, None, None, None, first, planned.rate(0))
    elif warmup:
        yield at("warm-up ends", planned.warm_up_ends)
    for what, iteration in _changes(planned):
        if iteration > 0:
            yield at(what, iteration)
    yield at("end", planned.iterations)


def _changes(planned: Schedule) -> Iterator[tuple[str, int]]:
    """The changes that the schedule makes, each with the iteration before which it comes."""
    match spec := planned.spec:
        case rates.Steps():
            yield from (("step", planned.first(boundary, spec.unit)) for boundary in spec.drops)
        case rates.Exponential():
            yield "first fall", planned.first(spec.every, spec.unit)
        case rates.Piecewise():
            yield from (("point", planned.first(point, spec.unit)) for point in spec.points)
        case rates.OneCycle():
            yield "peak", planned.first(spec.rise, spec.unit)
        case rates.Constant() | rates.Linear() | rates.Cosine() | rates.Polynomial() | rates.Plateau():
            pass
        case _:
            assert_never(spec)


def _notes(planned: Schedule, rows: list[Boundary]) -> Iterator[str]:
    late = [row for row in rows if (row.iteration or 0) >= planned.iterations and row.what != "end"]
    if late:
        yield f"never reached: {len(late)} of the boundaries, which lie at the end of the run or behind it"
    if planned.low_error:
        yield "when the warm-up ends, nobody knows beforehand; the curve leaves it out"
    if planned.plateau:
        rule = planned.plateau.spec
        yield (
            f"when the rate falls to {rule.factor:.3g} times itself, nobody knows beforehand: whenever the "
            f"{rule.watch.replace('_', ' ')} has not improved for {rule.patience} epochs"
        )
    elif not isinstance(planned.spec, rates.Plateau) and planned.spec.plateau:
        yield "the plateau is overruled by the schedule and never acts"


def _curve(planned: Schedule, rows: list[Boundary]) -> Iterator[tuple[int, float]]:
    last = planned.iterations - 1
    spaced = {round(last * sample / SAMPLES) for sample in range(SAMPLES + 1)}
    sides = {row.iteration - side for row in rows if row.iteration for side in (0, 1)}
    for iteration in sorted(spaced | {side for side in sides if side <= last}):
        yield iteration, planned.rate(iteration)


def print_timetable(table: Timetable) -> None:
    """Prints the boundaries as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    console.print(
        f"{printable(table.spec)}: {table.training_images:,} training images in batches of {table.batch_size}, "
        f"{table.iterations_per_epoch:,} iterations an epoch\n",
        markup=False,
    )
    shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    shown.add_column("")
    for heading in ("iterations", "epochs", "fraction", "rate before", "rate after"):
        shown.add_column(heading, justify="right")
    for row in table.boundaries:
        place = ("?", "?", "?") if row.iteration is None else (
            f"{row.iteration:,}", f"{row.epoch:.2f}", f"{row.fraction:.4f}",
        )  # fmt: skip
        shown.add_row(row.what, *place, *("-" if rate is None else f"{rate:.4g}" for rate in (row.before, row.after)))
    console.print(shown)
