"""A graph as a functional Keras model of stock layers: what is saved loads with plain Keras.

Every layer carries the path of its node, with dots for slashes (Keras forbids slashes in names).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, assert_never

import keras
from keras import layers

from archbuilder.aliases import Tensor
from archbuilder.graph import ops
from archbuilder.graph.memory import largest_layer, values_at_once
from archbuilder.graph.naming import layer_name, result_name
from archbuilder.graph.network import Graph, Node
from archbuilder.machine.hardware import require_memory


def build_model(
    graph: Graph, seed: int | None = None, prepare: Callable[[Tensor], Tensor] | None = None
) -> keras.Model:
    """The Keras model of a graph; with a seed, each layer's initial weights depend on the seed and its path alone.

    `prepare` puts layers between the input and the first of the network.

    Raises ArchbuilderError where the machine has less memory than the weights take, or a single image on its way.
    """
    require_memory(4 * (graph.parameters + largest_layer(graph)), f"to make the weights of '{graph.name}' takes")
    require_memory(4 * values_at_once(graph), f"one image on its way through '{graph.name}' takes")
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    with recursion_for(len(graph.nodes)):
        entry = _Layers(graph.input, seed).apply([])
        tensors: dict[str, Tensor] = {graph.input.name: prepare(entry) if prepare else entry}
        for node in graph.nodes[1:]:
            tensors[node.name] = _Layers(node, seed).apply([tensors[name] for name in _inputs(node, places)])
        outputs = [tensors[name] for name in graph.outputs]
        name = layer_name(graph.name)
        return keras.Model(entry, outputs[0] if len(outputs) == 1 else outputs, name=name)


def _inputs(node: Node, places: Mapping[str, int]) -> Sequence[str]:
    """The inputs of a node; those of a sum of two, which is the same either way, in the order in which they came to be.

    Keras walks back along the first input. An identity comes before the residual path, and is the shorter way.
    """
    is_sum_of_two = isinstance(node.op, ops.Add) and len(node.inputs) == 2
    return sorted(node.inputs, key=places.__getitem__) if is_sum_of_two else node.inputs


def levels(graph: Graph) -> int:
    """How deep Keras recurses when it loads the model of a graph, in nodes: it walks back from each output."""
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    deepest, seen = 0, set[str]()
    for output in graph.outputs:
        way = [iter([output])]
        while way:
            name = next((one for one in way[-1] if one not in seen), None)
            if name is None:
                way.pop()
            else:
                seen.add(name)
                way.append(iter(_inputs(graph[name], places)))
                deepest = max(deepest, len(way) - 1)
    return deepest


def without_probabilities(graph: Graph, model: keras.Model) -> keras.Model:
    """The model up to what enters the softmax or sigmoid of its last output, if there is one, of the same layers."""
    last = graph[graph.outputs[-1]]
    ends_in_probabilities = ops.gives_probabilities(last.op)
    if not ends_in_probabilities and len(graph.outputs) == 1:
        return model
    return with_outputs(graph, model, logits_of(graph, model, last.name), f"{model.name}.logits")


def logits_of(graph: Graph, model: keras.Model, output: str) -> Tensor:
    """What enters the softmax or sigmoid of an output, or else what the output returns."""
    layer = model.get_layer(layer_name(output))
    return layer.input if ops.gives_probabilities(graph[output].op) else _result(model, output)


def with_outputs(graph: Graph, model: keras.Model, outputs: Any, name: str) -> keras.Model:
    """The model of a graph, of the same layers, with other outputs."""
    with recursion_for(len(graph.nodes)):
        return keras.Model(model.inputs[0], outputs, name=name)


def _result(model: keras.Model, node: str) -> Tensor:
    """What the layers of a node return, of which the last may only give the result its shape."""
    there = {layer.name: layer for layer in model.layers}
    return there.get(result_name(node), there[layer_name(node)]).output


class _Layers:
    """Makes the layers of one node."""

    def __init__(self, node: Node, seed: int | None) -> None:
        self.node, self.name, self.seed = node, layer_name(node.name), seed

    def apply(self, inputs: list[Tensor]) -> Tensor:
        op = self.node.op
        match op:
            case ops.Input():
                return keras.Input(op.shape, name=self.name)
            case ops.Add() | ops.Multiply() | ops.Concat() | ops.Gate():
                return self._merge(op, inputs)
            case (
                ops.Conv() | ops.ConvTranspose() | ops.ChannelConv() | ops.Norm() | ops.Dense() | ops.Scale()
                | ops.Prelu()
            ):  # fmt: skip
                return self._weighted(op, inputs[0])
            case ops.Dropout() | ops.StochasticDepth():
                return self._dropping(op)(inputs[0])
            case _:
                return self._plain(op, inputs[0])

    def _weighted(self, op: ops.Weighted, tensor: Tensor) -> Tensor:
        match op:
            case ops.Conv():
                return layers.Conv2D(
                    op.filters, op.kernel, op.stride, _keras_padding(op, tensor.shape[1:3]),
                    dilation_rate=op.dilation, groups=op.groups, **self._kernel_and_bias(op),
                )(self._padded(op, tensor))  # fmt: skip
            case ops.ConvTranspose():
                padding = "same" if op.padding == "same" else "valid"
                spread = layers.Conv2DTranspose(
                    op.filters, op.kernel, op.stride, padding, **self._kernel_and_bias(op)
                )(tensor)  # fmt: skip
                return spread if padding == "same" else self._result(layers.Cropping2D, op.cuts)(spread)
            case ops.ChannelConv():
                sequence = layers.Reshape((*tensor.shape[1:], 1), name=f"{self.name}.sequence")(tensor)
                conv = layers.Conv1D(1, op.kernel, padding="same", **self._kernel_and_bias(op))
                return self._result(layers.Reshape, self.node.shape)(conv(sequence))
            case ops.Norm():
                return self._norm(op)(tensor)
            case ops.Dense():
                return layers.Dense(op.units, **self._kernel_and_bias(op))(tensor)
            case ops.Scale():
                return self._scaled(op, tensor)
            case ops.Prelu():
                places = range(1, len(tensor.shape) - (not op.shared))
                return layers.PReLU(_constant(op.slope), shared_axes=[*places], name=self.name)(tensor)
            case _:
                assert_never(op)

    def _kernel_and_bias(self, op: ops.Conv | ops.ConvTranspose | ops.ChannelConv | ops.Dense) -> dict[str, Any]:
        return {
            "use_bias": op.bias, "kernel_initializer": self._initializer(op.initializer),
            "kernel_regularizer": _l2(op.l2), "bias_initializer": _constant(op.initial_bias), "name": self.name,
        }  # fmt: skip

    def _norm(self, op: ops.Norm) -> layers.Layer:
        settings = {
            "epsilon": op.epsilon, "scale": op.scale, "gamma_initializer": "zeros" if op.zero_scale else "ones",
            "name": self.name,
        }  # fmt: skip
        match op.over:
            case "batch":
                return layers.BatchNormalization(momentum=op.momentum, **settings)
            case "layer":
                return layers.LayerNormalization(**settings)
            case "group" | "instance":
                groups = op.groups if op.over == "group" else self.node.shape[-1]
                return layers.GroupNormalization(groups, **settings)
            case _:
                assert_never(op.over)

    def _scaled(self, op: ops.Scale, tensor: Tensor) -> Tensor:
        """A learned scale times the last axis, which has one number where all share one."""
        if op.learned == "none":
            return layers.Rescaling(op.factor, name=self.name)(tensor)
        shares = op.learned == "scalar"
        values = layers.Reshape((*self.node.shape, 1), name=f"{self.name}.single")(tensor) if shares else tensor
        axes = "abcde"[: len(values.shape)]
        last = axes[-1]
        scaled = layers.EinsumDense(
            f"{axes},{last}->{axes}", values.shape[1:], bias_axes=last if op.bias else None,
            kernel_initializer=_constant(op.factor), name=self.name,
        )(values)  # fmt: skip
        return self._result(layers.Reshape, self.node.shape)(scaled) if shares else scaled

    def _result(self, layer: Callable[..., layers.Layer], *arguments: Any) -> layers.Layer:
        """A layer that gives what the weights return the shape of the node."""
        return layer(*arguments, name=result_name(self.node.name))

    def _dropping(self, op: ops.Dropping) -> layers.Layer:
        match op:
            case ops.Dropout():
                return layers.Dropout(op.rate, seed=self._layer_seed(), name=self.name)
            case ops.StochasticDepth():
                shape = (None,) + (1,) * len(self.node.shape)
                return layers.Dropout(op.rate, noise_shape=shape, seed=self._layer_seed(), name=self.name)
            case _:
                assert_never(op)

    def _plain(self, op: ops.Plain, tensor: Tensor) -> Tensor:
        match op:
            case ops.Activation():
                return layers.Activation(op.function, name=self.name)(tensor)
            case ops.LeakyRelu():
                return layers.LeakyReLU(op.slope, name=self.name)(tensor)
            case ops.MaxPool():
                padding = _keras_padding(op, tensor.shape[1:3])
                return layers.MaxPooling2D(op.size, op.stride, padding, name=self.name)(self._padded(op, tensor))
            case ops.AveragePool():
                padding = _keras_padding(op, tensor.shape[1:3])
                return layers.AveragePooling2D(op.size, op.stride, padding, name=self.name)(self._padded(op, tensor))
            case ops.GlobalAveragePool():
                return layers.GlobalAveragePooling2D(keepdims=not op.flat, name=self.name)(tensor)
            case ops.GlobalMaxPool():
                return layers.GlobalMaxPooling2D(keepdims=not op.flat, name=self.name)(tensor)
            case ops.ChannelPool():
                return self._channel_pool(op, tensor)
            case ops.LocalResponseNorm():
                return self._local_response_norm(op, tensor)
            case _:
                return self._moved(op, tensor)

    def _moved(self, op: ops.Moving, tensor: Tensor) -> Tensor:
        match op:
            case ops.Flatten():
                return layers.Flatten(name=self.name)(tensor)
            case ops.Subsample():
                return layers.MaxPooling2D(1, op.stride, "valid", name=self.name)(tensor)
            case ops.Upsample():
                return layers.UpSampling2D(op.factor, interpolation=op.method, name=self.name)(tensor)
            case ops.Pad():
                return self._pad(op, tensor)
            case ops.PadChannels():
                # Seen as channels first, the last axis is the columns: stock padding then reaches our channels.
                missing = ((0, 0), (0, op.channels - tensor.shape[-1]))
                return layers.ZeroPadding2D(missing, data_format="channels_first", name=self.name)(tensor)
            case ops.SliceChannels():
                return self._sliced(op, tensor)
            case ops.ShuffleChannels():
                return self._shuffled(op, tensor)
            case _:
                assert_never(op)

    def _channel_pool(self, op: ops.ChannelPool, tensor: Tensor) -> Tensor:
        """All places as channels, and the channels as a sequence behind them, which stock layers pool."""
        height, width, channels = tensor.shape[1:]
        places = layers.Reshape((height * width, channels), name=f"{self.name}.places")(tensor)
        pool = layers.GlobalAveragePooling1D if op.method == "average" else layers.GlobalMaxPooling1D
        pooled = pool(data_format="channels_first", name=f"{self.name}.pooled")(places)
        return layers.Reshape((height, width, 1), name=self.name)(pooled)

    def _pad(self, op: ops.Pad, tensor: Tensor) -> Tensor:
        match op.mode:
            case "zeros":
                return layers.ZeroPadding2D(op.amount, name=self.name)(tensor)
            case "reflect":
                padded = keras.ops.pad(tensor, ((0, 0), *op.amount, (0, 0)), mode="reflect")
            case "edge":
                padded = tensor
                for pads in op.mirrored():
                    padded = keras.ops.pad(padded, ((0, 0), *pads, (0, 0)), mode="symmetric")
            case _:
                assert_never(op.mode)
        return layers.Identity(name=self.name)(padded)

    def _sliced(self, op: ops.SliceChannels, tensor: Tensor) -> Tensor:
        """Seen as channels first, the last axis is the columns: stock cropping then reaches our channels."""
        cut = (op.start, tensor.shape[-1] - op.stop)
        if len(self.node.shape) == 3:
            return layers.Cropping2D(((0, 0), cut), data_format="channels_first", name=self.name)(tensor)
        sequence = layers.Reshape((tensor.shape[-1], 1), name=f"{self.name}.sequence")(tensor)
        sliced = layers.Cropping1D(cut, name=f"{self.name}.slice")(sequence)
        return layers.Reshape(self.node.shape, name=self.name)(sliced)

    def _shuffled(self, op: ops.ShuffleChannels, tensor: Tensor) -> Tensor:
        *size, channels = self.node.shape
        groups = layers.Reshape((*size, op.groups, channels // op.groups), name=f"{self.name}.groups")(tensor)
        group, channel = len(size) + 1, len(size) + 2
        turned = layers.Permute((*range(1, group), channel, group), name=f"{self.name}.turns")(groups)
        return layers.Reshape(self.node.shape, name=self.name)(turned)

    def _merge(self, op: ops.Merge, inputs: list[Tensor]) -> Tensor:
        match op:
            case ops.Add():
                return layers.Add(name=self.name)(inputs)
            case ops.Concat():
                return layers.Concatenate(name=self.name)(inputs)
            case ops.Multiply():
                return layers.Multiply(name=self.name)(self._same_rank(op, inputs))
            case ops.Gate():
                transform, carry, gate = self._same_rank(op, inputs)
                rest = layers.Rescaling(-1.0, 1.0, name=f"{self.name}.rest")(gate)
                transformed = layers.Multiply(name=f"{self.name}.transformed")([transform, gate])
                carried = layers.Multiply(name=f"{self.name}.carried")([carry, rest])
                return layers.Add(name=self.name)([transformed, carried])
            case _:
                assert_never(op)

    def _same_rank(self, op: ops.Multiply | ops.Gate, inputs: list[Tensor]) -> list[Tensor]:
        rank = len(inputs[0].shape)

        def spread(path: str, tensor: Tensor) -> Tensor:
            if len(tensor.shape) == rank:
                return tensor
            return layers.Reshape((1, 1, tensor.shape[-1]), name=f"{self.name}.{path}")(tensor)

        return [spread(path, tensor) for path, tensor in zip(op.paths, inputs, strict=True)]

    def _padded(self, op: ops.Op, tensor: Tensor) -> Tensor:
        """Puts padding that Keras' layers cannot do themselves before them."""
        if not isinstance(op, ops.Windowed) or _keras_padding(op, tensor.shape[1:3]) == "same":
            return tensor
        pads = _pads(op, tensor.shape[1:3], op.padding)
        if pads == ((0, 0), (0, 0)):
            return tensor
        if isinstance(op, ops.MaxPool):
            return keras.ops.pad(tensor, ((0, 0), *pads, (0, 0)), constant_values=float("-inf"))
        return layers.ZeroPadding2D(pads, name=f"{self.name}.pad")(tensor)

    def _local_response_norm(self, op: ops.LocalResponseNorm, tensor: Tensor) -> Tensor:
        height, width, channels = self.node.shape
        before = (op.size - 1) // 2
        squares = layers.Multiply(name=f"{self.name}.squares")([tensor, tensor])
        rows = layers.Reshape((height * width, channels, 1), name=f"{self.name}.rows")(squares)
        padded = layers.ZeroPadding2D(((0, 0), (before, op.size - 1 - before)), name=f"{self.name}.pad")(rows)
        means = layers.AveragePooling2D((1, op.size), 1, name=f"{self.name}.means")(padded)
        flat = layers.Reshape((height, width, channels), name=f"{self.name}.flat")(means)
        base = layers.Rescaling(op.alpha, op.bias, name=f"{self.name}.base")(flat)
        return layers.Multiply(name=self.name)([tensor, keras.ops.power(base, -op.beta)])

    def _initializer(self, initializer: ops.Initializer) -> keras.Initializer:
        seed = self._layer_seed()
        match initializer:
            case ops.Normal():
                return keras.initializers.RandomNormal(0.0, initializer.deviation, seed)
            case ops.Constant():
                return _constant(initializer.value)
            case "he_normal_fan_out":
                return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed)
            case "torch_uniform":
                return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed)
            case "zeros":
                return keras.initializers.Zeros()
            case _:
                return keras.initializers.get({"class_name": initializer, "config": {"seed": seed}})

    def _layer_seed(self) -> int | None:
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{self.node.name}".encode())


def _keras_padding(op: ops.Windowed, size: ops.Pair) -> str:
    """`same` where that pads an image of this size as the op asks, else `valid`."""
    if op.padding == "same" or isinstance(op, ops.AveragePool):  # whose `same` leaves what it pads out of the mean
        return "same" if op.padding == "same" else "valid"
    return "same" if _pads(op, size, op.padding) == _pads(op, size, "same") else "valid"


def _pads(op: ops.Windowed, size: ops.Pair, padding: ops.Padding) -> ops.Pads:
    window, dilation = op.window
    return ops.resolve_padding(size, window, op.stride, padding, dilation)


def _constant(value: float) -> keras.Initializer:
    return keras.initializers.Constant(value) if value else keras.initializers.Zeros()


def _l2(factor: float) -> keras.Regularizer | None:
    return keras.regularizers.L2(factor) if factor else None


@contextmanager
def recursion_for(nodes: int) -> Iterator[None]:
    """Keras walks a functional graph recursively, several frames for each layer of its longest chain."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1000 + 20 * nodes))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
