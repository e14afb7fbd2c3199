"""The reader of a file of weights."""

from __future__ import annotations

from pathlib import Path

from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.weights.weight_file import WeightFile

SUFFIXES = (".weights.h5", ".h5", ".hdf5", ".keras", ".pth", ".pt", ".safetensors")


def read(path: Path) -> WeightFile:
    """The layers of a file of weights; raises MissingError, UsageError, or ArchbuilderError where it is damaged."""
    if not path.exists():
        raise MissingError(f"there is no file {path}")
    source = _read(path)
    if not source.layers:
        raise ArchbuilderError(f"{path} holds no weights")
    return source


def _read(path: Path) -> WeightFile:
    match path.suffix:
        case ".h5" | ".hdf5":
            from archbuilder.weights.hdf5 import read_hdf5

            return read_hdf5(path)
        case ".keras":
            from archbuilder.weights.hdf5 import read_archive

            return read_archive(path)
        case ".safetensors":
            from archbuilder.weights.safetensors import read_safetensors

            return read_safetensors(path)
        case ".pth" | ".pt":
            from archbuilder.weights.torch_file import read_torch

            return read_torch(path)
        case _:
            raise UsageError(f"weights are read from files that end in {', '.join(SUFFIXES)}, not from {path}")
