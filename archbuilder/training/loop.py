"""Training from a spec to a finished run: set up, train, measure; and the same from a run that was interrupted."""

from __future__ import annotations

from pathlib import Path

from archbuilder.errors import UsageError
from archbuilder.spec import Spec, load_text
from archbuilder.spec import learning_rate as rates
from archbuilder.training.environment import take_memory_as_needed, versions
from archbuilder.training.normalise import fit
from archbuilder.training.progress import COMPILING, Opening, Reporter
from archbuilder.training.run import Run, require_empty
from archbuilder.training.setup import Learner, Setup, prepare, require_training
from archbuilder.training.trainer import Trainer


def train(
    spec: Spec,
    *,
    data_path: str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Trains the network of a spec by its own recipe and returns the run, whose folder is `out` or a new one.

    `epochs` takes the place of the spec's stop rule. Raises SpecError or UsageError where network, data and folder do
    not fit, MissingError where the data is not there, DivergedError, and StoppedError after SIGINT or SIGTERM.
    """
    reporter, folder = reporter or Reporter(), _path(out)
    if folder is not None:
        require_empty(folder)
    if epochs is not None:
        spec = _of_epochs(spec, epochs, reporter)
    take_memory_as_needed()
    setup = prepare(spec, _path(data_path))
    normaliser = fit(setup.training.normalise, setup.train.pixels)
    learner = Learner.of(setup, normaliser)
    run = Run.create(spec, folder, setup.facts(), normaliser)
    with run.locked():
        return _finish(Trainer(setup, learner, run, reporter))


def resume(folder: str | Path, *, data_path: str | Path | None = None, reporter: Reporter | None = None) -> Run:
    """Goes on with a run from its last whole checkpoint; a finished one is returned as it is.

    Raises MissingError where there is no run, UsageError where the spec or the data is not what it began with.
    """
    run, reporter = Run.open(Path(folder)), reporter or Reporter()
    with run.locked():
        if run.result is not None:
            reporter.note(f"the run in {run.folder} is finished: there is nothing to resume")
            return run
        _require_same_spec(run)
        _compare_versions(run, reporter)
        take_memory_as_needed()
        setup = prepare(run.spec, _path(data_path) or run.data_path, run.environment["precision"])
        _require_same_data(run, setup)
        trainer = Trainer(setup, Learner.of(setup, run.normaliser), run, reporter)
        trainer.restore()
        return _finish(trainer)


def _of_epochs(spec: Spec, epochs: int, reporter: Reporter) -> Spec:
    """The spec with another stop rule; says what this does to the learning rate."""
    rate = require_training(spec).learning_rate
    scales = isinstance(rate, rates.Linear | rates.Cosine | rates.Polynomial | rates.OneCycle)
    follows = scales or (isinstance(rate, rates.Steps) and rate.unit == "fraction")
    effect = "is scaled to this length" if follows else "stays that of the spec"
    reporter.note(f"{epochs} epochs instead of the spec's own length; its learning rate ({rate.kind}) {effect}")
    return load_text(spec.dump(), spec.name, [f"training.stop={{epochs: {epochs}}}"])


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _require_same_spec(run: Run) -> None:
    if run.spec_sum != run.environment["spec"]:
        raise UsageError(f"the spec in {run.folder} was changed since its training began; a changed spec is a new run")


def _compare_versions(run: Run, reporter: Reporter) -> None:
    before, now = run.environment["versions"], versions()
    changes = [f"{name} {now[name]} instead of {before[name]}" for name in before if before[name] != now.get(name)]
    if changes:
        reporter.note(f"what follows may differ in the last bits from an uninterrupted run: {', '.join(changes)}")


def _require_same_data(run: Run, setup: Setup) -> None:
    before = run.environment["data"]["fingerprint"]
    if setup.data.fingerprint != before:
        raise UsageError(
            f"the data from {setup.data.origin} is not what the run in {run.folder} began with: its fingerprint is "
            f"{setup.data.fingerprint[:12]}, not {before[:12]}; name the right data with --data"
        )


def _finish(trainer: Trainer) -> Run:
    """Trains to the end, then measures the best and the final weights on the test set, once."""
    reporter = trainer.reporter
    try:
        reporter.open(_opening(trainer))
        if trainer.position.iteration < trainer.setup.iterations:
            reporter.note(COMPILING)
        with trainer.stop:
            trainer.train()
            result = trainer.result()
            trainer.run.finish(result)
        reporter.close(result)
    finally:
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
