"""Equal units in a row as one traced body in a loop: the first iteration then hardly takes longer in deeper networks.

The weights stay where they are, in the variables of each unit. They are stacked before the loop, and the body reads
those of its unit. A TensorArray holds the stack, since the gradient of reading an element costs as much as the element;
that of a slice of a tensor costs as much as the whole tensor, for each slice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from archbuilder.aliases import Tensor
from archbuilder.graph.repetition import Repetition

Parameters = Mapping[str, Mapping[str, Any]]
"""The parameters of each node by its name: by their own names, variables or tensors, and numbers."""
Body = Callable[[Tensor, Parameters], tuple[Tensor, Tensor | None]]
"""Runs the first unit of a repetition with the parameters of any of its units, known by the first one's names.

Returns what the unit returns and a vector of float32 to be recorded, or None.
"""


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
