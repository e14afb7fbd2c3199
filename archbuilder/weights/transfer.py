"""Transfers weights from a file to a Keras model: everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbuilder.errors import ArchbuilderError
from archbuilder.graph import ops
from archbuilder.graph.naming import layer_name
from archbuilder.graph.network import Graph
from archbuilder.weights.choices import DEFAULT, Choices
from archbuilder.weights.flattening import Order, arriving
from archbuilder.weights.matching import OWN, Match, match
from archbuilder.weights.networks import chosen
from archbuilder.weights.reading import read
from archbuilder.weights.signatures import fitted
from archbuilder.weights.weight_file import Floats, Layer, NodeWeights

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
    flattened: Mapping[str, Order]
    """The order of the features of nodes behind flattened images, where the file has another."""
    choices: Choices = DEFAULT
    channels_first: bool = False
    """Whether the file has PyTorch's layout."""

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

    def facts(self) -> dict[str, Any]:
        """The path and the digest of the file, and what was chosen where it is open, for the record of a run."""
        with self.path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return {"path": str(self.path.resolve()), "sha256": digest, "choices": asdict(self.choices)}

    def arrays(self) -> dict[str, dict[str, Floats]]:
        """The weights of each node by their names in the graph."""
        return {name: self._arrays(name, layer) for name, layer in self.match.pairs.items()}

    def apply(self, model: keras.Model) -> None:
        """Gives the weights to the model that was built of the graph."""
        assign(model, self.arrays())

    def _arrays(self, name: str, layer: Layer) -> dict[str, Floats]:
        node = self.graph[name]
        arrays = {part: tensor.array for part, tensor in fitted(node, layer).tensors.items()}
        order = self.flattened.get(name)
        if order is None:
            return arrays
        by_feature = arrays.keys() if isinstance(node.op, ops.Elementwise) else {"kernel"}
        return {
            part: array[order] if part in by_feature and len(array) == len(order) else array  # or one number for all
            for part, array in arrays.items()
        }


def assign(model: keras.Model, weights: NodeWeights) -> None:
    """Gives weights to the model that was built of their graph."""
    layers = {layer.name: layer for layer in model.layers}
    for name, arrays in weights.items():
        if layer_name(name) not in layers:  # behind the last output, and no part of the model
            continue
        for part, array in arrays.items():
            getattr(layers[layer_name(name)], part).assign(array)


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
    orders = arriving(graph) if source.channels_first else {}
    return Transfer(path, graph, found, orders, choices, source.channels_first)


def _listed(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _LINES:,} more"] if len(lines) > _LINES else []
    return "".join(f"\n  {line}" for line in [*lines[:_LINES], *more])
