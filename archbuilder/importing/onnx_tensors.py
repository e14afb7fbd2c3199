"""The tensors of an ONNX file while it is read: what our graph has for them, and the order of their axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from archbuilder.aliases import Array
from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Shape
from archbuilder.importing.building import Builder, UnreadError, Value, is_place

FIRST, LAST, VECTOR, PLACE = ("c", "h", "w"), ("h", "w", "c"), ("c",), ("c", "1", "1")
"""The axes of images with their channels first or last, of vectors, and of vectors as images of one place."""
SEQUENCE = ("1", "c")
"""A vector whose channels are looked at like places."""
VOLUME = ("1", *FIRST)
"""The axes of an image whose channels are looked at like rows and columns."""
FLAT = ("chw",)
"""An image as a vector in which columns vary fastest."""
BATCH = -1
"""The number of images, which may be any, among numbers that a file computes."""
Axes = tuple[str, ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor: the value that our graph has for it, its axes without that of the batch, and parts of channels.

    An axis `n` stands before them where all images have been made one vector.
    """

    value: Value
    axes: Axes
    groups: int = 1
    """Into how many groups channels are parted, along the axes `g` and `k`."""

    @property
    def sizes(self) -> tuple[int, ...]:
        shape = self.value.node.shape
        *_, channels = shape
        height, width = shape[:2] if len(shape) == 3 else (1, 1)
        known = {"c": channels, "h": height, "w": width, "1": 1, "chw": prod(shape), "g": self.groups,
                 "k": channels // self.groups, "n": 1}  # fmt: skip
        return tuple(known[axis] for axis in self.axes)

    @property
    def is_image(self) -> bool:
        return self.axes in (FIRST, LAST)


@dataclass
class Maker:
    """What has been read so far."""

    constants: Mapping[str, Array]
    opset: int
    builder: Builder = field(default_factory=Builder)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    computed: dict[str, Array] = field(default_factory=dict)
    """Small arrays that nodes make of constants, such as shapes."""
    arrays: dict[str, tuple[Array, ...]] = field(default_factory=dict)
    """The weights of our nodes."""
    kernels: dict[str, str] = field(default_factory=dict)
    """The node that uses each kernel."""
    has_batch_norms: bool = False
    told_momentum: bool = False

    def constant(self, name: str) -> Array | None:
        """An array that the file brings along, or that follows from such ones."""
        if name in self.computed:
            return self.computed[name]
        return self.constants.get(name)

    def whole(self, tensor: Tensor) -> Value:
        """The value of a tensor with nothing left to be done to its axes, as an output is given."""
        if tensor.axes == PLACE:
            return Value(tensor.value.node, tensor.value.node.shape, tensor.value.trick)
        if tensor.axes not in (FIRST, LAST, VECTOR):
            raise UnreadError("one of its outputs is an image that was made a vector, or has other axes")
        return tensor.value


@dataclass(frozen=True)
class NodeOf:
    """A node of the file with what arrives at it."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    maker: Maker

    @property
    def builder(self) -> Builder:
        return self.maker.builder

    @property
    def plain_name(self) -> str:
        return self.name or self.kind

    def tensor(self, index: int = 0) -> Tensor:
        return self.maker.tensors[self.inputs[index]]

    def constant(self, index: int) -> Array | None:
        """An input that is a constant; None where it is left out."""
        if index >= len(self.inputs) or not self.inputs[index]:
            return None
        if (found := self.maker.constant(self.inputs[index])) is None:
            raise UnreadError("one of its settings is computed from images")
        return found

    def needed(self, index: int) -> Array:
        found = self.constant(index)
        if found is None:
            raise UnreadError("it lacks a setting")
        return found

    def listed(self, key: str, index: int) -> list[int] | None:
        """A list of integers, which old files have as an attribute and new ones as an input."""
        if key in self.attributes:
            return [int(one) for one in self.attributes[key]]
        found = self.constant(index)
        return None if found is None else [int(one) for one in found.ravel()]

    def give(self, tensor: Tensor, output: int = 0) -> None:
        self.maker.tensors[self.outputs[output]] = tensor

    def image(self, index: int = 0) -> Tensor:
        """An image with its channels first; a vector that is seen as one."""
        tensor = self.tensor(index)
        if tensor.axes not in (FIRST, PLACE):
            raise UnreadError("its channels are not where those of images are")
        return tensor

    def spread(self) -> Tensor:
        """What arrives; the one place that a global pool leaves as an image of one row and one column."""
        tensor = self.tensor()
        before = tensor.value.node
        if tensor.axes != PLACE or not isinstance(before.op, ops.GlobalAveragePool | ops.GlobalMaxPool):
            return tensor
        source = self.builder.nodes[before.inputs[0]]
        made = self.builder.add(before.name, replace(before.op, flat=False), Value(source, source.shape))
        return Tensor(made, FIRST)

    def add(self, op: Op, tensor: Tensor, *arrays: Array) -> Tensor:
        """The result of an op of one input, with its axes in the same order."""
        made = self.builder.add(self.plain_name, op, tensor.value)
        self._keep(made, arrays)
        return replace(tensor, value=made, axes=_axes_of(made.shape, tensor.axes))

    def alike(self, op: Op, tensor: Tensor, *arrays: Array) -> Tensor:
        """The result of an op that does the same to each value, or each channel."""
        made = self.builder.alike(self.plain_name, op, tensor.value)
        self._keep(made, arrays)
        return replace(tensor, value=made)

    def _keep(self, made: Value, arrays: Sequence[Array]) -> None:
        if arrays:
            weights = made.node.weights
            if [array.size for array in arrays] != [weight.size for weight in weights]:
                raise UnreadError("its weights do not fit what arrives")
            self.maker.arrays[made.node.name] = tuple(
                array.reshape(weight.shape) for array, weight in zip(arrays, weights, strict=True)
            )

    def own_kernel(self, index: int) -> Array:
        """A kernel, which no other node may share."""
        name = self.inputs[index]
        if (other := self.maker.kernels.setdefault(name, self.name)) != self.name:
            raise UnreadError(f"it shares its kernel with '{other}', and layers that are used once are read")
        return self.needed(index)


def _axes_of(shape: Shape, axes: Axes) -> Axes:
    if len(shape) == 1:
        return PLACE if axes == PLACE else VECTOR
    return axes if axes in (FIRST, LAST) else FIRST


def place(value: Value) -> Tensor:
    """A vector as an image of one place."""
    return Tensor(Value(value.node, (1, 1, *value.node.shape), value.trick), PLACE)


def vector(value: Value) -> Tensor:
    return Tensor(Value(value.node, value.node.shape, value.trick), VECTOR)


def transposed(node: NodeOf, tensor: Tensor, order: Sequence[int]) -> Tensor:
    """A tensor with its axes in another order; groups of channels that change places with channels are a shuffle."""
    if order[0] != 0 or sorted(order) != [*range(len(tensor.axes) + 1)]:
        raise UnreadError("it moves the axis of the batch")
    axes = tuple(tensor.axes[index - 1] for index in order[1:])
    return replace(tensor, axes=axes)


def reshaped(node: NodeOf, tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    """A tensor with other axes, the batch left out."""
    here, wanted = tensor.sizes, tuple(sizes)
    if wanted.count(-1) == 1:
        rest = prod(size for size in wanted if size != -1)
        wanted = tuple(prod(here) // max(rest, 1) if size == -1 else size for size in wanted)
    if prod(wanted) != prod(here):
        raise UnreadError(f"{ops.show(here)} is reshaped to {ops.show(wanted)}")
    if wanted == here:
        return tensor
    value, axes = tensor.value, tensor.axes
    channels = value.node.shape[-1]
    if "g" in axes:
        return _joined(node, tensor, wanted)
    turned: dict[Axes, Axes] = {FIRST: VOLUME, VOLUME: FIRST}
    if axes in turned and wanted == replace(tensor, axes=turned[axes]).sizes:
        return replace(tensor, axes=turned[axes])
    if len(wanted) == 1 and axes == PLACE:
        return vector(value)
    if len(wanted) == 1 and axes in (FIRST, LAST):
        is_place = prod(here) == channels
        made = node.add(ops.Flatten(), tensor)
        return replace(made, axes=VECTOR if axes == LAST or is_place else FLAT)
    if axes in (VECTOR, SEQUENCE):
        others: tuple[Axes, ...] = (PLACE, VECTOR, SEQUENCE)
        for other in others:
            if wanted == replace(tensor, axes=other).sizes:
                return place(value) if other == PLACE else replace(vector(value), axes=other)
    if axes[0] == "c" and len(wanted) == len(here) + 1 and wanted[2:] == here[1:] and wanted[0] * wanted[1] == channels:
        return replace(tensor, axes=("g", "k", *axes[1:]), groups=wanted[0])
    raise UnreadError(f"{ops.show(here)} is reshaped to {ops.show(wanted)}")


def _joined(node: NodeOf, tensor: Tensor, wanted: Shape) -> Tensor:
    """Channels that were parted into groups as one axis again."""
    first, second, *rest = tensor.axes
    axes = ("c", *rest)
    whole = replace(tensor, axes=axes, groups=1)
    if {first, second} != {"g", "k"} or whole.sizes != wanted:
        raise UnreadError("it parts channels in a way that the language has no word for")
    return whole if first == "g" else node.add(ops.ShuffleChannels(tensor.groups), whole)


def vector_or_place(tensor: Tensor) -> bool:
    return tensor.axes in (VECTOR, PLACE) or is_place(tensor.value)
