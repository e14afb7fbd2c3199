"""`.safetensors`: eight bytes of length, a JSON header, raw data (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from archbuilder.aliases import Array
from archbuilder.bounded_files import BadFileError, path_size, regular_file
from archbuilder.weights.torch_layout import layers
from archbuilder.weights.weight_file import Budget, WeightFile, natural_order, unreadable, widened

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""What weights are made of; tensors of integers are counters and the like, and no weights."""
_LONGEST_HEADER = 2**24
"""The format allows 100,000,000 bytes; the largest networks need one or two."""
_Length = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


class _Entry(BaseModel):
    """What a header says of a tensor."""

    model_config = ConfigDict(frozen=True)

    dtype: str
    shape: Annotated[tuple[_Length, ...], Field(max_length=64)]
    data_offsets: tuple[_Length, _Length]


_HEADER = TypeAdapter(dict[str, _Entry])


def read_safetensors(path: Path) -> WeightFile:
    """Raises ArchbuilderError where the header does not describe the file."""
    try:
        arrays = _arrays(path)
    except BadFileError as error:
        raise unreadable(path, "safetensors", error) from error
    found, channels_first = layers(arrays)
    return WeightFile(path.name, found, channels_first, ordered=False)


def write_safetensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Tensors of float32 or int64, one behind the other in the order of their names."""
    header: dict[str, object] = {"__metadata__": dict(metadata or {})}
    begin = 0
    for name in sorted(tensors):
        array = tensors[name]
        end = begin + array.nbytes
        kind = "I64" if array.dtype == np.int64 else "F32"
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": (begin, end)}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(tensors):
            file.write(np.ascontiguousarray(tensors[name]).data)


def _arrays(path: Path) -> dict[str, Array]:
    with regular_file(path) as file:
        size = path_size(file)
        entries, begin = _header(file, size)
        data = np.memmap(file, np.uint8, "r", offset=begin) if size > begin else np.empty(0, np.uint8)
        budget = Budget(path.name, size)
        chosen = {name: entry for name, entry in entries.items() if entry.dtype in _TYPES}
        return {name: _array(name, chosen[name], data, budget) for name in natural_order(chosen)}


def _header(file: BinaryIO, size: int) -> tuple[dict[str, _Entry], int]:
    """The tensors that it names, and where their data begins."""
    length = int.from_bytes(file.read(8), "little")
    if length > min(_LONGEST_HEADER, size - 8):
        raise BadFileError(f"its header of {length:,} bytes does not fit")
    try:
        entries = from_json(file.read(length), allow_inf_nan=False)
        if isinstance(entries, dict):
            entries.pop("__metadata__", None)
        return _HEADER.validate_python(entries), 8 + length
    except ValueError as error:
        raise BadFileError("its header is damaged") from error


def _array(name: str, entry: _Entry, data: NDArray[np.uint8], budget: Budget) -> Array:
    kind, shape, (begin, end) = np.dtype(_TYPES[entry.dtype]), entry.shape, entry.data_offsets
    if not begin <= end <= len(data) or end - begin != prod(shape) * kind.itemsize:
        raise BadFileError(f"the tensor {name} does not lie in it")
    budget.take(name, shape, kind.itemsize)
    values = data[begin:end].view(kind).reshape(shape)
    return widened(values) if entry.dtype == "BF16" else values
