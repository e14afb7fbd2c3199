"""Runs beside each other: their errors from epoch to epoch, and what they came to over all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from archbuilder.aliases import Json
from archbuilder.atomic_files import replace_file
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import aligned, counted, printable
from archbuilder.learning_rate.plot import new_figure
from archbuilder.markup import csv_text, markdown_text
from archbuilder.spec import require_training
from archbuilder.spec.data import Fold, OnTest
from archbuilder.training.objective import Metric, Objective
from archbuilder.training.run.folder import Run
from archbuilder.training.run.several import runs_in, spread, statistics_of

_KINDS: dict[Metric, str] = {"accuracy": "error", "mae": "mae"}
NOTES = {
    "accuracy": "errors in percent: of training and validation after the last epoch, of the test set with the final "
    "weights.",
    "mae": "mean absolute errors: of training and validation after the last epoch, of the test set with the final "
    "weights.",
}
OF_SEVERAL = "of several seeds or folds the mean, with the deviation; best: the least test error of them."
NUMBERS = range(2, 8)


@dataclass(frozen=True, slots=True)
class Point:
    """The errors after an epoch, the means over all runs that have come so far: in percent, or of numbers."""

    epoch: int
    training: float
    """As the network saw the augmented images."""
    validation: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A run, or several of one spec that differ in their seeds or in the images that they hold out."""

    name: str
    network: str
    count: int
    """How many runs it is the mean of."""
    kind: Literal["seed", "fold"]
    """What they differ in."""
    metric: Metric
    points: tuple[Point, ...]
    validates_on_test: bool
    validation_error: Json | None
    """`best`, `mean`, `deviation`, `median` of the runs after the last epoch; none before the first."""
    test_error: Json | None
    """The same with the final weights; none as long as no run is finished."""
    published: str

    def to_json(self) -> Json:
        curve = [{"epoch": one.epoch, "training": one.training, "validation": one.validation} for one in self.points]
        return {
            "name": self.name, "network": self.network, "count": self.count, "kind": self.kind,
            "metric": _KINDS[self.metric], "published": self.published, "validates_on_test": self.validates_on_test,
            "validation_error": self.validation_error, "test_error": self.test_error, "curve": curve,
        }  # fmt: skip


@dataclass(frozen=True, repr=False)
class Curves:
    """Several runs; printed, what they came to."""

    curves: tuple[Curve, ...]

    def to_json(self) -> Json:
        return {"runs": [curve.to_json() for curve in self.curves]}

    def __repr__(self) -> str:
        return f"<Curves of {counted(len(self.curves), 'run')}>"

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from archbuilder.notebook import paragraphs, table

        with suppress(MissingError):  # without matplotlib, the table alone
            return self.svg() + table(run_rows(self)) + paragraphs(*self.notes)
        return table(run_rows(self)) + paragraphs(*self.notes)

    def __str__(self) -> str:
        return "\n".join([*aligned(run_rows(self), NUMBERS), "", *self.notes])

    def csv(self) -> str:
        return csv_text(run_rows(self))

    def markdown(self) -> str:
        return markdown_text(run_rows(self), NUMBERS)

    def save(self, path: str | Path) -> Path:
        """Draws the curves as papers do: those of the test set or the validation set solid, of training dashed."""
        path = Path(path)
        replace_file(path, self._drawn(path).savefig)
        return path

    def svg(self) -> str:
        """The same picture as SVG to stand in a page."""
        text = StringIO()
        self._drawn(Path("curves.svg")).savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()[text.getvalue().index("<svg") :]

    @property
    def notes(self) -> tuple[str, str]:
        return (NOTES[self.curves[0].metric], OF_SEVERAL)

    def _drawn(self, path: Path) -> Any:
        figure = new_figure(path, 7, 4.5)
        axes = figure.subplots()
        for number, curve in enumerate(self.curves):
            epochs, colour, label = [one.epoch for one in curve.points], f"C{number % 10}", _label(curve.name)
            solid = "test" if curve.validates_on_test else "validation"
            marker = "o" if len(epochs) == 1 else ""
            errors = [one.validation for one in curve.points]
            axes.plot(epochs, errors, color=colour, lw=2, marker=marker, label=f"{label}, {solid}")
            errors = [one.training for one in curve.points]
            label = f"{label}, training"
            axes.plot(epochs, errors, "--", color=colour, lw=1, marker=marker, fillstyle="none", label=label)
        is_error = self.curves[0].metric == "accuracy"
        axes.set(xlabel="epoch", ylabel="error, %" if is_error else "mean absolute error")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small")
        return figure


