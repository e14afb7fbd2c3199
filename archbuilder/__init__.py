"""archbuilder: residual networks from declarative YAML specs."""

import os

# Before TensorFlow is loaded, or it prints notices about missing GPUs; what matters it raises as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from archbuilder.api import build, draw, graph, report, train
from archbuilder.errors import ArchbuilderError, DivergedError, MissingError, SpecError, UsageError
from archbuilder.spec import Spec, bundled, load, load_text

__all__ = [
    "ArchbuilderError", "DivergedError", "MissingError", "Spec", "SpecError", "UsageError", "build", "bundled", "draw",
    "graph", "load", "load_text", "report", "train",
]  # fmt: skip
