"""Equal units in a row as one traced body in a loop: the first iteration then hardly takes longer in deeper networks.

The weights stay where they are, in the variables of each unit. They are stacked before the loop, and the body reads
those of its unit. A TensorArray holds the stack, since the gradient of reading an element costs as much as the element;
that of a slice of a tensor costs as much as the whole tensor, for each slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import tensorflow as tf

from archbuilder.graph import analysis
from archbuilder.graph.network import Graph, Node

Tensor = Any
Parameters = Mapping[str, Mapping[str, Any]]
"""By a node's name what tells it from equal nodes, by name: variables or tensors, and numbers."""
Body = Callable[[Tensor, Parameters], tuple[Tensor, Tensor | None]]
"""Runs the first unit of a repetition with the parameters of any of its units, known by the first one's names.

Returns what the unit returns and a vector of float32 to be recorded, or None.
"""


@dataclass(frozen=True)
class Repetition:
    """Equal units in a row: each takes in what the one before it returns, and nothing else of them goes anywhere."""

    units: tuple[tuple[Node, ...], ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Those of the first unit, which stand for all."""
        return self.units[0]

    @property
    def input(self) -> str:
        """The name of the node before the first unit."""
        return next(iter(_inputs(self.nodes)))

    @property
    def output(self) -> str:
        """The name of the node whose tensor the last unit returns."""
        return self.units[-1][-1].name

    def alike(self, position: int) -> tuple[Node, ...]:
        """The nodes at one place of each unit."""
        return tuple(unit[position] for unit in self.units)


def divide(graph: Graph, shortest: int) -> Iterator[Node | Repetition]:
    """A graph in order: its repetitions of at least `shortest` units, and each node that is in none of them."""
    found = [each for stage in analysis.stages(graph) for each in _repetitions(graph, stage, shortest)]
    firsts = {repetition.nodes[0].name: repetition for repetition in found}
    inside = {node.name for repetition in found for unit in repetition.units for node in unit}
    for node in graph.nodes:
        if node.name in firsts:
            yield firsts[node.name]
        elif node.name not in inside:
            yield node


def _repetitions(graph: Graph, stage: analysis.Section, shortest: int) -> Iterator[Repetition]:
    units = [section.nodes for section in analysis.units(stage)]
    for _, group in groupby(units, key=lambda nodes: analysis.signature(graph, nodes)):
        equal = tuple(group)
        if len(equal) >= shortest and _is_chain(graph, equal):
            yield Repetition(equal)


def _is_chain(graph: Graph, units: Sequence[Sequence[Node]]) -> bool:
    inside = {node.name for unit in units for node in unit}
    leaving = {name for node in graph.nodes if node.name not in inside for name in node.inputs} | {*graph.outputs}
    links = [{unit[-1].name} for unit in units]
    arriving = [_inputs(unit) for unit in units]
    return len(arriving[0]) == 1 and arriving[1:] == links[:-1] and leaving & inside <= links[-1]


def _inputs(nodes: Sequence[Node]) -> set[str]:
    """The names of the nodes before these."""
    return {name for node in nodes for name in node.inputs} - {node.name for node in nodes}


def repeat(
    repetition: Repetition, tensor: Tensor, parameters: Parameters, body: Body, record: int
) -> tuple[Tensor, Tensor]:
    """Runs a tensor through all units: what the last returns, and what was recorded `(units, record)`, if anything."""
    count = len(repetition.units)
    reads = {
        node.name: {name: _reader([parameters[one.name][name] for one in repetition.alike(place)]) for name in names}
        for place, node in enumerate(repetition.nodes)
        if (names := parameters[node.name])
    }
    records = [tf.TensorArray(tf.float32, count, element_shape=[record])] if record else []

    def unit(index: Tensor, tensor: Tensor, records: Sequence[Any]) -> tuple[Tensor, Tensor, Sequence[Any]]:
        own = {node: {name: read(index) for name, read in of_node.items()} for node, of_node in reads.items()}
        result, recorded = body(tensor, own)
        return index + 1, tf.ensure_shape(result, tensor.shape), [array.write(index, recorded) for array in records]

    _, result, records = tf.while_loop(
        lambda index, *_: index < count, unit, (0, tensor, records), maximum_iterations=count,
        parallel_iterations=2,  # on the way back, a unit then need not wait for the other's kernel gradients
    )  # fmt: skip
    return result, records[0].stack() if records else None


def _reader(values: Sequence[Any]) -> Callable[[Tensor], Tensor]:
    """Gives the value of each unit by its index."""
    stack = tf.stack(values)
    if isinstance(values[0], int | float):
        return lambda index: stack[index]
    elements: Callable[[Tensor], Tensor] = (
        tf.TensorArray(stack.dtype, len(values), element_shape=stack.shape[1:]).unstack(stack).read
    )
    return elements
