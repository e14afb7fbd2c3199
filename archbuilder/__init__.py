"""archbuilder: residual networks from declarative YAML specs."""

from archbuilder.api import build, draw, expand, summary, train, train_seeds
from archbuilder.errors import ArchbuilderError, DivergedError, MissingError, SpecError, UsageError
from archbuilder.spec import Spec, bundled, load, load_text

__all__ = [
    "ArchbuilderError", "DivergedError", "MissingError", "Spec", "SpecError", "UsageError", "build", "bundled", "draw",
    "expand", "load", "load_text", "summary", "train", "train_seeds",
]  # fmt: skip
