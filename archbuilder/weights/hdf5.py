"""Weights in HDF5: `.weights.h5` of Keras 3, the one inside a `.keras` archive, and the `.h5` of Keras 2.

Only datasets are read. Links out of the file, virtual and external datasets are refused, since they would read other
files of whoever opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from archbuilder.aliases import Array
from archbuilder.bounded_files import BadFileError, open_archive, path_size, regular_file
from archbuilder.errors import ArchbuilderError
from archbuilder.weights.weight_file import (
    LIMIT_BYTES,
    LIMIT_TENSORS,
    RATIO,
    UNSURE,
    Budget,
    Kind,
    Layer,
    StoredTensor,
    WeightFile,
    natural_order,
    tensor,
    unreadable,
    widened,
)

_MEMBER = "model.weights.h5"
_LEARNED, _MOVING = ("gamma", "beta"), ("moving_mean", "moving_variance")
_NORM = (*_LEARNED, *_MOVING)
_BATCH_NORM = "batch_normalization"
_NORMS = (_BATCH_NORM, "layer_normalization", "group_normalization")
_OTHERS = ("einsum_dense", "p_re_lu")
"""How Keras names learned scales and slopes in files that do not name weights."""
_DEPTH = 20
_HDF5_ERRORS = (OSError, LookupError, RuntimeError, ValueError, TypeError, MemoryError, OverflowError, AttributeError)
_LONGEST_CHUNK = 2**20
"""How much of a compressed dataset may be stored in one piece, which unpacks to at most 1 GiB whatever it declares."""
_LONGEST_NAMES = 2**24
_EXPANSION = 1000
"""A dataset above a megabyte that declares this many times what is stored is no data but a trap."""


def read_hdf5(path: Path) -> WeightFile:
    """Raises ArchbuilderError where the file is not one that Keras writes."""
    try:
        with regular_file(path) as file:
            return _read(file, path, path_size(file))
    except BadFileError as error:
        raise unreadable(path, "HDF5 weights", error) from error


def read_archive(path: Path) -> WeightFile:
    """The weights of a `.keras` archive; its configuration, which can hold code, is never looked at."""
    try:
        with open_archive(path, ratio=RATIO) as archive:
            if _MEMBER not in archive.members:
                raise ArchbuilderError(f"there is no {_MEMBER} in {path}; weights in several parts are not read")
            content = archive.read(_MEMBER, LIMIT_BYTES)
    except BadFileError as error:
        raise unreadable(path, "a .keras archive", error) from error
    return _read(BytesIO(content), path, len(content))


def arrays_of_archive(path: Path, places: Iterable[str]) -> dict[str, list[Array]]:
    """The weights of the layers of a `.keras` archive that stand in some places, such as `layers/conv2d_1`."""
    try:
        with open_archive(path, ratio=RATIO) as archive:
            content = BytesIO(archive.read(_MEMBER, LIMIT_BYTES))
        budget = Budget(path.name, len(content.getbuffer()))
        with h5py.File(content, "r") as root:
            found = {}
            for place in places:
                held = _group(root, f"{place}/vars")
                found[place] = [_dataset(held, name, budget) for name in natural_order(held)]
            return found
    except BadFileError as error:
        raise unreadable(path, "a .keras archive", error) from error
    except _HDF5_ERRORS as error:
        raise unreadable(path, "a .keras archive", "it is damaged, or of another form") from error


def _read(file: BinaryIO, path: Path, size: int) -> WeightFile:
    try:
        with h5py.File(file, "r") as root:
            model = _model(root)
            layers, by_depth = tuple(_layers(model, Budget(path.name, size))), _is_functional(model)
    except BadFileError as error:
        raise unreadable(path, "HDF5 weights", error) from error
    except _HDF5_ERRORS as error:
        raise unreadable(path, "HDF5 weights", "it is damaged, or of another form") from error
    return WeightFile(path.name, layers, channels_first=False, by_depth=by_depth)


def _model(root: h5py.File) -> h5py.Group:
    """The group that holds the layers: one a layer, or one a class and number."""
    for container in ("model_weights", "layers", "_layer_checkpoint_dependencies"):
        if _holds(root, container):
            return _group(root, container)
    return root


def _layers(model: h5py.Group, budget: Budget) -> Iterator[Layer]:
    if _is_keras2(model):
        return _keras2(model, budget)
    if model.name == "/":
        raise BadFileError("it holds no layers as Keras writes them")
    return _keras3(model, model.name[1:], budget, set())


def _is_keras2(model: h5py.Group) -> bool:
    return "layer_names" in model.attrs or "layer_names0" in model.attrs


def _is_functional(model: h5py.Group) -> bool:
    """Whether these are the layers of one functional model, which has inputs, and nothing within one another."""
    if _is_keras2(model):
        names = _names(model, "layer_names")
        alone = all(len({*map(_scope, _names(_group(model, name), "weight_names"))}) < 2 for name in names)
    else:
        names = list(model)
        layers = [_linked(model, name, name) for name in names]
        alone = all(isinstance(layer, h5py.Group) and {*layer} <= {"vars"} for layer in layers)
    return alone and any(name.startswith("input") for name in names)


def _keras2(model: h5py.Group, budget: Budget) -> Iterator[Layer]:
    """Layers in the order of the model, each with the names of its weights."""
    for name in _names(model, "layer_names"):
        group = _group(model, name)
        parts: dict[str, list[tuple[str, Array]]] = {}
        for weight in _names(group, "weight_names"):
            array = _dataset(group, weight, budget)
            parts.setdefault(_scope(weight), []).append((weight.partition(":")[0], array))
        for scope, arrays in parts.items():  # several where the layer is itself a model
            yield _layer(name if len(parts) == 1 else scope.rpartition("/")[2], arrays)


def _scope(weight: str) -> str:
    return weight.rpartition("/")[0]


def _keras3(group: h5py.Group, path: str, budget: Budget, seen: set[int]) -> Iterator[Layer]:
    """Layers in the order of the model within each class: `conv2d`, `conv2d_1`, ...; newer files tell their names.

    `seen` are the places in the file of the groups so far; one that is there twice may be there any number of times.
    """
    if path.count("/") >= _DEPTH:
        raise BadFileError(f"it nests layers more than {_DEPTH} deep")
    if (place := h5py.h5o.get_info(group.id).addr) in seen:
        raise BadFileError(f"{path} is there under another name as well")
    seen.add(place)
    budget.take(path, (), 0)
    for key in natural_order(group):
        here = f"{path}/{key}"
        child = _linked(group, key, here)
        if not isinstance(child, h5py.Group):
            continue
        if key == "vars":
            arrays = [(f"{path}/vars/{index}", _dataset(child, index, budget)) for index in natural_order(child)]
            if arrays:
                yield _layer(path.rpartition("/")[2], arrays, _told_name(child))
        else:
            yield from _keras3(child, here, budget, seen)


def _told_name(group: h5py.Group) -> str | None:
    name = _attribute(group, "name") if "name" in group.attrs else None
    return name.decode() if isinstance(name, bytes) else name if isinstance(name, str) else None


def _layer(name: str, arrays: Sequence[tuple[str, Array]], told: str | None = None) -> Layer:
    """A layer whose kind mostly follows from the shapes of its weights, which Keras always stores in the same order."""
    if "depthwise" in name or "depthwise_kernel" in arrays[0][0]:
        arrays = [(arrays[0][0], _as_grouped(arrays[0][1])), *arrays[1:]]
    kind, parts = ("other", ()) if _is_other(name, *arrays[0]) else _kind(name, arrays)
    named = f"{told}/" if told else ""
    tensors = [tensor(f"{named}{parts[i] if told and parts else at}", array) for i, (at, array) in enumerate(arrays)]
    return Layer(told or name, kind, _by_part(parts, tensors))


def _is_other(layer: str, name: str, array: Array) -> bool:
    """Whether a layer is a learned scale or slope, whose weights have the ranks of norms and convolutions."""
    weight = name.rpartition("/")[2]
    return layer.startswith(_OTHERS) or weight == "alpha" or (weight == "kernel" and array.ndim == 1)


def _by_part(parts: Sequence[str], tensors: Sequence[StoredTensor]) -> dict[str, StoredTensor]:
    keys = parts or [tensor.name for tensor in tensors]
    return dict(zip(keys, tensors, strict=False))


def _kind(layer: str, arrays: Sequence[tuple[str, Array]]) -> tuple[Kind, Sequence[str]]:
    ranks = [array.ndim for _, array in arrays]
    if ranks in ([4], [4, 1], [3], [3, 1]):
        return "conv", ("kernel", "bias")
    if ranks in ([2], [2, 1]):
        return "dense", ("kernel", "bias")
    parts = _norm_parts(layer, [name for name, _ in arrays]) if set(ranks) == {1} else ()
    return ("norm", parts) if parts else ("other", ())


def _norm_parts(layer: str, names: Sequence[str]) -> Sequence[str]:
    """What the vectors of a norm are, by their names, else by their number; a lone one of two is not known."""
    told = [part for name in names for part in _NORM if name.endswith(part)]
    if len(told) == len(set(told)) == len(names):
        return told
    match len(names):
        case 1 if layer.startswith(_NORMS):
            return (UNSURE,)
        case 2:
            return _MOVING if layer.startswith(_BATCH_NORM) else _LEARNED
        case 3:
            return (UNSURE, *_MOVING)
        case 4:
            return _NORM
        case _:
            return ()


def _as_grouped(kernel: Array) -> Array:
    """A depthwise kernel (height, width, channels, multiplier) as that of a convolution with a group a channel."""
    return kernel.reshape(*kernel.shape[:2], 1, -1) if kernel.ndim == 4 else kernel


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; long ones are split over `name0`, `name1`, ..."""
    if attribute in group.attrs:
        chunks = [_attribute(group, attribute)]
    else:
        names = natural_order(key for key in group.attrs if key.rstrip("0123456789") == attribute)
        chunks = [_attribute(group, key) for key in names]
    texts = [text for chunk in chunks for text in np.ravel(chunk)]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _attribute(group: h5py.Group, name: str) -> Any:
    """The value of an attribute with as many names as a file may have tensors, or fewer."""
    facts = group.attrs.get_id(name)
    count = prod(facts.shape)
    if count > LIMIT_TENSORS or (count and facts.get_storage_size() > _LONGEST_NAMES):
        raise BadFileError(f"its list {name} is too long")
    return group.attrs[name]


