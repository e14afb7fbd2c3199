"""A graph run by raw TensorFlow ops on the variables of its Keras model: the same function, several times as fast.

Three things make the difference to Keras' layers. The norm is one fused op, also under bfloat16. A bias that a norm
follows is left out while training, since the norm takes it off again: only its moving mean knows of it, and its
gradient is exactly zero. And where nothing is learned, a norm is folded into the convolution before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, assert_never
from zlib import crc32

import keras
import tensorflow as tf

from archbuilder.aliases import Precision, Tensor, Variable
from archbuilder.graph import ops
from archbuilder.graph.naming import layer_name
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.repetition import Repetition, divide, norms_behind_convolutions
from archbuilder.training.tensorflow.distribution import assign
from archbuilder.training.tensorflow.functions import (
    along_channels,
    convolved,
    merged,
    normalised,
    plain,
    rectified,
    transposed,
)
from archbuilder.training.tensorflow.unit_loop import Parameters, repeat

Mean = Callable[[Tensor], Tensor]
"""The mean over the images of all replicas, of what are means over the images of each."""

SHORTEST_LOOP = 32
"""How many equal units in a row are worth a loop, see docs/depth.md."""
MOVING = ("moving_mean", "moving_variance")
_TYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}


class Forward:
    """The function of a graph, with the weights of the Keras model that `build_model` made of it.

    Images `(n, H, W, C)` run in the type of the precision, vectors `(n, features)`, and so the dense head, in float32.
    Where at least `shortest_loop` equal units stand in a row, they are one body in a loop.
    """

    def __init__(
        self, graph: Graph, model: keras.Model, precision: Precision = "float32", shortest_loop: int = SHORTEST_LOOP
    ) -> None:
        self.graph, self.precision = graph, precision
        self.variables: list[Variable] = [variable.value for variable in model.trainable_variables]
        """All that is trained, in the order of the model's trainable variables."""
        layers = {layer.name: layer for layer in model.layers}  # get_layer searches through them all
        self.weights = {node.name: _weights(node, layers) for node in graph.nodes}
        """The variables of each node by their names in the graph."""
        self._parts = tuple(divide(graph, shortest_loop))
        self._norms = norms_behind_convolutions(graph, self._parts)

    @property
    def classes(self) -> int:
        """How many classes the last output tells apart."""
        return self.graph[self.graph.outputs[-1]].shape[-1]

    def compiled(self, function: Callable[..., Any], signature: Sequence[Any]) -> Callable[..., Any]:
        """A function of tensors that runs the graph, compiled for arguments of this signature.

        Where there are loops, TensorFlow compiles it as it stands. To rewrite the ops of thousands of variables takes
        longer than all else of the first iteration, and gains nothing there.
        """
        compiled: Callable[..., Any] = tf.function(function, input_signature=signature, autograph=False)
        if not any(isinstance(part, Repetition) for part in self._parts):
            return compiled

        def as_it_stands(*arguments: Any) -> Any:
            with _rewriting_nothing():
                return compiled(*arguments)

        return as_it_stands

    @property
    def ends_in_probabilities(self) -> bool:
        """Whether the model ends in softmax or sigmoid; otherwise what it returns are the logits themselves."""
        return ops.gives_probabilities(self.graph[self.graph.outputs[-1]].op)

    def logits(self, images: Tensor, training: bool, seed: Tensor = (0, 0), mean: Mean | None = None) -> Tensor:
        """What enters the softmax or sigmoid of the last output `(n, k)`, in float32.

        While training, norms take the batch's statistics and their moving statistics are updated; `seed`, two
        integers, then decides what dropout and stochastic depth drop. With a `mean`, the batch is that of all replicas.
        """
        parameters = {node.name: self.weights[node.name] | _numbers(node) for node in self.graph.nodes}
        run, values = _Pass(parameters, self._norms, self.precision, training, seed, mean), {"": images}
        for part in self._parts:
            if isinstance(part, Repetition):
                values[part.output] = _repeated(part, values[part.input], run)
            else:
                values[part.name] = run.result(part, values)
        self._move(run.moments)
        last = self.graph[self.graph.outputs[-1]]
        return tf.cast(values[last.inputs[0] if self.ends_in_probabilities else last.name], tf.float32)

    def _move(self, moments: Mapping[str, Sequence[Tensor]]) -> None:
        """Moves the moving statistics towards those of the batch, by few ops for all norms that are alike."""
        kinds: dict[Any, list[str]] = defaultdict(list)
        for name in moments:
            kinds[self.graph[name].op, self.graph[name].shape[-1]].append(name)
        for (op, _), names in kinds.items():
            variables = [self.weights[name][weight] for name in names for weight in MOVING]
            batch = tf.stack([moment for name in names for moment in moments[name]])
            moved = op.momentum * tf.stack(variables) + (1 - op.momentum) * batch
            for variable, value in zip(variables, tf.unstack(moved), strict=True):
                assign(variable, value)

    def average_moving_statistics(self, mean: Mean) -> None:
        """Takes the means of the moving statistics over all replicas."""
        moving = ((node.name, one.name) for node in self.graph.nodes for one in node.weights if not one.trainable)
        variables = [self.weights[node][name] for node, name in moving]
        if not variables:
            return
        flat = mean(tf.concat(variables, 0))
        for variable, value in zip(variables, tf.split(flat, [one.shape[0] for one in variables]), strict=True):
            assign(variable, value)


