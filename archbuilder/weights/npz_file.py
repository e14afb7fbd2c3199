"""NumPy's archives of named arrays, `.npz`."""

from __future__ import annotations

from pathlib import Path

from archbuilder.aliases import Array
from archbuilder.bounded_arrays import open_arrays
from archbuilder.bounded_files import BadFileError, path_size, regular_file
from archbuilder.weights.torch_layout import layers
from archbuilder.weights.weight_file import Budget, WeightFile, unreadable


def read_npz(path: Path) -> WeightFile:
    """Raises ArchbuilderError where it holds other things than arrays of numbers."""
    try:
        arrays = _arrays(path)
    except BadFileError as error:
        raise unreadable(path, "arrays of NumPy", error) from error
    found, channels_first = layers(arrays)
    return WeightFile(path.name, found, channels_first)


def _arrays(path: Path) -> dict[str, Array]:
    with regular_file(path) as file:
        budget = Budget(path.name, path_size(file))
    arrays: dict[str, Array] = {}
    with open_arrays(path) as archive:
        for name in archive.names:
            header = archive.header(name)
            if header.dtype.kind == "f":
                budget.take(name, header.shape, header.dtype.itemsize)
                arrays[name] = archive.read(name)
    return arrays
