"""A graph run by raw TensorFlow ops on the variables of its Keras model: the same function, several times as fast.

Three things make the difference to Keras' layers. The norm is one fused op, also under bfloat16. A bias that a norm
follows is left out while training, since the norm takes it off again: only its moving mean knows of it, and its
gradient is exactly zero. And where nothing is learned, a norm is folded into the convolution before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, assert_never
from zlib import crc32

import keras
import tensorflow as tf

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node
from archbuilder.keras_backend import layer_name

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Tensor = Any
Variable = Any

_TYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}
_FUNCTIONS: Mapping[ops.Function, Callable[[Tensor], Tensor]] = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "elu": tf.nn.elu,
    "gelu": tf.nn.gelu,
    "silu": tf.nn.silu,
    "hard_sigmoid": lambda tensor: tf.nn.relu6(tensor + 3) / 6,
    "hard_silu": lambda tensor: tensor * tf.nn.relu6(tensor + 3) / 6,
    "sigmoid": tf.sigmoid,
    "softplus": tf.math.softplus,
    "softmax": tf.nn.softmax,
    "tanh": tf.tanh,
}


class Forward:
    """The function of a graph, with the weights of the Keras model that `build_model` made of it.

    Images `(n, H, W, C)` run in the type of the precision, vectors `(n, features)`, and so the dense head, in float32.
    """

    def __init__(self, graph: Graph, model: keras.Model, precision: Precision = "float32") -> None:
        self.graph, self.precision = graph, precision
        self.variables: list[Variable] = [variable.value for variable in model.trainable_variables]
        """All that is trained, in the order of the model's trainable variables."""
        self.weights = {node.name: _weights(node, model) for node in graph.nodes}
        """The variables of each node by their names in the graph."""
        self._norms = _norms_behind_convolutions(graph)
        self._convolutions = {norm.name: graph[name] for name, norm in self._norms.items()}

    @property
    def ends_in_softmax(self) -> bool:
        """Whether the model returns probabilities; otherwise what it returns are the logits themselves."""
        op = self.graph[self.graph.outputs[-1]].op
        return isinstance(op, ops.Activation) and op.function == "softmax"

    def logits(self, images: Tensor, training: bool, seed: Tensor = (0, 0)) -> Tensor:
        """What enters the softmax of the last output `(n, classes)`, in float32.

        While training, norms take the batch's statistics and their moving statistics are updated; `seed`, two
        integers, then decides what dropout and stochastic depth drop.
        """
        values: dict[str, Tensor] = {}
        for node in self.graph.nodes:
            kind = _TYPES[self.precision] if len(node.shape) == 3 else tf.float32
            inputs = [tf.cast(values[name], kind) for name in node.inputs] or [tf.cast(images, kind)]
            values[node.name] = self._apply(node, inputs, training, seed)
        last = self.graph[self.graph.outputs[-1]]
        return tf.cast(values[last.inputs[0] if self.ends_in_softmax else last.name], tf.float32)

    def _apply(self, node: Node, inputs: Sequence[Tensor], training: bool, seed: Tensor) -> Tensor:
        match node.op:
            case ops.Conv():
                return self._conv(node, node.op, inputs[0], training)
            case ops.Norm():
                return self._norm(node, node.op, inputs[0], training)
            case ops.Dense():
                return self._dense(node, inputs[0])
            case ops.Dropout() | ops.StochasticDepth():
                return _dropped(node, node.op, inputs[0], seed) if training else inputs[0]
            case ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate():
                return _merged(node.op, inputs)
            case _:
                return _plain(node.op, inputs[0])

    def _conv(self, node: Node, op: ops.Conv, images: Tensor, training: bool) -> Tensor:
        weights = self.weights[node.name]
        kernel, bias = weights["kernel"], weights.get("bias")
        norm = self._norms.get(node.name)
        if norm is not None:
            kernel, bias = (kernel, None) if training else self._folded(norm, kernel, bias)
        features = _convolved(op, images, tf.cast(kernel, images.dtype))
        return features if bias is None else tf.nn.bias_add(features, tf.cast(bias, images.dtype))

    def _folded(self, norm: Node, kernel: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """The kernel and bias of one convolution that does what a convolution and its norm do."""
        scale, offset, mean, variance = self._norm_weights(norm)
        assert isinstance(norm.op, ops.Norm)
        factor = scale * tf.math.rsqrt(variance + norm.op.epsilon)
        return kernel * factor, offset + ((0.0 if bias is None else bias) - mean) * factor

    def _norm(self, node: Node, op: ops.Norm, tensor: Tensor, training: bool) -> Tensor:
        if node.name in self._convolutions and not training:
            return tensor
        scale, offset, mean, variance = self._norm_weights(node)
        statistics = [tf.zeros([0]), tf.zeros([0])] if training else [mean, variance]
        images = tf.reshape(tensor, (-1, 1, 1, node.shape[0])) if len(node.shape) == 1 else tensor
        normed, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images, scale=scale, offset=offset, mean=statistics[0], variance=statistics[1], epsilon=op.epsilon,
            is_training=training,
        )  # fmt: skip
        if training:
            count = tf.cast(tf.size(tensor), tf.float32) / node.shape[-1]
            self._update(node, op, batch_mean, batch_variance * (count - 1) / count)  # the op divides by N - 1
        return tf.reshape(normed, tf.shape(tensor)) if len(node.shape) == 1 else normed

    def _update(self, node: Node, op: ops.Norm, batch_mean: Tensor, batch_variance: Tensor) -> None:
        _, _, mean, variance = self._norm_weights(node)
        convolution = self._convolutions.get(node.name)
        if convolution is not None and "bias" in self.weights[convolution.name]:
            batch_mean = batch_mean + self.weights[convolution.name]["bias"]
        mean.assign(op.momentum * mean + (1 - op.momentum) * batch_mean)
        variance.assign(op.momentum * variance + (1 - op.momentum) * batch_variance)

    def _norm_weights(self, node: Node) -> tuple[Variable, Variable, Variable, Variable]:
        weights = self.weights[node.name]
        return weights["gamma"], weights["beta"], weights["moving_mean"], weights["moving_variance"]

    def _dense(self, node: Node, tensor: Tensor) -> Tensor:
        weights = self.weights[node.name]
        product = tf.tensordot(tensor, tf.cast(weights["kernel"], tensor.dtype), 1)
        return tf.nn.bias_add(product, tf.cast(weights["bias"], tensor.dtype)) if "bias" in weights else product


