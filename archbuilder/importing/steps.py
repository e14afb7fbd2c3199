"""A network as layers one after the other, without names: a sum of two paths is a span over the longer one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from archbuilder.graph import ops
from archbuilder.graph.analysis import Series, is_closed, series
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import Op, Shape
from archbuilder.graph.words import op_name
from archbuilder.outline.from_graph import block
from archbuilder.outline.parts import DEPTHWISE, Block, Branch, MergeKind

Step: TypeAlias = "Leaf | Fork"
Steps: TypeAlias = "tuple[Step, ...]"
CARRY = 1
"""Which path of a gate is the one beside the unit's own, as a shortcut is beside a sum."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One layer, with the shapes that arrive and leave."""

    op: Op
    arriving: Shape
    leaving: Shape

    @property
    def word(self) -> str:
        return op_name(self.op)


@dataclass(frozen=True, slots=True)
class Fork:
    """Paths from one place that come together again."""

    word: MergeKind
    paths: tuple[Steps, ...]
    arriving: Shape
    leaving: Shape


@dataclass(frozen=True, slots=True)
class Span:
    """The path beside the main one that leaves before step `fork` and is added before step `merge`."""

    fork: int
    merge: int
    path: Steps


@dataclass(frozen=True)
class Row:
    """The steps of a network on its main path, and the spans over them."""

    steps: Steps
    spans: tuple[Span, ...]
    input: Shape
    points: frozenset[int] = frozenset()
    """Before which steps there is a point that something else goes on from."""

    @cached_property
    def by_fork(self) -> dict[int, Span]:
        return {span.fork: span for span in self.spans}

    @cached_property
    def by_merge(self) -> dict[int, Span]:
        return {span.merge: span for span in self.spans}

    @cached_property
    def is_cut(self) -> tuple[bool, ...]:
        """Whether a unit may begin or end before each step, and behind the last: everywhere but within a span."""
        cuts = [True] * (len(self.steps) + 1)
        for span in self.spans:
            cuts[span.fork + 1 : span.merge] = [False] * (span.merge - span.fork - 1)
        return tuple(cuts)

    def beside(self, index: int) -> tuple[int, Steps] | None:
        """The path that leaves before a step, and the number of steps on the main path until it is added."""
        span = self.by_fork.get(index)
        return None if span is None else (span.merge - span.fork, span.path)

    def is_whole(self, start: int, end: int) -> bool:
        """Whether nothing goes on from within some steps."""
        return not any(start < point < end for point in self.points)

    def shape(self, index: int) -> Shape:
        """What arrives at a step, or leaves the last one."""
        if index < len(self.steps):
            return self.steps[index].arriving
        return self.steps[-1].leaving if self.steps else self.input


def row_of(graph: Graph) -> Row | None:
    """The row of a graph; None where its paths do not come together one by one, or it has several outputs."""
    nodes = [node for node in graph.nodes if node is not graph.input]
    if not nodes or graph.outputs != (nodes[-1].name,) or not is_closed(nodes, graph.input.name):
        return None
    return row_of_elements(graph, series(nodes), set(), {})


def row_of_elements(graph: Graph, elements: Series, points: Set[str], places: dict[str, int]) -> Row:
    """The row of elements that follow each other; `places` gets the number of steps up to each of the points."""
    steps: list[Step] = []
    spans: list[Span] = []
    begin, shape = 0, graph.input.shape
    for at, element in enumerate(elements, 1):
        if at == len(elements) or element.name in points:
            for step in walked(block(graph, elements[begin:at]), shape):
                _append(step, steps, spans)
            shape, begin = graph[element.name].shape, at
            places[element.name] = len(steps)
    taken = frozenset(places[name] for name in points if name in places)
    return Row(tuple(steps), tuple(spans), graph.input.shape, taken)


def _append(step: Step, steps: list[Step], spans: list[Span]) -> None:
    """Adds a step; a sum of two paths as the longer one, with a span over it."""
    if isinstance(step, Fork) and step.word == "add" and len(step.paths) == 2 and any(step.paths):
        other, main = sorted(step.paths, key=lambda path: (_convs(path), len(path)))
        spans.append(Span(len(steps), len(steps) + len(main), other))
        steps += main
    else:
        steps.append(step)


def walked(items: Block, shape: Shape) -> Iterator[Step]:
    """Layers with the shapes that arrive at them, where `shape` arrives at the first."""
    for item in items:
        if isinstance(item, Branch):
            paths = tuple(tuple(walked(path, shape)) for path in item.paths)
            ends = [path[-1].leaving if path else shape for path in paths]
            leaving = (*ends[0][:-1], sum(end[-1] for end in ends)) if item.kind == "concat" else ends[0]
            step: Step = Fork(item.kind, paths, shape, leaving)
        else:
            op = item
            if isinstance(op, ops.Conv) and op.groups == DEPTHWISE:
                op = replace(op, groups=shape[-1])
            step = Leaf(op, shape, op.output_shape(shape))
        yield step
        shape = step.leaving


def leaves(steps: Steps) -> Iterator[Leaf]:
    """All layers of steps, path by path."""
    for step in steps:
        if isinstance(step, Fork):
            for path in step.paths:
                yield from leaves(path)
        else:
            yield step


def all_leaves(row: Row) -> Iterator[Leaf]:
    yield from leaves(row.steps)
    for span in row.spans:
        yield from leaves(span.path)


def gate(steps: Steps) -> Fork | None:
    """The gate among some steps, if there is one and no other."""
    gates = [step for step in steps if isinstance(step, Fork) and step.word == "gate"]
    return gates[0] if len(gates) == 1 else None


def without_carry(steps: Steps) -> Steps:
    """Steps without what gates among them carry."""
    return tuple(
        replace(step, paths=(*step.paths[:CARRY], (), *step.paths[CARRY + 1 :]))
        if isinstance(step, Fork) and step.word == "gate"
        else step
        for step in steps
    )


def mapped(steps: Steps, change: Callable[[Leaf], Op]) -> Steps:
    """Steps with other ops that give the same shapes."""
    return tuple(
        replace(step, paths=tuple(mapped(path, change) for path in step.paths))
        if isinstance(step, Fork)
        else replace(step, op=change(step))
        for step in steps
    )


def mapped_row(row: Row, change: Callable[[Leaf], Op]) -> Row:
    spans = tuple(replace(span, path=mapped(span.path, change)) for span in row.spans)
    return replace(row, steps=mapped(row.steps, change), spans=spans)


def _convs(steps: Steps) -> int:
    return sum(isinstance(leaf.op, ops.Conv) for leaf in leaves(steps))
