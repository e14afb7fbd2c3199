"""The page of a network and its recipe, or of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.costs.numbers import numbers
from archbuilder.costs.summary import Summary, summarise
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import mebibytes
from archbuilder.graph.network import Graph
from archbuilder.page import origin
from archbuilder.page.costs import Costs
from archbuilder.page.network import network
from archbuilder.page.page import Fact, Page, Section, page_about
from archbuilder.page.recipe import recipe
from archbuilder.page.sight import Sight
from archbuilder.page.words import short, size
from archbuilder.spec import Spec

if TYPE_CHECKING:
    from archbuilder.training.run.folder import Run


def page_of_spec(spec: Spec, name: str, images: int | None = None) -> Page:
    """The page of a network and its recipe.

    `name` is what the commands call it, `images` how many there are to learn from, where the spec does not say it.
    """
    found = OneNetwork.of(spec)
    sections = [*found.sections, *([recipe(spec, images)] if spec.training else []), origin.of_spec(spec, name)]
    return page_about("A network", spec, found.facts, sections)


def page_of_run(run: Run, data_path: Path | None = None, with_images: bool = True) -> Page:
    """The page of a run and its network; the images of mistakes are those at `data_path`, or where the run had them."""
    from archbuilder.page.answers import answered
    from archbuilder.page.learning import learning, run_facts

    found, data = OneNetwork.of(run.spec), run.environment["data"]
    parts: list[Section | None] = [learning(run), answered(run, data_path, with_images)]
    sections = [*found.sections, recipe(run.spec, learned_from=data["train"]), *filter(None, parts), origin.of_run(run)]
    facts = [Fact(*one) for one in run_facts(run)]
    return page_about("A run", run.spec, [*facts, *found.facts], sections)


@dataclass(frozen=True)
class OneNetwork:
    """What every page says of a network."""

    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]

    @classmethod
    def of(cls, spec: Spec) -> OneNetwork:
        graph = expand(spec)
        costs = summarise(graph)
        seen = Sight(numbers(graph, spec.training))
        return cls(tuple(_facts(graph, costs, seen)), (network(graph, costs), Costs(costs), seen))


def _facts(graph: Graph, costs: Summary, seen: Sight) -> list[Fact]:
    outputs = ", ".join(map(size, costs.output_shapes))
    return [
        Fact("Depth", f"{costs.depth}", "weighted layers"),
        Fact("Parameters", short(costs.costs.trainable), f"{costs.costs.trainable:,} trainable"),
        Fact("Multiply-adds", short(costs.costs.macs), f"{costs.costs.macs:,} an image"),
        Fact("Activations", mebibytes(costs.activation_bytes), "an image, float32"),
        Fact("Receptive field", seen.field, "pixels"),
        Fact("Input", size(graph.input.shape), f"to {outputs}"),
    ]