def _weights(node: Node, model: keras.Model) -> dict[str, Variable]:
    if not node.weights:
        return {}
    layer = model.get_layer(layer_name(node.name))
    return {weight.name: getattr(layer, weight.name).value for weight in node.weights}


def _norms_behind_convolutions(graph: Graph) -> dict[str, Node]:
    """The norm of each convolution whose result goes to a norm and nowhere else."""
    uses = Counter(name for node in graph.nodes for name in node.inputs) + Counter(graph.outputs)
    return {
        node.inputs[0]: node
        for node in graph.nodes
        if isinstance(node.op, ops.Norm) and uses[node.inputs[0]] == 1
        if isinstance(graph[node.inputs[0]].op, ops.Conv)
    }


def _convolved(op: ops.Conv, images: Tensor, kernel: Tensor) -> Tensor:
    channels, size = images.shape[-1], (images.shape[1], images.shape[2])
    pads, same = (
        ops.resolve_padding(size, op.kernel, op.stride, padding, op.dilation) for padding in (op.padding, "same")
    )
    padding = "SAME" if pads == same else "VALID"
    if padding == "VALID" and any(map(any, pads)):  # explicit padding inside the convolution is many times slower
        images = tf.pad(images, ((0, 0), *pads, (0, 0)))
    if op.groups == channels > 1 and op.stride[0] == op.stride[1]:
        by_channel = tf.reshape(kernel, (*op.kernel, channels, op.filters // channels))
        return tf.nn.depthwise_conv2d(images, by_channel, (1, *op.stride, 1), padding, dilations=op.dilation)
    return tf.nn.conv2d(images, kernel, op.stride, padding, dilations=op.dilation)


def _padding(padding: ops.Padding, size: Sequence[int], kernel: ops.Pair, stride: ops.Pair) -> Any:
    """Of a pool, as TensorFlow's ops take it."""
    if padding == "same" or padding == "valid":
        return padding.upper()
    pads = ops.resolve_padding((size[0], size[1]), kernel, stride, padding)
    return [[0, 0], *map(list, pads), [0, 0]] if pads != ((0, 0), (0, 0)) else "VALID"


def _dropped(node: Node, op: ops.Dropout | ops.StochasticDepth, tensor: Tensor, seed: Tensor) -> Tensor:
    own = tf.random.fold_in(seed, crc32(node.name.encode()) % 2**31)
    ones = [1] * len(node.shape)
    shape = [tf.shape(tensor)[0], *ones] if isinstance(op, ops.StochasticDepth) else None
    return tf.nn.experimental.stateless_dropout(tensor, op.rate, own, noise_shape=shape)


def _merged(op: ops.Merge, inputs: Sequence[Tensor]) -> Tensor:
    match op:
        case ops.Add():
            return inputs[0] + inputs[1] if len(inputs) == 2 else tf.add_n(inputs)
        case ops.Multiply():
            return _product(inputs)
        case ops.Concat():
            return tf.concat(inputs, -1)
        case ops.Gate():
            transform, carry, gate = inputs
            return gate * transform + (1 - gate) * carry
        case _:
            assert_never(op)


def _product(inputs: Sequence[Tensor]) -> Tensor:
    result = inputs[0]
    for factor in inputs[1:]:
        is_vector = len(factor.shape) < len(result.shape)
        result = result * (factor[:, tf.newaxis, tf.newaxis] if is_vector else factor)
    return result


def _plain(
    op: ops.Input | ops.Activation | ops.MaxPool | ops.AveragePool | ops.GlobalAveragePool | ops.Flatten | ops.Scale
    | ops.Subsample | ops.Pad | ops.PadChannels | ops.LocalResponseNorm,
    tensor: Tensor,
) -> Tensor:  # fmt: skip
    match op:
        case ops.Input():
            return tensor
        case ops.Activation():
            return _FUNCTIONS[op.function](tensor)
        case ops.MaxPool() | ops.AveragePool():
            return _pooled(op, tensor)
        case ops.GlobalAveragePool():
            return tf.reduce_mean(tensor, (1, 2))
        case ops.Flatten():
            return tf.reshape(tensor, (tf.shape(tensor)[0], tensor.shape[1:].num_elements()))
        case ops.Scale():
            return tensor * op.factor
        case ops.Subsample():
            return tf.nn.max_pool2d(tensor, 1, op.stride, "VALID")  # ten times as fast as a slice and its gradient
        case ops.Pad():
            return tf.pad(tensor, ((0, 0), *op.amount, (0, 0)))
        case ops.PadChannels():
            return tf.pad(tensor, ((0, 0), (0, 0), (0, 0), (0, op.channels - tensor.shape[-1])))
        case ops.LocalResponseNorm():
            return _local_response_norm(op, tensor)
        case _:
            assert_never(op)


def _pooled(op: ops.MaxPool | ops.AveragePool, images: Tensor) -> Tensor:
    padding = _padding(op.padding, images.shape[1:3], op.size, op.stride)
    pool = tf.nn.max_pool2d if isinstance(op, ops.MaxPool) else tf.nn.avg_pool2d
    if not isinstance(padding, str):
        filling = images.dtype.min if isinstance(op, ops.MaxPool) else 0.0
        images, padding = tf.pad(images, padding, constant_values=tf.constant(filling, images.dtype)), "VALID"
    return pool(images, op.size, op.stride, padding)


def _local_response_norm(op: ops.LocalResponseNorm, images: Tensor) -> Tensor:
    before, channels = (op.size - 1) // 2, images.shape[-1]
    squares = tf.square(tf.cast(images, tf.float32))
    padded = tf.pad(squares, ((0, 0), (0, 0), (0, 0), (before, op.size - 1 - before)))
    total = tf.add_n([padded[..., first : first + channels] for first in range(op.size)])
    return images * tf.cast((op.bias + op.alpha / op.size * total) ** -op.beta, images.dtype)
