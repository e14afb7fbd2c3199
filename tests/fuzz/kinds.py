"""All kinds of input, by name."""

from __future__ import annotations

from tests.fuzz import archives, images, models, onnx_models, runs, specs, weights
from tests.fuzz.case import Kind

KINDS: dict[str, Kind] = {
    "specs": specs.SPECS, "edits": specs.EDITS_OF_SPECS, "arguments": specs.ARGUMENTS, "images": images.IMAGES,
    "folders": images.FOLDERS, "arrays": archives.ARRAYS, "cifar": archives.CIFAR, "safetensors": weights.SAFETENSORS,
    "keras_files": weights.KERAS_FILES, "torch_files": weights.TORCH_FILES, "runs": runs.RUNS,
    "keras_models": models.KERAS_MODELS, "onnx_models": onnx_models.ONNX_MODELS,
}  # fmt: skip
