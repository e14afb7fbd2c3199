"""Reads the pickles that CIFAR comes in, without running anything that stands in them.

A pickle is a program that may call whatever it can name. Here it can name four things, all of them ours: what stands
for NumPy's array, for its constructor, for its dtype, and for the encoding that Python 3 writes bytes with.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archbuilder.bounded_files import BadFileError
from archbuilder.bounded_pickles import names_in
from archbuilder.formatting import printable

MAX_TUPLES = 60_000
"""CIFAR-100 has one for each of its 50,000 images. Python's own reader crashes on a key of 200,000 nested ones."""
DTYPES = frozenset(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8))


class _Dtype:
    """Whole numbers; its state holds the order of bytes."""

    def __init__(self, name: str | bytes, *_: object) -> None:
        text = name.decode("ascii") if isinstance(name, bytes) else name
        if text not in DTYPES:
            raise BadFileError("it holds an array of something else than whole numbers")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """An array before the pickle has given its state."""

    values: npt.NDArray[Any]

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Dtype, bool, bytes]) -> None:
        _, shape, kind, fortran, raw = state
        self.values = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C")


def _names(room: int) -> Mapping[tuple[str, str], object]:
    """Made anew for each pickle, since a pickle can also set attributes.

    The texts that are encoded may come to `room` bytes: each stands in the pickle, so that they are no longer than it.
    """

    def reconstruct(*_: object) -> _Array:
        return _Array()

    def dtype(*arguments: Any) -> _Dtype:
        return _Dtype(*arguments)

    def encode(text: str, encoding: str) -> bytes:
        nonlocal room
        room -= len(text)
        if encoding != "latin1" or room < 0:
            raise BadFileError("it encodes text in a way that no data set does")
        return text.encode("latin1")

    return {
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): dtype,
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        ("_codecs", "encode"): encode,
    }


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), fix_imports=False, encoding="bytes")
        self._known = _names(len(content))

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            asked = printable(f"{module}.{name}"[:100])
            raise BadFileError(f"it asks for {asked}, which has no place in a data set")
        return self._known[module, name]


def unpickle(content: bytes) -> dict[str, Any]:
    """A mapping of text to numbers, text, lists and arrays; raises ValueError, in a person's words, for anything else.

    Lists may hold each other many times over: look at what is in one before anything is made of it.
    """
    try:
        names_in(io.BytesIO(content))
        if sum(code.name.startswith("TUPLE") for code, _, _ in pickletools.genops(content)) > MAX_TUPLES:
            raise BadFileError("it holds more tuples than a data set does")
        return _fields(_Reader(content).load())
    except BadFileError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # whatever a broken pickle makes the unpickler, or our stand-ins, raise
        raise ValueError("it is damaged") from error


def _fields(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise BadFileError("it does not hold a mapping")
    if not all(isinstance(key, str | bytes) for key in found):
        raise BadFileError("what it maps is not called by text")
    names = (key.decode("latin1") if isinstance(key, bytes) else key for key in found)
    values = (value.values if isinstance(value, _Array) else value for value in found.values())
    return dict(zip(names, values, strict=True))
