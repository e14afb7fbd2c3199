"""A folder for TensorFlow: `serve` answers, `logits` gives what enters the last softmax or sigmoid."""

from __future__ import annotations

import json
from pathlib import Path

from archbuilder.aliases import Array
from archbuilder.errors import UsageError
from archbuilder.exporting.comparing import Answers, Compute
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover
from archbuilder.machine.backend import backend

METADATA = Path("assets.extra", "archbuilder.json")
"""Where TensorFlow leaves room for files that it does not look at."""


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
    """Raises UsageError where Keras computes by something else than TensorFlow."""
    if (loaded := backend()) != "tensorflow":
        raise UsageError(f"saved-model is written by TensorFlow, and KERAS_BACKEND is {loaded}")
    import tensorflow as tf

    from archbuilder.exporting.keras_network import whole_model
    from archbuilder.keras_model.build import logits_of, with_outputs

    model = whole_model(handover)
    logits = {one.name: logits_of(handover.graph, model, one.node) for one in handover.outputs}
    answers = dict(zip(logits, model.outputs, strict=True))
    images = tf.TensorSpec((None, *handover.input_shape), tf.float32, "images")
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]  # Keras' own export writes each weight twice
    for name, outputs in (("serve", answers), ("logits", logits)):
        part = with_outputs(handover.graph, model, outputs, model.name)
        setattr(module, name, tf.function(part.__call__, input_signature=[images]))
    signatures = {"serving_default": module.serve, "serve": module.serve, "logits": module.logits}
    tf.saved_model.save(module, path, signatures)
    (path / METADATA).parent.mkdir()
    (path / METADATA).write_text(json.dumps(metadata, indent=1), "utf-8")


def load(path: Path, handover: Handover) -> Compute:
    import tensorflow as tf

    model = tf.saved_model.load(path)

    def compute(images: Array) -> Answers:
        pixels = tf.constant(images, tf.float32)
        logits, answers = model.logits(pixels), model.serve(pixels)
        names = [one.name for one in handover.outputs]
        return Answers(*(tuple(some[name].numpy() for name in names) for some in (logits, answers)))

    return compute
