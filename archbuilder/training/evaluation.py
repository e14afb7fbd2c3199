"""What a trained network is worth: loss and accuracy on a data set, classes of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from archbuilder.errors import MissingError, UsageError
from archbuilder.graph.expand import expand
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import Activation, Shape
from archbuilder.spec.data import Holdout
from archbuilder.spec.framing import AnyFraming
from archbuilder.training.checkpoint import Json
from archbuilder.training.forward import Forward
from archbuilder.training.framing import frame
from archbuilder.training.run import Run, Which
from archbuilder.training.setup import prepare, require_training
from archbuilder.training.step import Evaluation, EvaluationStep

Array = NDArray[Any]
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Share:
    """A class, and how probable it is."""

    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of an image, the likeliest first."""

    image: str
    classes: tuple[Share, ...]


def evaluate(run: Run, data_path: Path | None = None, weights: Which = "best") -> Json:
    """Loss and accuracy of a run's network on the test set and, where the data is the run's own, on its hold-out.

    Raises UsageError where the data has other classes.
    """
    precision = run.environment["precision"]
    setup = prepare(run.spec, data_path or run.data_path, precision)
    if setup.data.classes != run.classes:
        raise UsageError(f"the classes of the data from {setup.data.origin} are not those of the run in {run.folder}")
    step = EvaluationStep(Forward(setup.graph, run.model(weights), precision), run.normaliser)
    is_own = setup.data.fingerprint == run.environment["data"]["fingerprint"]
    has_holdout = is_own and isinstance(setup.training.data.validation, Holdout)
    sets = {"test": setup.data.test, **({"validation": setup.validation} if has_holdout else {})}
    measured = {name: _measured(step(setup.pixels(images), images.labels)) for name, images in sets.items()}
    return {"run": str(run.folder), "weights": weights, "data": setup.data.origin, **measured}


def _measured(evaluation: Evaluation) -> Json:
    return {"images": len(evaluation.probabilities), "loss": evaluation.loss, "accuracy": evaluation.accuracy}


def predict(run: Run, paths: Sequence[Path], top: int = 3, weights: Which = "best") -> list[Prediction]:
    """What a run's network takes images to be; raises MissingError for one that cannot be read."""
    graph, steps = expand(run.spec), require_training(run.spec).testing_frame
    pixels = np.stack([framed(path, graph.input.shape, steps) for path in paths])
    crops = pixels.reshape(-1, *graph.input.shape)
    shares = probabilities(graph, run.model(weights), run.normaliser(tf.constant(crops)))
    shares = shares.reshape(len(paths), -1, shares.shape[-1]).mean(1)
    return [_prediction(path, row, run.classes, top) for path, row in zip(paths, shares, strict=True)]


def probabilities(graph: Graph, model: keras.Model, images: Any) -> Array:
    """Of each class `(n, classes)`, whether the network ends in softmax or before it."""
    outputs = tf.convert_to_tensor(model(images, training=False))
    op = graph[graph.outputs[0]].op
    ends_in_softmax = isinstance(op, Activation) and op.function == "softmax"
    shares: Array = (outputs if ends_in_softmax else tf.nn.softmax(outputs)).numpy()
    return shares


def framed(path: Path, shape: Shape, steps: Sequence[AnyFraming]) -> Array:
    """Any image as pixels `(H, W, C)` or `(crops, H, W, C)`, in grey or colour as the network has it."""
    height, width, channels = shape
    if channels not in _MODES:
        raise UsageError(f"images of {channels} channels cannot be read from files")
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert(_MODES[channels])
    except FileNotFoundError:
        raise MissingError(f"there is no image {path}") from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise MissingError(f"{path} cannot be read as an image: {error}") from error
    return frame(upright, steps, (height, width))


def _prediction(path: Path, shares: Array, classes: tuple[str, ...], top: int) -> Prediction:
    order = np.argsort(-shares, kind="stable")[:top]
    return Prediction(str(path), tuple(Share(classes[index], float(shares[index])) for index in order))
