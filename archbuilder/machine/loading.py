"""The engine that computes, loaded without its notices."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from archbuilder.machine.backend import require_backend


@contextmanager
def without_notices() -> Iterator[None]:
    """Drops what libraries write to the file descriptor of standard error; exceptions are raised as ever."""
    if sys.stderr is not None:  # where the shell has closed it
        sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load_tensorflow() -> None:
    """Loads TensorFlow without its notices, where it is what computes.

    Those about missing GPUs come whatever its log level is. They are written to the file descriptor itself, when it
    first looks for devices. What goes wrong is raised as an exception and not hidden. Where TensorFlow was loaded
    before, no setting is changed. Raises UsageError or MissingError for a KERAS_BACKEND that cannot be used.
    """
    require_backend()
    if os.environ.get("KERAS_BACKEND") == "jax":
        return
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with without_notices():
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")
