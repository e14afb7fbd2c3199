"""What trained networks are worth, alone and together: loss and accuracy on a data set, classes of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.data.dataset import Pictures
from archbuilder.data.load import load_data
from archbuilder.errors import UsageError
from archbuilder.graph.ops import show
from archbuilder.spec import require_training
from archbuilder.spec.data import OnTest
from archbuilder.spec.optimization import CrossEntropy
from archbuilder.training.engine import evaluator_for
from archbuilder.training.evaluator import Evaluation, evaluated, logits_from
from archbuilder.training.objective import Objective
from archbuilder.training.run.folder import Run, Which
from archbuilder.training.scores import Answers, mistakes, scores
from archbuilder.training.setup import Load, prepare


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
        precision = run.environment["precision"]
        setup = prepare(run.spec, data_path, precision, load=load, objective=run.objective)
        data = setup.data
        if data.classes != run.classes:
            raise UsageError(f"the classes of the data from {data.origin} are not those of the run in {run.folder}")
        evaluator = evaluator_for(setup.graph, run.model(weights), precision, run.normaliser, run.objective)
        notes = list(data.notes)
        if run.result is None:
            notes.append(f"the run in {run.folder} is not finished: its weights are those of its epochs so far")

        def found(images: Pictures) -> tuple[Answers, Json]:
            evaluation = evaluator(setup.feed.pixels(images), images.labels)
            answers = Answers(evaluation.answers, images.labels, data.classes, data.labels)
            return answers, _facts(evaluation, answers, images, run.objective)

        answers, test = found(data.test)
        measured = {"run": str(run.folder), "weights": weights, "data": data.origin, "notes": notes, "test": test}
        is_own = data.fingerprint == run.environment["data"]["fingerprint"]
        if is_own and not isinstance(setup.training.data.validation, OnTest):
            measured["validation"] = found(setup.validation)[1]
        return cls(data.fingerprint, measured, answers, data.test)


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
