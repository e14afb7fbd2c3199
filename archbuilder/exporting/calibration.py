"""The images that a network is quantised by, and what it is worth afterwards, on the test set of its run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.data.dataset import Dataset, Pictures, Pixels
from archbuilder.errors import MissingError, UsageError
from archbuilder.exporting.comparing import Compute, Logits, original_logits
from archbuilder.exporting.handover import Handover
from archbuilder.formatting import printable
from archbuilder.graph.ops import Shape
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import require_training
from archbuilder.spec.framing import Resize
from archbuilder.training.objective import Metric
from archbuilder.training.run.folder import Run

CALIBRATED = 200
"""How many images the ranges of activations are measured on."""
SMALLEST_RANGE = 1e-6
"""Values in less are zero on all images, as behind a relu that nothing passes; integers need a wider range."""
MOST_MACS = 10**12
"""The multiply-adds of all these images, of which LiteRT's converter does some 10^10 a second."""
MEASURED = 10_000
"""How many images of a test set are measured at most."""
MOST_VALUES = 2**29
"""The values of all images that are in memory together; large ones are fewer, but never none."""
AT_ONCE = 50
LOST = 0.005
"""The accuracy that quantisation may cost."""
LOST_OF_NUMBERS = 0.05
"""By how much of itself the mean absolute error may grow."""


@dataclass(frozen=True)
class Accuracy:
    """What a network is worth on a test set, before and after; of numbers, the mean absolute error."""

    metric: Metric
    original: float
    exported: float
    images: int

    @property
    def holds(self) -> bool:
        if self.metric == "mae":
            return self.exported <= self.original * (1 + LOST_OF_NUMBERS)
        return self.exported >= self.original - LOST

    def to_json(self) -> Json:
        return asdict(self)


def calibration_images(handover: Handover, folder: Path | None) -> Array:
    """Images as the file takes them, from a folder, or else of those that the run learned from.

    Raises UsageError where there are neither, MissingError for images that cannot be read.
    """
    if folder is not None:
        pixels = _of_folder(handover, folder)
    elif handover.run is not None:
        images = _data(handover.run).train
        pixels = _pixels(handover.run, images.take(_chosen(handover, len(images))))
    else:
        raise UsageError("int8 is calibrated on images, of which a spec has none: --calibration DIR names some")
    return handover.prepared(pixels) if handover.is_bare else pixels


def accuracy(handover: Handover, file: Compute) -> Accuracy | None:
    """What the file is worth beside the original; None where there is no run, or where its data is not there."""
    run = handover.run
    if run is None:
        return None
    try:
        whole = _data(run).test
    except MissingError:
        return None
    if not len(whole):
        return None
    images = whole.take(_evenly(len(whole), MEASURED, handover.input_shape))
    load_tensorflow()
    from archbuilder.training.evaluator import evaluated

    pixels, original = _pixels(run, images), original_logits(handover)

    def worth(logits_of: Logits) -> float:
        parts = [logits_of(pixels[start : start + AT_ONCE])[0] for start in range(0, len(pixels), AT_ONCE)]
        return evaluated(run.objective, np.concatenate(parts), images.labels).score

    return Accuracy(
        run.objective.metric,
        worth(lambda some: original(handover.prepared(some))),
        worth(lambda some: file(handover.prepared(some) if handover.is_bare else some).logits),
        len(images),
    )


def _data(run: Run) -> Dataset:
    """The data of a run, with its test images set apart."""
    from archbuilder.data.load import load_data, with_test

    training, (height, width, channels) = require_training(run.spec), run.graph.input.shape
    shape = (height, width, channels)
    return with_test(load_data(training.data, shape, run.data_path, training.is_framed, training.labels), training.data)


def _chosen(handover: Handover, images: int) -> Array:
    """The images that ranges are measured on, fewer where the network computes much."""
    most = max(1, min(CALIBRATED, MOST_MACS // max(handover.graph.macs, 1)))
    return _evenly(images, most, handover.input_shape)


def _evenly(images: int, most: int, shape: Shape) -> Array:
    """So many of the images at most, from all parts of them, which may be sorted by class."""
    count = min(images, most, max(1, MOST_VALUES // prod(shape)))
    return np.arange(count) * images // max(count, 1)


def _pixels(run: Run, images: Pictures) -> Pixels:
    """Images as the network is judged by, one crop of each."""
    from archbuilder.training.feed import Feed

    height, width, channels = run.graph.input.shape
    pixels = Feed(require_training(run.spec), (height, width, channels), images).pixels(images, quick=True)
    return pixels if isinstance(pixels, np.ndarray) else np.concatenate(list(pixels.batches(AT_ONCE)))


def _of_folder(handover: Handover, folder: Path) -> Pixels:
    """Some of the images in a folder and below, framed as for testing."""
    from archbuilder.training.prediction import framed, images_in

    if not folder.is_dir():
        raise MissingError(f"there is no folder {printable(str(folder))} with images to calibrate on")
    found, training = images_in([folder]).images, handover.spec.training
    chosen = [found[index] for index in _chosen(handover, len(found))]
    steps = training.quick_frame if training else (Resize(),)
    return np.stack([framed(path, handover.input_shape, steps)[0] for path in chosen])
