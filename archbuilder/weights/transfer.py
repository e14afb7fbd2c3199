"""Transfers weights from a file to a Keras model: everything is checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.errors import ArchbuilderError
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.weights.matching import Match, fitted, match
from archbuilder.weights.reading import read
from archbuilder.weights.weight_file import Floats, Layer

if TYPE_CHECKING:
    import keras

_DOUBTS = 4
"""The number of doubts that are shown."""


@dataclass(frozen=True)
class Transfer:
    """Weights of a file that fit a graph."""

    path: Path
    graph: Graph
    match: Match
    channels_first: bool

    @property
    def notes(self) -> list[str]:
        """The messages for people, a line each."""
        count = f"{len(self.match.pairs):,} layer" + "s" * (len(self.match.pairs) != 1)
        doubts = self.match.doubts
        more = f" and {len(doubts) - _DOUBTS:,} more" if len(doubts) > _DOUBTS else ""
        doubt = f"the file does not tell layers apart; the first was taken of {'; '.join(doubts[:_DOUBTS])}"
        lines = [f"weights of {count} from {self.path}, matched {self.match.how}", *self.match.fresh]
        return [*lines, doubt + more] if doubts else lines

    def facts(self) -> dict[str, str]:
        """The path and the digest of the file, for the record of a run."""
        with self.path.open("rb") as file:
            return {"path": str(self.path.resolve()), "sha256": file_digest(file, "sha256").hexdigest()}

    def arrays(self) -> dict[str, dict[str, Floats]]:
        """The weights of each node by their names in the graph."""
        return {name: self._arrays(name, layer) for name, layer in self.match.pairs.items()}

    def apply(self, model: keras.Model) -> None:
        """Gives the weights to the model that was built of the graph."""
        from archbuilder.graph.naming import layer_name

        layers = {layer.name: layer for layer in model.layers}
        for name, arrays in self.arrays().items():
            if layer_name(name) not in layers:  # behind the last output, and no part of the model
                continue
            for part, array in arrays.items():
                getattr(layers[layer_name(name)], part).assign(array)

    def _arrays(self, name: str, layer: Layer) -> dict[str, Floats]:
        flat = _flattened(self.graph, self.graph[name]) if self.channels_first else None
        arrays = {part: tensor.array for part, tensor in fitted(self.graph[name], layer).tensors.items()}
        return {part: _channels_last(array, flat) if flat else array for part, array in arrays.items()}


def transfer(path: Path, graph: Graph) -> Transfer:
    """Reads a file and matches it; raises ArchbuilderError that lists all that is left over or does not fit."""
    source = read(path)
    found = match(graph, source)
    if found.problems:
        count = f"{len(found.problems):,} tensor" + "s" * (len(found.problems) != 1)
        lines = "".join(f"\n  {line}" for line in found.problems)
        raise ArchbuilderError(f"{path} does not fit {graph.name}: {count}, matched {found.how}{lines}")
    return Transfer(path, graph, found, source.channels_first)


def _flattened(graph: Graph, node: Node) -> ops.Shape | None:
    """The shape of the image whose values, flattened, arrive at a node in their order; None where none does."""
    before = graph[node.inputs[0]]
    while isinstance(before.op, ops.Elementwise):
        before = graph[before.inputs[0]]
    return graph[before.inputs[0]].shape if isinstance(before.op, ops.Flatten) else None


def _channels_last(array: Floats, image: ops.Shape) -> Floats:
    """Puts the features of an image that PyTorch flattened, channel by channel, in our order, pixel by pixel."""
    height, width, channels = image
    if len(array) != height * width * channels:  # a bias, which knows nothing of the features
        return array
    return array.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(array.shape)
