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

_BLOCK = 16
"""On processors with AVX-512, oneDNN computes so many channels at once. Where fewer arrive at a 1x1 convolution with a
stride, its gradient in TensorFlow 2.21 writes beyond its memory, unless all threads have equally many images."""


def convolved(op: ops.Conv, images: Tensor, kernel: Tensor) -> Tensor:
    """What a convolution without its bias makes of images `(n, H, W, C)`."""
    channels, size = images.shape[-1], (images.shape[1], images.shape[2])
    pads, same = (
        ops.resolve_padding(size, op.kernel, op.stride, padding, op.dilation) for padding in (op.padding, "same")
    )
    padding = "SAME" if pads == same else "VALID"
    if padding == "VALID" and any(map(any, pads)):  # explicit padding inside the convolution is many times slower
        images = tf.pad(images, ((0, 0), *pads, (0, 0)))
    stride = op.stride
    if op.kernel == (1, 1) and stride != (1, 1) and channels < _BLOCK:
        images, stride = images[:, :: stride[0], :: stride[1]], (1, 1)
    if op.groups == channels > 1 and stride[0] == stride[1]:
        by_channel = tf.reshape(kernel, (*op.kernel, channels, op.filters // channels))
        return tf.nn.depthwise_conv2d(images, by_channel, (1, *stride, 1), padding, dilations=op.dilation)
    return tf.nn.conv2d(images, kernel, stride, padding, dilations=op.dilation)


def transposed(op: ops.ConvTranspose, images: Tensor, kernel: Tensor) -> Tensor:
    """What a transposed convolution without its bias makes of images."""
    rows, columns = op.full_size((images.shape[1], images.shape[2]))
    (top, bottom), (left, right) = op.cuts
    if op.padding == "same":
        rows, columns = op.output_shape(tuple(images.shape[1:]))[:2]
    shape, padding = (tf.shape(images)[0], rows, columns, op.filters), "SAME" if op.padding == "same" else "VALID"
    full = tf.nn.conv2d_transpose(images, kernel, shape, op.stride, padding)
    return full if padding == "SAME" else full[:, top : rows - bottom, left : columns - right]


def along_channels(vectors: Tensor, kernel: Tensor) -> Tensor:
    """What a convolution along the channels without its bias makes of vectors `(n, C)`."""
    return tf.nn.conv1d(vectors[..., tf.newaxis], kernel, 1, "SAME")[..., 0]


def normalised(op: ops.Norm, tensor: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """What a norm makes of each image by itself, computed in float32."""
    channels, axes = tensor.shape[-1], [*range(1, len(tensor.shape) - 1)]
    match op.over:
        case "layer":
            groups, size, axes = 1, channels, []
        case "group":
            groups, size = op.groups, channels // op.groups
        case "instance":
            groups, size = channels, 1
        case "batch":
            raise ValueError("a batch norm has statistics of its own")
        case _:
            assert_never(op.over)
    shape = tf.shape(tensor)
    values = tf.reshape(tf.cast(tensor, tf.float32), tf.concat([shape[:-1], [groups, size]], 0))
    mean, variance = tf.nn.moments(values, [*axes, len(tensor.shape)], keepdims=True)
    spread = tf.reshape((values - mean) * tf.math.rsqrt(variance + op.epsilon), shape)
    return tf.cast(spread * scale + shift, tensor.dtype)


def rectified(tensor: Tensor, slope: Tensor) -> Tensor:
    """The values, the negative ones times a slope."""
    return tf.nn.relu(tensor) - tf.cast(slope, tensor.dtype) * tf.nn.relu(-tensor)


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
            transform, carry = inputs[:2]
            gate = _spread(inputs[2], transform)
            return gate * transform + (1 - gate) * carry
        case _:
            assert_never(op)


def _product(inputs: Sequence[Tensor]) -> Tensor:
    result = inputs[0]
    for factor in inputs[1:]:
        result = result * _spread(factor, result)
    return result


def _spread(factor: Tensor, images: Tensor) -> Tensor:
    """One number a channel, so that it weighs images."""
    return factor[:, tf.newaxis, tf.newaxis] if len(factor.shape) < len(images.shape) else factor


def plain(op: ops.Plain, tensor: Tensor) -> Tensor:
    """What an op without parameters makes of images `(n, H, W, C)` or vectors `(n, features)`."""
    match op:
        case ops.Activation():
            return _FUNCTIONS[op.function](tensor)
        case ops.LeakyRelu():
            return tf.nn.leaky_relu(tensor, op.slope)
        case ops.MaxPool() | ops.AveragePool():
            return _pooled(op, tensor)
        case ops.GlobalAveragePool():
            return tf.reduce_mean(tensor, (1, 2), keepdims=not op.flat)
        case ops.GlobalMaxPool():
            return tf.reduce_max(tensor, (1, 2), keepdims=not op.flat)
        case ops.ChannelPool():
            pool = tf.reduce_mean if op.method == "average" else tf.reduce_max
            return pool(tensor, -1, keepdims=True)
        case ops.LocalResponseNorm():
            return _local_response_norm(op, tensor)
        case _:
            return _moved(op, tensor)


def _moved(op: ops.Moving, tensor: Tensor) -> Tensor:
    match op:
        case ops.Flatten():
            return tf.reshape(tensor, (tf.shape(tensor)[0], tensor.shape[1:].num_elements()))
        case ops.Subsample():
            return tf.nn.max_pool2d(tensor, 1, op.stride, "VALID")  # ten times as fast as a slice and its gradient
        case ops.Upsample():
            return _upsampled(op, tensor)
        case ops.Pad():
            return _padded(op, tensor)
        case ops.PadChannels():
            return tf.pad(tensor, ((0, 0), (0, 0), (0, 0), (0, op.channels - tensor.shape[-1])))
        case ops.SliceChannels():
            return tensor[..., op.start : op.stop]
        case ops.ShuffleChannels():
            return _shuffled(op, tensor)
        case _:
            assert_never(op)


def _upsampled(op: ops.Upsample, images: Tensor) -> Tensor:
    rows, columns = op.factor
    if op.method == "nearest":
        return tf.repeat(tf.repeat(images, rows, 1), columns, 2)
    size = (images.shape[1] * rows, images.shape[2] * columns)
    return tf.cast(tf.image.resize(images, size, "bilinear"), images.dtype)


def _padded(op: ops.Pad, images: Tensor) -> Tensor:
    match op.mode:
        case "zeros":
            return tf.pad(images, ((0, 0), *op.amount, (0, 0)))
        case "reflect":
            return tf.pad(images, ((0, 0), *op.amount, (0, 0)), "REFLECT")
        case "edge":
            for pads in op.mirrored():
                images = tf.pad(images, ((0, 0), *pads, (0, 0)), "SYMMETRIC")
            return images
        case _:
            assert_never(op.mode)


def _shuffled(op: ops.ShuffleChannels, tensor: Tensor) -> Tensor:
    shape = tf.shape(tensor)
    groups = tf.reshape(tensor, tf.concat([shape[:-1], [op.groups, tensor.shape[-1] // op.groups]], 0))
    return tf.reshape(tf.linalg.matrix_transpose(groups), shape)


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
