"""What the answers of a network are worth, class by class, label by label, or number by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.spec.data import LabelKind
from archbuilder.training.objective import is_imbalanced

BINS = 15
"""How many bins of equal width the confidences are sorted into, as in Guo et al. 2017."""
TOP = 5
THRESHOLD = 0.5
"""From which probability on a label is taken to be there."""
MOST_CONFIDENT = 25
"""How many mistakes are told."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network answers on images, beside what is right."""

    values: Array
    """Probabilities of classes or labels, or numbers in their own units, (n, k); of two classes, one will do."""
    labels: Array
    """Classes (n,), or flags or numbers (n, k)."""
    names: tuple[str, ...]
    """Those of the classes, labels or numbers."""
    kind: LabelKind
    """What the data is labelled with."""

    @property
    def classes(self) -> Array:
        """The class that each image is taken to be, (n,)."""
        found: Array = self.probabilities.argmax(axis=1)
        return found

    @property
    def probabilities(self) -> Array:
        """A probability for each class, (n, k), also of two classes where the network has one sigmoid."""
        return np.hstack([1 - self.values, self.values]) if self.values.shape[1] == 1 else self.values

    @property
    def is_of_classes(self) -> bool:
        """Whether each image is of exactly one class."""
        return self.labels.ndim == 1


def scores(answers: Answers) -> Json:
    """What stands beside loss and metric, for JSON.

    Of classes: `top_5_accuracy` where there are more than five, `mean_class_accuracy` where they are imbalanced,
    `calibration`, `classes`, and `confusion`, whose rows are the true classes and whose columns those that were
    answered. Of several labels: `mean_average_precision`, `f1` (the mean over labels, at a probability of 0.5) and
    `labels`. Of numbers: `rmse`, `r2` (the mean) and `numbers`. What is not defined, such as the precision of a class
    that is never answered, is None.
    """
    if answers.is_of_classes:
        return _of_classes(answers)
    match answers.kind:
        case "classes" | "flags":
            return _of_labels(answers)
        case "numbers":
            return _of_numbers(answers)
        case _:
            assert_never(answers.kind)


def _of_classes(answers: Answers) -> Json:
    count = len(answers.names)
    confusion = np.bincount(answers.labels * count + answers.classes, minlength=count**2).reshape(count, count)
    rates = _rates(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))
    return {
        **_top(answers.probabilities, answers.labels),
        **_mean_over(rates),
        "calibration": calibration(answers.probabilities, answers.labels),
        "classes": [{"name": name, **one} for name, one in zip(answers.names, rates, strict=True)],
        "confusion": confusion.tolist(),
    }


