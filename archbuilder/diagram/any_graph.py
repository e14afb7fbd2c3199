"""The content of a diagram of any graph: boxes and panels as elsewhere, and an arrow for each way from box to box.

Where paths do not come together in the section in which they part, there is no spine to draw: Graphviz places all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from archbuilder.aliases import Level
from archbuilder.diagram.content import (
    STROKES,
    boxes,
    is_bare,
    is_major,
    merge_box,
    repeated_panel,
    stage_panel,
    unit_panel,
)  # fmt: skip
from archbuilder.diagram.flow import Box, Flow, Panel, Stroke
from archbuilder.diagram.folding import inputs, rows, uses
from archbuilder.graph import ops
from archbuilder.graph.analysis import Section, ShortcutKind, stages, units
from archbuilder.graph.network import Graph, Node

Strokes = Mapping[str, Stroke]
"""How the arrow into a node is drawn, by the node's name."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """What one box returns and another takes in."""

    tail: str
    head: str
    stroke: Stroke


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in panels, without places, and the arrows between them."""

    flow: Flow
    arrows: tuple[Arrow, ...]
    """Those into a box stand before those that leave it."""

    @property
    def length(self) -> int:
        """How many rows all arrows cross together, where each box stands below all that lead to it."""
        rows: dict[str, int] = {}
        for arrow in self.arrows:
            rows[arrow.head] = max(rows.get(arrow.head, 0), rows.get(arrow.tail, 0) + 1)
        return sum(rows[arrow.head] - rows.get(arrow.tail, 0) for arrow in self.arrows)


def picture(graph: Graph, level: Level) -> Picture:
    """All that the diagram of a graph shows; at stage level, the last of equal units in a row stands for all."""
    used = uses(graph)
    parts = {stage.name: tuple(rows(graph, stage, used)) if level == "stage" else () for stage in stages(graph)}
    folded = [same for row in parts.values() for same in row if len(same) > 1]
    hidden = {node.name for same in folded for unit in same[:-1] for node in unit.nodes}
    stand_in = {name: first for same in folded for name, first in zip(inputs(same[-1]), inputs(same[0]), strict=True)}
    shown = [node for node in graph.nodes if node.name not in hidden]
    sources = {node.name: tuple(stand_in[name] if name in hidden else name for name in node.inputs) for node in shown}
    sketch = _Sketch(graph, sources, level)
    chains = sketch.chains(shown)
    inside = {chain[0].name: sketch.boxes(chain) for chain in chains}
    groups = {same[-1].name: same for same in folded}
    return Picture(tuple(_panels(graph, inside, groups, level)), tuple(sketch.arrows(chains, inside)))


def _panels(
    graph: Graph, inside: Mapping[str, tuple[Box, ...]], groups: Mapping[str, Sequence[Section]], level: Level
) -> Iterator[Box | Panel]:
    for stage in stages(graph):
        flow: list[Box | Panel] = []
        for part in units(stage):
            content = tuple(box for node in part.nodes for box in inside.get(node.name, ()))
            if part.name in groups:
                flow.append(repeated_panel(groups[part.name], content))
            elif level == "layer" and part.name != stage.name:
                flow.append(unit_panel(part, content))
            else:
                flow += content
        if is_bare(stage):
            yield from flow
        else:
            yield stage_panel(stage, tuple(flow))


class _Sketch:
    """Nodes in chains: each takes in what the one before it returns and nobody else takes in."""

    def __init__(self, graph: Graph, sources: Mapping[str, tuple[str, ...]], level: Level) -> None:
        self.graph, self.sources, self.level = graph, sources, level
        self.uses = Counter(name for names in sources.values() for name in names)
        self.strokes = self._strokes()

    def chains(self, nodes: Sequence[Node]) -> list[list[Node]]:
        """Nodes that may share a box; at layer level, none do."""
        chains: dict[str, list[Node]] = {}
        """By the name of their last node."""
        for node in nodes:
            names = self.sources[node.name]
            joins = self.level != "layer" and names and self._goes_on(names[0], node) and names[0] in chains
            chain = chains[node.name] = chains.pop(names[0]) if joins else []
            chain.append(node)
        return list(chains.values())

    def _goes_on(self, name: str, node: Node) -> bool:
        """Whether a node follows another one alone, within a section."""
        before = self.graph[name]
        return (
            not isinstance(node.op, ops.Merge)
            and not isinstance(before.op, ops.Input)
            and self.uses[name] == 1
            and before.section == node.section
            and self.strokes.get(name) == self.strokes.get(node.name)
        )

    def boxes(self, chain: Sequence[Node]) -> tuple[Box, ...]:
        first, *rest = chain
        if not isinstance(first.op, ops.Merge):
            return boxes(tuple(chain), self.level)
        if any(map(is_major, rest)):
            return (merge_box(first, ()), *boxes(tuple(rest), self.level))
        return (merge_box(first, rest),)

    def arrows(self, chains: Sequence[Sequence[Node]], inside: Mapping[str, tuple[Box, ...]]) -> Iterator[Arrow]:
        """The arrows into the first box of each chain, and between its boxes."""
        for first, *_ in chains:
            held = inside[first.name]
            aside = _shortcut(first)
            for place, name in enumerate(self.sources[first.name]):
                path = self.strokes.get(name, "solid") if place == aside else self.strokes.get(first.name, "solid")
                yield Arrow(name, held[0].name, path)
            for before, behind in pairwise(held):
                yield Arrow(before.name, behind.name, self.strokes.get(first.name, "solid"))

    def _strokes(self) -> Strokes:
        """Those of what stands on shortcuts: as on the spine, by whether they hold weights."""
        strokes: dict[str, Stroke] = {}
        for name, names in self.sources.items():
            merge = self.graph[name]
            if (index := _shortcut(merge)) is not None:
                path = list(self._path(names[index], merge.section))
                kind: ShortcutKind = "projection" if any(node.weights for node in path) else "parameter-free"
                strokes |= {node.name: STROKES[kind] for node in path}
        return strokes

    def _path(self, name: str, section: str) -> Iterator[Node]:
        """The nodes before a merge that lead nowhere else, back to a fork or the border of its section."""
        node = self.graph[name]
        while self.uses[node.name] == 1 and len(self.sources[node.name]) == 1 and node.section == section:
            yield node
            node = self.graph[self.sources[node.name][0]]


def _shortcut(node: Node) -> int | None:
    """Which input of a merge is its shortcut: the one called so, or a gate's carry."""
    if isinstance(node.op, ops.Merge) and "shortcut" in node.op.paths:
        return node.op.paths.index("shortcut")
    return 1 if isinstance(node.op, ops.Gate) else None
