"""The section of a page that says how a network is trained: the settings in words, and the learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archbuilder.errors import UsageError
from archbuilder.learning_rate.plot import is_wide
from archbuilder.learning_rate.timetable import Boundary, Timetable, timetable
from archbuilder.page.chart import Axis, Chart, Line, chart, heights
from archbuilder.spec import Spec, require_training

HEADINGS = ("boundary", "iteration", "epoch", "before", "after")


@dataclass(frozen=True)
class Recipe:
    """The settings of a recipe, and its timetable where the number of images is known."""

    id: ClassVar[str] = "recipe"
    title: ClassVar[str] = "Recipe"
    template: ClassVar[str] = "recipe.html"
    headings: ClassVar[tuple[str, ...]] = HEADINGS
    settings: tuple[tuple[str, str], ...]
    timetable: Timetable | None

    @property
    def rate(self) -> Chart | None:
        """The learning rate over the epochs."""
        table = self.timetable
        if table is None:
            return None
        points = [(iteration / table.iterations_per_epoch, rate) for iteration, rate in table.curve]
        line, rates = Line("rate", "b", points), [rate for _, rate in table.curve]
        log = is_wide(rates)
        says = f"Over {table.epochs:.4g} epochs, from {rates[0]:.4g} to {rates[-1]:.4g}, at most {max(rates):.4g}."
        return chart("Learning rate", [line], (Axis.over(0, table.epochs, 8), heights([line], log)), "", says)

    @property
    def epochs(self) -> str:
        return f"{self.timetable.epochs:,.4g}" if self.timetable else ""

    @property
    def images(self) -> str:
        return f"{self.timetable.training_images:,}" if self.timetable else ""

    @property
    def notes(self) -> tuple[str, ...]:
        return self.timetable.notes if self.timetable else ()

    @property
    def boundaries(self) -> list[tuple[str, ...]]:
        return [_row(boundary) for boundary in self.timetable.boundaries] if self.timetable else []


def recipe(spec: Spec, images: int | None = None, learned_from: int | None = None) -> Recipe:
    """The recipe of a spec; `images` are those of the training set, `learned_from` those of them that a run learned."""
    require_training(spec)
    settings = ((key.replace("_", " "), words(value)) for key, value in spec.resolved["training"].items())
    try:
        table = timetable(spec, images, left=learned_from)
    except UsageError:  # nobody knows how many images there are
        table = None
    return Recipe(tuple(pair for pair in settings if pair[1]), table)


def words(value: object, separator: str = " · ") -> str:
    """A value of a spec in words: `sgd (momentum 0.9, nesterov off)`."""
    match value:
        case bool():
            return "on" if value else "off"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.6g}"
        case dict():
            return ", ".join(f"{_plain(key)} {_inner(one)}".strip() for key, one in value.items())
        case list() | tuple():
            return separator.join(words(one, " and ") for one in value)
        case _:
            return _plain(value)


def _inner(value: object) -> str:
    return f"({words(value)})" if isinstance(value, dict) and value else words(value, " and ")


def _plain(value: object) -> str:
    return "" if value is None else str(value).replace("_", " ")


def _row(boundary: Boundary) -> tuple[str, ...]:
    place = ("?", "?") if boundary.iteration is None else (f"{boundary.iteration:,}", f"{boundary.epoch:.2f}")
    rates = (boundary.before, boundary.after)
    return (boundary.what, *place, *("" if rate is None else f"{rate:.4g}" for rate in rates))
