"""The section of a page that says how a run went: its errors and losses from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from archbuilder.aliases import Json
from archbuilder.formatting import counted, duration
from archbuilder.page.chart import Axis, Chart, Line, Point, chart, heights, thinned
from archbuilder.spec import require_training
from archbuilder.spec.data import OnTest
from archbuilder.training.run.folder import Run, State

MOST_EPOCHS = 1000
"""The rows of the table; of more epochs, every so many have one."""
LONGEST = 1e10
"""The seconds of a run that are believed."""
ENDS: dict[State, str] = {
    "finished": "finished", "running": "still running", "stopped": "stopped before its end", "diverged": "diverged",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of each epoch: its key in `metrics.jsonl`, what it is called, and how it is read."""

    key: str
    name: str
    value: Callable[[float], float] = lambda value: value
    form: Callable[[float], str] = lambda value: f"{value:.4g}"

    def of(self, epoch: Json) -> float | None:
        found = epoch.get(self.key)
        return None if found is None else self.value(found)

    def text(self, epoch: Json) -> str:
        found = self.of(epoch)
        return "" if found is None else self.form(found)


@dataclass(frozen=True)
class Learning:
    """The curves of a run, and the numbers that they are of."""

    id: ClassVar[str] = "learning"
    title: ClassVar[str] = "Learning"
    template: ClassVar[str] = "learning.html"
    about: str
    charts: tuple[Chart, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """A line an epoch, in the order of the points of the curves."""


def learning(run: Run) -> Learning | None:
    """How a run went; None before its first epoch."""
    epochs = run.metrics()
    if not epochs:
        return None
    data, shown = run.environment["data"], thinned(epochs, MOST_EPOCHS)
    is_on_test = isinstance(require_training(run.spec).data.validation, OnTest)
    second = "test" if is_on_test else "validation"
    images = f"{data['train']:,} training and {data['test' if is_on_test else 'validation']:,} {second} images"
    about = f"{counted(len(epochs), 'epoch')}, {images}; {ENDS[run.state]}."
    pairs = _pairs(epochs, second)
    charts = tuple(_chart(title, measures, shown, unit) for title, measures, unit in pairs)
    measures = [one for _, both, _ in pairs for one in both]
    measures += [one for one in _OTHERS if any(one.key in epoch for epoch in epochs)]
    rows = ((f"{epoch['epoch']}", *(one.text(epoch) for one in measures)) for epoch in shown)
    return Learning(about, charts, ("epoch", *(one.name for one in measures)), tuple(rows))


def run_facts(run: Run) -> Iterator[tuple[str, str, str]]:
    """What a run came to, and how long it took: names, values, and what they are of."""
    result, epochs = run.result, run.metrics()
    if result is not None:
        best = result["best"]
        about = f"best weights, of epoch {best['epoch']}"
        if "test_mae" in best:
            yield "Test error", f"{best['test_mae']:.4g}", f"mean absolute, {about}"
        else:
            yield "Test error", f"{_error(best['test_accuracy']):.2f} %", about
    seconds = sum(epoch.get("seconds") or 0 for epoch in epochs)
    if 0 < seconds < LONGEST:
        yield "Trained", duration(seconds), counted(len(epochs), "epoch")


_OTHERS = (
    Measure("learning_rate", "rate", form=lambda value: f"{value:.3g}"),
    Measure("images_per_second", "images/s", form=lambda value: f"{value:,.0f}"),
)


def _pairs(epochs: Sequence[Json], second: str) -> list[tuple[str, tuple[Measure, Measure], str]]:
    """What is drawn: the title, the measures of training and validation, and the unit."""

    def both(key: str, name: str, **how: Callable[[float], float] | Callable[[float], str]) -> tuple[Measure, Measure]:
        return (
            Measure(key, f"training {name}", **how),  # type: ignore[arg-type]
            Measure(f"validation_{key}", f"{second} {name}", **how),  # type: ignore[arg-type]
        )

    found = [("Loss", both("loss", "loss"), "")]
    if any("validation_mae" in epoch for epoch in epochs):
        return [("Mean absolute error", both("mae", "error"), ""), *found]
    return [("Error", both("accuracy", "error", value=_error, form=lambda value: f"{value:.2f} %"), " %"), *found]


def _error(accuracy: float) -> float:
    """An accuracy as an error in percent."""
    return 100 * (1 - accuracy)


def _chart(title: str, measures: tuple[Measure, Measure], epochs: Sequence[Json], unit: str) -> Chart:
    lines = [_line(one, look, epochs) for one, look in zip(measures, ("a", "b"), strict=True)]
    across = Axis.of_whole(0, max(epoch["epoch"] for epoch in epochs))
    says = "; ".join(_says(one, epochs) for one in measures)
    return chart(title, lines, (across, heights(lines)), unit, f"{title} over the epochs: {says}.", cursor=True)


def _line(measure: Measure, look: str, epochs: Sequence[Json]) -> Line:
    points: list[Point] = [(epoch["epoch"], measure.of(epoch)) for epoch in epochs]
    return Line(measure.name.split()[0], look, points)


def _says(measure: Measure, epochs: Sequence[Json]) -> str:
    """The last value of a curve, and its lowest."""
    found = [(value, epoch) for epoch in epochs if (value := measure.of(epoch)) is not None]
    if not found:
        return f"{measure.name} not measured"
    (last, _), (lowest, epoch) = found[-1], min(found, key=lambda pair: pair[0])
    return f"{measure.name} {measure.form(last)} at the end, lowest {measure.form(lowest)} in epoch {epoch['epoch']}"
