"""A Keras model as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.atomic_files import replace_file
from archbuilder.errors import UsageError

if TYPE_CHECKING:
    import keras


def save_model(model: keras.Model, path: Path) -> None:
    """The file is complete or not there at all. Raises UsageError where the name does not end in .keras."""
    if path.suffix != ".keras":
        raise UsageError(f"a model is saved to a file that ends in .keras, not to {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, model.save)
