"""The conversion of a Keras model to LiteRT, as a process of its own:
`python -m ... FOLDER PRECISION OUTPUT SECONDS NODES`.

Variables become constants before LiteRT's converter sees them. Keras' own way leaves that to the converter, which takes
up to five times as long, and did not come to an end with SE-ResNet-50 on an older processor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, assert_never, cast

import numpy as np

from archbuilder.aliases import Array
from archbuilder.exporting.calibration import SMALLEST_RANGE
from archbuilder.machine.hardware import cores
from archbuilder.machine.loading import load_tensorflow

Precision = Literal["float32", "float16", "int8"]
NETWORK, CALIBRATION, WRITTEN = "network.keras", "calibration.npy", "network.tflite"
"""The files of the folder."""

_AS_THEY_ARRIVE = {
    "MAX_POOL_2D", "AVERAGE_POOL_2D", "REDUCE_MAX", "REDUCE_MIN", "MAXIMUM", "MINIMUM", "CONCATENATION", "RESHAPE",
    "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V",
    "GATHER", "PACK", "UNPACK", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH",
    "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "BROADCAST_TO", "TILE",
}  # fmt: skip
"""Operators of LiteRT whose integers mean in the result what they mean in what arrives."""


def convert(folder: Path, precision: Precision, name: str, nodes: int) -> None:
    """Writes the network of a folder beside it, for one image at a time.

    `name` is that of a single output, `nodes` the number of those in the graph.
    """
    load_tensorflow()
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(folder, name, nodes)], tf.Module())
    match precision:
        case "float32":
            written = converter.convert()
        case "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
            written = converter.convert()
        case "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _batches(np.load(folder / CALIBRATION))
            written = _quantised(converter)
        case _:
            assert_never(precision)
    (folder / WRITTEN).write_bytes(written)


def _function(folder: Path, name: str, nodes: int) -> Any:
    """Of constants. Neither the model nor its weights stay in memory beside it."""
    import keras
    import tensorflow as tf

    from archbuilder.keras_model.build import recursion_for

    with recursion_for(nodes):
        model = keras.models.load_model(folder / NETWORK)
    values = [[one.numpy() for one in some] for some in (model.trainable_variables, model.non_trainable_variables)]

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        constants = ([tf.constant(value) for value in some] for some in values)
        answers, _ = model.stateless_call(*constants, images, training=False)
        return answers if isinstance(answers, dict) else {name: answers}

    entry = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, "images")
    return tf.function(serve).get_concrete_function(entry)


def _quantised(converter: Any) -> bytes:
    """With integers for the ranges that the images of the calibration gave, once they are such that nothing is lost."""
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.tools import flatbuffer_utils

    converter._experimental_calibrate_only = True
    network = flatbuffer_utils.convert_bytearray_to_object(bytearray(converter.convert()))
    kinds = [flatbuffer_utils.opcode_to_name(network, place) for place in range(len(network.operatorCodes))]
    for graph in network.subgraphs:
        found = (tensor.quantization for tensor in graph.tensors)
        ranges = {place: one for place, one in enumerate(found) if one is not None and one.min is not None}
        widen(ranges, [(kinds[op.opcodeIndex], op.inputs, op.outputs) for op in graph.operators])
    quantised: bytes = mlir_quantize(bytes(flatbuffer_utils.convert_object_to_bytearray(network)))
    return quantised


def widen(ranges: Mapping[int, Any], steps: Iterable[tuple[str, Sequence[int], Sequence[int]]]) -> None:
    """Changes the ranges of tensors so that the converter loses nothing by them.

    It uses one range for what arrives at a maximum and for what that gives, and takes the range of the result, which
    would cut off all but the largest. So the result has the range of both. What is zero for all images, such as a relu
    that nothing passes, has a range of one: of nearly nothing, the runtime refuses it, or dies.
    """
    for kind, inputs, outputs in steps:
        if kind not in _AS_THEY_ARRIVE:
            continue
        for result in (ranges[place] for place in outputs if place in ranges):
            both = [result, *(ranges[place] for place in inputs if place in ranges)]
            result.min = [min(low for one in both for low in one.min)]
            result.max = [max(high for one in both for high in one.max)]
    for one in ranges.values():
        if max(0.0, *one.max) - min(0.0, *one.min) < SMALLEST_RANGE:
            one.min, one.max = [0.0], [1.0]


def interpreters(content: bytes) -> tuple[Any, Any]:
    """The runtime as its users have it, and without its delegates, which keep nothing that is between the layers."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    quick = Interpreter(model_content=content, num_threads=cores())
    slow = Interpreter(
        model_content=content, num_threads=cores(), experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # fmt: skip
    for one in (quick, slow):
        one.allocate_tensors()
    return quick, slow


def try_out(path: Path) -> None:
    """Ends in an error, or in death, where the runtime refuses a file; where there is no runtime, nothing is tried."""
    if find_spec("ai_edge_litert") is not None:
        for one in interpreters(path.read_bytes()):
            one.invoke()


def _batches(images: Array) -> Iterator[list[Array]]:
    return ([image[None]] for image in images)


def _stop_after(seconds: int) -> None:
    """Has this process stopped once the processor has worked on it for so long; nothing else stops the converter."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


if __name__ == "__main__":
    _stop_after(int(sys.argv[4]))
    convert(Path(sys.argv[1]), cast(Precision, sys.argv[2]), sys.argv[3], int(sys.argv[5]))
    try_out(Path(sys.argv[1]) / WRITTEN)
