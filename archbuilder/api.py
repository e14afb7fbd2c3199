"""The verbs of the command line, for Python. Only `build` and the training load TensorFlow, when they are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, overload

from archbuilder.errors import SpecError, UsageError
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import Spec, load
from archbuilder.spec.edits import Edits, as_texts
from archbuilder.weights.choices import DEFAULT, Choices

if TYPE_CHECKING:
    import keras

    from archbuilder.aliases import Json, Level, Precision
    from archbuilder.comparison.difference import Difference
    from archbuilder.comparison.result import Comparison, NoneNear
    from archbuilder.costs.numbers import Numbers
    from archbuilder.costs.summary import Summary
    from archbuilder.diagram.files import Picture
    from archbuilder.diagram.options import Background, Direction, ThemeName
    from archbuilder.errors import Diagnostic
    from archbuilder.explaining.explanation import Explanation
    from archbuilder.exporting.exporting import Exported
    from archbuilder.exporting.formats import FormatName
    from archbuilder.graph.network import Graph
    from archbuilder.importing.importing import Imported
    from archbuilder.page.page import Page
    from archbuilder.side_by_side.ablation import Family
    from archbuilder.side_by_side.networks import SideBySide
    from archbuilder.training.prediction import Prediction
    from archbuilder.training.run.curves import Curves
    from archbuilder.training.run.folder import Run, Which
    from archbuilder.training.run.listing import Line
    from archbuilder.training.run.several import Sweep

RunLike: TypeAlias = "str | Path | Run"
"""The folder of a run, or a run."""
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


def numbers(
    spec: SpecLike,
    edits: Edits = (),
    *,
    batch_size: int | None = None,
    precision: Precision | None = None,
    memory: int | None = None,
    peak: float | None = None,
    bandwidth: float | None = None,
) -> Numbers:
    """What the network of a spec is: the receptive fields of its parts, the ways through it, the memory of training.

    With a `memory` in bytes, the largest batch that fits; with `peak` and `bandwidth`, flops and bytes a second, a
    bound on its speed.
    """
    from archbuilder.costs import numbers as costs
    from archbuilder.costs.asked import Asked

    loaded = _loaded(spec, edits)
    return costs.numbers(expand(loaded), loaded.training, Asked(batch_size, precision, memory, peak, bandwidth))


def compare(*subjects: SpecLike, batch_size: int | None = None) -> SideBySide | Curves:
    """Networks, or what they learned where all are runs: printed, a table; with `to_json`, `csv` and `markdown`.

    `batch_size` is that of the memory of training, by default the first recipe's. The curves of runs are drawn by
    `save`. Raises UsageError for runs that learn classes and numbers.
    """
    from archbuilder.side_by_side.sides import compared

    with _with_all_mistakes():
        return compared(subjects, batch_size)


def report(
    *subjects: SpecLike,
    edits: Edits = (),
    images: int | None = None,
    data_path: str | Path | None = None,
    pictures: bool = True,
) -> Page:
    """One page of all there is to see of a network or a run, or of several that are compared; a notebook shows it.

    `save` writes it, `html` is its text. `images` says how many there are to learn from where the spec does not;
    `data_path` is where the data of a run lies, if not where it was, for the images of its mistakes, which `pictures`
    leaves out.
    """
    from archbuilder.page.report import Options, page

    with _with_all_mistakes():
        return page(subjects, edits, Options(images, _path(data_path), pictures))


def diff(before: SpecLike, after: SpecLike, edits: Edits = ()) -> Difference:
    """What changes from one network and its recipe to another; printed, it is one line a change.

    Each side may also be `REV:path` of a git repository or the folder of a run. The edits apply to the second.
    """
    from archbuilder.comparison.difference import difference
    from archbuilder.side_by_side.sides import side

    with _with_all_mistakes():
        return difference(side(before), side(after, edits))


def explain(name: str) -> tuple[Explanation, ...]:
    """What a word of the language means, with settings and an example: a unit, a layer, a key such as `training.stop`.

    There are several where several things are called so. Raises MissingError where nothing is.
    """
    from archbuilder.explaining import words

    return words.explain(name)


def family(
    spec: SpecLike,
    units: Sequence[int | tuple[int, ...]] = (),
    shortcuts: Sequence[str] = (),
    edits: Edits = (),
    *,
    out: str | Path | None = None,
    train: bool = False,
    seeds: int = 1,
    epochs: int | None = None,
    data_path: str | Path | None = None,
) -> Family:
    """An ablation from one spec: each number of units (of all stages, or of each) with each shortcut.

    `out` is the folder that gets specs and table, and with `train` the runs and their curves, silently. Raises
    UsageError where it holds something else.
    """
    from archbuilder.side_by_side import ablation

    found = ablation.family(_loaded(spec, edits), units, shortcuts)
    training = ablation.Training(seeds, epochs, _path(data_path)) if train else None
    if training is not None and out is None:
        raise UsageError("training needs a folder for its runs: out")
    if out is not None:
        ablation.save(found, Path(out), training)
    if training is None or out is None:
        return found
    load_tensorflow()
    from archbuilder.training.reporting.progress import Reporter

    return ablation.train(found, Path(out), training, Reporter())


@overload
def draw(
    spec: SpecLike | Sequence[SpecLike],
    path: None = None,
    edits: Edits = (),
    *,
    level: Level | None = None,
    unit: str | None = None,
    title: str | None = None,
    totals: bool = False,
    legend: bool = False,
    direction: Direction = "down",
    theme: ThemeName = "light",
    background: Background = "theme",
    width: str | None = None,
) -> Picture: ...


@overload
def draw(
    spec: SpecLike | Sequence[SpecLike],
    path: str | Path,
    edits: Edits = (),
    *,
    level: Level | None = None,
    unit: str | None = None,
    title: str | None = None,
    totals: bool = False,
    legend: bool = False,
    direction: Direction = "down",
    theme: ThemeName = "light",
    background: Background = "theme",
    width: str | None = None,
) -> Path: ...


def draw(
    spec: SpecLike | Sequence[SpecLike],
    path: str | Path | None = None,
    edits: Edits = (),
    *,
    level: Level | None = None,
    unit: str | None = None,
    title: str | None = None,
    totals: bool = False,
    legend: bool = False,
    direction: Direction = "down",
    theme: ThemeName = "light",
    background: Background = "theme",
    width: str | None = None,
) -> Path | Picture:
    """Draws the network of a spec, or several side by side, to an SVG, PNG, PDF, DOT or Mermaid file: returns its path.

    Without a path, it returns a picture, which a notebook shows and which has `svg`, `dot`, `mermaid` and `save`.
    `unit`, such as `stage2/unit1`, is drawn alone and close up; `width` is such as `85mm`; `theme` is light, dark, grey
    or colour-blind. Raises UsageError where a picture cannot be so.
    """
    from archbuilder.diagram.options import Options
    from archbuilder.diagram.picture import picture

    specs = [spec] if isinstance(spec, str | Path | Spec) else list(spec)
    options = Options(level, unit, title, totals, legend, direction, theme, background, width)
    drawn = picture([expand(each, edits) for each in specs], options)
    return drawn if path is None else drawn.save(path)


def verify(spec: SpecLike, against: SpecLike | None = None, edits: Edits = ()) -> Comparison | NoneNear:
    """Whether a spec's network is another, or else which bundled one it is or comes nearest to: `same` says it."""
    from archbuilder.comparison.comparison import compare
    from archbuilder.comparison.nearest import nearest_bundled

    graph = expand(spec, edits)
    return nearest_bundled(graph) if against is None else compare(graph, expand(against))


