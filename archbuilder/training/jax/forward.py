"""The stock model of a graph as a pure function, for JAX: all that it changes is an argument and a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal
from zlib import crc32

import jax
import jax.numpy as jnp
import keras

from archbuilder.aliases import Precision, Tensor
from archbuilder.graph import ops
from archbuilder.graph.naming import layer_name
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.repetition import norms_behind_convolutions
from archbuilder.keras_model.build import without_probabilities
from archbuilder.training.variables import penalties

Values = Sequence[jax.Array]
Held = Mapping[Literal["trained", "others"], Values]
"""The values of a network's trained variables and of its others."""


class JaxNetwork:
    """A graph's function of its trained weights, its other variables and images.

    While it is trained, the weights are held here: writing the variables of the model takes longer than a small
    iteration. Layers of images `(n, H, W, C)` compute in the type of the precision, those of vectors in float32.
    """

    def __init__(self, graph: Graph, model: keras.Model, seed: int = 0, precision: Precision = "float32") -> None:
        self.graph, self.model, self._logits = graph, model, without_probabilities(graph, model)
        self.precision = precision
        self.width = graph[graph.outputs[-1]].shape[-1]
        self._layers = {layer.name: layer for layer in model.layers}
        self.weights = {node.name: self._weights_of(node) for node in graph.nodes if node.weights}
        """The Keras variables of each node by their names in the graph."""
        self.trained: list[keras.Variable] = self._logits.trainable_variables
        self.others: list[keras.Variable] = self._logits.non_trainable_variables
        self.parts: Mapping[Literal["trained", "others"], Sequence[keras.Variable]] = {
            "trained": self.trained, "others": self.others,
        }  # fmt: skip
        self._held: Held | None = None
        self._seeds = {
            layer.seed_generator.state.path: crc32(f"{seed}/{node.name}".encode())
            for node in graph.nodes
            if isinstance(node.op, ops.Dropping) and node.op.rate  # at a rate of 0, Keras draws nothing
            if (layer := self._layers.get(layer_name(node.name)))
        }

    def take_up(self) -> Held:
        """The weights, whose arrays may be given away; until they are laid down, the variables are not to be used."""
        held, self._held = self._held, None
        return held or {part: [jnp.array(one, copy=True) for one in values(some)] for part, some in self.parts.items()}

    def hold(self, held: Held) -> None:
        """Keeps the weights that an iteration left behind."""
        self._held = held

    def lay_down(self) -> None:
        """Writes the weights into the variables; called before anybody looks at these, or writes them."""
        for part, new in (self._held or {}).items():
            assign(self.parts[part], new)
        self._held = None

    def logits(
        self, trained: Values, others: Values, images: Tensor, dropout_seed: Tensor | None = None
    ) -> tuple[Tensor, Values]:
        """What enters the softmax or sigmoid `(n, k)`, and the other variables as they are afterwards.

        While training, `dropout_seed` decides what dropout and stochastic depth drop; without it, nothing is trained.
        """
        training = dropout_seed is not None
        drawn = [self._seed(variable, value, dropout_seed) for variable, value in zip(self.others, others, strict=True)]
        with self._in_precision():
            logits, moved = self._logits.stateless_call(trained, drawn, images, training=training)
        after = [
            old if variable.path in self._seeds else new
            for variable, old, new in zip(self.others, others, moved, strict=True)
        ]
        return jnp.asarray(logits, jnp.float32), after

    @contextmanager
    def _in_precision(self) -> Iterator[None]:
        """Within it, the layers of images have the policy of the precision; the model that is saved has its own."""
        layers = [layer for layer in self.model.layers if len(layer.output.shape) == 4]
        before = [layer.dtype_policy for layer in layers]
        for layer in layers:
            layer.dtype_policy = self.precision
        try:
            yield
        finally:
            for layer, policy in zip(layers, before, strict=True):
                layer.dtype_policy = policy

    def _seed(self, variable: keras.Variable, value: Tensor, dropout_seed: Tensor | None) -> Tensor:
        """The seed of a layer that drops something: from the spec's seed, its place in the network and no state."""
        if dropout_seed is None or variable.path not in self._seeds:
            return value
        return jnp.stack([jnp.uint32(self._seeds[variable.path]), jnp.asarray(dropout_seed, jnp.uint32)])

    def penalties(self) -> list[float]:
        """What the gradient of each trained weight's l2 takes times the weight."""
        pulls = {self.weights[node][name].path: factor for (node, name), factor in penalties(self.graph).items()}
        return [pulls.get(variable.path, 0.0) for variable in self.trained]

    def idle(self) -> list[bool]:
        """Which trained weights have a gradient of exactly zero: biases that a norm takes off again."""
        idle = {
            self.weights[name]["bias"].path
            for name, norm in norms_behind_convolutions(self.graph, self.graph.nodes).items()
            if isinstance(norm.op, ops.Norm) and not norm.op.frozen and "bias" in self.weights[name]
        }
        return [variable.path in idle for variable in self.trained]

    def _weights_of(self, node: Node) -> dict[str, keras.Variable]:
        layer = self._layers[layer_name(node.name)]
        return {weight.name: getattr(layer, weight.name) for weight in node.weights}


def values(variables: Sequence[keras.Variable]) -> list[jax.Array]:
    return [variable.value for variable in variables]


def assign(variables: Sequence[keras.Variable], new: Values) -> None:
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)
