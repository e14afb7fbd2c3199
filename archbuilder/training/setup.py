"""What has to be there before the first iteration: data that fits the network, and the network ready to learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from archbuilder.aliases import Json, Precision
from archbuilder.data.dataset import LabelsError, Shape
from archbuilder.data.load import Dataset, Pictures, alike, load_data, parted, with_test
from archbuilder.graph.network import Graph
from archbuilder.learning_rate.schedules import Length, Schedule, schedule
from archbuilder.linting.linting import labels_error, require_fitting
from archbuilder.linting.recipe import Recipe
from archbuilder.spec import Spec
from archbuilder.spec.data import Csv, Data, ImageFolder, Known, LabelKind, Npz, Source, TfRecord
from archbuilder.spec.training import Training
from archbuilder.training import environment
from archbuilder.training.feed import Feed
from archbuilder.training.freezing import freeze_norms
from archbuilder.training.objective import Objective

Load = Callable[[Data, Shape, Path | None, bool, LabelKind], Dataset]
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
    objective: Objective
    frozen: tuple[str, ...] = ()
    """The parts whose weights stay as they are."""
    begins: int = 0
    """The iterations that earlier legs of the run made."""
    rate_begins: int = 0
    """The iterations that had been made when the learning rate began."""

    @property
    def width(self) -> int:
        """How many numbers the network returns."""
        return self.graph[self.graph.outputs[-1]].shape[-1]

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
        """That of the iterations since the rate began."""
        return schedule(self.training.learning_rate, self.iterations_per_epoch, self.iterations - self.rate_begins)

    @property
    def feed(self) -> Feed:
        """The training images on their way into the network."""
        height, width, channels = self.graph.input.shape
        return Feed(self.training, (height, width, channels), self.train)

    def facts(self) -> dict[str, Any]:
        """The content of `environment.json`."""
        data: Json = {
            "name": self.data.name, "path": str(self.data_path.resolve()) if self.data_path else None,
            "origin": self.data.origin, "fingerprint": self.data.fingerprint, "classes": list(self.data.classes),
            "train": len(self.train), "validation": len(self.validation), "test": len(self.data.test),
        }  # fmt: skip
        if self.objective.scaling:
            data["scaling"] = asdict(self.objective.scaling)
        return {**environment.describe(), "seed": self.training.seed, "precision": self.precision, "data": data,
                "frozen": list(self.frozen)}  # fmt: skip


def prepare(
    spec: Spec,
    data_path: Path | None,
    precision: Precision | None = None,
    frozen: Sequence[str] = (),
    load: Load | None = None,
    objective: Objective | None = None,
) -> Setup:
    """Loads the data of a spec and checks that recipe and network fit it; raises SpecError or UsageError where not."""
    recipe = Recipe.of(spec)
    require_fitting(recipe)
    training = recipe.training
    frozen = tuple(dict.fromkeys([*training.freeze, *frozen]))
    graph = freeze_norms(recipe.graph, frozen)
    height, width, channels = graph.input.shape
    path = data_path or _path_of(training.data.source)
    try:
        data = (load or load_data)(training.data, (height, width, channels), path, training.is_framed, training.labels)
    except LabelsError as error:
        raise labels_error(recipe, str(error)) from error
    known = Known(data.name, len(data.train), len(data.classes), data.labels, data.classes, has_test=len(data.test) > 0)
    require_fitting(replace(recipe, data=known))
    data = with_test(data, training.data)
    data = replace(data, notes=(*data.notes, *alike(data.train, data.test)))
    train, validation = parted(data, training.data, training.seed)
    chosen = precision or environment.resolve_precision(training.precision)
    objective = objective or Objective.of(training, train.labels, data.classes)
    return Setup(spec, training, graph, data, train, validation, chosen, path, objective, frozen)


def _path_of(source: Source) -> Path | None:
    return Path(source.path) if isinstance(source, ImageFolder | Csv | Npz | TfRecord) and source.path else None
