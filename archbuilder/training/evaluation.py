"""What trained networks are worth, alone and together: loss and accuracy on a data set, classes of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.data.dataset import Dataset, Labels, Pictures
from archbuilder.data.load import alike, load_data, parted, with_test
from archbuilder.errors import UsageError
from archbuilder.formatting import counted, first_ten, printable
from archbuilder.graph.ops import show
from archbuilder.spec import require_training
from archbuilder.spec.data import OnTest
from archbuilder.spec.optimization import CrossEntropy
from archbuilder.training.engine import evaluator_for
from archbuilder.training.evaluator import Evaluation, evaluated, logits_from
from archbuilder.training.feed import Feed
from archbuilder.training.objective import Objective
from archbuilder.training.run.folder import Run, Which
from archbuilder.training.scores import Answers, mistakes, scores
from archbuilder.training.setup import Load


@dataclass(frozen=True, eq=False)
class Measured:
    """What a network, or the ensemble of several, is worth, and the images that say so."""

    facts: Json
    answers: Answers
    """Those of the test set."""
    images: Pictures

    @property
    def test(self) -> Json:
        """What they come to together on the test set."""
        test: Json = self.facts.get("ensemble", self.facts)["test"]
        return test


def evaluate(runs: Sequence[Run], data_path: Path | None = None, weights: Which = "best") -> Json:
    """The facts of `measure`."""
    return measure(runs, data_path, weights).facts


def measure(runs: Sequence[Run], data_path: Path | None = None, weights: Which = "best") -> Measured:
    """Measures a run's network on the test set and, where the data is the run's own, on its hold-out.

    Of other data all images are measured, if it has no test set. It may lack some of the run's classes.

    The facts have loss and accuracy, of numbers the mean absolute error, and beside them what `scores` has and the
    most confident `mistakes`. For several runs, `runs` has each, and `ensemble` what the mean of their answers comes
    to. Raises UsageError where classes, losses or data of the runs differ from each other, or from the data at
    `data_path`.
    """
    _require_alike(runs, data_path)
    _require_same_answers(runs)
    load = cache(load_data)  # once, where the networks take the images alike
    first = _Member.of(runs[0], data_path or runs[0].data_path, weights, load)
    total, measured = first.answers.values, [first.measured]
    for run in runs[1:]:
        # The same images: they lie in one layout, so their order is the same.
        member = _Member.of(run, data_path or runs[0].data_path, weights, load)
        _require_same_images(first, member)
        total, measured = total + member.answers.values, [*measured, member.measured]
    if len(runs) == 1:
        return Measured(first.measured, first.answers, first.images)
    answers = replace(first.answers, values=total / len(runs))
    together = {"test": _score(answers, first.images, runs[0].objective)}
    return Measured({"runs": measured, "ensemble": together}, answers, first.images)


def _require_same_answers(runs: Sequence[Run]) -> None:
    """The mean of a probability and a number is neither, and one loss has to measure all."""
    losses = [require_training(run.spec).loss.kind for run in runs]
    widths = [run.graph[run.graph.outputs[0]].shape for run in runs]
    for run, loss, width in zip(runs, losses, widths, strict=True):
        if (loss, width) != (losses[0], widths[0]):
            raise UsageError(
                f"the runs in {runs[0].folder} and {run.folder} do not have the same loss and outputs: {losses[0]} of "
                f"{show(widths[0])} and {loss} of {show(width)}; measure them one by one"
            )


def _require_alike(runs: Sequence[Run], data_path: Path | None) -> None:
    for run in runs[1:]:
        if run.classes != runs[0].classes:
            raise UsageError(f"the runs in {runs[0].folder} and {run.folder} do not have the same classes")
        one, other = (each.environment["data"]["fingerprint"] for each in (runs[0], run))
        if one != other and data_path is None:
            raise UsageError(
                f"the runs in {runs[0].folder} and {run.folder} do not have the same data: the fingerprints are "
                f"{one[:12]} and {other[:12]}; --data names the data to measure them on"
            )


@dataclass(frozen=True)
class _Member:
    """One of the networks that are measured together; only the test set is no network's training set."""

    fingerprint: str
    """The fingerprint of the data."""
    measured: Json
    answers: Answers
    images: Pictures

    @classmethod
    def of(cls, run: Run, data_path: Path | None, weights: Which, load: Load) -> _Member:
        judged, precision = _Judged.of(run, data_path, load), run.environment["precision"]
        training, shape = require_training(run.spec), run.graph.input.shape
        feed = Feed(training, (shape[0], shape[1], shape[2]), judged.test)
        evaluator = evaluator_for(run.graph, run.model(weights), precision, run.normaliser, run.objective)
        notes = list(judged.notes)
        if run.result is None:
            notes.append(f"the run in {run.folder} is not finished: its weights are those of its epochs so far")

        def found(images: Pictures, labels: Labels) -> tuple[Answers, Json]:
            evaluation = evaluator(feed.pixels(images), labels)
            answers = Answers(evaluation.answers, labels, run.classes, judged.data.labels)
            return answers, _facts(evaluation, answers, images, run.objective)

        answers, test = found(judged.test, judged.labels)
        origin = judged.data.origin
        measured = {"run": str(run.folder), "weights": weights, "data": origin, "notes": notes, "test": test}
        if judged.validation is not None:
            measured["validation"] = found(judged.validation, judged.validation.labels)[1]
        return cls(judged.data.fingerprint, measured, answers, judged.test)


