"""The material of the rules: the recipe of a spec, its network, and what is known of the data beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from archbuilder.errors import Span, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph, Node
from archbuilder.learning_rate.schedules import Length, Schedule, schedule
from archbuilder.spec import Spec, require_training
from archbuilder.spec import learning_rate as rates
from archbuilder.spec.data import Known, known_of
from archbuilder.spec.document import Path, walk
from archbuilder.spec.training import Training


@dataclass(frozen=True)
class Found:
    """A contradiction: where it stands in the document, and what it is."""

    place: Path | Span | None
    message: str
    others: tuple[Path | Span | None, ...] = ()
    """The places that it contradicts: what is shown is the one that was changed."""


@dataclass(frozen=True)
class Rule:
    """Something that a recipe should not do."""

    code: str
    why: str
    check: Callable[[Recipe], Iterator[Found]]


@dataclass(frozen=True)
class Recipe:
    """A spec that says how it is trained, with its network and what is known of its data."""

    spec: Spec
    training: Training
    graph: Graph
    data: Known | None

    @classmethod
    def of(cls, spec: Spec) -> Recipe:
        """The recipe of a spec before its data is read; raises SpecError for a spec without one."""
        training = require_training(spec)
        return cls(spec, training, expand(spec), known_of(training.data.source))

    @property
    def end(self) -> Node | None:
        """The last layer; none where the network has several outputs."""
        return self.graph[self.graph.outputs[0]] if len(self.graph.outputs) == 1 else None

    @property
    def images(self) -> int | None:
        """The images of the training set, if that is known; those to be held out are among them."""
        return self.data.train_images if self.data else None

    @cached_property
    def learned_from(self) -> int | None:
        """The images that are left for training, if that is known and some are left."""
        try:
            return None if self.images is None else self.images - self.training.data.held_out(self.images)
        except UsageError:
            return None

    @property
    def rate(self) -> rates.LearningRate:
        return self.training.learning_rate

    def rate_path(self, *parts: str | int | float) -> Path:
        """The path of something in the learning rate."""
        return ("training", "learning_rate", self.rate.kind, *parts)

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedule in the run's length; none where the length follows from data that is not known."""
        if self.learned_from is not None:
            length = Length.of(self.training.stop, self.training.batch_size, self.learned_from)
            return (schedule(self.rate, length.iterations_per_epoch, length.iterations),)
        return ()

    @property
    def epochs(self) -> int | None:
        """The number of epochs of the run, if that is known."""
        if self.training.stop.epochs:
            return self.training.stop.epochs
        return next((Length(one.iterations_per_epoch, one.iterations).epochs for one in self.schedules), None)

    def share(self, length: float, unit: rates.Unit) -> float | None:
        """The share of the run that a number of iterations or epochs is, if that is known."""
        stop = self.training.stop
        of = {"iterations": stop.iterations, "epochs": stop.epochs, "fraction": 1}[unit]
        if of:
            return length / of
        return next((one.reach(length, unit) / one.iterations for one in self.schedules), None)

    @property
    def has_norms(self) -> bool:
        """Whether the network has moving statistics, which follow those of the batch."""
        return any(not weight.trainable for node in self.graph.nodes for weight in node.weights)

    @property
    def penalised(self) -> Path | None:
        """The place where the spec gives layers an l2, if any layer has one."""
        if not any(weight.l2 for node in self.graph.nodes for weight in node.weights):
            return None
        paths = (path for path, value in walk(self.spec.document.data) if path[-1:] == ("l2",) and value)
        return next(paths, ())
