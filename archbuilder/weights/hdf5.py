"""Weights in HDF5: `.weights.h5` of Keras 3, the one inside a `.keras` archive, and the `.h5` of Keras 2.

Only datasets are read. Links out of the file, virtual and external datasets are refused, since they would read other
files of whoever opens it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError
from archbuilder.weights.weight_file import (
    LIMIT_BYTES,
    Budget,
    Kind,
    Layer,
    StoredTensor,
    WeightFile,
    natural_order,
    tensor,
    widened,
)

_MEMBER = "model.weights.h5"
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_DEPTH = 20
_EXPANSION = 1000
"""A dataset above a megabyte that declares this many times what is stored is no data but a trap."""


def read_hdf5(path: Path) -> WeightFile:
    """Raises ArchbuilderError where the file is not one that Keras writes."""
    return _read(path, path.name)


def read_archive(path: Path) -> WeightFile:
    """The weights of a `.keras` archive; its configuration, which can hold code, is never looked at."""
    try:
        with zipfile.ZipFile(path) as archive:
            if _MEMBER not in archive.namelist():
                raise ArchbuilderError(f"there is no {_MEMBER} in {path}; weights in several parts are not read")
            if archive.getinfo(_MEMBER).file_size > LIMIT_BYTES:
                raise ArchbuilderError(f"the weights in {path} declare more than {LIMIT_BYTES >> 30} GiB")
            with archive.open(_MEMBER) as member:
                content = member.read(LIMIT_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArchbuilderError(f"{path} is not a .keras archive: {error}") from error
    return _read(BytesIO(content), path.name)


def _read(file: Path | BinaryIO, name: str) -> WeightFile:
    try:
        with h5py.File(file, "r") as root:
            layers = tuple(_layers(root, Budget(name)))
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise ArchbuilderError(f"{name} cannot be read as HDF5 weights: {error}") from error
    return WeightFile(name, layers, channels_first=False)


def _layers(root: h5py.File, budget: Budget) -> Iterator[Layer]:
    model = _group(root, "model_weights") if "model_weights" in root else root
    if "layer_names" in model.attrs or "layer_names0" in model.attrs:
        return _keras2(model, budget)
    for container in ("layers", "_layer_checkpoint_dependencies"):
        if container in root:
            return _keras3(_group(root, container), container, budget, _DEPTH)
    raise ArchbuilderError(f"{budget.file} holds no layers as Keras writes them")


def _keras2(model: h5py.Group, budget: Budget) -> Iterator[Layer]:
    """Layers in the order of the model, each with the names of its weights."""
    for name in _names(model, "layer_names"):
        group = _group(model, name)
        parts: dict[str, list[tuple[str, Array]]] = {}
        for weight in _names(group, "weight_names"):
            array = _dataset(group, weight, budget)
            parts.setdefault(weight.rpartition("/")[0], []).append((weight.partition(":")[0], array))
        for scope, arrays in parts.items():  # several where the layer is itself a model
            yield _layer(name if len(parts) == 1 else scope.rpartition("/")[2], arrays)


def _keras3(group: h5py.Group, path: str, budget: Budget, depth: int) -> Iterator[Layer]:
    """Layers in the order of the model within each class: `conv2d`, `conv2d_1`, ...; newer files tell their names."""
    if not depth:
        raise ArchbuilderError(f"{budget.file} nests layers more than {_DEPTH} deep")
    budget.take(path, (), 0)
    for key in natural_order(group):
        inner = group.get(key, getclass=True)
        if inner is not h5py.Group:
            continue
        here, child = f"{path}/{key}", _group(group, key)
        if key == "vars":
            arrays = [(f"{path}/vars/{index}", _dataset(child, index, budget)) for index in natural_order(child)]
            if arrays:
                yield _layer(path.rpartition("/")[2], arrays, _told_name(child))
        else:
            yield from _keras3(child, here, budget, depth - 1)


def _told_name(group: h5py.Group) -> str | None:
    name = group.attrs.get("name")
    return name.decode() if isinstance(name, bytes) else name if isinstance(name, str) else None


def _layer(name: str, arrays: Sequence[tuple[str, Array]], told: str | None = None) -> Layer:
    """A layer whose kind follows from the shapes of its weights, which Keras always stores in the same order."""
    if "depthwise" in name or "depthwise_kernel" in arrays[0][0]:
        arrays = [(arrays[0][0], _as_grouped(arrays[0][1])), *arrays[1:]]
    kind, parts = _kind([array.ndim for _, array in arrays])
    named = f"{told}/" if told else ""
    tensors = [tensor(f"{named}{parts[i] if told and parts else at}", array) for i, (at, array) in enumerate(arrays)]
    return Layer(told or name, kind, _by_part(parts, tensors))


def _by_part(parts: Sequence[str], tensors: Sequence[StoredTensor]) -> dict[str, StoredTensor]:
    keys = parts or [tensor.name for tensor in tensors]
    return dict(zip(keys, tensors, strict=False))


def _kind(ranks: Sequence[int]) -> tuple[Kind, Sequence[str]]:
    if ranks in ([4], [4, 1]):
        return "conv", ("kernel", "bias")
    if ranks in ([2], [2, 1]):
        return "dense", ("kernel", "bias")
    return ("norm", _NORM) if ranks == [1, 1, 1, 1] else ("other", ())


def _as_grouped(kernel: Array) -> Array:
    """A depthwise kernel (height, width, channels, multiplier) as that of a convolution with a group a channel."""
    return kernel.reshape(*kernel.shape[:2], 1, -1) if kernel.ndim == 4 else kernel


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; long ones are split over `name0`, `name1`, ..."""
    if attribute in group.attrs:
        chunks = [group.attrs[attribute]]
    else:
        chunks = [group.attrs[key] for key in natural_order(group.attrs) if key.rstrip("0123456789") == attribute]
    names = [name for chunk in chunks for name in np.ravel(chunk)]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _group(parent: h5py.Group, path: str) -> h5py.Group:
    return _inside(parent, path, h5py.Group)


def _inside(parent: h5py.Group, path: str, kind: type) -> Any:
    """The object at a path, by way of hard links alone."""
    for part in path.split("/"):
        link = parent.get(part, getclass=True, getlink=True)
        if link is not h5py.HardLink:
            raise ArchbuilderError(f"{path} is missing in the file" if link is None else f"{path} links elsewhere")
        parent = parent[part]
    if not isinstance(parent, kind):
        raise ArchbuilderError(f"{path} is not a {kind.__name__.lower()}")
    return parent


def _dataset(group: h5py.Group, path: str, budget: Budget) -> Array:
    data = _inside(group, path, h5py.Dataset)
    if data.is_virtual or data.external:
        raise ArchbuilderError(f"{path} lies in another file")
    budget.take(path, data.shape, data.dtype.itemsize)
    if data.nbytes > 2**20 + _EXPANSION * data.id.get_storage_size():
        raise ArchbuilderError(f"{path} declares {data.nbytes:,} bytes but stores next to nothing")
    values: Array = np.asarray(data[()])
    if data.attrs.get("dtype") == "bfloat16":
        return widened(values.view(np.uint16))
    return values
