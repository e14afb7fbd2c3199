"""What has to be there before the first iteration: data that fits the network, and the network ready to learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbuilder.aliases import Precision
from archbuilder.data.dataset import Shape
from archbuilder.data.load import Dataset, Pictures, load_data, split
from archbuilder.errors import Diagnostic, SpecError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.learning_rate.schedules import Length, Schedule, schedule
from archbuilder.spec import Spec, require_training
from archbuilder.spec.data import Data, ImageFolder, Npz, OnTest, Source, TfRecord
from archbuilder.spec.training import Training
from archbuilder.training import environment
from archbuilder.training.feed import Feed
from archbuilder.training.freezing import freeze_norms

Load = Callable[[Data, Shape, Path | None, bool], Dataset]
"""Gives the data of a spec, as `load_data` does."""


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
        return self.feed.length

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

    @property
    def feed(self) -> Feed:
        """The training images on their way into the network."""
        height, width, channels = self.graph.input.shape
        return Feed(self.training, (height, width, channels), self.train)

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
    training, graph = require_training(spec), freeze_norms(expand(spec), frozen)
    require_trainable(graph)
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


def require_trainable(graph: Graph) -> None:
    """Raises SpecError where a network has several outputs, or ends in another activation than softmax.

    It would be trained as the softmax of that. Without an activation at its end, what it computes are logits.
    """
    if len(graph.outputs) > 1:
        raise SpecError([Diagnostic("many-outputs", "only a network with one output can be trained")])
    last = graph[graph.outputs[0]]
    if isinstance(last.op, ops.Activation) and last.op.function != "softmax":
        message = f"the network ends in '{last.op.function}', but cross_entropy is the loss of a softmax"
        hint = "end in softmax, or in the layer before it: its values are then taken for logits"
        raise SpecError([Diagnostic("head-without-loss", message, last.span, hint)])


def require_fit(graph: Graph, data: Dataset) -> None:
    """Raises SpecError unless the network takes the images in and gives one value for each class."""
    shape = graph[graph.outputs[0]].shape
    if shape != (len(data.classes),):
        message = f"the network '{graph.name}' ends in {show(shape)}, but {data.name} has {len(data.classes)} classes"
        raise SpecError(
            [Diagnostic("classes-differ", message, hint="the last dense layer needs a unit for each class")]
        )
    if not len(data.test):
        raise UsageError(f"{data.name} has no test images, from {data.origin}")