def lint(spec: SpecLike, edits: Edits = ()) -> list[Diagnostic]:
    """The contradictions in the recipe of a spec, in order; raises SpecError if it has no recipe."""
    from archbuilder.linting import linting

    return linting.lint(_loaded(spec, edits))


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


def import_model(
    path: str | Path,
    out: str | Path | None = None,
    *,
    weights_out: str | Path | None = None,
    size: int | tuple[int, int] | None = None,
    force: bool = False,
) -> Imported:
    """The spec of the network in a file of Keras or ONNX, with its `text`, and `notes` of what had to be assumed.

    It is written to `out`, and the weights of the file to `weights_out`, where these are given. `size` is the height
    and width of images (one number: both) where the file leaves them open. Raises MissingError for what is not read,
    and UsageError for a size that is none.
    """
    from archbuilder.importing.importing import write

    sides = (size, size) if isinstance(size, int) else size
    return write(Path(path), _path(out), _path(weights_out), size=sides, force=force)


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
    """Trains the network of a spec by its own recipe, and returns the run; `out` is its folder.

    A notebook shows how far it is; elsewhere it is silent.

    `epochs` takes the place of the spec's own length, `weights` is a file to begin with (`choices` as for `build`),
    `freeze` names parts that keep their weights, `log` trackers that get the numbers, too. Raises UsageError and
    MissingError where data or folder do not fit, and DivergedError.
    """
    loaded = _loaded(spec, edits)
    load_tensorflow()
    from archbuilder.training import loop
    from archbuilder.training.reporting.notebook import notebook_reporter
    from archbuilder.training.start import Start
    from archbuilder.training.trackers.tracker import chosen

    start = Start(_path(data_path), _path(out), epochs, _path(weights), choices, _parts(freeze), chosen(log))
    return loop.train(loaded, start, reporter=notebook_reporter())


