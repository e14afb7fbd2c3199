"""Reads the pickles that CIFAR comes in, without running anything that stands in them.

A pickle is a program that may call whatever it can name. Here it can name four things, all of them ours: what stands
for NumPy's array, for its constructor, for its dtype, and for the encoding that Python 3 writes bytes with.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

DTYPES = frozenset(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8))


class _Dtype:
    """Whole numbers; its state holds the order of bytes."""

    def __init__(self, name: str | bytes, *_: object) -> None:
        text = name.decode("ascii") if isinstance(name, bytes) else name
        if text not in DTYPES:
            raise pickle.UnpicklingError(f"an array of {text!r} where whole numbers are expected")
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


def _names() -> Mapping[tuple[str, str], object]:
    """Made anew for each pickle, since a pickle can also set attributes."""

    def reconstruct(*_: object) -> _Array:
        return _Array()

    def dtype(*arguments: Any) -> _Dtype:
        return _Dtype(*arguments)

    def encode(text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"the encoding {encoding!r}")
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
        self._known = _names()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which has no place in a data set")
        return self._known[module, name]


def unpickle(content: bytes) -> dict[str, Any]:
    """A mapping of text to numbers, text, lists and arrays; raises ValueError for anything else."""
    read: Callable[[], Any] = _Reader(content).load
    try:
        found = read()
    except Exception as error:  # whatever a broken pickle makes the unpickler, or our stand-ins, raise
        raise ValueError(str(error) or type(error).__name__) from error
    if not isinstance(found, dict):
        raise ValueError("it does not hold a mapping")
    return {_text(key): value.values if isinstance(value, _Array) else value for key, value in found.items()}


def _text(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)
