"""Runs beside each other: their errors from epoch to epoch, and what they came to over all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean

from archbuilder.aliases import Json
from archbuilder.atomic_files import replace_file
from archbuilder.formatting import aligned, printable
from archbuilder.learning_rate.plot import new_figure
from archbuilder.markup import csv_text, markdown_text
from archbuilder.spec.data import OnTest
from archbuilder.training.run.folder import Run
from archbuilder.training.run.several import runs_in, spread

HEADINGS = ("run", "network", "seeds", "epochs", "training %", "validation %", "test %", "best %", "published %")
NUMBERS = range(2, 8)
NOTES = (
    "errors in percent: of training and validation after the last epoch, of the test set with the final weights.",
    "of several seeds the mean, with the deviation of the test error; best: the least test error of them.",
)


@dataclass(frozen=True, slots=True)
class Point:
    """The errors after an epoch in percent, the means over all runs that have come so far."""

    epoch: int
    training: float
    """As the network saw the augmented images."""
    validation: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A run, or several of one spec that differ in their seeds."""

    name: str
    network: str
    seeds: int
    points: tuple[Point, ...]
    validates_on_test: bool
    test_error: Json | None
    """`best`, `mean`, `deviation`, `median`, in percent; none as long as no run is finished."""
    published: str

    def to_json(self) -> Json:
        curve = [{"epoch": one.epoch, "training": one.training, "validation": one.validation} for one in self.points]
        about = {"name": self.name, "network": self.network, "seeds": self.seeds, "published": self.published}
        return {**about, "validates_on_test": self.validates_on_test, "test_error": self.test_error, "curve": curve}


@dataclass(frozen=True, slots=True)
class Curves:
    """Several runs; printed, what they came to."""

    curves: tuple[Curve, ...]

    def to_json(self) -> Json:
        return {"runs": [curve.to_json() for curve in self.curves]}

    def __str__(self) -> str:
        return "\n".join([*aligned(_rows(self), NUMBERS), "", *NOTES])

    def csv(self) -> str:
        return csv_text(_rows(self))

    def markdown(self) -> str:
        return markdown_text(_rows(self), NUMBERS)

    def save(self, path: Path) -> None:
        """Draws the curves as papers do: those of the test set or the validation set solid, of training dashed."""
        figure = new_figure(path, 7, 4.5)
        axes = figure.subplots()
        for number, curve in enumerate(self.curves):
            epochs, colour, label = [one.epoch for one in curve.points], f"C{number % 10}", _label(curve.name)
            solid = "test" if curve.validates_on_test else "validation"
            marker = "o" if len(epochs) == 1 else ""
            errors = [one.validation for one in curve.points]
            axes.plot(epochs, errors, color=colour, lw=2, marker=marker, label=f"{label}, {solid}")
            errors = [one.training for one in curve.points]
            axes.plot(epochs, errors, "--", color=colour, lw=1, marker=marker, label=f"{label}, training")
        axes.set(xlabel="epoch", ylabel="error, %")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small")
        replace_file(path, figure.savefig)


def _label(name: str) -> str:
    """A name as matplotlib shows it: no formula, and not hidden."""
    shown = printable(name).replace("$", "\\$")
    return f" {shown}" if shown.startswith("_") else shown


def curves(folders: Sequence[Path], names: Sequence[str] = ()) -> Curves:
    """The runs in some folders, each of one run or of several seeds; raises MissingError where there is none.

    They are called as their folders are, or by the names.
    """
    named = zip(folders, names or map(str, folders), strict=True)
    return Curves(tuple(_curve(folder, name) for folder, name in named))


def _curve(folder: Path, name: str) -> Curve:
    runs = runs_in(folder)
    spec, training = runs[0].spec, runs[0].spec.training
    assert training is not None  # as `Run.spec` has it
    results = [result for run in runs if (result := run.result) is not None]
    errors = [100 * (1 - result["final"]["test_accuracy"]) for result in results]
    published = "; ".join(figure.value for figure in spec.network.published)
    on_test = isinstance(training.data.validation, OnTest)
    return Curve(name, spec.name, len(runs), _points(runs), on_test, spread(errors) if errors else None, published)


def _points(runs: Sequence[Run]) -> tuple[Point, ...]:
    """The means of each epoch that all runs have come to."""
    lines = [[line for line in run.metrics() if _is_whole(line)] for run in runs]
    count = min(map(len, lines))
    return tuple(
        Point(epochs[0]["epoch"], *(mean(100 * (1 - one[key]) for one in epochs) for key in _KEYS))
        for epochs in islice(zip(*lines, strict=False), count)
    )


_KEYS = ("accuracy", "validation_accuracy")


def _is_whole(line: Json) -> bool:
    return all(isinstance(line.get(key), int | float) for key in _KEYS)


def _rows(found: Curves) -> list[tuple[str, ...]]:
    return [HEADINGS, *map(_row, found.curves)]


def _row(curve: Curve) -> tuple[str, ...]:
    last = curve.points[-1] if curve.points else None
    errors = (f"{last.training:.2f}", f"{last.validation:.2f}") if last else ("", "")
    test = curve.test_error
    deviation = f" ± {test['deviation']:.2f}" if test and test["deviation"] is not None else ""
    tested = (f"{test['mean']:.2f}{deviation}", f"{test['best']:.2f}") if test else ("", "")
    return (curve.name, curve.network, f"{curve.seeds}", f"{len(curve.points)}", *errors, *tested, curve.published)
