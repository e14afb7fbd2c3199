"""What the libraries said, and files of the weights with which they said it."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.weights.conftest import write_keras2, write_safetensors
from tests.weights.reference.drawing import Array, weight

HERE = Path(__file__).parent
Weights = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A network of a library."""

    name: str
    spec: str
    """The network that is the same: a bundled one, or a spec beside the row."""
    input: list[int]
    tensors: dict[str, list[int]]
    """The shapes of the tensors by their names, in the library's order."""
    norms: list[list[float]]
    """Each epsilon and momentum of its batch norms."""
    counts: dict[str, int | float]
    """What the library publishes or counts, for images of its usual size."""
    told: list[list[float]]
    """What `drawing.told` keeps of the logits for two images."""
    gain: float
    """The gain of norms with which its weights were drawn."""
    library: str
    groups: dict[str, str] | None = None
    """What the layers of Keras are called in its own files."""

    @property
    def source(self) -> str | Path:
        return HERE / self.spec if self.spec.endswith(".yaml") else self.spec

    @property
    def expected(self) -> Array:
        return np.array(self.told, np.float32)

    @property
    def work(self) -> int:
        """Roughly hundredths of a second to load and build it: some for each tensor, and some for what it holds."""
        return len(self.tensors) + sum(prod(shape) for shape in self.tensors.values()) // 100_000

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats in which its weights go around; those first that need no other library to be read."""
        return (".h5", ".weights.h5", ".keras") if self.groups else (".safetensors", ".pth")

    def weights(self) -> Weights:
        return {name: weight(name, tuple(shape), self.gain) for name, shape in self.tensors.items()}

    def write(self, folder: Path, suffix: str, weights: Weights) -> Path:
        """A file as the library itself writes it."""
        path = folder / f"weights{suffix}"
        match suffix:
            case ".safetensors":
                return write_safetensors(path, weights)
            case ".pth":
                return _write_torch(path, weights)
            case ".h5":
                return write_keras2(path, _in_groups(weights))
            case ".weights.h5":
                return _write_keras3(path, weights, self.groups or {})
            case ".keras":
                inner = self.write(folder, ".weights.h5", weights)
                with zipfile.ZipFile(path, "w") as archive:
                    archive.write(inner, "model.weights.h5")
                return path
        raise ValueError(suffix)


def _read(path: Path) -> Row:
    name = path.relative_to(HERE).as_posix().removesuffix(".json.gz")
    return Row(name=name, **json.loads(gzip.decompress(path.read_bytes())))


def _write_torch(path: Path, weights: Weights) -> Path:
    import torch

    torch.save({name: torch.from_numpy(np.array(array)) for name, array in weights.items()}, path)
    return path


def _layers(weights: Weights) -> dict[str, dict[str, Any]]:
    """The weights of Keras by layer."""
    layers: dict[str, dict[str, Any]] = {}
    for name, array in weights.items():
        layer, _, part = name.rpartition("/")
        layers.setdefault(layer, {})[part] = array
    return layers


def _in_groups(weights: Weights) -> dict[str, dict[str, Any]]:
    """The weights of each layer, by their names in files of Keras 2; a layer within one is in its group."""
    groups: dict[str, dict[str, Any]] = {}
    for layer, parts in _layers(weights).items():
        outer, _, inner = layer.partition("/")
        groups.setdefault(outer, {}).update({f"{inner or outer}/{part}:0": array for part, array in parts.items()})
    return groups


def _write_keras3(path: Path, weights: Weights, groups: Mapping[str, str]) -> Path:
    """A group a layer, named by its class and number, with its own name beside weights that are only numbered."""
    with h5py.File(path, "w") as file:
        file.create_group("layers/input_layer/vars").attrs["name"] = "input_layer"
        for layer, parts in _layers(weights).items():
            group = file.create_group(f"{groups[layer]}/vars")
            group.attrs["name"] = layer.rpartition("/")[2]
            for number, array in enumerate(parts.values()):
                group.create_dataset(str(number), data=array)
    return path


ROWS = [_read(path) for path in sorted(HERE.rglob("*.json.gz"))]
