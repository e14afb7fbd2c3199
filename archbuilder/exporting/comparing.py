"""Whether what was written answers as the original does: on random images and on real ones, by its logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.data.dataset import Pixels, Shape
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.exporting.handover import Handover
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import require_training
from archbuilder.training.run.folder import Run

EACH = 4
"""How many random images there are, and how many real ones."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network gives on images, for each of its outputs."""

    logits: tuple[Array, ...]
    """What enters the last softmax or sigmoid, or what is returned where there is none."""
    values: tuple[Array, ...]
    """What the file gives: probabilities, numbers in their own units."""


Compute = Callable[[Array], Answers]
"""Images (n, H, W, C), uint8 pixels or, for a bare network, float32 as it takes them -> answers."""
Logits = Callable[[Array], tuple[Array, ...]]
"""Images as the network takes them -> the logits of each output."""


@dataclass(frozen=True)
class Comparison:
    """How far a file is from the original, relative to the largest number of each image."""

    difference: float
    """The largest difference of logits."""
    answers: float
    """The largest difference of what it gives from what its own logits come to; probabilities are as they are."""
    apart: float
    """The least that two images are apart: where it is small, the comparison says little."""
    random: int
    """How many random images there were."""
    real: int
    """How many real ones."""
    origin: str
    """Where those are from."""

    @property
    def worst(self) -> float:
        return max(self.difference, self.answers)

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Original:
    """What the original answers on some images, which any number of files are compared with."""

    handover: Handover
    pixels: Pixels
    prepared: Array
    """The images as the network takes them."""
    logits: tuple[Array, ...]
    random: int
    """How many of the images are random; the others are real ones."""
    origin: str
    """Where those are from."""

    @classmethod
    def of(cls, handover: Handover, logits_of: Logits | None = None) -> Original:
        """By the Keras model of the graph, which is built unless `logits_of` gives its answers.

        Raises ArchbuilderError where the original gives numbers that are not finite.
        """
        real, origin = real_images(handover)
        random = np.random.default_rng(0).integers(0, 256, (EACH, *handover.input_shape), np.uint8)
        pixels = np.concatenate([random, real]) if len(real) else random
        prepared = handover.prepared(pixels)
        logits = (logits_of or original_logits(handover))(prepared)
        if not all(np.isfinite(one).all() for one in logits):
            raise ArchbuilderError(
                f"{handover.graph.name} cannot be compared: with these weights, it gives numbers that are not finite\n"
                "  hint: --weights FILE gives it others; --no-compare writes it all the same"
            )
        return cls(handover, pixels, prepared, logits, len(random), origin)

    def compare(self, file: Compute) -> Comparison:
        """How far what a file answers is from it."""
        found = file(self.prepared if self.handover.is_bare else self.pixels)
        outputs = self.handover.outputs
        answers = [output.answers(one) for output, one in zip(outputs, found.logits, strict=True)]
        return Comparison(
            difference=max(map(_difference, self.logits, found.logits)),
            answers=max(map(_difference_of_answers, answers, found.values)),
            apart=min(min(_apart(one)) for one in self.logits),
            random=self.random, real=len(self.pixels) - self.random, origin=self.origin,
        )  # fmt: skip


def compare(handover: Handover, file: Compute) -> Comparison:
    """Raises ArchbuilderError as `Original.of` does."""
    return Original.of(handover).compare(file)


def original_logits(handover: Handover) -> Logits:
    """What the Keras model of the graph gives."""
    load_tensorflow()
    from archbuilder.exporting.keras_network import computed, logits_model

    model = logits_model(handover)
    return lambda images: tuple(computed(model, images))


def real_images(handover: Handover) -> tuple[Pixels, str]:
    """Images of the run's test set or, where there are none, parts of photographs; and what they are in words."""
    if handover.run is not None:
        try:
            return _of_run(handover.run), "its test set"
        except (MissingError, UsageError):
            pass
    height, width, channels = handover.input_shape
    if channels not in (1, 3):
        return np.zeros((0, height, width, channels), np.uint8), "none"
    return np.stack(list(_photographs((height, width, channels)))), "photographs"


def _of_run(run: Run) -> Pixels:
    from archbuilder.data.load import load_data
    from archbuilder.training.feed import Feed

    training, (height, width, channels) = require_training(run.spec), run.graph.input.shape
    shape = (height, width, channels)
    data = load_data(training.data, shape, run.data_path, training.is_framed, training.labels)
    images = data.test if len(data.test) else data.train
    some = images.take(np.arange(EACH) * len(images) // EACH)
    pixels = Feed(training, shape, some).pixels(some, quick=True)
    return pixels if isinstance(pixels, np.ndarray) else np.concatenate(list(pixels.batches(EACH)))


def _photographs(shape: Shape) -> Iterator[Pixels]:
    """The two that come with scikit-learn, and their upper left quarters."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    height, width, channels = shape
    for whole in load_sample_images().images:
        for part in (whole, whole[: whole.shape[0] // 2, : whole.shape[1] // 2]):
            image = Image.fromarray(part).convert("L" if channels == 1 else "RGB")
            pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
            yield pixels.reshape(shape)


def _difference(wanted: Array, found: Array) -> float:
    """The largest over all images; infinite where shapes differ or numbers are not finite."""
    if wanted.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    return max(_relative(one, other) for one, other in zip(wanted, found, strict=True))


def _difference_of_answers(wanted: Array, found: Array) -> float:
    """As `_difference`; probabilities, and numbers below one, are as they are."""
    if wanted.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(wanted - found).max() / max(1.0, np.abs(wanted).max()))


def _apart(values: Array) -> list[float]:
    return [_relative(one, other) for one, other in combinations(values, 2)]


def _relative(wanted: Array, found: Array) -> float:
    largest = np.abs(wanted).max()
    return float(np.abs(wanted - found).max() / (largest if largest > 0 else 1.0))
