"""LiteRT: a network of constants that takes one image, in float32, float16 or int8."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError
from archbuilder.exporting.borders import with_repeated_borders
from archbuilder.exporting.calibration import calibration_images
from archbuilder.exporting.comparing import Answers, Compute
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover, Output
from archbuilder.exporting.litert_process import CALIBRATION, NETWORK, WRITTEN, Precision, interpreters
from archbuilder.formatting import printable
from archbuilder.machine.loading import without_notices

SECONDS = 240
"""The longest that the processor may work on a conversion; on a busy machine that takes longer by the clock."""
OWN_MEMORY, MEMORY = 10**9, 24
"""Bytes that the converter takes, and those for each byte of the weights; measured with VGG-16 on images of 96x96."""
METADATA = "archbuilder.json"
"""The member of the archive behind the model, which the runtime does not look at."""
_NOT_THERE = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_ENDINGS = ("SOFTMAX", "LOGISTIC")


@dataclass(frozen=True)
class LiteRtWriter:
    """One of the precisions."""

    precision: Precision

    def write(self, handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
        """Raises ArchbuilderError where the conversion fails, or does not end."""
        from archbuilder.exporting.keras_network import whole_model

        with TemporaryDirectory() as name:
            folder = Path(name)
            if self.precision == "int8":
                handover = with_repeated_borders(handover)
                np.save(folder / CALIBRATION, calibration_images(handover, options.calibration).astype(np.float32))
            whole_model(handover).save(folder / NETWORK)
            _convert(folder, self.precision, handover)
            path.write_bytes((folder / WRITTEN).read_bytes())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(METADATA, json.dumps(metadata, indent=1))

    def load(self, path: Path, handover: Handover) -> Compute:
        """The answers of the runtime as its users have it, the logits without its delegates."""
        with without_notices():
            quick, slow = interpreters(path.read_bytes())
        places = _places(quick)
        logits = [_logits(slow, output, places[output.name]) for output in handover.outputs]

        def compute(images: Array) -> Answers:
            found = [_of_image(image) for image in images.astype(np.float32)]
            both = ([np.stack(parts) for parts in zip(*side, strict=True)] for side in zip(*found, strict=True))
            return Answers(*map(tuple, both))

        def _of_image(image: Array) -> tuple[list[Array], list[Array]]:
            for one in (quick, slow):
                one.set_tensor(one.get_input_details()[0]["index"], image[None])
                one.invoke()
            return [get()[0] for get in logits], [quick.get_tensor(places[one.name])[0] for one in handover.outputs]

        return compute


def _convert(folder: Path, precision: Precision, handover: Handover) -> None:
    """By a process of its own, which can be stopped."""
    name, output = handover.graph.name, handover.outputs[0].name
    words = (str(folder), precision, output, str(SECONDS), str(len(handover.graph.nodes)))
    command = [sys.executable, "-P", "-m", "archbuilder.exporting.litert_process", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        why = _why(done, handover.graph.parameters, (folder / WRITTEN).is_file())
        raise ArchbuilderError(f"{printable(name)} cannot be written for LiteRT: {why}")


def _why(done: subprocess.CompletedProcess[str], parameters: int, is_written: bool) -> str:
    if missing := ", ".join(sorted(set(_NOT_THERE.findall(done.stderr)))):
        return f"LiteRT has no {missing}"
    if done.returncode == -getattr(signal, "SIGXCPU", 0):
        return f"its converter did not come to an end within {SECONDS} seconds of the processor"
    if done.returncode == -getattr(signal, "SIGKILL", 0):
        memory = OWN_MEMORY + MEMORY * 4 * parameters
        return f"its converter was killed, as happens where memory runs out: it may take some {memory / 1e9:.0f} GB"
    return "its runtime refuses it" if is_written else "its converter fails"


def _places(interpreter: Any) -> dict[str, int]:
    """The tensors of the outputs, by the names of the signature."""
    [signature] = interpreter.get_signature_list()
    found = interpreter.get_signature_runner(signature).get_output_details()
    return {name: details["index"] for name, details in found.items()}


def _logits(interpreter: Any, output: Output, place: int) -> Callable[[], Array]:
    """What enters the softmax or sigmoid of an output, or what it is where there is none."""
    made_by = {int(result): op for op in interpreter._get_ops_details() for result in op["outputs"]}
    details = {one["index"]: one for one in interpreter.get_tensor_details()}

    def exact(index: int) -> Array:
        scale, zero = details[index]["quantization"]
        values: Array = interpreter.get_tensor(index)
        return values if values.dtype == np.float32 else ((values.astype(np.float32) - zero) * scale)

    while (op := made_by.get(place)) is not None and op["op_name"] in ("DEQUANTIZE", *_ENDINGS):
        place = int(op["inputs"][0])
        if op["op_name"] in _ENDINGS:
            break
    scaling = output.scaling
    return (lambda: exact(place)) if scaling is None else (lambda: scaling.done(exact(place)))