def resume(
    run: RunLike, *, epochs: int | None = None, edits: Edits = (), data_path: str | Path | None = None
) -> Run | Sweep:
    """Goes on with a run that was stopped, or with a folder of several runs, as if it had never been.

    `epochs` takes a finished run further, until there are so many in all; `edits` then say its learning rate. Raises
    UsageError where the run has nothing to go on with, and MissingError where there is none.
    """
    if edits and epochs is None:
        raise UsageError("edits need epochs: they say the learning rate of more epochs")
    load_tensorflow()
    from archbuilder.training import sweep
    from archbuilder.training.reporting.notebook import notebook_reporter
    from archbuilder.training.run.folder import Run

    folder, reporter = run.folder if isinstance(run, Run) else Path(run), notebook_reporter()
    return sweep.resume(folder, data=_path(data_path), epochs=epochs, edits=as_texts(edits), reporter=reporter)


def evaluate(run: RunLike | Sequence[RunLike], *, data_path: str | Path | None = None, weights: Which = "best") -> Json:
    """Loss and accuracy of a trained network on its test set, or of several and of their ensemble.

    Runs are named by their folders; that of `train_seeds` stands for all of its runs. Raises UsageError where their
    classes or data differ.
    """
    load_tensorflow()
    from archbuilder.training import evaluation

    many = [run] if isinstance(run, str | Path) or not isinstance(run, Sequence) else run
    return evaluation.evaluate([one for each in many for one in _runs(each)], _path(data_path), weights)


def predict(
    run: RunLike, paths: str | Path | Sequence[str | Path], *, top: int | None = None, weights: Which = "best"
) -> list[Prediction]:
    """What the network of a run takes images to be, of files and of all images in folders.

    `top` is how many classes are told: without it, three; of several labels, all. `problem` says why one is not read.
    """
    load_tensorflow()
    from archbuilder.training import prediction

    [one] = _runs(run)
    found = prediction.images_in([paths] if isinstance(paths, str | Path) else paths)
    return list(prediction.predict(one, found.images, top, weights))


def _runs(run: RunLike) -> Sequence[Run]:
    from archbuilder.training.run.folder import Run
    from archbuilder.training.run.several import runs_in

    return [run] if isinstance(run, Run) else runs_in(Path(run))


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


def export(
    subject: RunLike | Spec,
    path: str | Path,
    edits: Edits = (),
    *,
    format: FormatName | None = None,
    weights: str | Path | None = None,
    choices: Choices = DEFAULT,
    bare: bool = False,
    compare: bool = True,
    force: bool = False,
    fold_norms: bool = False,
    names: str = "archbuilder",
    calibration: str | Path | None = None,
) -> Exported:
    """Writes the network of a run or a spec for others: ONNX, Keras, TensorFlow; the suffix says the format.

    `weights` are best or final of a run, or a file for a spec. The file takes pixels and gives probabilities; a `bare`
    one is the network alone. int8 is calibrated on the images of a folder, or on those that a run learned from. Raises
    ArchbuilderError where what is written does not answer as the original does.
    """
    from archbuilder.exporting import exporting
    from archbuilder.exporting.formats import Options, format_of

    kind = format_of(path, format)
    with _with_all_mistakes():
        handover = exporting.handover_of(subject, weights, choices, edits, bare=bare)
    return exporting.export(
        handover, Path(path), kind, Options(fold_norms, names, _path(calibration)), compared=compare, force=force
    )


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
    with _with_all_mistakes():
        return load(spec, edits)


@contextmanager
def _with_all_mistakes() -> Iterator[None]:
    """Lets what is left of a spec that cannot be loaded be expanded, for the mistakes that this shows."""
    try:
        yield
    except SpecError as error:
        from archbuilder.expansion.expansion import with_others

        raise with_others(error) from None