class _Pass:
    """One way through nodes, on parameters that are variables or, inside of a loop, what was read of them."""

    def __init__(
        self,
        parameters: Parameters,
        norms: Mapping[str, Node],
        precision: Precision,
        training: bool,
        seed: Tensor,
        mean: Mean | None,
    ) -> None:
        self.parameters, self.precision, self.training, self.seed = parameters, precision, training, seed
        self.mean = mean
        self.norms = norms
        """The norm right behind a convolution, by the convolution's name."""
        self.convolutions = {norm.name: name for name, norm in norms.items()}
        self.moments: dict[str, Sequence[Tensor]] = {}
        """While training, the mean and the variance of the batch at each norm."""

    def within(self, parameters: Parameters) -> _Pass:
        """The same way on other parameters."""
        return _Pass(parameters, self.norms, self.precision, self.training, self.seed, self.mean)

    def result(self, node: Node, values: Mapping[str, Tensor]) -> Tensor:
        """What a node makes of the results of those before it; the image is called ''."""
        return self._apply(node, [self.cast(node, values[name]) for name in node.inputs or ("",)])

    def uses_batch_statistics(self, norm: Node) -> bool:
        """Whether a norm takes the batch's statistics, and its moving ones follow them."""
        assert isinstance(norm.op, ops.Norm)
        return self.training and norm.op.is_over_batch and not norm.op.frozen

    def cast(self, node: Node, tensor: Tensor) -> Tensor:
        """The tensor in the type that a node computes in."""
        return tf.cast(tensor, _TYPES[self.precision] if len(node.shape) == 3 else tf.float32)

    def _apply(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        match node.op:
            case ops.Input():
                return inputs[0]
            case ops.Conv():
                return self._conv(node, node.op, inputs[0])
            case ops.ConvTranspose():
                return self._biased(node, transposed(node.op, inputs[0], self._weight(node, "kernel", inputs[0])))
            case ops.ChannelConv():
                return self._biased(node, along_channels(inputs[0], self._weight(node, "kernel", inputs[0])))
            case ops.Norm():
                return self._norm(node, node.op, inputs[0])
            case ops.Dense():
                return self._biased(node, tf.tensordot(inputs[0], self._weight(node, "kernel", inputs[0]), 1))
            case ops.Scale():
                if node.op.learned == "none":
                    return inputs[0] * node.op.factor
                return self._biased(node, inputs[0] * self._weight(node, "kernel", inputs[0]))
            case ops.Prelu():
                return rectified(inputs[0], self._weight(node, "alpha", inputs[0]))
            case ops.Dropout() | ops.StochasticDepth():
                return self._dropped(node, node.op, inputs[0]) if self.training else inputs[0]
            case ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate():
                return merged(node.op, inputs)
            case _:
                return plain(node.op, inputs[0])

    def _conv(self, node: Node, op: ops.Conv, images: Tensor) -> Tensor:
        weights = self.parameters[node.name]
        kernel, bias = weights["kernel"], weights.get("bias")
        norm = self.norms.get(node.name)
        if norm is not None:
            kernel, bias = (kernel, None) if self.uses_batch_statistics(norm) else self._folded(norm, kernel, bias)
        features = convolved(op, images, tf.cast(kernel, images.dtype))
        return features if bias is None else tf.nn.bias_add(features, tf.cast(bias, images.dtype))

    def _folded(self, norm: Node, kernel: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """The kernel and bias of one convolution that does what a convolution and its norm do."""
        weights = self.parameters[norm.name]
        assert isinstance(norm.op, ops.Norm)
        factor = _scale(weights) * tf.math.rsqrt(weights["moving_variance"] + norm.op.epsilon)
        mean = weights["moving_mean"] if bias is None else weights["moving_mean"] - bias
        return kernel * factor, weights["beta"] - mean * factor

    def _norm(self, node: Node, op: ops.Norm, tensor: Tensor) -> Tensor:
        if not op.is_over_batch:
            weights = self.parameters[node.name]
            return normalised(op, tensor, _scale(weights), weights["beta"])
        of_batch = self.uses_batch_statistics(node)
        if node.name in self.convolutions and not of_batch:
            return tensor
        if of_batch and self.mean:
            return self._synchronised_norm(node, op, tensor, self.mean)
        weights, empty = self.parameters[node.name], tf.zeros([0])
        mean, variance = (empty, empty) if of_batch else (weights[name] for name in MOVING)
        images = tf.reshape(tensor, (-1, 1, 1, node.shape[0])) if len(node.shape) == 1 else tensor
        normed, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images, scale=_scale(weights), offset=weights["beta"], mean=mean, variance=variance, epsilon=op.epsilon,
            is_training=of_batch,
        )  # fmt: skip
        if of_batch:
            count = tf.cast(tf.size(tensor), tf.float32) / node.shape[-1]
            self._note(node, batch_mean, batch_variance * (count - 1) / count)  # the op divides by N - 1
        return tf.reshape(normed, tf.shape(tensor)) if len(node.shape) == 1 else normed

    def _synchronised_norm(self, node: Node, op: ops.Norm, tensor: Tensor, over_replicas: Mean) -> Tensor:
        weights, values = self.parameters[node.name], tf.cast(tensor, tf.float32)
        axes = list(range(len(node.shape)))
        moments = tf.stack([tf.reduce_mean(values, axes), tf.reduce_mean(tf.square(values), axes)])
        mean, square = tf.unstack(over_replicas(moments))
        variance = tf.maximum(square - tf.square(mean), 0)
        self._note(node, mean, variance)
        factor = _scale(weights) * tf.math.rsqrt(variance + op.epsilon)
        return tf.cast(values * factor + (weights["beta"] - mean * factor), tensor.dtype)

    def _note(self, node: Node, mean: Tensor, variance: Tensor) -> None:
        bias = self.parameters.get(self.convolutions.get(node.name, ""), {}).get("bias")
        moments = [mean if bias is None else mean + bias, variance]
        self.moments[node.name] = [tf.stop_gradient(moment) for moment in moments]

    def _dropped(self, node: Node, op: ops.Dropping, tensor: Tensor) -> Tensor:
        numbers = self.parameters[node.name]
        match op:
            case ops.Dropout():
                shape = tf.shape(tensor)
            case ops.StochasticDepth():
                shape = [tf.shape(tensor)[0], *[1] * len(node.shape)]
            case _:
                assert_never(op)
        kept = tf.random.stateless_uniform(shape, tf.random.fold_in(self.seed, numbers["hash"])) >= numbers["rate"]
        return tf.where(kept, tensor * tf.cast(1 / (1 - numbers["rate"]), tensor.dtype), 0)

    def _weight(self, node: Node, name: str, tensor: Tensor) -> Tensor:
        """A weight of a node in the type of what arrives there."""
        return tf.cast(self.parameters[node.name][name], tensor.dtype)

    def _biased(self, node: Node, tensor: Tensor) -> Tensor:
        """The tensor with the bias of the node, if it has one: a number for each channel, or one for all."""
        if "bias" not in self.parameters[node.name]:
            return tensor
        bias = self._weight(node, "bias", tensor)
        return tf.nn.bias_add(tensor, bias) if bias.shape[0] == tensor.shape[-1] else tensor + bias


@contextmanager
def _rewriting_nothing() -> Iterator[None]:
    """TensorFlow's graph optimizer is off; it can be set for a whole process only."""
    key = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(key, False)
    tf.config.optimizer.set_experimental_options({key: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({key: before})


def _weights(node: Node, layers: Mapping[str, keras.Layer]) -> dict[str, Variable]:
    if not node.weights:
        return {}
    layer = layers[layer_name(node.name)]
    return {weight.name: getattr(layer, weight.name).value for weight in node.weights}


def _scale(weights: Mapping[str, Any]) -> Any:
    """The scale of a norm: ones where it learns none."""
    return weights["gamma"] if "gamma" in weights else tf.ones_like(weights["beta"])


def _numbers(node: Node) -> dict[str, float]:
    """The numbers that dropout and stochastic depth need: the hash of their name, and their rate."""
    if not isinstance(node.op, ops.Dropping):
        return {}
    return {"hash": crc32(node.name.encode()) % 2**31, "rate": node.op.rate}


def _repeated(part: Repetition, tensor: Tensor, run: _Pass) -> Tensor:
    """The result of the last unit; notes the moments of all of them."""
    norms = [
        place
        for place, node in enumerate(part.nodes)
        if isinstance(node.op, ops.Norm) and run.uses_batch_statistics(node)
    ]
    widths = [part.nodes[place].shape[-1] for place in norms for _ in MOVING]

    def body(tensor: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor | None]:
        inner, values = run.within(parameters), {part.input: tensor}
        for node in part.nodes:
            values[node.name] = inner.result(node, values)
        moments = [moment for both in inner.moments.values() for moment in both]
        return values[part.nodes[-1].name], tf.concat(moments, 0) if moments else None

    parameters = {node.name: _used(run, node) for unit in part.units for node in unit}
    result, moments = repeat(part, run.cast(part.nodes[-1], tensor), parameters, body, sum(widths))
    rows = iter(tf.split(moments, widths, 1) if norms else ())
    for place in norms:
        means, variances = (tf.unstack(next(rows)) for _ in MOVING)
        run.moments |= {node.name: both for node, *both in zip(part.alike(place), means, variances, strict=True)}
    return result


def _used(run: _Pass, node: Node) -> dict[str, Any]:
    """The parameters of a node without moving statistics, where these are not read."""
    unread = MOVING if _is_norm_of_batch(run, node) else ()
    return {name: value for name, value in run.parameters[node.name].items() if name not in unread}


def _is_norm_of_batch(run: _Pass, node: Node) -> bool:
    return isinstance(node.op, ops.Norm) and run.uses_batch_statistics(node)