def confused(confusion: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """How often one class was taken for another, and which for which, the most frequent first."""
    found = [
        (count, truth, answer)
        for truth, counts in enumerate(confusion)
        for answer, count in enumerate(counts)
        if count and truth != answer
    ]
    return sorted(found, key=lambda pair: -pair[0])


def _rates(hits: Array, answered: Array, there: Array) -> list[Json]:
    """Precision, recall and F1 of each class or label, from how often it was right, answered, and there."""
    return [
        {"images": int(n), "precision": _share(hit, found), "recall": _share(hit, n), "f1": _share(2 * hit, found + n)}
        for hit, found, n in zip(hits, answered, there, strict=True)
    ]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _mean_over(rates: Sequence[Json]) -> Json:
    """The mean of the classes' accuracies, which are their recalls, where one class has several times the images."""
    if not is_imbalanced(np.array([one["images"] for one in rates])):
        return {}
    return {"mean_class_accuracy": _mean(one["recall"] for one in rates)}


def _top(probabilities: Array, truth: Array) -> Json:
    """The share of images whose class is among the likeliest five; of equal ones, the first count, as for one."""
    if probabilities.shape[1] <= TOP:
        return {}
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    return {"top_5_accuracy": float((likeliest == truth[:, None]).any(axis=1).mean())}


def calibration(probabilities: Array, truth: Array) -> Json:
    """How well confidence and accuracy agree: the expected calibration error, and the bins that it is the mean of.

    The confidence is that of the likeliest class; the bins are of equal width, each without its lower end. Source: Guo
    et al. 2017, On Calibration of Modern Neural Networks.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == truth
    places = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts, confident, right = (np.bincount(places, values, BINS) for values in (None, confidence, correct))
    error = np.abs(confident - right).sum() / len(truth)
    bins = [
        {"images": int(count), "confidence": float(sure / count) if count else None,
         "accuracy": float(hits / count) if count else None}
        for count, sure, hits in zip(counts, confident, right, strict=True)
    ]  # fmt: skip
    return {"expected_error": float(error), "bins": bins}


def _of_labels(answers: Answers) -> Json:
    from sklearn.metrics import average_precision_score

    truth, found = answers.labels > THRESHOLD, answers.values > THRESHOLD
    rates = _rates((truth & found).sum(axis=0), found.sum(axis=0), truth.sum(axis=0))
    precisions = [
        float(average_precision_score(there, values)) if there.any() else None
        for there, values in zip(truth.T, answers.values.T, strict=True)
    ]
    labels = [
        {"name": name, **one, "average_precision": precision}
        for name, one, precision in zip(answers.names, rates, precisions, strict=True)
    ]
    return {"mean_average_precision": _mean(precisions), "f1": _mean(one["f1"] for one in labels), "labels": labels}


def _of_numbers(answers: Answers) -> Json:
    truth, found = (values.astype(np.float64) for values in (answers.labels, answers.values))
    errors, squares = np.abs(found - truth).mean(axis=0), np.square(found - truth).mean(axis=0)
    explained = [
        float(1 - square / spread) if spread else None
        for square, spread in zip(squares, truth.var(axis=0), strict=True)
    ]
    numbers = [
        {"name": name, "mae": float(error), "rmse": float(np.sqrt(square)), "r2": share}
        for name, error, square, share in zip(answers.names, errors, squares, explained, strict=True)
    ]
    return {"rmse": float(np.sqrt(squares.mean())), "r2": _mean(explained), "numbers": numbers}


def _mean(values: Iterable[float | None]) -> float | None:
    """That of those that are defined."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


@dataclass(frozen=True)
class Mistake:
    """An image, and an answer that is wrong."""

    image: int
    """Its place among the images that were measured."""
    truth: str
    answer: str
    probability: float | None = None
    """That of the answer; None where numbers are learned."""


def mistakes(answers: Answers, most: int = MOST_CONFIDENT) -> list[Mistake]:
    """The wrong answers that the network was most sure of, the surest first; of numbers, the largest errors."""
    if answers.is_of_classes:
        return _wrong_classes(answers, most)
    match answers.kind:
        case "classes" | "flags":
            return _wrong_labels(answers, most)
        case "numbers":
            return _wrong_numbers(answers, most)
        case _:
            assert_never(answers.kind)


def _wrong_classes(answers: Answers, most: int) -> list[Mistake]:
    names, confidence = answers.names, answers.probabilities.max(axis=1)
    wrong = np.flatnonzero(answers.classes != answers.labels)
    return [
        Mistake(int(image), names[answers.labels[image]], names[answers.classes[image]], float(confidence[image]))
        for image in wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    ]


def _wrong_labels(answers: Answers, most: int) -> list[Mistake]:
    truth = answers.labels > THRESHOLD
    images, labels = np.nonzero(truth != (answers.values > THRESHOLD))
    sure = np.where(truth, 1 - answers.values, answers.values)[images, labels]
    found = []
    for place in np.argsort(-sure, kind="stable")[:most]:
        image, label = int(images[place]), int(labels[place])
        right, wrong = answers.names[label], f"no {answers.names[label]}"
        truth_and_answer = (right, wrong) if truth[image, label] else (wrong, right)
        found.append(Mistake(image, *truth_and_answer, float(sure[place])))
    return found


def _wrong_numbers(answers: Answers, most: int) -> list[Mistake]:
    """By the largest error of an image, in deviations of each number, so that units do not count."""
    errors = np.abs(answers.values.astype(np.float64) - answers.labels)
    deviations = answers.labels.std(axis=0, dtype=np.float64)
    worst = (errors / np.where(deviations > 0, deviations, 1)).max(axis=1)

    def told(values: Array) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in zip(answers.names, values, strict=True))

    return [
        Mistake(int(image), told(answers.labels[image]), told(answers.values[image]))
        for image in np.argsort(-worst, kind="stable")[:most]
    ]
