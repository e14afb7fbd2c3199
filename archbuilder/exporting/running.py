"""What both kinds of code need: numbers as text, a file of weights beside them, and a process of its own to run in."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import ArchbuilderError
from archbuilder.exporting.comparing import Answers, Compute
from archbuilder.exporting.program import Code, Value
from archbuilder.exporting.python_text import Text, listed, literal

_CHUNK = 64_000
"""The most bytes of one attribute of an HDF5 file; Keras reads several as one."""


def words_of(template: str) -> str:
    """The docstring of a function whose template says nothing."""
    return "Units of one resolution." if template == "stage" else f"The layers of {template.replace('_', ' ')}."


def has_image(normaliser: Normaliser) -> bool:
    """Whether each place of an image is normalised by itself; such numbers are weights, others are text."""
    return max(normaliser.factor.ndim, normaliser.shift.ndim) > 1


def numbers(values: Array) -> Text:
    """Numbers of float32 in as few digits as tell them; one where there is one."""
    some = [_number(np.float32(value)) for value in np.ravel(values)]
    return literal(some[0]) if len(some) == 1 else listed(some)


def _number(value: np.float32) -> Value:
    return Code("1 / 255") if value == np.float32(1 / 255) else float(str(value)) + 0.0


def write_by_name(path: Path, layers: Mapping[str, Sequence[tuple[str, Array]]], metadata: Mapping[str, str]) -> None:
    """An HDF5 file of which Keras takes the weights by the names of layers."""
    import h5py

    with h5py.File(path, "w") as file:
        names = [name.encode() for name in layers]
        longest = max(map(len, names), default=1)
        some = max(_CHUNK // longest, 1)
        for number, begin in enumerate(range(0, max(len(names), 1), some)):
            file.attrs[f"layer_names{number}"] = np.array(names[begin : begin + some], f"S{longest}")
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", "3.0.0"
        for key, value in metadata.items():
            file.attrs.create(f"archbuilder/{key}", np.void(value.encode())) if len(value) < _CHUNK else None
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([weight.encode() for weight, _ in weights])
            for weight, array in weights:
                group.create_dataset(weight, data=np.asarray(array, np.float32))


def running(script: str, code: Path, weights: Path, asked: Mapping[str, object]) -> Compute:
    """Runs what was written as its users do: in a process of its own, in which nothing of ours is imported."""

    def compute(images: Array) -> Answers:
        with tempfile.TemporaryDirectory(prefix="archbuilder-") as folder:
            given, found = Path(folder, "images.npy"), Path(folder, "answers.npz")
            np.save(given, images)
            arguments = [json.dumps(asked), *map(str, (code.resolve(), weights.resolve(), given, found))]
            command = [sys.executable, "-I", "-c", f"{_BEGIN}{script}{_END}", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                last = (done.stderr.strip() or "it ended").splitlines()[-1]
                raise ArchbuilderError(f"{code.name} does not run: {last}")
            with np.load(found) as arrays:
                every = [arrays[str(index)] for index in range(len(arrays))]
        half = len(every) // 2
        return Answers(tuple(every[:half]), tuple(every[half:]))

    return compute


_BEGIN = """
import importlib.util, json, sys
import numpy as np
asked, code, weights, given, found = sys.argv[1:]
asked, images, answers = json.loads(asked), np.load(given), {}
spec = importlib.util.spec_from_file_location("network", code)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
_END = """
np.savez(found, **{str(key): value for key, value in answers.items()})
"""
