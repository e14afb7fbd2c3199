"""What changes from one network and its recipe to another: as a value, as text and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbuilder.aliases import Json
from archbuilder.comparison.comparison import compare
from archbuilder.comparison.deviations.deviation import Deviation
from archbuilder.comparison.recipe import recipe_changes
from archbuilder.comparison.result import Identity, change_line, effect_words, total_words
from archbuilder.displayed import Displayed
from archbuilder.graph.network import Graph
from archbuilder.spec.training import Training


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the two sides."""

    graph: Graph
    recipe: Training | None
    has_recipe: bool = True
    """Whether it can say how it is trained; a Keras file cannot."""
    notes: tuple[str, ...] = ()
    """What it has beside its network, and is not compared."""


@dataclass(frozen=True, slots=True)
class Difference(Displayed):
    """Every change that leads from one side to the other; with none, both are the same."""

    before: Identity
    after: Identity
    network: tuple[Deviation, ...]
    """Their effects add up to the whole difference."""
    recipe: tuple[Deviation, ...]
    """How weights start, are regularised and are trained."""
    compares_recipes: bool
    """Whether both sides can say how they are trained."""
    notes: tuple[str, ...] = ()
    """What stands in a file and is not compared."""

    @property
    def same(self) -> bool:
        return not self.network and not self.recipe

    def to_json(self) -> Json:
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "same": self.same,
            "network": [change.to_json() for change in self.network],
            "recipe": [{"code": change.code, "message": change.message, "where": list(change.where)}
                       for change in self.recipe],
            "difference": (self.after.costs - self.before.costs).to_json(),
            "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        return render(self)


def difference(before: Compared, after: Compared) -> Difference:
    """The changes that lead from one side to the other."""
    found = compare(after.graph, before.graph)
    both = before.has_recipe and after.has_recipe
    recipe = (*found.notes, *recipe_changes(before.recipe, after.recipe, before.graph.name)) if both else ()
    return Difference(found.theirs, found.mine, found.deviations, recipe, both, (*before.notes, *after.notes))


def render(found: Difference) -> str:
    """One line a change, those of the network with what they add, then the totals of both."""
    before, after = found.before, found.after
    if found.same:
        what = "network and recipe" if found.compares_recipes else "network"
        return "\n".join([f"{before.name} and {after.name} are the same {what}: {total_words(after)}", *_notes(found)])
    parts = [*_part("network", found.network), *(_part("recipe", found.recipe) if found.compares_recipes else [])]
    width = max(len(before.name), len(after.name))
    totals = [f"{one.name.ljust(width)}  {total_words(one)}" for one in (before, after)]
    effect = effect_words(after.costs - before.costs)
    whole = [f"{'difference'.ljust(width)}  {effect}"] if effect else []
    return "\n".join([f"from {before.name} to {after.name}", "", *parts, *totals, *whole, *_notes(found)])


def _notes(found: Difference) -> list[str]:
    return ["", "not compared:", *(f"- {note}" for note in found.notes)] if found.notes else []


def _part(title: str, changes: Sequence[Deviation]) -> list[str]:
    return [f"{title}:", *map(change_line, changes), ""] if changes else [f"{title}: no change", ""]
