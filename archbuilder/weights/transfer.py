"""Transfers weights from a file to a Keras model: everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.errors import ArchbuilderError
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.weights.choices import DEFAULT, Choices
from archbuilder.weights.matching import OWN, Match, match
from archbuilder.weights.networks import chosen
from archbuilder.weights.reading import read
from archbuilder.weights.signatures import fitted
from archbuilder.weights.weight_file import Floats, Layer

if TYPE_CHECKING:
    import keras

_LINES = 10
"""The number of lines that are shown of a list."""
_ASSUME = "--assume-order takes layers of the same shapes in their order; check what the network then says"


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
        first = f"weights of {count} from {self.path}, matched {self.match.how}"
        return [first, *self.match.fresh, *self.match.notes]

    @property
    def is_foreign(self) -> bool:
        """Whether the file is other people's, by the names in it."""
        return self.match.how != OWN

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
        node = self.graph[name]
        flat = _flattened(self.graph, node) if self.channels_first else None
        arrays = {part: tensor.array for part, tensor in fitted(node, layer).tensors.items()}
        if flat is None:
            return arrays
        by_feature = arrays.keys() if isinstance(node.op, ops.Elementwise) else {"kernel"}
        return {part: _channels_last(array, flat) if part in by_feature else array for part, array in arrays.items()}


def transfer(path: Path, graph: Graph, choices: Choices = DEFAULT) -> Transfer:
    """Reads a file and matches it; raises ArchbuilderError with what is left over, does not fit or is uncertain."""
    source = chosen(read(path), choices.part, graph)
    found = match(graph, source, choices)
    if found.problems:
        count = f"{len(found.problems):,} tensor" + "s" * (len(found.problems) != 1)
        what = f": {count}, matched {found.how}" if not found.hint else ""
        hint = f"\n  hint: {found.hint}" if found.hint else ""
        raise ArchbuilderError(f"{path} does not fit {graph.name}{what}{_listed(found.problems)}{hint}")
    if found.open:
        what = f"{path} leaves open what belongs where in {graph.name}, which decides what it computes"
        raise ArchbuilderError(f"{what}{_listed(found.open)}\n  hint: {_ASSUME}")
    return Transfer(path, graph, found, source.channels_first)


def _listed(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _LINES:,} more"] if len(lines) > _LINES else []
    return "".join(f"\n  {line}" for line in [*lines[:_LINES], *more])


def _flattened(graph: Graph, node: Node) -> ops.Shape | None:
    """The shape of the image whose values, flattened, arrive at a node in their order; None where none does."""
    before = graph[node.inputs[0]]
    while isinstance(before.op, ops.Elementwise):
        before = graph[before.inputs[0]]
    return graph[before.inputs[0]].shape if isinstance(before.op, ops.Flatten) else None


def _channels_last(array: Floats, image: ops.Shape) -> Floats:
    """Puts the features of an image that PyTorch flattened, channel by channel, in our order, pixel by pixel."""
    height, width, channels = image
    if len(array) != height * width * channels:  # one number for all features
        return array
    return array.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(array.shape)
