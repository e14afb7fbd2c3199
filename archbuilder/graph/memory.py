"""How much memory a network takes while it is trained, and at the least while it is run."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Literal, assert_never

from archbuilder.aliases import Precision
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node

FLOAT = 4
"""The bytes of a value in float32, in which weights are kept in every precision."""
COMPILED_LAYER = 600 * 2**10
"""What TensorFlow's compiled function holds for a layer, in bytes: measured at batch size 1."""
PIECE, PIECES = 30 * 2**20, 6
"""TensorFlow unfolds the windows of a convolution in pieces of at most 30 MiB, for the gradients of its kernel and of
its input; malloc keeps what is freed for the thread that took it. Six were there at once, on two cores."""
Needs = Literal["nothing", "inputs", "output", "both"]


def values_at_once(graph: Graph) -> int:
    """Those for one image where no gradients are wanted: inputs and output of the layer where they are most."""
    return max(prod(node.shape) + sum(prod(graph[name].shape) for name in node.inputs) for node in graph.nodes)


def values_for_gradients(graph: Graph) -> int:
    """Those for one image that wait for the way back, at the least: each tensor once."""
    return sum(prod(graph[name].shape) for name in {name for node in graph.nodes for name in _kept(graph, node)})


def largest_layer(graph: Graph) -> int:
    """The most parameters of one layer."""
    return max(node.parameters for node in graph.nodes)


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """The bytes that training takes: for the weights whatever the batch size is, and for each image of a batch."""

    weights: int
    gradients: int
    optimizer: int
    """What the optimizer keeps for each weight, and averages of the weights."""
    image: int
    """What of one image waits for the way back, and the gradients on their way, where that is most."""
    compiled: int
    """TensorFlow's compiled function."""
    unfolded: int
    """The windows of one image side by side, at the convolution where they are most."""

    def activations(self, batch_size: int) -> int:
        return self.image * batch_size

    def runtime(self, batch_size: int) -> int:
        """What TensorFlow takes for itself: its function, and the room in which it unfolds windows."""
        return self.compiled + PIECES * min(PIECE, self.unfolded * batch_size)

    def total(self, batch_size: int) -> int:
        of_weights = self.weights + self.gradients + self.optimizer
        return of_weights + self.activations(batch_size) + self.runtime(batch_size)

    def largest_batch(self, limit: int) -> int:
        """The most images that fit into so many bytes; 0 where not even one does."""
        fits = range(1, max(limit, 0) // self.image + 2)
        return bisect_right(fits, limit, key=self.total)


def training_memory(graph: Graph, precision: Precision, slots: int = 1, averages: bool = False) -> TrainingMemory:
    """The memory of training by an optimizer that keeps `slots` values for each weight, with TensorFlow."""
    width, trained = width_of(precision), FLOAT * graph.trainable
    weights = FLOAT * graph.parameters
    unfolded = max((_unfolded(graph, node) for node in graph.nodes), default=0)
    return TrainingMemory(
        weights,
        trained,
        slots * trained + averages * weights,
        width * _peak(graph),
        COMPILED_LAYER * len(graph.nodes),
        width * unfolded,
    )


def width_of(precision: Precision) -> int:
    """The bytes of a value of an image on its way."""
    return FLOAT if precision == "float32" else FLOAT // 2


def _peak(graph: Graph) -> int:
    """The most values of one image at any moment of the way back, layer after layer from the last.

    What waits is free behind the first layer that made it or took it in. A gradient is there from the last layer that
    adds to it to the one whose output it is for.
    """
    sizes = {node.name: prod(node.shape) for node in graph.nodes}
    waiting = {node.name: [*_kept(graph, node)] for node in graph.nodes}
    users = Counter(chain.from_iterable(waiting.values()))
    copies = {node.name: _padded(graph, node) for node in graph.nodes}
    gradients = set(graph.outputs)
    live = sum(sizes[name] for name in users) + sum(copies.values()) + sum(sizes[name] for name in gradients)
    most = live
    for node in reversed(graph.nodes):
        new = {*node.inputs} - gradients - {graph.input.name}
        gradients |= new
        live += sum(sizes[name] for name in new)
        most = max(most, live)
        users.subtract(waiting[node.name])
        done = {name for name in waiting[node.name] if not users[name]}
        live -= copies[node.name] + sum(sizes[name] for name in done) + sizes[node.name]
    return most


def _unfolded(graph: Graph, node: Node) -> int:
    """The values of all windows of a convolution; those of 1x1 and of single channels are not unfolded."""
    channels = graph[node.inputs[0]].shape[-1] if node.inputs else 0
    if not isinstance(node.op, ops.Conv) or node.op.kernel == (1, 1) or node.op.groups == channels > 1:
        return 0
    rows, columns, _ = node.shape
    return rows * columns * prod(node.op.kernel) * channels // node.op.groups


def _kept(graph: Graph, node: Node) -> Iterator[str]:
    """The nodes whose outputs the gradient of a node needs; a padded copy takes the place of an input."""
    needs = _needs(node.op)
    if needs in ("inputs", "both") and not _padded(graph, node):
        yield from node.inputs
    if needs in ("output", "both"):
        yield node.name


def _padded(graph: Graph, node: Node) -> int:
    """The values of the copy that TensorFlow makes of an image that it does not pad within the op itself."""
    if not isinstance(node.op, ops.Conv | ops.MaxPool):
        return 0
    rows, columns, channels = ops.spatial(graph[node.inputs[0]].shape)
    kernel, dilation = node.op.window
    pads, same = (
        ops.resolve_padding((rows, columns), kernel, node.op.stride, padding, dilation)
        for padding in (node.op.padding, "same")
    )
    return (rows + sum(pads[0])) * (columns + sum(pads[1])) * channels if pads != same and any(map(any, pads)) else 0


def _needs(op: ops.Op) -> Needs:
    """What of a node's tensors its gradient needs."""
    match op:
        case ops.Conv() | ops.ConvTranspose() | ops.ChannelConv() | ops.Dense() | ops.LeakyRelu():
            return "inputs"
        case ops.Multiply() | ops.Gate():
            return "inputs"
        case ops.Norm():
            return "inputs" if op.is_over_batch else "both"
        case ops.Scale():
            return "inputs" if op.learned != "none" else "nothing"
        case ops.Activation():
            return _FUNCTIONS[op.function]
        case ops.MaxPool() | ops.GlobalMaxPool() | ops.Subsample() | ops.Prelu() | ops.LocalResponseNorm():
            return "both"
        case ops.ChannelPool():
            return "both" if op.method == "max" else "nothing"
        case ops.AveragePool() | ops.GlobalAveragePool() | ops.Dropout() | ops.StochasticDepth():
            return "nothing"
        case ops.Input() | ops.Add() | ops.Concat() | ops.Flatten() | ops.Upsample() | ops.Pad() | ops.PadChannels():
            return "nothing"
        case ops.SliceChannels() | ops.ShuffleChannels():
            return "nothing"
        case _:
            assert_never(op)


_FUNCTIONS: Mapping[ops.Function, Needs] = {
    "relu": "output", "relu6": "output", "elu": "output", "sigmoid": "output", "tanh": "output", "softmax": "output",
    "hard_sigmoid": "output", "gelu": "inputs", "silu": "inputs", "softplus": "inputs", "hard_silu": "both",
}  # fmt: skip
