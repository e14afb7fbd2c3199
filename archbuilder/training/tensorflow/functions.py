"""What the ops of a graph do, in raw TensorFlow ops, as far as it follows from the op and what arrives alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

import tensorflow as tf

from archbuilder.aliases import Tensor
from archbuilder.graph import ops

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


def convolved(op: ops.Conv, images: Tensor, kernel: Tensor) -> Tensor:
    """What a convolution without its bias makes of images `(n, H, W, C)`."""
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
    """The padding of a pool, as TensorFlow's ops take it."""
    if padding == "same" or padding == "valid":
        return padding.upper()
    pads = ops.resolve_padding((size[0], size[1]), kernel, stride, padding)
    return [[0, 0], *map(list, pads), [0, 0]] if pads != ((0, 0), (0, 0)) else "VALID"


def merged(op: ops.Merge, inputs: Sequence[Tensor]) -> Tensor:
    """What becomes of several paths."""
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


def plain(op: ops.Plain, tensor: Tensor) -> Tensor:
    """What an op without parameters makes of images `(n, H, W, C)` or vectors `(n, features)`."""
    match op:
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
