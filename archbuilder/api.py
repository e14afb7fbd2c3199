"""The verbs of the command line, for Python. Only `build` and the training load TensorFlow, when they are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.errors import SpecError
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import Spec, load
from archbuilder.spec.edits import Edits
from archbuilder.weights.choices import DEFAULT, Choices

if TYPE_CHECKING:
    import keras

    from archbuilder.aliases import Level
    from archbuilder.costs.numbers import Numbers
    from archbuilder.costs.summary import Summary
    from archbuilder.graph.network import Graph
    from archbuilder.training.run.folder import Run
    from archbuilder.training.run.listing import Line
    from archbuilder.training.sweep import Sweep

SpecLike = str | Path | Spec
"""A bundled spec's name, a YAML file's path (a name that ends in .yaml), or a loaded spec."""


def expand(spec: SpecLike, edits: Edits = ()) -> Graph:
    """Expands a spec to its graph: every layer with its shape, weights and multiply-adds. Raises SpecError."""
    from archbuilder.expansion import expansion

    return expansion.expand(_loaded(spec, edits))


def build(
    spec: SpecLike,
    edits: Edits = (),
    *,
    seed: int | None = None,
    weights: str | Path | None = None,
    choices: Choices = DEFAULT,
) -> keras.Model:
    """The functional Keras model of a spec, of stock layers; the same seed gives the same initial weights.

    `weights` is a file of weights, of ours or of other people's. Raises ArchbuilderError where it does not fit, or
    leaves something open that `choices`, such as `Choices(assume_order=True)`, do not decide.
    """
    from archbuilder.weights.transfer import transfer

    graph = expand(spec, edits)
    load_tensorflow()
    from archbuilder.keras_model.build import build_model

    found = None if weights is None else transfer(Path(weights), graph, choices)
    model = build_model(graph, seed)
    if found is not None:
        found.apply(model)
    return model


def summary(spec: SpecLike, edits: Edits = ()) -> Summary:
    """What the network of a spec costs: parameters, multiply-adds and activation memory, by stage, unit and layer."""
    from archbuilder.costs.summary import summarise

    return summarise(expand(spec, edits))


def numbers(spec: SpecLike, edits: Edits = ()) -> Numbers:
    """What the network of a spec is: the receptive fields of its parts, and the ways through it."""
    from archbuilder.costs import numbers as costs

    return costs.numbers(expand(spec, edits))


def draw(spec: SpecLike, path: str | Path, edits: Edits = (), *, level: Level = "stage") -> Path:
    """Draws the network of a spec to an SVG, PNG, PDF or DOT file, and returns its path."""
    from archbuilder.diagram.dot import diagram
    from archbuilder.diagram.files import save

    save(diagram(expand(spec, edits), level), Path(path))
    return Path(path)


def new(
    path: str | Path,
    data_path: str | Path,
    *,
    like: str | None = None,
    weights: str | Path | None = None,
    force: bool = False,
) -> Spec:
    """Looks at images, writes a spec that trains on them, and returns it.

    `like` is the bundled network to take instead of one that fits, `weights` a file of other people's weights for it.
    Raises UsageError where `path` is there already, unless `force` is given.
    """
    from archbuilder.drafting.drafting import write

    return write(Path(path), Path(data_path), name=like, weights=_path(weights), force=force).spec


def train(
    spec: SpecLike,
    edits: Edits = (),
    *,
    data_path: str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    weights: str | Path | None = None,
    choices: Choices = DEFAULT,
    freeze: str | Sequence[str] = (),
    log: str | Sequence[str] = (),
) -> Run:
    """Trains the network of a spec by its own recipe, silently, and returns the run; `out` is its folder.

    `epochs` takes the place of the spec's own length, `weights` is a file to begin with (`choices` as for `build`),
    `freeze` names parts that keep their weights, `log` trackers that get the numbers, too. Raises UsageError and
    MissingError where data or folder do not fit, and DivergedError.
    """
    loaded = _loaded(spec, edits)
    load_tensorflow()
    from archbuilder.training import loop
    from archbuilder.training.start import Start
    from archbuilder.training.trackers.tracker import chosen

    start = Start(_path(data_path), _path(out), epochs, _path(weights), choices, _parts(freeze), chosen(log))
    return loop.train(loaded, start)


def train_seeds(
    spec: SpecLike,
    edits: Edits = (),
    *,
    seeds: int | Sequence[int],
    data_path: str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    weights: str | Path | None = None,
    choices: Choices = DEFAULT,
    freeze: str | Sequence[str] = (),
    log: str | Sequence[str] = (),
) -> Sweep:
    """Trains the network of a spec once for each seed, silently; `summary` of what it returns is what they come to.

    `seeds` are the seeds, or how many there are to be from the spec's own on. The rest is as for `train`.
    """
    loaded = _loaded(spec, edits)
    load_tensorflow()
    from archbuilder.training import sweep
    from archbuilder.training.start import Start
    from archbuilder.training.trackers.tracker import chosen

    start = Start(_path(data_path), _path(out), epochs, _path(weights), choices, _parts(freeze), chosen(log))
    return sweep.train_seeds(loaded, seeds, start)


def train_folds(
    spec: SpecLike,
    edits: Edits = (),
    *,
    folds: int,
    data_path: str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    weights: str | Path | None = None,
    choices: Choices = DEFAULT,
    freeze: str | Sequence[str] = (),
    log: str | Sequence[str] = (),
) -> Sweep:
    """Trains the network of a spec once for each fold, silently; `summary` of what it returns is what they come to.

    `folds` is into how many parts the training images are dealt; each is held out once. The rest is as for `train`.
    """
    loaded = _loaded(spec, edits)
    load_tensorflow()
    from archbuilder.training import sweep
    from archbuilder.training.start import Start
    from archbuilder.training.trackers.tracker import chosen

    start = Start(_path(data_path), _path(out), epochs, _path(weights), choices, _parts(freeze), chosen(log))
    return sweep.train_folds(loaded, folds, start)


def runs(folder: str | Path = "runs") -> list[Line]:
    """The runs in and below a folder, the oldest first: network, data, state, and the best and last epochs' values."""
    from archbuilder.training.run import listing

    return listing.runs(Path(folder))


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _parts(freeze: str | Sequence[str]) -> Sequence[str]:
    return (freeze,) if isinstance(freeze, str) else freeze


def _loaded(spec: SpecLike, edits: Edits) -> Spec:
    if isinstance(spec, Spec):
        if edits:
            raise TypeError("edits apply to a spec that is loaded here, not to one that was loaded before")
        return spec
    try:
        return load(spec, edits)
    except SpecError as error:
        from archbuilder.expansion.expansion import with_others

        raise with_others(error) from None
