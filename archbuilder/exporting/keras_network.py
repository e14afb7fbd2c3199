"""What is handed over as a Keras model: the network alone, and whole, from pixels to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archbuilder.aliases import Array, Tensor
from archbuilder.exporting.handover import Handover, Output
from archbuilder.machine.loading import load_tensorflow
from archbuilder.weights.transfer import assign

if TYPE_CHECKING:
    import keras


def logits_model(handover: Handover) -> keras.Model:
    """From images as the network takes them to the logits of each output, by name."""
    load_tensorflow()
    from archbuilder.keras_model.build import build_model, logits_of, with_outputs

    model = build_model(handover.graph)
    assign(model, handover.weights)
    logits = {one.name: logits_of(handover.graph, model, one.node) for one in handover.outputs}
    return with_outputs(handover.graph, model, logits, f"{model.name}.logits")


def whole_model(handover: Handover) -> keras.Model:
    """From what the file takes to its answers: a tensor, or several by the names of the outputs."""
    load_tensorflow()
    from archbuilder.keras_model.build import build_model, with_outputs

    model = build_model(handover.graph, prepare=lambda pixels: prepared(handover, pixels))
    assign(model, handover.weights)
    answers = {one.name: answered(one, tensor) for one, tensor in zip(handover.outputs, model.outputs, strict=True)}
    outputs = answers if len(answers) > 1 else next(iter(answers.values()))
    return with_outputs(handover.graph, model, outputs, model.name)


def computed(model: keras.Model, images: Array) -> list[Array]:
    """What each output gives."""
    grouped = any(getattr(layer, "groups", 1) > 1 and hasattr(layer, "filters") for layer in model.layers)
    model.run_eagerly = not grouped  # one batch is not worth compiling; grouped convolutions are compiled in any case
    given = model.predict_on_batch(images)
    return [*given.values()] if isinstance(given, dict) else given if isinstance(given, list) else [given]


def prepared(handover: Handover, pixels: Tensor) -> Tensor:
    """What enters the network, by stock layers; nothing is done to the images of a bare one."""
    import keras

    normaliser = handover.normaliser
    if normaliser is None:
        return pixels
    turned = keras.ops.flip(pixels, -1) if normaliser.turns else pixels
    factor, shift = np.broadcast_arrays(normaliser.factor, -normaliser.shift)
    if factor.ndim == 1:
        scale, offset = (one.tolist() if len(one) > 1 else one.item() for one in (factor, shift))
        return keras.layers.Rescaling(scale, offset, name="normalise")(turned)
    # A whole image is kept as weights: in the configuration of a layer it would be text.
    image = handover.input_shape
    layer = keras.layers.EinsumDense("nhwc,hwc->nhwc", image, bias_axes="hwc", name="normalise", trainable=False)
    normalised = layer(turned)
    layer.set_weights([np.broadcast_to(one, image) for one in (factor, shift)])
    return normalised


def answered(output: Output, tensor: Tensor) -> Tensor:
    """What the file gives of what the network returns."""
    import keras

    if output.added is not None:
        return keras.layers.Activation(output.added, name=output.gives)(tensor)
    if output.scaling is not None:
        mean, deviation = ([*one] for one in (output.scaling.mean, output.scaling.deviation))
        return keras.layers.Rescaling(deviation, mean, name=output.gives)(tensor)
    return tensor
