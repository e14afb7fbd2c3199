"""ONNX of integers: weights and activations of 8 bits, shortcuts among them, by ONNX Runtime's static quantisation."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import helper

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError
from archbuilder.exporting import onnx_file
from archbuilder.exporting.calibration import SMALLEST_RANGE, calibration_images
from archbuilder.exporting.comparing import Compute
from archbuilder.exporting.folding import folded
from archbuilder.exporting.formats import LayerError, Options
from archbuilder.exporting.handover import Handover
from archbuilder.exporting.onnx_ops import tensor_of
from archbuilder.formatting import printable, shortened
from archbuilder.graph import ops

_AS_FLOATS = "_DequantizeLinear_Output"
"""What ONNX Runtime calls a tensor behind its integers; a ReLU is part of these, and its own tensor has none."""
COMPARED = 8
"""How many images the errors of layers are measured on."""


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> Sequence[LayerError]:
    """Quantises the network with its norms folded; what is done to pixels, and probabilities, stay floats."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    images, short = calibration_images(handover, options.calibration), folded(handover)
    with TemporaryDirectory() as name:
        plain = Path(name, path.name)
        onnx_file.write(short, plain, options, metadata)
        model = onnx.load(plain)
        tensors = {tensor_of(short.graph, node.name): node.name for node in short.graph.nodes[1:]}
        ours = {node.name for node in model.graph.node if node.name.partition(":")[0] in tensors}
        # ONNX Runtime cannot load a file that turns an image of integers where those do not go on behind it.
        ours |= {node.name for node in model.graph.node if node.op_type == "Transpose" and node.input[0] in tensors}
        outside = [node.name for node in model.graph.node if node.name not in ours or node.op_type == "Softmax"]
        with _without_warnings(), _told(handover):
            quantize_static(
                plain, path, _Reader(model.graph.input[0].name, images), quant_format=QuantFormat.QDQ,
                per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                nodes_to_exclude=outside, extra_options={"MinimumRealRange": SMALLEST_RANGE},
            )  # fmt: skip
        written = onnx.load(path)
        helper.set_model_props(written, metadata)
        path.write_bytes(written.SerializeToString())
        some = images[:: max(1, len(images) // COMPARED)][:COMPARED]
        return [*_errors(model, written, [*tensors], some)]


def load(path: Path, handover: Handover) -> Compute:
    short = folded(handover)

    def called(name: str, model: onnx.ModelProto) -> str:
        if not isinstance(short.graph[name].op, ops.Activation):
            return name
        return _name_in({result for node in model.graph.node for result in node.output}, name) or name

    return onnx_file.load(path, short, called)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """ONNX Runtime advises to infer shapes and to fold norms, which is done already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _told(handover: Handover) -> Iterator[None]:
    """What ONNX Runtime refuses is an error of one line."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        why = shortened(str(error))
        raise ArchbuilderError(f"{printable(handover.graph.name)}: ONNX Runtime does not quantise it: {why}") from None


class _Reader:
    """The images, one by one, as `quantize_static` asks for them."""

    def __init__(self, entry: str, images: Array) -> None:
        self._images: Iterator[dict[str, Array]] = ({entry: image[None]} for image in images)

    def get_next(self) -> dict[str, Array] | None:
        return next(self._images, None)


def _errors(
    plain: onnx.ModelProto, written: onnx.ModelProto, tensors: Sequence[str], images: Array
) -> Iterator[LayerError]:
    """The error behind each layer, in their order."""
    original, found = (_results(model, tensors, images) for model in (plain, written))
    for name in tensors:
        if name in original and name in found:
            size = float(np.sqrt(np.mean(np.square(original[name], dtype=np.float64))))
            error = float(np.sqrt(np.mean(np.square(original[name] - found[name], dtype=np.float64))))
            yield LayerError(name, error / size if size > 0 else error)


def _name_in(made: Collection[str], name: str) -> str | None:
    """The tensor behind the integers of a node's result, or else its own; None where nothing computes it any more."""
    return next((one for one in (f"{name}{_AS_FLOATS}", name) if one in made), None)


def _results(model: onnx.ModelProto, tensors: Sequence[str], images: Array) -> dict[str, Array]:
    """What the layers give that a model still computes under their names."""
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    made = {result for node in copy.graph.node for result in node.output}
    given = {one.name for one in copy.graph.output}
    found = {name: _name_in(made, name) for name in tensors}
    names = {name: one for name, one in found.items() if one is not None}
    copy.graph.output.extend(helper.make_empty_tensor_value_info(one) for one in names.values() if one not in given)
    session = onnxruntime.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run([*names.values()], {session.get_inputs()[0].name: images}), strict=True))
