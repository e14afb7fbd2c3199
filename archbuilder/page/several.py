"""The page that compares: networks beside each other, what changes between them, and how runs went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from archbuilder.comparison.difference import Compared, Difference, difference
from archbuilder.comparison.result import effect_words, total_words
from archbuilder.costs.summary import summarise
from archbuilder.errors import UsageError
from archbuilder.formatting import printable
from archbuilder.graph.network import Costs as Sum
from archbuilder.graph.network import Graph
from archbuilder.page import origin
from archbuilder.page.chart import Axis, Chart, Line, chart, heights
from archbuilder.page.costs import Costs
from archbuilder.page.network import Network, network
from archbuilder.page.one import OneNetwork
from archbuilder.page.page import Page, Section, page_about, page_of
from archbuilder.page.recipe import recipe
from archbuilder.page.words import times
from archbuilder.side_by_side.networks import Entry, SideBySide, network_rows, notes, side_by_side, stage_tables
from archbuilder.side_by_side.sides import Subject, published_of, run_folder, side

if TYPE_CHECKING:
    from archbuilder.training.run.curves import Curves
    from archbuilder.training.run.folder import Run

Table = Sequence[Sequence[str]]
"""Rows, the first of which are the headings."""
MOST_NETWORKS = 12
"""The pictures of networks on one page."""
LOOKS = 6
"""The colours that curves take in turn."""


@dataclass(frozen=True)
class Beside:
    """A table of networks, and one for each thing that stages have."""

    id: ClassVar[str] = "compared"
    title: ClassVar[str] = "Side by side"
    template: ClassVar[str] = "beside.html"
    found: SideBySide

    @property
    def rows(self) -> Table:
        return _with_signs(network_rows(self.found))

    @property
    def stages(self) -> list[tuple[str, Table]]:
        return [(title, _with_signs(rows)) for title, rows in stage_tables(self.found)]

    @property
    def notes(self) -> list[str]:
        return notes(self.found)


def _with_signs(rows: Table) -> Table:
    return [[*map(times, row)] for row in rows]


@dataclass(frozen=True, slots=True)
class Change:
    """A change in words, and what it adds."""

    words: str
    effect: str


@dataclass(frozen=True, slots=True)
class Step:
    """All that leads from the first network to another one."""

    found: Difference

    @property
    def title(self) -> str:
        return f"From {self.found.before.name} to {self.found.after.name}"

    @property
    def parts(self) -> list[tuple[str, list[Change]]]:
        """The changes of the network, and those of the recipe where both sides have one."""
        parts = [("network", self.found.network)]
        parts += [("recipe", self.found.recipe)] if self.found.compares_recipes else []
        return [
            (name, [Change(one.message, effect_words(one.effect or Sum())) for one in changes])
            for name, changes in parts
        ]

    @property
    def totals(self) -> list[tuple[str, str]]:
        before, after = self.found.before, self.found.after
        effect = effect_words(after.costs - before.costs)
        totals = [(one.name, total_words(one)) for one in (before, after)]
        return [*totals, *([("difference", effect)] if effect else [])]


@dataclass(frozen=True)
class Changes:
    """What changes from the first network to each of the others."""

    id: ClassVar[str] = "changes"
    title: ClassVar[str] = "What changes"
    template: ClassVar[str] = "changes.html"
    steps: tuple[Step, ...]


def changes(sides: Sequence[Compared]) -> Changes:
    first, *others = sides
    return Changes(tuple(Step(difference(first, other)) for other in others))


@dataclass(frozen=True)
class Runs:
    """The errors of several runs in one picture, and what they came to."""

    id: ClassVar[str] = "learning"
    title: ClassVar[str] = "Learning"
    template: ClassVar[str] = "runs.html"
    found: Curves
    rows: Table
    notes: tuple[str, ...]

    @property
    def chart(self) -> Chart | None:
        """As papers have it: errors of the test or validation set solid, those of training dashed."""
        lines = [line for place, curve in enumerate(self.found.curves) for line in self._lines(place)]
        if not any(line.points for line in lines):
            return None
        last = max(one.epoch for curve in self.found.curves for one in curve.points)
        is_error = self.found.curves[0].metric == "accuracy"
        title = "Error" if is_error else "Mean absolute error"
        says = f"{title} over the epochs; the table has what each run came to."
        return chart(title, lines, (Axis.of_whole(0, last), heights(lines)), " %" if is_error else "", says)

    def _lines(self, place: int) -> list[Line]:
        curve, look = self.found.curves[place], f"c{place % LOOKS}"
        solid = "test" if curve.validates_on_test else "validation"
        return [
            Line(f"{curve.name}, training", f"{look} dash", [(one.epoch, one.training) for one in curve.points]),
            Line(f"{curve.name}, {solid}", look, [(one.epoch, one.validation) for one in curve.points]),
        ]


@dataclass(frozen=True)
class Whole:
    """One of several networks: its picture, and its costs folded away."""

    template: ClassVar[str] = "whole.html"
    network: Network
    costs: Costs
    is_first: bool

    @property
    def id(self) -> str:
        return self.network.id

    @property
    def title(self) -> str:
        return self.network.title


def page_of_sweep(folder: Path, runs: Sequence[Run]) -> Page:
    """The page of a network that was trained several times: each run, and what they come to together."""
    first = runs[0]
    found = OneNetwork.of(first.spec)
    trained = recipe(first.spec, learned_from=first.environment["data"]["train"])
    learned = _runs([*(run.folder for run in runs), folder])
    sections = [learned, *found.sections, trained, origin.of_run(first)]
    return page_about(f"{len(runs):,} runs", first.spec, found.facts, sections)


def page_of_several(subjects: Sequence[Subject], batch_size: int | None = None) -> Page:
    """The page of several networks or runs: side by side, what changes from the first to the others, and each."""
    sides = [side(subject) for subject in subjects]
    names = [one.graph.name for one in sides]
    if other := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{printable(other)} is named twice")
    published = [published_of(subject) for subject in subjects]
    entries = [Entry(one.graph, one.recipe, figures) for one, figures in zip(sides, published, strict=True)]
    changed = changes(sides)
    folders = [folder for one in subjects if (folder := run_folder(one)) is not None]
    sections: list[Section] = [_runs(folders)] if folders else []
    sections += [Beside(side_by_side(entries, batch_size)), changed]
    others = [step.found for step in changed.steps]
    pictured = [sides[0], *(one for one, found in zip(sides[1:], others, strict=True) if found.network)]
    sections += [_whole(one.graph, place) for place, one in enumerate(pictured[:MOST_NETWORKS], 1)]
    return page_of("A comparison", " · ".join(names), "", "", (), sections)


def _runs(folders: Sequence[Path]) -> Runs:
    from archbuilder.training.run.curves import curves, run_rows

    found = curves(folders)
    return Runs(found, run_rows(found), found.notes)


def _whole(graph: Graph, place: int) -> Whole:
    costs, key = summarise(graph), f"{place}-"
    return Whole(network(graph, costs, key, graph.name), Costs(costs, key), is_first=place == 1)
