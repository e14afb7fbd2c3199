"""The content of a file of weights: layers of tensors, in Keras' layout, whatever wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archbuilder.aliases import Array
from archbuilder.bounded_files import allowance
from archbuilder.errors import ArchbuilderError
from archbuilder.graph.ops import Shape, show

Floats = NDArray[np.float32]
NodeWeights = Mapping[str, Mapping[str, Floats]]
"""The weights of each node of a graph, by their names in it, in Keras' layout."""
Kind = Literal["conv", "dense", "norm", "other"]
LIMIT_BYTES = 8 * 2**30
"""The most bytes that a file may hold, decompressed; the largest bundled network needs 0.6 GB."""
LIMIT_TENSORS = 100_000
UNSURE = "gamma or beta"
"""The part that is the only learned vector of a norm in a file that does not say which."""
RATIO = 16
"""How many times what a file stores its weights may come to: float16 doubles, shared and compressed ones more."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor by its name in the file."""

    name: str
    array: Floats
    """The values in Keras' layout: kernels are (height, width, in, out) and (in, out)."""
    stored: Shape
    """The shape in the file."""

    def __str__(self) -> str:
        here = f" (here {show(self.array.shape)})" if self.stored != self.array.shape else ""
        return f"{self.name} {show(self.stored) or 'scalar'}{here}"


@dataclass(frozen=True)
class Layer:
    """The tensors of one layer by the names of `graph.ops.Weight`; those of an `other` by what the file calls them."""

    name: str
    kind: Kind
    tensors: Mapping[str, StoredTensor]

    def shapes(self) -> frozenset[tuple[str, Shape]]:
        return frozenset((part, tensor.array.shape) for part, tensor in self.tensors.items())


@dataclass(frozen=True)
class WeightFile:
    """The layers of a file, in its order."""

    file: str
    layers: tuple[Layer, ...]
    channels_first: bool
    """Whether its network flattens images with columns varying fastest, as PyTorch does, instead of channels."""
    ordered: bool = True
    """Whether the layers stand in an order that its writer had, not in that of the alphabet."""
    by_depth: bool = False
    """Whether the layers of each kind stand in the order in which Keras sorts those of one functional model."""


class Budget:
    """Bounds what a file from a stranger can make us allocate, by what it stores."""

    def __init__(self, file: str, stored: int) -> None:
        self.file, self.tensors = file, LIMIT_TENSORS
        self.limit = self.bytes = min(LIMIT_BYTES, allowance(stored, RATIO))

    def take(self, name: str, shape: Sequence[int], size: int) -> None:
        """Raises ArchbuilderError where the tensors of the file come to more than they may."""
        self.bytes -= prod(shape) * max(size, 4)
        self.tensors -= 1
        if self.bytes < 0 or self.tensors < 0:
            limits = f"{self.limit:,} bytes, which is too much for its size, or {LIMIT_TENSORS:,} tensors"
            raise ArchbuilderError(f"{self.file} declares more than {limits}; refused at {name}")


def unreadable(path: Path, kind: str, reason: object) -> ArchbuilderError:
    """That a file is damaged or no such file, and what helps."""
    return ArchbuilderError(f"{path} cannot be read as {kind}: {reason}; get or save it once more")


def tensor(name: str, array: Array, axes: tuple[int, ...] | None = None) -> StoredTensor:
    """A tensor in float32, its axes put in Keras' order."""
    moved = array if axes is None else array.transpose(axes)
    return StoredTensor(name, np.ascontiguousarray(moved, np.float32).reshape(moved.shape), array.shape)


def widened(bits: NDArray[np.uint16]) -> Floats:
    """The values of bfloat16 numbers, which are the upper halves of float32 numbers."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def natural_order(names: Iterable[str]) -> list[str]:
    """Names with `conv2d_2` before `conv2d_10`, and `conv2d` before both."""
    return sorted(names, key=natural_key)


def natural_key(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]
