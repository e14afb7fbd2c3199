"""The conversion of a Keras model to LiteRT, as a process of its own:
`python -m ... FOLDER PRECISION OUTPUT SECONDS NODES`.

Variables become constants before LiteRT's converter sees them. Keras' own way leaves that to the converter, which does
not come to an end with networks of some fifty layers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, assert_never, cast

import numpy as np

from archbuilder.aliases import Array
from archbuilder.machine.loading import load_tensorflow

Precision = Literal["float32", "float16", "int8"]
NETWORK, CALIBRATION, WRITTEN = "network.keras", "calibration.npy", "network.tflite"
"""The files of the folder."""


def convert(folder: Path, precision: Precision, name: str, nodes: int) -> None:
    """Writes the network of a folder beside it, for one image at a time.

    `name` is that of a single output, `nodes` the number of those in the graph.
    """
    load_tensorflow()
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(folder, name, nodes)], tf.Module())
    match precision:
        case "float32":
            pass
        case "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        case "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _batches(np.load(folder / CALIBRATION))
        case _:
            assert_never(precision)
    (folder / WRITTEN).write_bytes(converter.convert())


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
