"""Layers from the flat names of PyTorch: `layer1.0.conv1.weight`, in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from archbuilder.aliases import Array
from archbuilder.weights.weight_file import Kind, Layer, StoredTensor, tensor

Arrays = Mapping[str, Array]
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_WEIGHTS = {"weight": "kernel", "bias": "bias"}
_AXES = {4: (2, 3, 1, 0), 3: (2, 1, 0), 2: (1, 0)}
"""The axes of PyTorch's kernels in the order of Keras'."""
_MOVING = {"running_mean", "running_var", "moving_mean", "moving_variance"}
_OURS = ({"kernel"}, {"gamma", "beta"})
"""Names that together say that a file is in Keras' layout; others call a learned scale gamma."""


def layers(arrays: Arrays) -> tuple[tuple[Layer, ...], bool]:
    """The layers of a flat file in its order, and whether they are PyTorch's."""
    groups: dict[str, dict[str, Array]] = {}
    prefix = "module." if all(name.startswith("module.") for name in arrays) else ""
    for name, array in arrays.items():
        layer, _, part = name.removeprefix(prefix).replace("/", ".").rpartition(".")
        if part != "num_batches_tracked":
            groups.setdefault(layer, {})[part] = array
    ours = any(names <= parts.keys() for parts in groups.values() for names in _OURS)
    return tuple(_layer(name, parts, ours) for name, parts in groups.items()), not ours


def _layer(name: str, parts: Arrays, ours: bool) -> Layer:
    kind = _kind(parts, "kernel" if ours else "weight")
    names = {} if ours else _NORM if kind == "norm" else _WEIGHTS if kind != "other" else {}
    tensors = {names.get(part, part): _tensor(f"{name}.{part}", array, ours) for part, array in parts.items()}
    return Layer(name, kind, tensors)


def _kind(parts: Arrays, kernel: str) -> Kind:
    if _MOVING & parts.keys() or {"gamma", "beta"} <= parts.keys():
        return "norm"
    match parts[kernel].ndim if kernel in parts else 0:
        case 1 if "bias" in parts:
            return "norm"
        case 3 | 4:
            return "conv"
        case 2:
            return "dense"
        case _:
            return "other"


def tensor_names(layer: str, of: Kind, parts: Collection[str]) -> dict[str, str]:
    """What PyTorch calls some weights of a layer, by what they are called here."""
    names = _NORM if of == "norm" else _WEIGHTS
    return {part: f"{layer}.{name}" for name, part in names.items() if part in parts}


def stored(array: Array, shape: tuple[int, ...] | None = None) -> Array:
    """The way back of `_tensor`: a weight in PyTorch's layout; of dense layers and 1x1 convolutions, in its shape."""
    rank = array.ndim if shape is None else len(shape)
    axes = {kernel: [order.index(axis) for axis in range(kernel)] for kernel, order in _AXES.items()}.get(rank)
    if axes is None:
        moved = array
    else:
        missing = rank - array.ndim
        whole = array.reshape((*(1,) * missing, *array.shape) if missing >= 0 else array.shape[-rank:])
        moved = whole.transpose(axes)
    return np.ascontiguousarray(moved if shape is None else moved.reshape(shape), np.float32)


def _tensor(name: str, array: Array, ours: bool) -> StoredTensor:
    """Kernels come as (out, in, height, width), (out, in, length) and (out, in); transposed ones have in first.

    Theirs come in Keras' layout all the same, which has out before in.
    """
    return tensor(name, array, None if ours else _AXES.get(array.ndim))
