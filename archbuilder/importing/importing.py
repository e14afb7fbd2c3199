"""A file of somebody else becomes a spec, and its weights a file beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.atomic_files import replace_file
from archbuilder.bounds import SIDE
from archbuilder.errors import MissingError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import counted, printable, shortened
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import Pair, show
from archbuilder.importing import outputs
from archbuilder.importing.building import Read
from archbuilder.importing.pixels import preprocessing_of
from archbuilder.importing.specs import spec_of
from archbuilder.importing.text import text_of
from archbuilder.importing.tidying import tidied
from archbuilder.outline.canonical import ordered_rows
from archbuilder.spec.loading import SUFFIXES, Spec

KINDS = (".keras", ".json", ".onnx")
WEIGHTS = ".safetensors"
_BY_KERAS = "\n  hint: in Keras, `keras.models.load_model(...).save('model.keras')` writes such a file"
_BY_TORCH = "\n  hint: in PyTorch, `torch.onnx.export(model, images, 'model.onnx')` does; weights alone are no network"
_WAYS = {
    **dict.fromkeys((".h5", ".hdf5", ".pb", ""), _BY_KERAS), **dict.fromkeys((".pt", ".pth", ".bin"), _BY_TORCH),
}  # fmt: skip
"""How people come from other files to those that are read."""


@dataclass(frozen=True)
class Imported:
    """A spec that was found for a file, and what had to be assumed."""

    spec: Spec
    text: str
    notes: tuple[str, ...]
    weights: Callable[[], Mapping[str, Array]]
    """Reads the weights of the file: by the names of our layers and, behind a stroke, of their weights."""

    @property
    def told(self) -> str:
        """`resnet50: 4 stages of 3, 4, 6, 3 units`"""
        stages = self.spec.network.stages
        units = ", ".join(str(stage.units) for stage in stages)
        return f"{self.spec.name}: {counted(len(stages), 'stage')}" + (f" of {units} units" if stages else "")

    def to_json(self) -> Json:
        units = [stage.units for stage in self.spec.network.stages]
        return {"name": self.spec.name, "lines": self.text.count("\n"), "units": units, "notes": [*self.notes]}


def import_file(path: Path, *, name: str | None = None, size: Pair | None = None) -> Imported:
    """The spec of a file of Keras or ONNX; nothing in the file is run.

    `size` is the height and width of images, where the file leaves them open. Raises MissingError for what is not read.
    """
    found = _read(path, size)
    graph = tidied(found.graph)
    preprocessing, notes = preprocessing_of(found.before)
    if size is not None and (there := graph.input.shape[:2]) != size:
        notes.append(f"the file says that images are {show(there)}, whatever was asked for")
    spec = spec_of(graph, name or _name(path), preprocessing, found.outputs)
    notes += outputs.notes(spec.network.outputs or (), found.outputs)
    return Imported(
        spec, text_of(spec.document.data), (*found.notes, *notes), lambda: _renamed(graph, found, expand(spec))
    )


def write(
    path: Path,
    out: Path | None = None,
    weights: Path | None = None,
    *,
    size: Pair | None = None,
    force: bool = False,
) -> Imported:
    """Imports a file, and writes the spec and the weights where they are wanted."""
    if size is not None and not (isinstance(size, Sequence) and len(size) == 2 and all(map(_is_side, size))):
        raise UsageError(f"images have a size such as 224, or (224, 320), and not {shortened(repr(size))}")
    for target, suffixes in ((out, SUFFIXES), (weights, (WEIGHTS,))):
        if target is not None and target.suffix not in suffixes:
            raise UsageError(f"{printable(str(target))}: the name of the file ends in {suffixes[0]}")
        if target is not None and target.exists() and not force:
            raise UsageError(f"{printable(str(target))} is there already: --force overwrites it")
    found = import_file(path, name=_name(out) if out else None, size=size)
    if weights is not None:
        from archbuilder.weights.safetensors import write_safetensors

        arrays = {name: np.asarray(array, np.float32) for name, array in found.weights().items()}
        replace_file(weights, lambda path: write_safetensors(path, arrays))
    if out is not None:
        replace_file(out, lambda beside: beside.write_text(found.text, "utf-8"))
    return found


def _is_side(value: object) -> bool:
    return isinstance(value, int) and 1 <= value <= SIDE


def _read(path: Path, size: Pair | None) -> Read:
    from archbuilder.importing.keras_file import read_keras_file

    match path.suffix.lower():
        case ".keras" | ".json":
            return read_keras_file(path, "imported", size)
        case ".onnx":
            from archbuilder.importing.onnx_file import read_onnx_file

            return read_onnx_file(path, "imported", size)
        case _:
            hint = _WAYS.get(path.suffix.lower(), "")
            raise MissingError(f"{printable(str(path))} is not read: {', '.join(KINDS)} files are{hint}")


def _name(path: Path) -> str:
    """A name for a spec, made of that of a file."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "_", path.stem, flags=re.ASCII).strip("_.+-")
    return plain[:100] or "imported"


def _renamed(graph: Graph, found: Read, ours: Graph) -> dict[str, Array]:
    """The weights of a file by the names of our graph, which is the same network."""
    arrays = found.arrays()
    (theirs, _), (mine, _) = ordered_rows(graph), ordered_rows(ours)
    renamed: dict[str, dict[str, Array]] = {}
    for one, other in zip(theirs, mine, strict=True):
        for weight, array in zip(other.node.weights, arrays.get(one.node.name, ()), strict=False):
            renamed.setdefault(other.node.name, {})[weight.name] = array.reshape(weight.shape)
    order = (node for node in ours.nodes if node.name in renamed)
    return {f"{node.name}/{part}": array for node in order for part, array in renamed[node.name].items()}
