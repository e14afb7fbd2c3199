"""Nodes of ONNX as ops: one function a kind, from its settings and the tensors that arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, isclose, prod

import numpy as np

from archbuilder.aliases import Array
from archbuilder.graph import ops
from archbuilder.graph.ops import Pads, Pair
from archbuilder.importing import arithmetic
from archbuilder.importing.building import Affine, Response, Spread, UnreadError, Value, short
from archbuilder.importing.keras_settings import count, integer, rate
from archbuilder.importing.onnx_tensors import (
    BATCH,
    FIRST,
    FLAT,
    LAST,
    PLACE,
    SEQUENCE,
    VECTOR,
    VOLUME,
    NodeOf,
    Tensor,
    place,
    reshaped,
    transposed,
    vector,
)  # fmt: skip

Make = Callable[[NodeOf], Tensor]
_MOST_COMPUTED = 10_000
"""How many numbers an array has at most that follows from constants."""
_IMAGES = 2
"""How many images stand for any number of them, where numbers are made for each."""
_START: ops.NamedInitializer = "he_normal"
"""How kernels start here, of which no file of ONNX says anything: as the language has them."""


def read(node: NodeOf) -> None:
    """Adds what a node returns to the tensors, or the constants, that are known."""
    if (fold := _FOLDED.get(node.kind)) is not None and all(
        not name or node.maker.constant(name) is not None for name in node.inputs
    ):
        arrays = [np.empty(0) if not name else node.maker.constant(name) for name in node.inputs]
        found = fold(node, [one for one in arrays if one is not None])
        node.maker.computed[node.outputs[0]] = found
        return
    if node.kind == "Shape":
        sizes = [BATCH, *node.tensor().sizes][node.attributes.get("start", 0) : node.attributes.get("end")]
        node.maker.computed[node.outputs[0]] = np.array(sizes, np.int64)
        return
    if node.kind == "Split":
        _split(node)
        return
    if (make := _NODES.get(node.kind)) is None:
        raise UnreadError("this kind of node is not read")
    node.give(make(node))


# Constants.


def _constant(node: NodeOf, arrays: list[Array]) -> Array:
    from pathlib import Path

    from archbuilder.importing.onnx_file import array_of

    for key in ("value_float", "value_int", "value_floats", "value_ints"):
        if key in node.attributes:
            return np.asarray(node.attributes[key])
    return array_of(node.attributes["value"], Path("/nonexistent"))


def _small(array: Array) -> Array:
    _enough(array.size)
    return array


def _enough(size: int) -> None:
    if size > _MOST_COMPUTED:
        raise UnreadError("a large array is computed of constants")


def _gathered(node: NodeOf, arrays: list[Array]) -> Array:
    data, indices = arrays
    return np.take(_small(data), indices.astype(np.int64), axis=node.attributes.get("axis", 0))


def _sliced(node: NodeOf, arrays: list[Array]) -> Array:
    data = _small(arrays[0])
    starts, ends = node.listed("starts", 1), node.listed("ends", 2)
    steps = node.listed("steps", 4) or [1]
    if data.ndim != 1 or starts is None or ends is None:
        raise UnreadError("it slices constants of several axes")
    return data[starts[0] : ends[0] : steps[0]]


def _unsqueezed(node: NodeOf, arrays: list[Array]) -> Array:
    axes = node.listed("axes", 1) or [0]
    return np.expand_dims(arrays[0], tuple(axes))


def _squeezed(node: NodeOf, arrays: list[Array]) -> Array:
    return np.squeeze(arrays[0])


def _turned(node: NodeOf, arrays: list[Array]) -> Array:
    return arrays[0].transpose(node.attributes.get("perm"))


def _computed(operation: Callable[[Array, Array], Array]) -> Callable[[NodeOf, list[Array]], Array]:
    """Adds, multiplies, and so on, two small arrays."""

    def fold(node: NodeOf, arrays: list[Array]) -> Array:
        one, other = arrays
        _enough(prod(np.broadcast_shapes(one.shape, other.shape)))
        return operation(one, other)

    return fold


def _quotient(one: Array, other: Array) -> Array:
    if not np.all(other):
        raise UnreadError("it divides by nothing")
    return one // other if np.issubdtype(one.dtype, np.integer) else one / other


def _range(node: NodeOf, arrays: list[Array]) -> Array:
    """Numbers one after the other; one for each image, where there are as many as those."""
    begin, end, step = (int(array.item()) for array in arrays)
    numbers = range(begin, _IMAGES if end == BATCH else end, step)
    _enough(len(numbers))
    return np.array(numbers, np.int64)


_FOLDED: Mapping[str, Callable[[NodeOf, list[Array]], Array]] = {
    "Constant": _constant, "Identity": lambda node, arrays: arrays[0], "Gather": _gathered, "Slice": _sliced,
    "Unsqueeze": _unsqueezed, "Squeeze": _squeezed, "Transpose": _turned,
    "Cast": lambda node, arrays: arrays[0], "Range": _range,
    "Add": _computed(np.add), "Sub": _computed(np.subtract), "Mul": _computed(np.multiply), "Div": _computed(_quotient),
    "Concat": lambda node, arrays: _small(np.concatenate(arrays, node.attributes.get("axis", 0))),
}  # fmt: skip
"""What is computed where all that arrives are constants."""


# Convolutions and dense layers.


def _pair(node: NodeOf, key: str, usual: int = 1) -> Pair:
    values = node.attributes.get(key) or [usual, usual]
    if len(values) != 2:
        raise UnreadError("it is no window over rows and columns")
    return (integer(int(values[0])), integer(int(values[1])))


def _pads(node: NodeOf) -> ops.Padding:
    match node.attributes.get("auto_pad", "NOTSET"):
        case "SAME_UPPER":
            return "same"
        case "VALID":
            return "valid"
        case "NOTSET" | "":
            top, left, bottom, right = (count(int(one)) for one in node.attributes.get("pads") or [0, 0, 0, 0])
            return ((top, bottom), (left, right))
        case _:
            raise UnreadError("it pads more before than behind")


def _conv(node: NodeOf) -> Tensor:
    kernel, bias = node.own_kernel(1), node.constant(2)
    if kernel.ndim == 3:
        return _channel_conv(node, kernel, bias)
    tensor = node.image()
    filters, _, *window = kernel.shape
    size = (integer(window[0]), integer(window[1]))
    arrays = (kernel.transpose(2, 3, 1, 0), *([] if bias is None else [bias]))
    if tensor.axes == PLACE:
        if size != (1, 1):
            raise UnreadError("it sees more than the one place that there is")
        return place(node.add(ops.Dense(filters, bias is not None, _START, 0.0), tensor, *arrays).value)
    op = ops.Conv(
        filters, size, _pair(node, "strides"), _pads(node), _pair(node, "dilations"),
        integer(int(node.attributes.get("group", 1))), bias is not None, _START, 0.0,
    )  # fmt: skip
    return node.add(op, tensor, *arrays)


def _channel_conv(node: NodeOf, kernel: Array, bias: Array | None) -> Tensor:
    """A convolution along the channels of a vector, which stands there as a sequence."""
    tensor, size = node.tensor(), kernel.shape[2]
    pads = [int(one) for one in node.attributes.get("pads") or [0, 0]]
    if tensor.axes != SEQUENCE or kernel.shape[:2] != (1, 1) or pads != [(size - 1) // 2, size // 2]:
        raise UnreadError("it is no convolution along the channels of a vector")
    op = ops.ChannelConv(size, bias is not None, _START, 0.0)
    made = node.add(op, vector(tensor.value), kernel.transpose(2, 1, 0), *([] if bias is None else [bias]))
    return replace(made, axes=SEQUENCE)


def _transposed_conv(node: NodeOf) -> Tensor:
    kernel, bias, tensor = node.own_kernel(1), node.constant(2), node.image()
    _, filters, *window = kernel.shape
    stride, padding = _pair(node, "strides"), _pads(node)
    size = (integer(window[0]), integer(window[1]))
    rest = tuple(max(s - k, 0) for s, k in zip(stride, size, strict=True))
    told = tuple(int(one) for one in node.attributes.get("output_padding") or (0, 0))
    if node.attributes.get("group", 1) != 1 or _pair(node, "dilations") != (1, 1) or told != rest:
        raise UnreadError("it has groups, spreads its kernel, or adds to its output")
    op = ops.ConvTranspose(filters, size, stride, padding, bias is not None, _START, 0.0)
    return node.add(op, tensor, kernel.transpose(2, 3, 1, 0), *([] if bias is None else [bias]))


def _gemm(node: NodeOf) -> Tensor:
    kernel, bias = node.own_kernel(1), node.constant(2)
    if any(node.attributes.get(key, 1.0) != 1.0 for key in ("alpha", "beta")) or node.attributes.get("transA"):
        raise UnreadError("it scales or turns what arrives")
    return _dense(node, kernel.T if node.attributes.get("transB") else kernel, bias)


def _matmul(node: NodeOf) -> Tensor:
    return _dense(node, node.own_kernel(1), None)


def _dense(node: NodeOf, kernel: Array, bias: Array | None) -> Tensor:
    tensor = node.tensor()
    if kernel.ndim != 2 or tensor.axes not in (VECTOR, LAST, FLAT):
        raise UnreadError("it multiplies something else than features by a kernel")
    kernel = _as_flattened(node, tensor, kernel)
    op = ops.Dense(kernel.shape[1], bias is not None, _START, 0.0)
    tensor = replace(tensor, axes=VECTOR if tensor.axes == FLAT else tensor.axes)
    return node.add(op, tensor, kernel, *([] if bias is None else [bias]))


def _as_flattened(node: NodeOf, tensor: Tensor, array: Array) -> Array:
    """Weights behind an image that was made a vector with columns varying fastest, for one with channels doing so."""
    if tensor.axes != FLAT:
        return array
    before = tensor.value.node
    while not isinstance(before.op, ops.Flatten):
        before = node.builder.nodes[before.inputs[0]]
    height, width, channels = node.builder.nodes[before.inputs[0]].shape
    return array.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(array.shape)


# Norms.


def _batch_norm(node: NodeOf) -> Tensor:
    tensor = _by_channel(node)
    momentum = node.attributes.get("momentum")
    node.maker.has_batch_norms = True
    node.maker.told_momentum |= momentum is not None
    op = ops.Norm(0.9 if momentum is None else short(momentum), _epsilon(node), False)
    return node.alike(op, tensor, *(_as_flattened(node, tensor, node.needed(index)) for index in range(1, 5)))


def _by_channel(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    if tensor.axes not in (FIRST, PLACE, VECTOR, FLAT):
        raise UnreadError("its channels are not where those of images are")
    return tensor


def _epsilon(node: NodeOf) -> float:
    return short(node.attributes.get("epsilon", 1e-5))


def _instance_norm(node: NodeOf) -> Tensor:
    return node.alike(ops.Norm(0.0, _epsilon(node), False, "instance"), node.image(), node.needed(1), node.needed(2))


def _group_norm(node: NodeOf) -> Tensor:
    scale, shift, tensor = node.needed(1), node.needed(2), node.image()
    groups = integer(int(node.attributes["num_groups"]))
    if scale.size != tensor.value.shape[-1]:
        raise UnreadError("it has a scale for each group, not for each channel")
    return node.alike(ops.Norm(0.0, _epsilon(node), False, "group", groups), tensor, scale, shift)


def _layer_norm(node: NodeOf) -> Tensor:
    tensor, scale = node.tensor(), node.needed(1)
    last = tensor.axes == FLAT or (tensor.axes[-1] == "c" and {*tensor.axes[:-1]} in ({"1"}, {"h", "w"}, set()))
    if not last or node.attributes.get("axis", -1) not in (-1, len(tensor.axes)):
        raise UnreadError("it is over other axes than the channels of each place")
    shift = node.constant(2)
    zeros = np.zeros(scale.shape, np.float32) if shift is None else shift
    arrays = (_as_flattened(node, tensor, array) for array in (scale, zeros))
    return node.alike(ops.Norm(0.0, _epsilon(node), False, "layer"), tensor, *arrays)


# Activations.


def _function(function: ops.Function) -> Make:
    return lambda node: node.alike(ops.Activation(function), node.tensor())


def _softmax(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    axis = node.attributes.get("axis", -1 if node.maker.opset >= 13 else 1)
    if tensor.axes[axis - 1 if axis > 0 else axis] != "c":
        raise UnreadError("it is over another axis than the channels")
    return node.alike(ops.Activation("softmax"), tensor)


def _clip(node: NodeOf) -> Tensor:
    ends = [node.attributes.get(key, node.constant(index)) for index, key in enumerate(("min", "max"), 1)]
    low, high = (None if one is None else float(np.asarray(one).ravel()[0]) for one in ends)
    tensor = node.tensor()
    if (low, high) == (0.0, 6.0):
        return replace(tensor, value=arithmetic.relu6(node.builder, node.plain_name, tensor.value))
    if low == 0.0 and (high is None or high > 1e30):
        return node.alike(ops.Activation("relu"), tensor)
    raise UnreadError("it cuts values elsewhere than at 0 and 6")


def _hard_sigmoid(node: NodeOf) -> Tensor:
    slope, shift = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    if not isclose(slope, 1 / 6, rel_tol=1e-4) or shift != 0.5:
        raise UnreadError("it is another line than x / 6 + 1 / 2")
    return node.alike(ops.Activation("hard_sigmoid"), node.tensor())


def _leaky_relu(node: NodeOf) -> Tensor:
    return node.alike(ops.LeakyRelu(short(node.attributes.get("alpha", 0.01))), node.tensor())


def _prelu(node: NodeOf) -> Tensor:
    slopes, tensor = node.needed(1), node.tensor()
    channels = tensor.value.node.shape[-1]
    if slopes.size not in (1, channels) or (slopes.size > 1 and tensor.axes not in (FIRST, PLACE, VECTOR)):
        raise UnreadError("its slopes are of single places")
    return node.alike(ops.Prelu(0.25, slopes.size == 1 < channels), tensor, slopes)


def _elu(node: NodeOf) -> Tensor:
    if node.attributes.get("alpha", 1.0) != 1.0:
        raise UnreadError("its negative values come to another number than -1")
    return node.alike(ops.Activation("elu"), node.tensor())


def _gelu(node: NodeOf) -> Tensor:
    if node.attributes.get("approximate", "none") != "none":
        raise UnreadError("it is an approximation")
    return node.alike(ops.Activation("gelu"), node.tensor())


def _erf(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    if (value := arithmetic.erf(tensor.value)) is None:
        raise UnreadError("it is no part of a GELU")
    return replace(tensor, value=value)


# Pools, and what moves values.


def _pool(kind: type[ops.MaxPool | ops.AveragePool]) -> Make:
    def make(node: NodeOf) -> Tensor:
        if kind is ops.AveragePool and isinstance(trick := node.tensor().value.trick, Response):
            return _mean_of_squares(node, trick)
        tensor = node.image()
        size, stride, padding = _pair(node, "kernel_shape"), _pair(node, "strides"), _pads(node)
        if _pair(node, "dilations") != (1, 1):
            raise UnreadError("its window is spread")
        arriving = (tensor.value.node.shape[0], tensor.value.node.shape[1])
        if node.attributes.get("ceil_mode"):
            padding = _rounded_up(kind, arriving, size, stride, padding)
        if kind is ops.AveragePool and not node.attributes.get("count_include_pad"):
            padding = _uncounted(arriving, size, stride, padding)
        return node.add(kind(size, stride, padding), tensor)

    return make


def _mean_of_squares(node: NodeOf, trick: Response) -> Tensor:
    """The part of a local response norm that looks at several channels, along a third axis."""
    tensor, size = node.tensor(), [int(one) for one in node.attributes["kernel_shape"]]
    pads = [int(one) for one in node.attributes.get("pads") or [0] * 6]
    if any(pads):
        if not node.attributes.get("count_include_pad") or {pads[1], pads[2], pads[4], pads[5]} != {0}:
            raise UnreadError("it is no part of a local response norm")
        trick = arithmetic.about(trick, count(pads[0]), count(pads[3]))
    plain = {*(node.attributes.get("strides") or [1])} == {1} and not node.attributes.get("ceil_mode")
    if tensor.axes != VOLUME or size != [trick.size, 1, 1] or not plain:
        raise UnreadError("it is no part of a local response norm")
    return replace(tensor, value=replace(tensor.value, trick=trick))


def _power(node: NodeOf) -> Tensor:
    tensor, exponent = node.tensor(), node.needed(1)
    if exponent.size != 1 or (found := arithmetic.power(tensor.value, short(float(exponent.item())))) is None:
        raise UnreadError("it is no part of a local response norm")
    return replace(tensor, value=found)


def _rounded_up(kind: type[object], arriving: Pair, size: Pair, stride: Pair, padding: ops.Padding) -> ops.Padding:
    """The padding with as many rows and columns behind as a last window takes that only begins in the image."""
    pads = ops.resolve_padding(arriving, size, stride, padding)
    found = []
    for length, window, step, (before, behind) in zip(arriving, size, stride, pads, strict=True):
        left = (length + before + behind - window) % step
        more = step - left if left else 0
        if more and length + before + behind - window - left + step >= length + before:
            more = 0  # a window that would begin behind the image is left out
        found.append((before, behind + more))
    if kind is ops.AveragePool and (found[0], found[1]) != pads:
        raise UnreadError("its last windows reach beyond the image")
    return (found[0], found[1])


def _uncounted(arriving: Pair, size: Pair, stride: Pair, padding: ops.Padding) -> ops.Padding:
    """`same` for padding that is left out of the mean."""
    pads = ops.resolve_padding(arriving, size, stride, padding)
    if pads == ((0, 0), (0, 0)):
        return "valid"
    if pads != ops.resolve_padding(arriving, size, stride, "same"):
        raise UnreadError("it leaves out of the mean what it pads, and pads otherwise than `same` does")
    return "same"


def _global(kind: type[ops.GlobalAveragePool | ops.GlobalMaxPool]) -> Make:
    def make(node: NodeOf) -> Tensor:
        return place(node.add(kind(), node.image()).value)

    return make


def _reduce(over_places: type[ops.GlobalAveragePool | ops.GlobalMaxPool], method: ops.PoolMethod) -> Make:
    def make(node: NodeOf) -> Tensor:
        tensor, keeps = node.tensor(), node.attributes.get("keepdims", 1)
        rank = len(tensor.axes) + 1
        axes = sorted(axis % rank for axis in node.listed("axes", 1) or range(1, rank))
        over = {tensor.axes[axis - 1] for axis in axes if axis}
        if 0 not in axes and tensor.is_image and over == {"h", "w"}:
            made = node.builder.add(node.plain_name, over_places(), tensor.value)
            return vector(made) if not keeps else _placed(made, tensor)
        if 0 not in axes and tensor.axes == FIRST and over == {"c"} and keeps:
            return node.add(ops.ChannelPool(method), tensor)
        if tensor.axes == PLACE and over == {"1"}:
            return tensor if keeps else vector(tensor.value)
        raise UnreadError("it is over other axes than places, or channels")

    return make


def _placed(made: Value, tensor: Tensor) -> Tensor:
    if tensor.axes == LAST:
        raise UnreadError("it keeps the places of an image whose channels come last")
    return place(made)


def _flatten(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    if node.attributes.get("axis", 1) != 1:
        raise UnreadError("it makes a vector of the batch as well")
    return reshaped(node, tensor, [prod(tensor.sizes)])


def _reshape(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    sizes = [int(one) for one in node.needed(1).ravel()]
    here = [-1, *tensor.sizes]
    told = [here[at] if size == 0 and at < len(here) else size for at, size in enumerate(sizes)]
    batch, *rest = told
    if told == [BATCH] and tensor.value.trick is None:
        return replace(tensor, axes=("n", *tensor.axes))
    if batch not in (-1, 1) or (batch == 1 and prod(rest) != prod(tensor.sizes) and -1 not in rest):
        raise UnreadError("it moves the axis of the batch")
    return reshaped(node, tensor, rest)


def _expand(node: NodeOf) -> Tensor:
    """One number for each channel, seen at each place of an image."""
    tensor, sizes = node.tensor(), [int(one) for one in node.needed(1).ravel()]
    _, *told = [1] * (len(tensor.axes) + 1 - len(sizes)) + sizes
    wanted = [max(one, other) for one, other in zip(told, tensor.sizes, strict=True)]
    if wanted == [*tensor.sizes]:
        return tensor
    if tensor.axes != PLACE or wanted[0] != tensor.sizes[0] or tensor.value.trick is not None:
        raise UnreadError("it repeats something else than one number for each channel")
    return replace(tensor, value=replace(tensor.value, trick=Spread(wanted[1], wanted[2])))


def _squeeze(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    rank = len(tensor.axes) + 1
    axes = [axis % rank for axis in node.listed("axes", 1) or []]
    if not axes:
        raise UnreadError("it does not say which axes it leaves out")
    return _shaped(node, tensor, [size for at, size in enumerate(tensor.sizes, 1) if at not in axes], axes)


def _shaped(node: NodeOf, tensor: Tensor, sizes: list[int], axes: list[int]) -> Tensor:
    if tensor.axes == SEQUENCE and axes == [1]:
        return vector(tensor.value)
    return reshaped(node, tensor, sizes)


def _unsqueeze(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    axes = node.listed("axes", 1) or []
    rank = len(tensor.axes) + 1 + len(axes)
    axes = sorted(axis % rank for axis in axes)
    if tensor.axes == VECTOR and axes == [1]:
        return replace(tensor, axes=SEQUENCE)
    if tensor.axes == VECTOR and axes == [2, 3]:
        return place(tensor.value)
    if tensor.axes == FIRST and axes == [1]:
        return replace(tensor, axes=VOLUME)
    raise UnreadError("it adds axes that images do not have")


def _transpose(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    order = node.attributes.get("perm") or [*reversed(range(len(tensor.axes) + 1))]
    return transposed(node, tensor, [int(one) for one in order])


def _pad(node: NodeOf) -> Tensor:
    tensor, mode = node.spread(), node.attributes.get("mode", "constant")
    amounts = node.listed("pads", 1)
    if isinstance(trick := tensor.value.trick, Response) and amounts is not None and tensor.axes == VOLUME:
        *_, behind, _, _ = amounts
        if [one for at, one in enumerate(amounts) if at not in (2, 7)] != [0] * 8:
            raise UnreadError("it is no part of a local response norm")
        trick = arithmetic.about(trick, count(amounts[2]), count(behind))
        return replace(tensor, value=replace(tensor.value, trick=trick))
    value = node.attributes.get("value", node.constant(2) if len(node.inputs) > 2 else 0.0)
    if amounts is None or len(amounts) != 8 or tensor.axes != FIRST or mode not in ("constant", "reflect", "edge"):
        raise UnreadError("it pads something else than images with their channels first")
    if value is not None and float(np.asarray(value).ravel()[0]) != 0.0:
        raise UnreadError("it pads with something else than zeros")
    n, c, top, left, n2, behind, bottom, right = amounts
    pads: Pads = ((count(top), count(bottom)), (count(left), count(right)))
    if (n, c, n2) != (0, 0, 0) or (behind and pads != ((0, 0), (0, 0))):
        raise UnreadError("it pads other axes than rows and columns, or channels behind")
    if behind:
        return node.add(ops.PadChannels(tensor.value.shape[-1] + count(behind)), tensor)
    kinds: Mapping[str, ops.PadMode] = {"constant": "zeros", "reflect": "reflect", "edge": "edge"}
    return node.add(ops.Pad(pads, kinds[mode]), tensor)


def _slice(node: NodeOf) -> Tensor:
    tensor = node.tensor()
    starts, ends = node.listed("starts", 1), node.listed("ends", 2)
    if starts is None or ends is None:
        raise UnreadError("it does not say what it slices")
    axes = node.listed("axes", 3) or [*range(len(starts))]
    steps = node.listed("steps", 4) or [1] * len(starts)
    sizes, stride, channels = tensor.sizes, {"h": 1, "w": 1}, None
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis %= len(sizes) + 1
        if axis == 0:
            raise UnreadError("it slices the batch")
        size, label = sizes[axis - 1], tensor.axes[axis - 1]
        first, last = (min(max(one + size if one < 0 else one, 0), size) for one in (start, end))
        if label == "c" and step == 1:
            channels = (first, last)
        elif label in stride and (first, last) == (0, size) and step > 0:
            stride[label] = step
        elif (first, last, step) != (0, size, 1):
            raise UnreadError("it crops an image, which the language has no word for")
    if stride != {"h": 1, "w": 1}:
        tensor = node.add(ops.Subsample((integer(stride["h"]), integer(stride["w"]))), tensor)
    if channels is not None and channels != (0, tensor.value.shape[-1]):
        tensor = node.add(ops.SliceChannels(*channels), tensor)
    return tensor


def _split(node: NodeOf) -> None:
    """Slices of the channels, side by side."""
    tensor = node.tensor()
    axis = node.attributes.get("axis", 0) % (len(tensor.axes) + 1)
    if axis == 0 or tensor.axes[axis - 1] != "c":
        raise UnreadError("it parts another axis than channels")
    whole, parts = tensor.value.shape[-1], len(node.outputs)
    sizes = node.listed("split", 1) or [whole // parts] * parts
    start = 0
    for output, size in enumerate(sizes):
        node.give(node.add(ops.SliceChannels(start, start + integer(size)), tensor), output)
        start += size
    if start != whole:
        raise UnreadError("it parts channels unevenly")


def _resize(node: NodeOf) -> Tensor:
    tensor = node.image()
    height, width = tensor.value.node.shape[:2]
    # Before version 11, a pixel is the one before its place divided by the factor, and nothing says otherwise.
    of_old = node.kind == "Upsample" or node.maker.opset < 11
    scales = node.attributes.get("scales", node.constant(1 if of_old else 2))
    if scales is not None and np.asarray(scales).size == 4:
        factors = [float(one) for one in np.asarray(scales).ravel()]
    else:
        sizes = node.needed(3).ravel()
        factors = [1.0, 1.0, int(sizes[2]) / height, int(sizes[3]) / width]
    places = "asymmetric" if of_old else node.attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if of_old else node.attributes.get("nearest_mode", "round_prefer_floor")
    whole = all(one == int(one) and one >= 1 for one in factors) and factors[:2] == [1.0, 1.0]
    if not whole:
        raise UnreadError("it makes images larger by no whole number")
    wanted = (integer(int(factors[2])), integer(int(factors[3])))
    match node.attributes.get("mode", "nearest"), places:
        case "nearest", "asymmetric" | "half_pixel" | "pytorch_half_pixel":
            sides = zip(wanted, (height, width), strict=True)
            if not all(_repeats_pixels(factor, side, places, rounding) for factor, side in sides):
                raise UnreadError(f"it does not repeat each pixel: places by {places}, and {rounding}")
            method: ops.Method = "nearest"
        case "linear" | "bilinear", "half_pixel" | "pytorch_half_pixel":
            method = "bilinear"
        case _:
            raise UnreadError("it takes pixels in another way than by their middles")
    return node.add(ops.Upsample(wanted, method), tensor)


_ROUNDINGS: Mapping[str, Callable[[Fraction], int]] = {
    "floor": floor, "ceil": ceil, "round_prefer_floor": lambda place: ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: floor(place + Fraction(1, 2)),
}  # fmt: skip
"""How the nearest pixel is chosen, by the names of ONNX."""


def _repeats_pixels(factor: int, side: int, places: str, rounding: str) -> bool:
    """Whether each pixel comes so many times, one after the other; three pixels say it for all."""
    if (rounded := _ROUNDINGS.get(rounding)) is None:
        raise UnreadError("it rounds in no way that is known")
    half = Fraction(0) if places == "asymmetric" else Fraction(1, 2)
    chosen = ((Fraction(at) + half) / factor - half for at in range(min(side, 3) * factor))
    found = (min(max(rounded(place), 0), side - 1) for place in chosen)
    return all(pixel == at // factor for at, pixel in enumerate(found))


def _gather(node: NodeOf) -> Tensor:
    """The colours of pixels in another order, before the network; or all numbers of images in the order they are in."""
    tensor, indices = node.tensor(), node.needed(1)
    order = [int(one) for one in indices.ravel()]
    if tensor.axes[0] == "n":
        tensor = replace(tensor, axes=tensor.axes[1:])
        if order != [*range(prod(tensor.sizes) * indices.shape[0])]:
            raise UnreadError("it takes numbers of images in another order")
        return reshaped(node, tensor, indices.shape[1:])
    axis = node.attributes.get("axis", 0) % (len(tensor.axes) + 1)
    is_turned = order == [*reversed(range(tensor.value.shape[-1]))]
    if axis == 0 or tensor.axes[axis - 1] != "c" or not isinstance(tensor.value.node.op, ops.Input) or not is_turned:
        raise UnreadError("it takes channels in another order")
    node.builder.note("images are to arrive with blue first: the file itself turned the colours")
    return tensor


def _local_response_norm(node: NodeOf) -> Tensor:
    settings = (short(node.attributes.get(key, usual)) for key, usual in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1)))
    alpha, beta, bias = settings
    size = integer(int(node.attributes["size"]))
    return node.add(ops.LocalResponseNorm(size, alpha, beta, bias), node.image())


def _dropout(node: NodeOf) -> Tensor:
    share = node.attributes.get("ratio", node.constant(1) if len(node.inputs) > 1 else 0.5)
    share = 0.5 if share is None else float(np.asarray(share).ravel()[0])
    return node.alike(ops.Dropout(rate(share)), node.tensor()) if share else node.tensor()


# Sums and products.


def _arithmetic(node: NodeOf) -> Tensor:
    """Add, Sub, Mul or Div of two tensors, or of one and a constant."""
    known = [node.maker.constant(name) for name in node.inputs]
    if all(one is None for one in known):
        return _of_tensors(node)
    index = next(at for at, one in enumerate(known) if one is None)
    constant = known[1 - index]
    assert constant is not None
    return _with_constant(node, node.tensor(index), constant, comes_first=index == 1)


def _with_constant(node: NodeOf, tensor: Tensor, constant: Array, comes_first: bool) -> Tensor:
    numbers = np.asarray(constant, np.float64)
    per_channel = _channels_of(tensor, numbers)
    if numbers.ndim > 0 and not _is_before(tensor):
        if node.kind == "Add" and (biased := _biased(node, tensor, per_channel)) is not None:
            return biased
        if node.kind == "Mul":
            learned: ops.Learned = "channel" if len(per_channel) > 1 or tensor.value.node.shape[-1] == 1 else "scalar"
            return node.alike(ops.Scale(1.0, learned), tensor, np.asarray(per_channel, np.float32))
    values = tuple(float(one) for one in per_channel)
    match node.kind, comes_first:
        case "Add", _:
            made = Affine((1.0,), values)
        case "Sub", False:
            made = Affine((1.0,), tuple(-one for one in values))
        case "Sub", True:
            made = Affine((-1.0,), values)
        case "Mul", _:
            made = Affine(values, (0.0,))
        case "Div", False if all(values):
            made = Affine(tuple(1 / one for one in values), (0.0,))
        case _:
            raise UnreadError("it divides by what arrives, or by nothing")
    return replace(tensor, value=arithmetic.affine(node.builder, node.plain_name, tensor.value, made))


def _is_before(tensor: Tensor) -> bool:
    return isinstance(tensor.value.node.op, ops.Input)


def _channels_of(tensor: Tensor, numbers: Array) -> Array:
    """A constant as one number, or one for each channel."""
    if numbers.size == 1:
        return numbers.ravel()
    padded = numbers.reshape((1,) * (len(tensor.axes) + 1 - numbers.ndim) + numbers.shape)
    wanted = tuple(size if axis == "c" else 1 for axis, size in zip(tensor.axes, tensor.sizes, strict=True))
    if padded.shape[1:] != wanted or padded.shape[0] != 1:
        raise UnreadError("it has a constant for each place, not one for each channel")
    return numbers.ravel()


def _biased(node: NodeOf, tensor: Tensor, numbers: Array) -> Tensor | None:
    """A layer without bias that gets one, as its numbers are added right behind it."""
    before, builder = tensor.value.node, node.builder
    op = before.op
    if not isinstance(op, ops.Dense | ops.Conv | ops.ConvTranspose | ops.Scale) or op.bias:
        return None
    if tensor.value.trick is not None or before.name not in node.maker.arrays:
        return None
    if any(before.name in other.inputs for other in builder.nodes.values()):
        return None
    arrays = node.maker.arrays.pop(before.name)
    sources = [builder.nodes[name] for name in before.inputs]
    del builder.nodes[before.name]
    made = builder.add(before.name, replace(op, bias=True), *(Value(one, one.shape) for one in sources))
    bias = np.broadcast_to(np.asarray(numbers, np.float32), made.node.weights[1].shape)
    node.maker.arrays[made.node.name] = (*arrays, bias)
    return replace(tensor, value=replace(made, shape=tensor.value.shape))


def _of_tensors(node: NodeOf) -> Tensor:
    tensors = [node.tensor(index) for index in range(len(node.inputs))]
    values = [one.value for one in tensors]
    largest = max(tensors, key=lambda one: prod(one.sizes))
    builder, name = node.builder, node.plain_name
    if node.kind in ("Add", "Sum"):
        found = arithmetic.total(builder, name, values) or builder.add(name, ops.Add(_paths(values)), *values)
    elif (normed := arithmetic.response(builder, name, values, divides=node.kind == "Div")) is not None:
        found = normed
    elif node.kind == "Mul":
        if any(one.axes not in (largest.axes, PLACE) for one in tensors):
            raise UnreadError("it multiplies tensors whose axes stand in other orders")
        size = Spread(*largest.value.shape[:2]) if largest.axes == FIRST else None
        values = [replace(one, trick=None) if one.trick == size else one for one in values]
        values.sort(key=lambda value: -prod(value.shape))
        found = arithmetic.product(builder, name, values) or builder.add(name, ops.Multiply(_paths(values)), *values)
    else:
        raise UnreadError("it subtracts or divides what arrives")
    if len({one.axes for one in tensors if one.axes != PLACE}) > 1:
        raise UnreadError("it joins tensors whose axes stand in other orders")
    return replace(largest, value=found if found.trick else replace(found, shape=largest.value.shape))


def _paths(values: list[Value]) -> tuple[str, ...]:
    return tuple(f"path{at}" for at, _ in enumerate(values, 1))


def _concat(node: NodeOf) -> Tensor:
    tensors = [node.tensor(index) for index in range(len(node.inputs))]
    first = tensors[0]
    axis = node.attributes["axis"]
    if len({one.axes for one in tensors}) > 1 or first.axes[axis - 1 if axis > 0 else axis] != "c":
        raise UnreadError("it joins another axis than channels")
    values = [one.value for one in tensors]
    if len(values) == 1:
        return first
    made = node.builder.add(node.plain_name, ops.Concat(_paths(values)), *values)
    return place(made) if first.axes == PLACE else replace(first, value=made)


_NODES: Mapping[str, Make] = {
    "Conv": _conv, "ConvTranspose": _transposed_conv, "Gemm": _gemm, "MatMul": _matmul,
    "BatchNormalization": _batch_norm, "InstanceNormalization": _instance_norm, "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm, "Relu": _function("relu"), "Sigmoid": _function("sigmoid"),
    "Softplus": _function("softplus"), "Tanh": _function("tanh"), "HardSwish": _function("hard_silu"),
    "Softmax": _softmax, "Clip": _clip, "HardSigmoid": _hard_sigmoid, "LeakyRelu": _leaky_relu, "PRelu": _prelu,
    "Elu": _elu, "Pow": _power, "Gelu": _gelu, "Erf": _erf,
    "MaxPool": _pool(ops.MaxPool), "AveragePool": _pool(ops.AveragePool),
    "GlobalAveragePool": _global(ops.GlobalAveragePool), "GlobalMaxPool": _global(ops.GlobalMaxPool),
    "ReduceMean": _reduce(ops.GlobalAveragePool, "average"), "ReduceMax": _reduce(ops.GlobalMaxPool, "max"),
    "Flatten": _flatten, "Reshape": _reshape, "Expand": _expand,
    "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Transpose": _transpose,
    "Pad": _pad, "Slice": _slice, "Resize": _resize, "Upsample": _resize, "Gather": _gather,
    "LRN": _local_response_norm, "Dropout": _dropout, "Add": _arithmetic, "Sub": _arithmetic, "Mul": _arithmetic,
    "Div": _arithmetic, "Sum": _of_tensors, "Concat": _concat,
    "Identity": lambda node: node.tensor(), "Cast": lambda node: node.tensor(),
}  # fmt: skip
"""How the nodes are read that are."""
