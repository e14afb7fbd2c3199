"""Training from a spec to a finished run: set up, train, measure; and the same from a run that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from archbuilder.aliases import Json
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import DivergedError, MissingError, UsageError
from archbuilder.formatting import counted
from archbuilder.graph.words import left_out
from archbuilder.learning_rate.schedules import spans_the_run
from archbuilder.spec import Spec, edit, require_training
from archbuilder.training import foreign
from archbuilder.training.distribution import Distribution
from archbuilder.training.engine import devices, learner_for
from archbuilder.training.environment import emulates_bfloat16, take_memory_as_needed
from archbuilder.training.memory import Need
from archbuilder.training.objective import is_imbalanced
from archbuilder.training.reporting.progress import COMPILING, Opening, Reporter
from archbuilder.training.run.checkpoint import Checkpoint
from archbuilder.training.run.folder import ReadOnlyRun, Run, require_empty
from archbuilder.training.run.legs import next_leg, rate_begins, require_leg, spec_of
from archbuilder.training.run.records import Leg
from archbuilder.training.run.resume_checks import (
    compare_versions,
    require_same_backend,
    require_same_data,
    require_same_spec,
)
from archbuilder.training.setup import Setup, prepare
from archbuilder.training.start import Start
from archbuilder.training.trackers.tracker import Trackers
from archbuilder.training.trainer import Trainer
from archbuilder.weights.transfer import Transfer, transfer


def train(
    spec: Spec,
    start: Start = Start(),
    *,
    reporter: Reporter | None = None,
    distribution: Distribution | None = None,
) -> Run:
    """Trains the network of a spec by its own recipe and returns the run, whose folder is that of `start` or a new one.

    Without a `distribution`, it runs on all processes that were started together, or on all GPUs that are visible.
    Raises SpecError or UsageError where network, data and folder do not fit, MissingError where the data is not there,
    ArchbuilderError for weights that do not fit and where another process is gone, DivergedError, and StoppedError
    after SIGINT or SIGTERM.
    """
    reporter = reporter or Reporter()
    if start.out is not None:
        require_empty(start.out)
    take_memory_as_needed()
    distribution = distribution or devices(reporter.note)
    reporter = reporter if distribution.is_chief else Reporter()
    if start.epochs is not None:
        spec = of_epochs(spec, start.epochs, reporter)
    setup = prepare(spec, start.data, frozen=start.freeze)
    _tell_of_setup(setup, reporter)
    found = None if start.weights is None else transfer(start.weights, setup.graph, start.choices)
    normaliser = setup.feed.fit_normaliser()
    facts = {**setup.facts(), "replicas": distribution.replicas, "weights": found.facts() if found else None,
             "log": list(start.log)}  # fmt: skip
    with distribution.together(), Need.of(setup, distribution.replicas).told():
        learner = learner_for(setup, normaliser, distribution)
        run = _create(distribution, spec, start.out, facts, normaliser)
        require_same_data(run, setup)  # other processes have the data from elsewhere
        with run.locked():
            trainer = Trainer(setup, learner, run, reporter)
            if found is not None:
                _begin_with(found, trainer)
            return _finish(trainer)


def _create(distribution: Distribution, spec: Spec, folder: Path | None, facts: Json, normaliser: Normaliser) -> Run:
    """The run of the chief, and that of the others once its folder is there."""
    if distribution.processes > 1 and folder is None:
        raise UsageError("several processes train together: --out has to name the folder of the run for all of them")
    run = Run.create(spec, folder, facts, normaliser) if distribution.is_chief else None
    distribution.sums(0)
    return run or ReadOnlyRun.open(folder or Path())


def resume(
    folder: Path,
    spec: Spec | None = None,
    *,
    data: Path | None = None,
    epochs: int | None = None,
    edits: Sequence[str] = (),
    reporter: Reporter | None = None,
    distribution: Distribution | None = None,
) -> Run:
    """Goes on with a run from its last whole checkpoint; a finished one is returned as it is.

    `epochs` takes a finished one further, until there are so many in all; `edits` then say its learning rate. Beside a
    `spec`, `epochs` are of that: it is held to what the run began with. Raises MissingError where there is no run,
    UsageError with every field in which the spec or the data is not what it began with.
    """
    reporter = reporter or Reporter()
    take_memory_as_needed()
    distribution = distribution or devices(reporter.note)
    reporter = reporter if distribution.is_chief else Reporter()
    run = (Run if distribution.is_chief else ReadOnlyRun).open(folder)
    if spec is not None and epochs is not None:
        spec = of_epochs(spec, epochs, reporter)
    with distribution.together(), run.locked():
        require_same_spec(run, spec)
        leg = next_leg(run, epochs, edits) if spec is None and epochs is not None else None
        if run.result is not None and leg is None:
            reporter.note(f"the run in {run.folder} is finished: there is nothing to resume")
            return run
        require_same_backend(run)
        compare_versions(run, reporter)
        _require_first_weights(run)
        setup = _setup_of(run, data, run.legs if leg is None else (*run.legs, leg))
        _tell_of_setup(setup, reporter)
        require_same_data(run, setup)
        if leg is not None:
            require_leg(run, run.checkpoints(1).latest(reporter.note), leg.begins)
            run.begin_leg(leg)
        with Need.of(setup, distribution.replicas).told():
            trainer = Trainer(setup, learner_for(setup, run.normaliser, distribution), run, reporter)
            trainer.restore()
            return _finish(trainer)


def _setup_of(run: Run, data: Path | None, legs: Sequence[Leg]) -> Setup:
    """What the last leg of a run trains with."""
    spec, precision, frozen = spec_of(run, legs), run.environment["precision"], run.environment.get("frozen", ())
    setup = prepare(spec, data or run.data_path, precision, frozen)
    return replace(setup, begins=legs[-1].begins, rate_begins=rate_begins(legs)) if legs else setup


def of_epochs(spec: Spec, epochs: int, reporter: Reporter) -> Spec:
    """The spec with another stop rule; says what this does to the learning rate."""
    rate = require_training(spec).learning_rate
    effect = "is scaled to this length" if spans_the_run(rate) else "stays that of the spec"
    reporter.note(
        f"{counted(epochs, 'epoch')} instead of the spec's own length; its learning rate ({rate.kind}) {effect}"
    )
    return edit(spec, f"training.stop={{epochs: {epochs}}}")


def _tell_of_setup(setup: Setup, reporter: Reporter) -> None:
    for note in (*left_out(setup.graph), *setup.data.notes, *_imbalance(setup), *_slow_precision(setup)):
        reporter.note(note)


def _imbalance(setup: Setup) -> Iterator[str]:
    """A note where one class has several times the images of another."""
    if setup.train.labels.ndim > 1:
        return
    counts = np.bincount(setup.train.labels, minlength=len(setup.data.classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    if not is_imbalanced(counts):
        return
    told = f"{setup.data.classes[most]} has {counts[most]:,} images to learn from, {setup.data.classes[least]}"
    is_met = setup.training.class_weights is not None or setup.training.sampling == "balanced"
    yield f"{told} {counts[least]:,}" + ("" if is_met else ": `class_weights: balanced` makes them count alike")


def _slow_precision(setup: Setup) -> Iterator[str]:
    """A note where the processor has no instructions for the precision."""
    if setup.precision == "mixed_bfloat16" and emulates_bfloat16():
        yield (
            "this processor has no instructions for bfloat16, in which it takes several times as long as in float32: "
            "--set training.precision=float32"
        )


def _begin_with(weights: Transfer, trainer: Trainer) -> None:
    """Takes the weights and saves them as a checkpoint, so that resuming never needs the file again."""
    for note in (*weights.notes, *foreign.notes(trainer.setup.spec, weights)):
        trainer.reporter.note(note)
    weights.apply(trainer.learner.model)
    trainer.learner.begin_averages()
    trainer.checkpoints.save(Checkpoint(0, trainer.learner.arrays(), {}))


def _require_first_weights(run: Run) -> None:
    began_with = run.environment.get("weights")
    if began_with and run.checkpoints(1).latest(lambda _: None) is None:
        raise MissingError(
            f"there is no whole checkpoint in {run.folder}, and its first weights came from {began_with['path']}: "
            "train anew"
        )


def _finish(trainer: Trainer) -> Run:
    """Trains to the end, then measures the best and the final weights on the test set, once."""
    reporter, frozen = trainer.reporter, trainer.setup.frozen
    try:
        if frozen:
            trained = sum(prod(weight.shape) for weight in trainer.learner.model.trainable_variables)
            reporter.note(f"{', '.join(frozen)} frozen: {trained:,} parameters are trained")
        reporter.open(_opening(trainer))
        if trainer.position.iteration < trainer.setup.iterations:
            reporter.note(COMPILING)
        trainer.run.note_divergence(None)
        trainer.trackers = Trackers(trainer.run, trainer.run.environment.get("log", []), reporter.note)
        with trainer.stop:
            trainer.train()
            result = trainer.result()
            trainer.run.finish(result)
        trainer.trackers.close(result)
        reporter.close(result)
    except DivergedError as error:
        trainer.run.note_divergence(str(error))
        raise
    finally:
        trainer.trackers.close(None)
        reporter.stop()
    return trainer.run


def _opening(trainer: Trainer) -> Opening:
    setup, facts = trainer.setup, trainer.run.environment["data"]
    return Opening(
        network=setup.graph.name, parameters=setup.graph.parameters, data=setup.data.name, origin=setup.data.origin,
        train_images=facts["train"], validation_images=facts["validation"], test_images=facts["test"],
        precision=setup.precision, folder=str(trainer.run.folder), epochs=setup.epochs, iterations=setup.iterations,
        done=trainer.position.iteration,
    )  # fmt: skip