def _label(name: str) -> str:
    """A name as matplotlib shows it: no formula, and not hidden."""
    shown = printable(name).replace("$", "\\$")
    return f" {shown}" if shown.startswith("_") else shown


def curves(folders: Sequence[Path], names: Sequence[str] = ()) -> Curves:
    """The runs in some folders, each of one run or of several; they are called as their folders are, or by the names.

    Raises MissingError where there is no run, UsageError where some learn numbers and others do not.
    """
    found = tuple(_curve(*one) for one in zip(folders, names or map(str, folders), strict=True))
    if other := next((one for one in found if one.metric != found[0].metric), None):
        raise UsageError(
            f"{printable(found[0].name)} is measured by its {_KINDS[found[0].metric]}, {printable(other.name)} by its "
            f"{_KINDS[other.metric]}: these are no curves of one picture"
        )
    return Curves(found)


def _curve(folder: Path, name: str) -> Curve:
    runs = runs_in(folder)
    spec, training = runs[0].spec, require_training(runs[0].spec)
    metric = Objective(training.loss).metric
    results = [result for run in runs if (result := run.result) is not None]
    lines = _epochs(runs, metric)
    validation = training.data.validation
    return Curve(
        name, spec.name, len(runs), "fold" if isinstance(validation, Fold) else "seed", metric,
        tuple(_point(epoch, metric) for epoch in lines), isinstance(validation, OnTest),
        spread([_error(one, f"validation_{metric}") for one in lines[-1]]) if lines else None,
        statistics_of(results, f"test_{metric}")["final"] if results else None,
        "; ".join(figure.value for figure in spec.network.published),
    )  # fmt: skip


def _epochs(runs: Sequence[Run], metric: Metric) -> list[tuple[Json, ...]]:
    """The lines of each epoch that all runs have come to."""
    keys = (metric, f"validation_{metric}")
    lines = [[line for line in run.metrics() if _is_whole(line, keys)] for run in runs]
    return list(zip(*lines, strict=False))


def _point(lines: Sequence[Json], metric: Metric) -> Point:
    training, validation = (mean(_error(line, key) for line in lines) for key in (metric, f"validation_{metric}"))
    return Point(lines[0]["epoch"], training, validation)


def _error(line: Json, key: str) -> float:
    value: float = line[key]
    return 100 * (1 - value) if key.endswith("accuracy") else value


def _is_whole(line: Json, keys: Sequence[str]) -> bool:
    return all(isinstance(line.get(key), int | float) for key in keys)


def run_rows(found: Curves) -> list[tuple[str, ...]]:
    percent = " %" if found.curves[0].metric == "accuracy" else ""
    errors = (f"{name}{percent}" for name in ("training", "validation", "test", "best"))
    return [("run", "network", "runs", "epochs", *errors, "published %"), *map(_row, found.curves)]


def _row(curve: Curve) -> tuple[str, ...]:
    form = ".2f" if curve.metric == "accuracy" else ".4g"
    training = f"{curve.points[-1].training:{form}}" if curve.points else ""
    best = f"{curve.test_error['best']:{form}}" if curve.test_error else ""
    errors = (training, *(_with_deviation(one, form) for one in (curve.validation_error, curve.test_error)), best)
    return (
        curve.name,
        curve.network,
        counted(curve.count, curve.kind),
        f"{len(curve.points)}",
        *errors,
        curve.published,
    )


def _with_deviation(error: Json | None, form: str) -> str:
    if error is None:
        return ""
    deviation = "" if error["deviation"] is None else f" ± {error['deviation']:{form}}"
    return f"{error['mean']:{form}}{deviation}"
