"""What has to be there before the first iteration: data that fits the network, and the network ready to learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archbuilder.errors import ArchbuilderError, Diagnostic, SpecError, UsageError
from archbuilder.graph.expand import expand
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.keras_backend import build_model
from archbuilder.schedule import Length, Schedule, schedule
from archbuilder.spec import Spec, require_training
from archbuilder.spec.data import Data, ImageFolder, Npz, OnTest, Source, TfRecord
from archbuilder.spec.training import Training
from archbuilder.training import environment
from archbuilder.training.augment import augmenter
from archbuilder.training.averaging import Averages
from archbuilder.training.data import Dataset, Images, Pictures, load_data, split
from archbuilder.training.data_images import Shape
from archbuilder.training.engine import Engine, portion
from archbuilder.training.forward import SHORTEST_LOOP, Forward, Precision
from archbuilder.training.freezing import freeze, hold
from archbuilder.training.normalise import Normaliser, fit
from archbuilder.training.optimizers import Optimizer, make_optimizer
from archbuilder.training.step import EvaluationStep, TrainingStep
from archbuilder.training.stream import Stream

Array = NDArray[Any]
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


@dataclass(frozen=True)
class Learner:
    """A network that learns: the stock model, and the steps that work on its variables."""

    model: keras.Model
    optimizer: Optimizer
    step: TrainingStep
    evaluation: EvaluationStep
    engine: Engine

    @classmethod
    def of(cls, setup: Setup, normaliser: Normaliser, engine: Engine) -> Learner:
        with engine.scope():
            return cls._of(setup, normaliser, engine)

    @classmethod
    def _of(cls, setup: Setup, normaliser: Normaliser, engine: Engine) -> Learner:
        training, train = setup.training, setup.train
        synchronise = training.synchronise_norms and engine.replicas > 1
        model = build_model(setup.graph, training.seed)
        hold(model, setup.graph, setup.frozen)
        # Replicas of one process cannot wait for each other within a loop, and XLA cannot compile every one.
        shortest = len(setup.graph.nodes) if synchronise or training.xla else SHORTEST_LOOP
        forward = Forward(setup.graph, model, setup.precision, shortest)
        optimizer = make_optimizer(training, setup.graph, model)
        augment = augmenter(training.augment, normaliser, training.seed)
        average, weights = training.moving_average, (part.values() for part in forward.weights.values())
        pixels = setup.pixels(train)
        step = TrainingStep(
            forward, optimizer, None if isinstance(pixels, Stream) else pixels, train.labels, augment,
            training.loss.cross_entropy.label_smoothing, training.seed, training.accumulate,
            Averages([*chain.from_iterable(weights)], average.decay) if average else None,
            engine, synchronise, training.xla,
        )  # fmt: skip
        return cls(model, optimizer, step, EvaluationStep(forward, normaliser, engine=engine), engine)

    def measure(self, setup: Setup, images: Pictures, quick: bool = False) -> tuple[float, float]:
        """The loss and the accuracy on images, which processes share among them; `quick` takes one crop of each."""
        start, end = portion(len(images), self.engine.processes, self.engine.process)
        part = images.take(np.arange(start, max(end, start + 1))) if self.engine.processes > 1 else images
        found, count = self.evaluation(setup.pixels(part, quick), part.labels), end - start
        loss, right, total = self.engine.sums(found.loss * count, found.accuracy * count, count)
        return (loss / total, right / total) if self.engine.processes > 1 else (found.loss, found.accuracy)

    def averaged(self) -> AbstractContextManager[None]:
        """The model holds the averages of its weights, where the spec has some."""
        return self.step.averages.in_place() if self.step.averages else nullcontext()

    def arrays(self) -> dict[str, Array]:
        """All of its variables by name, for a checkpoint."""
        return {name: variable.numpy() for name, variable in self._variables()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        variables = dict(self._variables())
        if variables.keys() != arrays.keys():
            raise ArchbuilderError("the checkpoint was written by another version of archbuilder or Keras")
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def _variables(self) -> Iterator[tuple[str, Any]]:
        for node, weights in self.step.forward.weights.items():
            for name, variable in weights.items():
                yield f"model/{node}/{name}", variable
        for part, owner in (("optimizer", self.optimizer), ("step", self.step)):
            for name, variable in owner.variables().items():
                yield f"{part}/{name}", variable


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