@dataclass(frozen=True, eq=False)
class _Judged:
    """The images that a run is measured on: those of its own data that it has not learned from, or those of other data.

    Of other data, these are the test images, or all where none are set apart. It may lack some of the run's classes.
    """

    data: Dataset
    test: Pictures
    labels: Labels
    """Those of the test images, counted as the run counts its classes."""
    validation: Pictures | None
    notes: Sequence[str]

    @classmethod
    def of(cls, run: Run, path: Path | None, load: Load) -> _Judged:
        training, (height, width, channels) = require_training(run.spec), run.graph.input.shape
        data = load(training.data, (height, width, channels), path, training.is_framed, training.labels)
        is_own = data.fingerprint == run.environment["data"]["fingerprint"]
        has_test = len(data.test) > 0
        if is_own or path is None or path.resolve() == run.data_path:  # what was learned from there judges nothing
            parts = with_test(data, training.data)
            held_out = parted(parts, training.data, training.seed)[1] if is_own else None
            is_apart = not isinstance(training.data.validation, OnTest)
            notes = (*data.notes, *alike(parts.train, parts.test))
            return cls(parts, parts.test, _as_counted(run, data, parts.test), held_out if is_apart else None, notes)
        test = data.test if has_test else data.train
        shown = printable(data.origin)
        whole = (
            [] if has_test else [f"all {counted(len(test), 'image')} in {shown} are measured: none are set apart there"]
        )
        return cls(data, test, _as_counted(run, data, test), None, (*data.notes, *whole))


def _as_counted(run: Run, data: Dataset, images: Pictures) -> Labels:
    """The labels of images, by the run's own classes; raises UsageError where it has others."""
    wanted, there = require_training(run.spec).labels, data.labels
    if there != wanted and (there, wanted) != ("classes", "flags"):  # flags may be those of classes
        raise UsageError(
            f"the images of {printable(data.origin)} have {there}, but the run in {run.folder} tells {wanted}"
        )
    if data.classes == run.classes:
        return images.labels
    strange = [name for name in data.classes if name not in run.classes]
    if strange or images.labels.ndim > 1:
        shown = f": {first_ten(strange)}" if strange else ""
        raise UsageError(
            f"the classes of the data from {printable(data.origin)} are not those of the run in {run.folder}{shown}"
        )
    numbers = np.array([run.classes.index(name) for name in data.classes], np.int32)
    return numbers[images.labels]


def _require_same_images(first: _Member, other: _Member) -> None:
    if first.fingerprint != other.fingerprint:
        raise UsageError(
            f"the networks of {first.measured['run']} and {other.measured['run']} do not see the same images, so that "
            "they make no ensemble"
        )


def _facts(evaluation: Evaluation, answers: Answers, images: Pictures, objective: Objective) -> Json:
    main = {"images": len(evaluation.answers), "loss": evaluation.loss, objective.metric: evaluation.score}
    return {**main, **_beside(answers, images)}


def _beside(answers: Answers, images: Pictures) -> Json:
    """What stands beside loss and metric."""
    wrong = [{**asdict(mistake), "name": images.name(mistake.image) or None} for mistake in mistakes(answers)]
    return {**scores(answers), "mistakes": wrong}


def _score(answers: Answers, images: Pictures, objective: Objective) -> Json:
    """What the mean answers of several networks come to."""
    if isinstance(objective.loss, CrossEntropy):
        return {**_score_of_classes(answers.values, answers.labels), **_beside(answers, images)}
    evaluation = evaluated(objective, logits_from(objective, answers.values), answers.labels)
    return _facts(evaluation, answers, images, objective)


def _score_of_classes(probabilities: Array, labels: Array) -> Json:
    """What probabilities `(n, classes)` come to."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean(dtype=np.float64)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    return {"images": len(labels), "loss": float(loss), "accuracy": float(accuracy)}
