"""The backend of Keras that computes the networks; Keras is loaded only when it is asked for."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Literal, get_args

from archbuilder.errors import MissingError, UsageError

Backend = Literal["tensorflow", "jax"]


def backend() -> Backend:
    """The backend that Keras has loaded; raises UsageError for one that archbuilder does not know."""
    require_backend()
    import keras

    name = keras.backend.backend()
    _require_known(name, "the backend of Keras")
    return "jax" if name == "jax" else "tensorflow"


def require_backend() -> None:
    """Raises UsageError or MissingError for a KERAS_BACKEND that cannot be used, before Keras fails to load it."""
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    _require_known(name, "KERAS_BACKEND")
    if name == "jax" and find_spec("jax") is None:
        raise MissingError("KERAS_BACKEND=jax needs JAX: pip install 'archbuilder[jax]'")


def _require_known(name: str, setting: str) -> None:
    known = get_args(Backend)
    if name not in known:
        raise UsageError(f"{setting} is {name}, and archbuilder computes with {' or '.join(known)}")
