"""`.safetensors`: eight bytes of length, a JSON header, raw data (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError
from archbuilder.weights.torch_layout import layers
from archbuilder.weights.weight_file import Budget, WeightFile, natural_order, widened

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""What weights are made of; tensors of integers are counters and the like, and no weights."""
_LONGEST_HEADER = 100_000_000
"""The format's own limit."""


def read_safetensors(path: Path) -> WeightFile:
    """Raises ArchbuilderError where the header does not describe the file."""
    try:
        arrays = _arrays(path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchbuilderError(f"{path} cannot be read as safetensors: {error}") from error
    found, channels_first = layers(arrays)
    return WeightFile(path.name, found, channels_first)


def _arrays(path: Path) -> dict[str, Array]:
    size, budget = path.stat().st_size, Budget(path.name)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_LONGEST_HEADER, size - 8):
            raise ValueError(f"its header of {length:,} bytes does not fit")
        header = json.loads(file.read(length))
    entries = {name: entry for name, entry in header.items() if name != "__metadata__" and entry["dtype"] in _TYPES}
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if entries else np.empty(0, np.uint8)
    return {name: _array(name, entries[name], data, budget) for name in natural_order(entries)}


def _array(name: str, entry: Mapping[str, Any], data: NDArray[np.uint8], budget: Budget) -> Array:
    kind, shape = np.dtype(_TYPES[entry["dtype"]]), [int(side) for side in entry["shape"]]
    begin, end = map(int, entry["data_offsets"])
    if min(shape, default=0) < 0 or not 0 <= begin <= end <= len(data) or end - begin != prod(shape) * kind.itemsize:
        raise ValueError(f"the tensor {name} does not lie in it")
    budget.take(name, shape, kind.itemsize)
    values = data[begin:end].view(kind).reshape(shape)
    return widened(values) if entry["dtype"] == "BF16" else values
