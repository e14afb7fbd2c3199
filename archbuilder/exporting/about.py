"""What a file of code says of a network in words, and the names of its units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.spec import Spec
from archbuilder.spec.network import Network, UnitChanges


@dataclass(frozen=True)
class About:
    """The words of a file of code."""

    title: str
    paragraphs: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    """The template of each unit of a stage, by its section."""
    summary: Callable[[str], str] = lambda template: ""
    """What a template is, in a sentence."""


def about(spec: Spec, graph: Graph) -> About:
    """The words of a spec."""
    network = spec.network
    counts = f"{graph.trainable:,} trainable parameters of {graph.parameters:,}; images of {show(graph.input.shape)}."
    source = [network.source] if network.source else []
    units = {}
    for number, stage in enumerate(network.stages, 1):
        for index in range(1, stage.units + 1):
            here = ((stage.first, index == 1), (stage.last, index == stage.units))
            levels: list[Network | UnitChanges] = [network, stage]
            levels += [one for one, applies in here if one and applies]
            unit = next((level.unit for level in reversed(levels) if level.unit), None)
            if unit is not None:
                units[f"stage{number}/unit{index}"] = unit.name
    names = {*spec.names("units")}

    def summary(template: str) -> str:
        return spec.definition("units", template).template.summary if template in names else ""

    return About(network.summary or graph.name, (*source, counts), units, summary)
