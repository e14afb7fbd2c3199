"""Keras layers as ops: one function a kind, from its settings and the tensors that arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from archbuilder.aliases import Json
from archbuilder.bounds import SIDE
from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Pair, Shape
from archbuilder.importing import arithmetic
from archbuilder.importing import keras_settings as read
from archbuilder.importing.building import (
    Affine,
    Border,
    Builder,
    Response,
    UnreadError,
    Value,
    is_place,
    seen_as,
    short,
)  # fmt: skip
from archbuilder.importing.keras_calls import Call

FLIPPED = "channels_first"


@dataclass(frozen=True)
class Layer:
    """A layer with what arrives at it; `name` is that of its first node."""

    call: Call
    name: str
    values: tuple[Value, ...]
    builder: Builder

    @property
    def config(self) -> Json:
        return self.call.config

    @property
    def value(self) -> Value:
        return self.values[0]

    @property
    def shape(self) -> Shape:
        return self.value.shape

    def add(self, op: Op, *values: Value) -> Value:
        return self.builder.add(self.name, op, *(values or self.values[:1]))

    def alike(self, op: Op) -> Value:
        return self.builder.alike(self.name, op, self.value)

    @property
    def flips(self) -> bool:
        return bool(self.config.get("data_format", "channels_last") == FLIPPED)

    def kernel(self, prefix: str = "kernel") -> dict[str, Any]:
        return read.kernel(self.config, self.builder.note, prefix)


Make = Callable[[Layer], Value]


def result(layer: Layer) -> Value:
    """The result of a layer, its `activation=` included."""
    kind = layer.call.kind
    if layer.flips and kind not in _OF_EITHER_FORMAT:
        raise UnreadError("its channels come first")
    if (make := _LAYERS.get(kind)) is None:
        raise UnreadError("this kind of layer is not read")
    found = make(layer)
    function = read.activation(layer.config) if kind != "Activation" else None
    return found if function is None else layer.builder.alike(layer.name, ops.Activation(function), found)


def _input(layer: Layer) -> Value:
    _, *sizes = layer.config.get("batch_shape") or layer.config["batch_input_shape"]
    if None in sizes:
        raise UnreadError("its images may be of any size, and a network of one size is read: say which by --size")
    return layer.add(ops.Input(tuple(read.integer(size, SIDE) for size in sizes)))


def _conv(layer: Layer) -> Value:
    config, value = layer.config, layer.value
    filters, kernel, stride = (
        read.integer(config["filters"]),
        read.pair(config["kernel_size"]),
        read.pair(config["strides"]),
    )
    bias, start = bool(config["use_bias"]), layer.kernel()
    if is_place(value) and kernel == (1, 1) and config.get("groups", 1) == 1:
        made = layer.add(ops.Dense(filters, bias, **start))
        return seen_as(made, (1, 1, filters))
    return layer.add(ops.Conv(
        filters, kernel, stride, read.padding(config), read.pair(config["dilation_rate"]),
        read.integer(config.get("groups", 1)), bias, **start,
    ))  # fmt: skip


def _depthwise(layer: Layer) -> Value:
    config, channels = layer.config, layer.shape[-1]
    return layer.add(ops.Conv(
        channels * read.integer(config["depth_multiplier"]), read.pair(config["kernel_size"]),
        read.pair(config["strides"]), read.padding(config), read.pair(config["dilation_rate"]), channels,
        bool(config["use_bias"]), **layer.kernel("depthwise"),
    ))  # fmt: skip


def _separable(layer: Layer) -> Value:
    """A depthwise convolution and one of 1x1 behind it, which has the bias."""
    config, channels = layer.config, layer.shape[-1]
    inside = channels * read.integer(config["depth_multiplier"])
    first = {**layer.kernel("depthwise"), "initial_bias": 0.0}
    spread = layer.add(ops.Conv(
        inside, read.pair(config["kernel_size"]), read.pair(config["strides"]), read.padding(config),
        read.pair(config["dilation_rate"]), channels, False, **first,
    ))  # fmt: skip
    return layer.builder.add(layer.name, ops.Conv(
        read.integer(config["filters"]), (1, 1), (1, 1), "valid", (1, 1), 1, bool(config["use_bias"]),
        **layer.kernel("pointwise"),
    ), spread)  # fmt: skip


def _transposed(layer: Layer) -> Value:
    config = layer.config
    if read.pair(config.get("dilation_rate", 1)) != (1, 1) or config.get("output_padding") is not None:
        raise UnreadError("it spreads its kernel, or adds to its output")
    return layer.add(ops.ConvTranspose(
        read.integer(config["filters"]), read.pair(config["kernel_size"]), read.pair(config["strides"]),
        read.padding(config), bool(config["use_bias"]), **layer.kernel(),
    ))  # fmt: skip


def _conv1d(layer: Layer) -> Value:
    """A convolution along the channels of a vector, which stands there as a sequence."""
    config, value = layer.config, layer.value
    plain = [config["filters"], *_listed(config["strides"]), *_listed(config["dilation_rate"])]
    if (
        value.shape != (*value.node.shape, 1)
        or len(value.node.shape) != 1
        or plain != [1, 1, 1]
        or config["padding"] != "same"
    ):
        raise UnreadError("it is no convolution along the channels of a vector")
    op = ops.ChannelConv(read.integer(_listed(config["kernel_size"])[0]), bool(config["use_bias"]), **layer.kernel())
    return seen_as(layer.add(op, Value(value.node, value.node.shape)), value.shape)


def _listed(value: object) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value]


def _dense(layer: Layer) -> Value:
    config = layer.config
    made = layer.add(ops.Dense(read.integer(config["units"]), bool(config["use_bias"]), **layer.kernel()))
    return seen_as(made, (1, 1, made.shape[-1])) if is_place(layer.value) else made


def _norm(layer: Layer) -> Value:
    config, shape = layer.config, layer.shape
    if config["axis"] not in (-1, [-1], len(shape), [len(shape)]) or not config["center"] or config.get("rms_scaling"):
        raise UnreadError("it is over another axis, or has no shift")
    epsilon, scale = short(read.number(config["epsilon"])), bool(config["scale"])
    starts = read.constant(config.get("gamma_initializer", "ones"), layer.builder.note)
    zero = scale and starts == 0 and "gamma_initializer" in config
    if "momentum" in config:
        return layer.alike(ops.Norm(short(read.number(config["momentum"])), epsilon, zero, scale=scale))
    if (groups := config.get("groups")) is None:
        return layer.alike(ops.Norm(0.0, epsilon, zero, "layer", scale=scale))
    if groups in (-1, shape[-1]):
        return layer.alike(ops.Norm(0.0, epsilon, zero, "instance", scale=scale))
    return layer.alike(ops.Norm(0.0, epsilon, zero, "group", read.integer(groups), scale))


def _einsum(layer: Layer) -> Value:
    """A number for each channel, or, of an image seen with one more axis, one for all, as a learned scale is saved."""
    value, axes = layer.value, "abcde"[: len(layer.shape) + 1]
    if layer.config["equation"] != f"{axes},{axes[-1]}->{axes}":
        raise UnreadError("it is no scale of the channels")
    shares = value.shape == (*value.node.shape, 1)
    start = read.constant(layer.config.get("kernel_initializer", "ones"), layer.builder.note)
    op = ops.Scale(start, "scalar" if shares else "channel", layer.config["bias_axes"] is not None)
    if shares:
        return seen_as(layer.add(op, Value(value.node, value.node.shape)), value.shape)
    return layer.alike(op)


def _layer_scale(layer: Layer) -> Value:
    return layer.alike(ops.Scale(read.number(layer.config["init_values"]), "channel"))


def _prelu(layer: Layer) -> Value:
    shape = layer.shape
    shared = sorted(read.integer(one) for one in layer.config.get("shared_axes") or ())
    places = [*range(1, len(shape))]
    if shared not in (places, [*places, len(shape)]):
        raise UnreadError("its slopes are of single places")
    start = layer.config.get("alpha_initializer")
    return layer.alike(ops.Prelu(read.constant(start, layer.builder.note), len(shared) == len(shape)))


def _activation(layer: Layer) -> Value:
    function = read.activation(layer.config)
    return layer.value if function is None else layer.alike(ops.Activation(function))


def _relu(layer: Layer) -> Value:
    config = layer.config
    slope, most = read.number(config.get("negative_slope") or config.get("alpha") or 0), config.get("max_value")
    if config.get("threshold") or (most and (most != 6 or slope)):
        raise UnreadError("it has a threshold, or another greatest value than 6")
    if most:
        return arithmetic.relu6(layer.builder, layer.name, layer.value)
    return layer.alike(ops.LeakyRelu(short(slope)) if slope else ops.Activation("relu"))


def _leaky(layer: Layer) -> Value:
    config = layer.config
    return layer.alike(
        ops.LeakyRelu(short(read.number(config["negative_slope"] if "negative_slope" in config else config["alpha"])))
    )


def _softmax(layer: Layer) -> Value:
    if layer.config.get("axis", -1) not in (-1, len(layer.shape)):
        raise UnreadError("it is over another axis than the channels")
    return layer.alike(ops.Activation("softmax"))


def _pool(kind: type[ops.MaxPool | ops.AveragePool]) -> Make:
    def make(layer: Layer) -> Value:
        config, value = layer.config, layer.value
        size, padding = read.pair(config["pool_size"]), read.padding(config)
        stride = read.pair(config["strides"] or config["pool_size"])
        if isinstance(trick := value.trick, Response) and kind is ops.AveragePool:
            *places, channels = value.node.shape
            padded = (prod(places), channels + trick.size - 1, 1)
            if (value.shape, size, stride, padding) != (padded, (1, trick.size), (1, 1), "valid"):
                raise UnreadError("it is no part of a local response norm")
            return Value(value.node, (prod(places), channels, 1), trick)
        if isinstance(value.trick, Border) and kind is ops.MaxPool and padding == "valid":
            return layer.add(kind(size, stride, value.trick.pads), replace(value, trick=None))
        return layer.add(kind(size, stride, padding))

    return make


def _global(kind: type[ops.GlobalAveragePool | ops.GlobalMaxPool]) -> Make:
    return lambda layer: layer.add(kind(not layer.config.get("keepdims")))


def _over_channels(method: ops.PoolMethod) -> Make:
    """A pool over a sequence whose places are the channels of an image."""

    def make(layer: Layer) -> Value:
        value = layer.value
        *size, channels = value.node.shape
        if not layer.flips or layer.config.get("keepdims") or len(size) != 2 or value.shape != (prod(size), channels):
            raise UnreadError("it is no pool over the channels of an image")
        return seen_as(layer.add(ops.ChannelPool(method), Value(value.node, value.node.shape)), (prod(size),))

    return make


def _zero_pad(layer: Layer) -> Value:
    amounts, value = read.pads(layer.config["padding"]), layer.value
    if isinstance(value.trick, Response):
        return _around_channels(value, amounts)
    shape = layer.shape
    if not layer.flips:
        return layer.add(ops.Pad(amounts))
    (top, bottom), (left, right) = amounts
    if (top, bottom, left) != (0, 0, 0):
        raise UnreadError("its channels come first")
    return layer.add(ops.PadChannels(shape[-1] + right))


def _around_channels(value: Value, amounts: ops.Pads) -> Value:
    """Zeros around the channels of an image, each of whose places is a row: a step of a local response norm."""
    (top, bottom), (before, behind) = amounts
    *size, channels = value.node.shape
    if value.trick != Response() or value.shape != (prod(size), channels, 1) or (top, bottom) != (0, 0):
        raise UnreadError("it pads something else than the channels of a local response norm")
    trick = arithmetic.about(value.trick, before, behind)
    return Value(value.node, (prod(size), channels + trick.size - 1, 1), trick)


def _crop(layer: Layer) -> Value:
    (top, bottom), (left, right) = read.pads(layer.config["cropping"])
    value = layer.value
    if layer.flips:
        if (top, bottom) != (0, 0):
            raise UnreadError("its channels come first")
        return layer.add(ops.SliceChannels(left, value.shape[-1] - right))
    op = value.node.op
    if not isinstance(op, ops.ConvTranspose) or op.padding != "valid" or value.trick:
        raise UnreadError("it crops an image, which the language has no word for but behind a transposed convolution")
    layer.builder.nodes.pop(value.node.name)
    source = layer.builder.nodes[value.node.inputs[0]]
    cut = replace(op, padding=((top, bottom), (left, right)))
    return layer.builder.add(value.node.name, cut, Value(source, source.shape))


def _crop1d(layer: Layer) -> Value:
    """A slice of a vector, which stands there as a sequence."""
    value = layer.value
    start, end = layer.config["cropping"]
    if value.shape != (*value.node.shape, 1) or len(value.node.shape) != 1:
        raise UnreadError("it slices no vector")
    op = ops.SliceChannels(read.count(start), value.node.shape[0] - read.count(end))
    made = layer.add(op, Value(value.node, value.node.shape))
    return seen_as(made, (*made.shape, 1))


def _permute(layer: Layer) -> Value:
    """Groups of channels and the channels of each change places: a shuffle."""
    value = layer.value
    *size, groups, channels = value.shape
    turned = [*range(1, len(size) + 1), len(size) + 2, len(size) + 1]
    if [*layer.config["dims"]] != turned or value.node.shape != (*size, groups * channels):
        raise UnreadError("it moves axes other than groups of channels")
    made = layer.add(ops.ShuffleChannels(groups), Value(value.node, value.node.shape))
    return seen_as(made, (*size, channels, groups))


def _upsample(layer: Layer) -> Value:
    return _enlarged(layer, read.pair(layer.config["size"]), layer.config.get("interpolation", "nearest"))


def _resizing(layer: Layer) -> Value:
    """Images of another size, before the network or, by a whole number, within it."""
    config, value = layer.config, layer.value
    size = read.integer(config["height"], SIDE), read.integer(config["width"], SIDE)
    if value.shape[:2] == size:
        return value
    if config.get("crop_to_aspect_ratio") or config.get("pad_to_aspect_ratio"):
        raise UnreadError("it cuts images, or adds to them, to keep their proportions")
    method = config.get("interpolation", "bilinear")
    if isinstance(value.node.op, ops.Input):
        told = f"the file itself resized them ({method})"
        layer.builder.note(f"images are to arrive in the size {ops.show(size)}: {told}")
        made = layer.builder.add(layer.name, ops.Input((*size, value.shape[-1])))
        return replace(made, trick=value.trick)
    height, width = value.shape[:2]
    if size[0] % height or size[1] % width:
        raise UnreadError("it makes images larger by no whole number")
    return _enlarged(layer, (size[0] // height, size[1] // width), method)


def _enlarged(layer: Layer, factor: Pair, method: object) -> Value:
    if method not in ("nearest", "bilinear"):
        raise UnreadError("it is neither nearest nor bilinear")
    return layer.add(ops.Upsample(factor, method))


def _pad(layer: Layer) -> Value:
    """`keras.ops.pad`: a border of minus infinity before a max pool, a mirror, or the border again."""
    config, keywords = layer.config, layer.call.keywords or {}
    batch, *sides, channels = config.get("pad_width") or layer.call.arguments[1]
    mode = config.get("mode") or "constant"
    if [*batch, *channels] != [0, 0, 0, 0] or len(sides) != 2:
        raise UnreadError("it pads other axes than rows and columns")
    amounts, value = read.pads(sides), keywords.get("constant_values", config.get("constant_values"))
    if mode == "constant" and value == float("-inf"):
        return replace(layer.value, trick=Border(amounts))
    if mode == "constant" and value in (None, 0):
        return layer.add(ops.Pad(amounts))
    if mode == "reflect":
        return layer.add(ops.Pad(amounts, "reflect"))
    if mode == "symmetric":
        return _mirrored(layer, amounts)
    raise UnreadError("it pads with something else than zeros, minus infinity or a mirror")


def _mirrored(layer: Layer, amounts: ops.Pads) -> Value:
    """The mirror with its border: as many rows as were added before and one are the border again."""
    before = layer.value.node
    source, done = before, ((0, 0), (0, 0))
    if isinstance(before.op, ops.Pad) and before.op.mode == "edge":
        source, done = layer.builder.nodes[before.inputs[0]], before.op.amount
    rows, columns = ((a[0] + b[0], a[1] + b[1]) for a, b in zip(done, amounts, strict=True))
    op = ops.Pad((rows, columns), "edge")
    steps: list[ops.Pads] = [*op.mirrored()]
    so_far = [*ops.Pad(done, "edge").mirrored()] if source is not before else []
    if steps[: len(so_far)] != so_far or steps[len(so_far) :] != [amounts]:
        raise UnreadError("it pads with a mirror that is not the border again")
    if source is not before:
        layer.builder.nodes.pop(before.name)
    return layer.builder.add(layer.name, op, Value(source, source.shape))


def _dropout(layer: Layer) -> Value:
    rate, noise = read.rate(layer.config["rate"]), layer.config.get("noise_shape")
    if layer.call.kind.startswith("Spatial"):
        raise UnreadError("it drops whole channels")
    if noise is None:
        return layer.alike(ops.Dropout(rate))
    if all(one == 1 for one in noise[1:]):
        return layer.alike(ops.StochasticDepth(rate))
    raise UnreadError("it drops parts of another shape")


def _elu(layer: Layer) -> Value:
    if read.number(layer.config.get("alpha", 1)) != 1:
        raise UnreadError("it comes to another number than -1")
    return layer.alike(ops.Activation("elu"))


def _reshape(layer: Layer) -> Value:
    value = layer.value
    shape = [*layer.config["target_shape"]]
    if shape.count(-1) == 1:
        shape[shape.index(-1)] = prod(value.shape) // max(1, abs(prod(shape)))
    if shape == [prod(value.shape)] and len(value.node.shape) == 3 and value.trick is None:
        return _flatten(layer)
    return seen_as(value, tuple(read.integer(size, 10**12) for size in shape))


def _flatten(layer: Layer) -> Value:
    value = layer.value
    if value.shape == (prod(value.shape),):
        return value
    return Value(value.node, value.node.shape) if is_place(value) else layer.add(ops.Flatten())


def _rescaling(layer: Layer) -> Value:
    value = layer.value
    scale, offset = layer.config["scale"], layer.config.get("offset", 0)
    factors = tuple(read.number(one) for one in _listed(scale))
    offsets = tuple(read.number(one) for one in _listed(offset))
    return arithmetic.affine(layer.builder, layer.name, value, Affine(factors, offsets))


def _normalization(layer: Layer) -> Value:
    config, value = layer.config, layer.value
    if config.get("invert"):
        raise UnreadError("it turns a normalisation round")
    means, variances = ([_flat(one) for one in _listed(config.get(key))] for key in ("mean", "variance"))
    if None in (*means, *variances):
        if not isinstance(value.node.op, ops.Input):
            raise UnreadError("its mean and variance stand among the weights")
        held = [array.ravel().tolist() for array in layer.builder.stored.get(layer.call.stored, ())[:2]]
        if [*map(len, held)] not in ([1, 1], [value.shape[-1]] * 2):
            layer.builder.note(
                "how the file normalises pixels stands among its weights: images are to arrive normalised"
            )
            return value
        means, variances = held
    deviations = [max(read.number(one) ** 0.5, 1e-7) for one in variances]
    factor = tuple(1 / one for one in deviations)
    offset = tuple(-read.number(m) / d for m, d in zip(means, deviations, strict=True))
    return arithmetic.affine(layer.builder, layer.name, value, Affine(factor, offset))


def _flat(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _add(layer: Layer) -> Value:
    constant = next((one for one in layer.call.arguments if isinstance(one, int | float)), None)
    if constant is not None and len(layer.values) == 1:
        return arithmetic.affine(layer.builder, layer.name, layer.value, Affine((1.0,), (float(constant),)))
    return arithmetic.total(layer.builder, layer.name, layer.values) or _merge(ops.Add)(layer)


def _multiply(layer: Layer) -> Value:
    constant = next((one for one in layer.call.arguments if isinstance(one, int | float)), None)
    if constant is not None and len(layer.values) == 1:
        return arithmetic.affine(layer.builder, layer.name, layer.value, Affine((float(constant),), (0.0,)))
    for made in (arithmetic.response, arithmetic.product):
        if (found := made(layer.builder, layer.name, layer.values)) is not None:
            return found
    values = sorted(layer.values, key=lambda value: -prod(value.shape))
    return _merge(ops.Multiply)(replace(layer, values=tuple(values)))


def _merge(kind: type[ops.Add | ops.Multiply | ops.Concat]) -> Make:
    def make(layer: Layer) -> Value:
        if kind is ops.Concat and layer.config["axis"] not in (-1, len(layer.shape)):
            raise UnreadError("it joins another axis than channels")
        names = [value.node.name for value in layer.values]
        paths = tuple("shortcut" if "/shortcut/" in name else f"path{at}" for at, name in enumerate(names, 1))
        if len(paths) == 1:
            return layer.value
        made = layer.add(kind(paths), *layer.values)
        places = all(is_place(value) for value in layer.values)
        return seen_as(made, (1, 1, *made.shape)) if places else made

    return make


def _power(layer: Layer) -> Value:
    exponent = next((one for one in layer.call.arguments if isinstance(one, int | float)), None)
    if exponent is None or (found := arithmetic.power(layer.value, float(exponent))) is None:
        raise UnreadError("it is no part of a local response norm")
    return found


def _function(function: ops.Function) -> Make:
    """A function of `keras.ops`."""
    return lambda layer: layer.alike(ops.Activation(function))


def _over_places(kind: type[ops.GlobalAveragePool | ops.GlobalMaxPool]) -> Make:
    """`keras.ops.mean` or `keras.ops.max` over rows and columns."""

    def make(layer: Layer) -> Value:
        axes = {read.count(axis % (len(layer.shape) + 1)) for axis in _listed(layer.config["axis"])}
        if len(layer.shape) != 3 or axes != {1, 2}:
            raise UnreadError("it is over other axes than rows and columns")
        return layer.add(kind(not layer.config.get("keepdims")))

    return make


def _in_training(layer: Layer) -> Value:
    """What does nothing but in training."""
    layer.builder.note(f"{layer.call.kind} changes what arrives in training only, and is left out")
    return layer.value


_OF_EITHER_FORMAT = ("ZeroPadding2D", "Cropping2D", "GlobalAveragePooling1D", "GlobalMaxPooling1D")
_IN_TRAINING = (
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear", "RandomPerspective",
    "RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation", "RandomColorJitter",
    "RandomColorDegeneration", "RandomGrayscale", "RandomInvert", "RandomPosterization", "RandomSharpness",
    "RandomGaussianBlur", "RandomErasing", "RandomElasticTransform", "RandAugment", "AugMix",
    "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
)  # fmt: skip
_OPERATIONS: Mapping[str, ops.Function] = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "HardSigmoid": "hard_sigmoid", "Silu": "silu",
    "HardSilu": "hard_silu", "Tanh": "tanh", "Softplus": "softplus",
}  # fmt: skip
_LAYERS: Mapping[str, Make] = {
    **dict.fromkeys(_IN_TRAINING, _in_training), **{kind: _function(one) for kind, one in _OPERATIONS.items()},
    "Mean": _over_places(ops.GlobalAveragePool), "Max": _over_places(ops.GlobalMaxPool),
    "InputLayer": _input, "Conv2D": _conv, "DepthwiseConv2D": _depthwise, "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed, "Conv1D": _conv1d, "Dense": _dense, "EinsumDense": _einsum,
    "LayerScale": _layer_scale, "PReLU": _prelu, "BatchNormalization": _norm, "LayerNormalization": _norm,
    "GroupNormalization": _norm, "Activation": _activation, "ReLU": _relu, "LeakyReLU": _leaky, "Softmax": _softmax,
    "ELU": _elu, "MaxPooling2D": _pool(ops.MaxPool),
    "AveragePooling2D": _pool(ops.AveragePool), "GlobalAveragePooling2D": _global(ops.GlobalAveragePool),
    "GlobalMaxPooling2D": _global(ops.GlobalMaxPool), "GlobalAveragePooling1D": _over_channels("average"),
    "GlobalMaxPooling1D": _over_channels("max"), "ZeroPadding2D": _zero_pad,
    "Cropping2D": _crop, "Cropping1D": _crop1d, "Permute": _permute,
    "UpSampling2D": _upsample, "Resizing": _resizing, "Pad": _pad, "Power": _power, "Flatten": _flatten,
    "Dropout": _dropout, "SpatialDropout2D": _dropout, "Reshape": _reshape, "Rescaling": _rescaling,
    "Normalization": _normalization, "Identity": lambda layer: layer.value,
    "Add": _add, "Multiply": _multiply, "Concatenate": _merge(ops.Concat),
}  # fmt: skip
"""How the layers are read that are."""
