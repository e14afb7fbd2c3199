"""The reader of a file of weights."""

from __future__ import annotations

from pathlib import Path

from archbuilder.bounded_files import BadFileError, open_archive, regular_file
from archbuilder.errors import ArchbuilderError, MissingError
from archbuilder.weights.weight_file import RATIO, WeightFile, unreadable

KINDS = ".weights.h5, .keras, .h5, .safetensors, .npz, or a file of PyTorch"
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_PICKLES = (b"\x80", b"(", b"c", b"}")
"""What the pickles of PyTorch before 1.6 begin with."""


def read(path: Path) -> WeightFile:
    """The layers of a file of weights, told by its content; raises MissingError, or ArchbuilderError for another."""
    if not path.exists():
        raise MissingError(f"there is no file {path}")
    source = _read(path)
    if not source.layers:
        raise ArchbuilderError(f"{path} holds no weights")
    return source


def _read(path: Path) -> WeightFile:
    begin = _begin(path)
    if begin.startswith(_HDF5):
        from archbuilder.weights.hdf5 import read_hdf5

        return read_hdf5(path)
    if begin.startswith(_ZIP):
        return _read_archive(path)
    if begin[8:9] == b"{" or path.suffix == ".safetensors":
        from archbuilder.weights.safetensors import read_safetensors

        return read_safetensors(path)
    if begin.startswith(_PICKLES) or path.suffix in (".pth", ".pt"):
        from archbuilder.weights.torch_file import read_torch

        return read_torch(path)
    raise unreadable(path, "weights", f"it is no {KINDS}")


def _begin(path: Path) -> bytes:
    try:
        with regular_file(path) as file:
            return file.read(16)
    except BadFileError as error:
        raise unreadable(path, "weights", error) from error


def _read_archive(path: Path) -> WeightFile:
    """A zip archive is what its members say."""
    try:
        with open_archive(path, ratio=RATIO) as archive:
            members = archive.members
    except BadFileError as error:
        raise unreadable(path, "an archive of weights", error) from error
    if any(name.endswith("data.pkl") for name in members):
        from archbuilder.weights.torch_file import read_torch

        return read_torch(path)
    if members and all(name.endswith(".npy") for name in members):
        from archbuilder.weights.npz_file import read_npz

        return read_npz(path)
    from archbuilder.weights.hdf5 import read_archive

    return read_archive(path)
