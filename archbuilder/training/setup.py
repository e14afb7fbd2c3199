"""What has to be there before the first iteration: data that fits the network, and the network ready to learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archbuilder.aliases import Array, Precision
from archbuilder.data.dataset import Shape
from archbuilder.data.load import Dataset, Images, Pictures, load_data, split
from archbuilder.data.normalisation import Normaliser, fit
from archbuilder.data.stream import Stream
from archbuilder.errors import Diagnostic, SpecError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.learning_rate.schedules import Length, Schedule, schedule
from archbuilder.spec import Spec, require_training
from archbuilder.spec.data import Data, ImageFolder, Npz, OnTest, Source, TfRecord
from archbuilder.spec.training import Training
from archbuilder.training import environment
from archbuilder.training.freezing import freeze
from archbuilder.training.tensorflow.distribution import Engine

Load = Callable[[Data, Shape, Path | None, bool], Dataset]
"""Gives the data of a spec, as `load_data` does."""
FITTED_ON = 10_000
"""How many images that are streamed statistics come from."""


@dataclass(frozen=True)
class Setup:
    """A spec beside the data that it will be trained on."""

    spec: Spec
    training: Training
    graph: Graph
    data: Dataset
    train: Pictures
    validation: Pictures
    precision: Precision
    data_path: Path | None
    frozen: tuple[str, ...] = ()
    """The parts whose weights stay as they are."""

    @property
    def length(self) -> Length:
        return Length.of(self.training.stop, self.training.batch_size, len(self.train))

    @property
    def iterations_per_epoch(self) -> int:
        return self.length.iterations_per_epoch

    @property
    def iterations(self) -> int:
        return self.length.iterations

    @property
    def epochs(self) -> int:
        return self.length.epochs

    def schedule(self) -> Schedule:
        return schedule(self.training.learning_rate, self.iterations_per_epoch, self.iterations)

    def batches(self, epoch: int) -> list[Array]:
        """The training images of each iteration of an epoch, by their indices."""
        order = epoch_order(self.training.seed, epoch, len(self.train))
        size = self.training.batch_size
        count = min(self.iterations_per_epoch, self.iterations - epoch * self.iterations_per_epoch)
        return [order[start : start + size] for start in range(0, count * size, size)]

    def feed(self, batches: Sequence[Array], epoch: int, engine: Engine) -> Iterator[tuple[Array, ...]]:
        """What an iteration learns from: indices of training images and, where these are streamed, the images.

        Of several processes, each streams what it needs itself.
        """
        if self._is_streamed(self.train):
            stream = Stream(self.train, self.training.training_frame, self._shape, self.training.seed)
            needed = (batch[engine.rows(len(batch))] for batch in batches)
            return zip(batches, stream.read(needed, epoch), strict=True)
        return ((batch,) for batch in batches)

    def pixels(self, images: Pictures, quick: bool = False) -> Array | Stream:
        """Images as the network is judged by, from memory, or streamed with the framing of testing.

        `quick` takes one crop of each.
        """
        if isinstance(images, Images) and not self._is_streamed(images):
            return images.pixels
        return Stream(images, self.training.quick_frame if quick else self.training.testing_frame, self._shape)

    def _is_streamed(self, images: Pictures) -> bool:
        return self.training.is_framed or not isinstance(images, Images)

    def fit_normaliser(self) -> Normaliser:
        """From all training images, or from some of those that are streamed."""
        pixels = self.pixels(self.train)
        if isinstance(pixels, Stream):
            count = min(len(self.train), FITTED_ON)
            some = self.train.take(np.arange(count) * len(self.train) // count)
            return fit(self.training.normalise, Stream(some, self.training.quick_frame, self._shape).batches(128))
        return fit(self.training.normalise, [pixels])

    @property
    def _shape(self) -> Shape:
        height, width, channels = self.graph.input.shape
        return height, width, channels

    def facts(self) -> dict[str, Any]:
        """The content of `environment.json`."""
        data = {
            "name": self.data.name, "path": str(self.data_path.resolve()) if self.data_path else None,
            "origin": self.data.origin, "fingerprint": self.data.fingerprint, "classes": list(self.data.classes),
            "train": len(self.train), "validation": len(self.validation), "test": len(self.data.test),
        }  # fmt: skip
        return {**environment.describe(), "seed": self.training.seed, "precision": self.precision, "data": data,
                "frozen": list(self.frozen)}  # fmt: skip


def prepare(
    spec: Spec,
    data_path: Path | None,
    precision: Precision | None = None,
    frozen: Sequence[str] = (),
    load: Load | None = None,
) -> Setup:
    """Loads the data of a spec and checks that the network fits it; raises SpecError or UsageError where not."""
    training, graph = require_training(spec), freeze(expand(spec), frozen)
    height, width, channels = graph.input.shape
    path = data_path or _path_of(training.data.source)
    data = (load or load_data)(training.data, (height, width, channels), path, training.is_framed)
    require_fit(graph, data)
    train, validation = split(data.train, training.data.validation, training.seed)
    if isinstance(training.data.validation, OnTest):
        validation = data.test
    chosen = precision or environment.resolve_precision(training.precision)
    return Setup(spec, training, graph, data, train, validation, chosen, path, tuple(frozen))


def _path_of(source: Source) -> Path | None:
    return Path(source.path) if isinstance(source, ImageFolder | Npz | TfRecord) and source.path else None


def require_fit(graph: Graph, data: Dataset) -> None:
    """Raises SpecError unless the network takes the images in and gives one value for each class."""
    if len(graph.outputs) > 1:
        raise SpecError([Diagnostic("many-outputs", "only a network with one output can be trained")])
    shape = graph[graph.outputs[0]].shape
    if shape != (len(data.classes),):
        message = f"the network '{graph.name}' ends in {show(shape)}, but {data.name} has {len(data.classes)} classes"
        raise SpecError(
            [Diagnostic("classes-differ", message, hint="the last dense layer needs a unit for each class")]
        )
    if not len(data.test):
        raise UsageError(f"{data.name} has no test images, from {data.origin}")


def epoch_order(seed: int, epoch: int, images: int) -> Array:
    """A shuffle that depends on nothing but its arguments; NumPy promises that RandomState will never change."""
    bits = np.random.MT19937(np.random.SeedSequence([seed, epoch]))
    return np.random.RandomState(bits).permutation(images).astype(np.int32)