def _group(parent: h5py.Group, path: str) -> h5py.Group:
    return _inside(parent, path, h5py.Group)


def _inside(parent: h5py.Group, path: str, kind: type) -> Any:
    """The object at a path, by way of hard links alone."""
    for part in path.split("/"):
        parent = _linked(parent, part, path)
    if not isinstance(parent, kind):
        raise BadFileError(f"{path} is not a {kind.__name__.lower()}")
    return parent


def _linked(parent: h5py.Group, name: str, path: str) -> Any:
    link = parent.get(name, getclass=True, getlink=True) if isinstance(parent, h5py.Group) else None
    if link is not h5py.HardLink:
        raise BadFileError(f"{path} is missing in it" if link is None else f"{path} links elsewhere")
    return parent[name]


def _holds(group: h5py.Group, name: str) -> bool:
    """Whether there is something of a name, which is not looked at."""
    return group.get(name, getclass=True, getlink=True) is not None


def _dataset(group: h5py.Group, path: str, budget: Budget) -> Array:
    data = _inside(group, path, h5py.Dataset)
    if data.is_virtual or data.external:
        raise BadFileError(f"{path} lies in another file")
    if data.dtype.kind not in "fiub" or data.shape is None:
        raise BadFileError(f"{path} is no array of numbers")
    _require_stored(data, path)
    budget.take(path, data.shape, data.dtype.itemsize)
    values: Array = np.asarray(data[()])
    if data.attrs.get("dtype") == "bfloat16":
        return widened(values.view(np.uint16))
    return values


def _require_stored(data: h5py.Dataset, path: str) -> None:
    """Raises BadFileError for a dataset that declares far more than it stores, as a whole or in one of its pieces."""
    declared = max(data.nbytes, prod(data.chunks or ()) * data.dtype.itemsize)
    if declared > 2**20 + _EXPANSION * data.id.get_storage_size():
        raise BadFileError(f"{path} declares {declared:,} bytes but stores next to nothing")
    if data.id.get_create_plist().get_nfilters():
        pieces = (data.id.get_chunk_info(index).size for index in range(data.id.get_num_chunks()))
        if max(pieces, default=0) > _LONGEST_CHUNK:
            raise BadFileError(f"{path} is compressed in pieces that are too large")
